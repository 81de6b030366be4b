# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rim of a managed node: the only file there that runs commands, reads files and asks systemd.

Everything is bounded (time, bytes) and nothing raises: what could not be had is a value that says
why. It knows no server, no setting and no policy, and it never keeps a byte of a private key: a
key is read only to tell whether it is PEM, encrypted, and the partner of a certificate.

Sources: glob(7) and glob(3) with GLOB_BRACE (the C locale's order, each brace alternative sorted
for itself), RFC 7468 (PEM), systemctl(1) ``show``, exit codes 127 and 124 as sh(1) and timeout(1).
"""

from __future__ import annotations

import base64
import binascii
import glob
import grp
import os
import pwd
import re
import signal
import ssl
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Optional

from .model.configured import FileFact, Unit

# Caps: a dump of a configuration is about 100 kB, a chain or a key less than 20 kB.
OUTPUT_LIMIT = 4 * 1024 * 1024
PEM_LIMIT = 1024 * 1024
GLOB_LIMIT = 4096
CHAIN_LIMIT = 32

NOT_FOUND = 127
TIMED_OUT = 124

# Sessions without a login shell often lack the administrators' folders.
_ADMIN_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")


@dataclass(frozen=True)
class Result:
    """What a command answered; ``rc`` is negative for a signal, 127 and 124 as in a shell."""

    rc: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str], timeout: float = 30.0, env: Optional[Mapping[str, str]] = None
) -> Result:
    """The result of ``argv`` run without a shell, without input, in the C locale.

    ``env`` is added to the environment. Never raises: a command that is missing or may not be run
    gives 127, one that outlives ``timeout`` seconds is ended with all its children and gives 124.
    """
    try:
        # Not run_command: this file is below AnsibleModule, and bounds time and output itself.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(env or {}),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return Result(NOT_FOUND, "", f"{argv[0]} could not be run: {_cause(error)}")
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        out, err = _end(process)
        return Result(TIMED_OUT, _decode(out), f"{argv[0]} did not answer in {timeout:g} seconds")
    return Result(process.returncode, _decode(out), _decode(err))


def environment(extra: Optional[Mapping[str, str]] = None) -> dict[str, str]:
    """The environment of every command: the C locale, and the administrators' folders."""
    known = [p for p in os.environ.get("PATH", "").split(os.pathsep) if p]
    path = os.pathsep.join(known + [p for p in _ADMIN_PATH if p not in known])
    return {**os.environ, "PATH": path, "LC_ALL": "C", **(extra or {})}


def _end(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Kill the command's own session; a grandchild that left it must not hold us either."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        process.kill()
    try:
        return process.communicate(timeout=1.0)
    except subprocess.TimeoutExpired:
        return b"", b""


def _decode(raw: bytes) -> str:
    return raw[:OUTPUT_LIMIT].decode("utf-8", "backslashreplace")


def _cause(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def read_text(path: str, limit: int) -> Optional[str]:
    """The text of a regular file; ``None`` if it cannot be read or is longer than ``limit`` bytes.

    Bytes that are not UTF-8 survive as surrogates, so that writing the text back (UTF-8 with
    ``surrogateescape``) gives the same file; line ends are kept.
    """
    raw, problem = read_bytes(path, limit)
    return None if problem else raw.decode("utf-8", "surrogateescape")


def read_bytes(path: str, limit: int) -> tuple[bytes, Optional[str]]:
    """Bytes and no problem, or no bytes and a clause (``does not exist``).

    Never waits on a FIFO or a device.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        return b"", "does not exist" if missing else f"cannot be read: {_cause(error)}"
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b"", "cannot be read: it is not a regular file"
        with open(descriptor, "rb", closefd=False) as file:
            raw = file.read(limit + 1)
    except OSError as error:
        return b"", f"cannot be read: {_cause(error)}"
    finally:
        os.close(descriptor)
    too_long = len(raw) > limit
    return (b"", f"cannot be read: it is longer than {limit} bytes") if too_long else (raw, None)


def glob_files(pattern: str) -> list[str]:
    """The paths that glob(3) with GLOB_BRACE gives for ``pattern``, in its order.

    At most 4096 paths; ``[]`` where nothing matches or the folder cannot be read.
    """
    found: list[str] = []
    for one in _braces(pattern):
        # glob(7): "[!" and "[^" mean the same here; Python knows only the first.
        try:
            found += sorted(glob.glob(one.replace("[^", "[!")), key=os.fsencode)
        except (OSError, ValueError, re.error):
            continue
    return found[:GLOB_LIMIT]


def _braces(pattern: str, limit: int = 64) -> list[str]:
    """``a{b,c{d,e}}`` → ``ab``, ``acd``, ``ace``; at most ``limit`` of them."""
    parts = _first_braces(pattern)
    if parts is None:
        return [pattern]
    before, alternatives, after = parts
    found: list[str] = []
    for alternative in alternatives[:limit]:
        found += _braces(before + alternative + after, limit)
        if len(found) >= limit:
            break
    return found[:limit]


def _first_braces(pattern: str) -> Optional[tuple[str, list[str], str]]:
    """What is before, between the commas of, and after the first closed pair of braces."""
    begin, depth = pattern.find("{"), 0
    cuts: list[int] = []
    for index in range(max(begin, 0), len(pattern) if begin >= 0 else 0):
        depth += {"{": 1, "}": -1}.get(pattern[index], 0)
        if depth == 0:
            edges = [begin, *cuts, index]
            inside = [pattern[a + 1 : b] for a, b in zip(edges, edges[1:])]
            return pattern[:begin], inside, pattern[index + 1 :]
        if depth == 1 and pattern[index] == ",":
            cuts.append(index)
    return None


# ---------------------------------------------------------------------------------------------
# Certificate and key files


_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----"
)
_KEY = re.compile(rb"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----")
_ENCRYPTED = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: *4,ENCRYPTED", re.M)
_DH = re.compile(rb"-----BEGIN (X9\.42 )?DH PARAMETERS-----")

# What a file of each role must hold.
_HOLDS = {
    "certificate": (_CERTIFICATE,),
    "key": (_KEY,),
    "combined": (_CERTIFICATE, _KEY),
    "dh": (_DH,),
}


def file_fact(path: str, role: str, key_path: Optional[str] = None) -> FileFact:
    """What is known of a certificate, key, combined or DH file.

    ``role`` is one of FileFact's. For a certificate ``key_path`` names the file with its private
    key (a combined file is its own): only then is ``key_matches`` known.
    """
    raw, problem = read_bytes(path, PEM_LIMIT)
    fact = replace(_owned(path, role), problem=problem)
    if problem:
        return fact
    problem = _pem_problem(raw, role)
    if role == "dh":
        return replace(fact, bits=_dh_bits(raw), problem=problem)
    chain = _chain(raw) if role in ("certificate", "combined") else ()
    partner = key_path or (path if role == "combined" else None)
    if problem or partner is None or not chain:
        return replace(fact, chain=chain, problem=problem)
    matches, problem = _key_matches(path, partner)
    return replace(fact, chain=chain, key_matches=matches, problem=problem)


def _owned(path: str, role: str) -> FileFact:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return FileFact(path, role, exists=os.path.lexists(path) if "\0" not in path else False)
    return FileFact(
        path,
        role,
        exists=True,
        owner=_user(status.st_uid),
        group=_group(status.st_gid),
        mode=f"{stat.S_IMODE(status.st_mode):04o}",
    )


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _pem_problem(raw: bytes, role: str) -> Optional[str]:
    if all(pattern.search(raw) for pattern in _HOLDS[role]):
        holds_key = role in ("key", "combined")
        return "is encrypted" if holds_key and _ENCRYPTED.search(raw) else None
    # DER is a SEQUENCE with a length of one to three bytes: X.690 section 8.1.3.
    if len(raw) > 64 and raw[0] == 0x30 and raw[1] in (0x81, 0x82, 0x83):
        return "is DER, not PEM"
    if role == "combined" and _CERTIFICATE.search(raw):
        return "holds no private key"
    return "is not PEM"


def _dh_bits(raw: bytes) -> Optional[int]:
    """The size of the prime in PEM DH parameters: SEQUENCE { INTEGER p, … } (PKCS #3 section 9)."""
    match = re.search(rb"-----BEGIN [^-]+-----([A-Za-z0-9+/=\s]+)-----END", raw)
    try:
        der = base64.b64decode(match.group(1)) if match else b""
    except (ValueError, binascii.Error):
        return None
    body = _der_value(der, 0x30)
    prime = _der_value(body, 0x02) if body else None
    return int.from_bytes(prime, "big").bit_length() if prime else None


def _der_value(der: bytes, tag: int) -> Optional[bytes]:
    """The content of a DER value with this tag at the front of ``der`` (X.690 section 8.1)."""
    if len(der) < 2 or der[0] != tag:
        return None
    size, start = der[1], 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(der[2:start], "big")
    return der[start : start + size]


def _chain(raw: bytes) -> tuple[str, ...]:
    """Each certificate as base64 DER in file order; what is no DER is left out."""
    found: list[str] = []
    for match in list(_CERTIFICATE.finditer(raw))[:CHAIN_LIMIT]:
        try:
            der = ssl.PEM_cert_to_DER_cert(match.group(0).decode("ascii"))
        except (ValueError, binascii.Error):
            continue
        if der[:1] == b"\x30":
            found.append(base64.b64encode(der).decode("ascii"))
    return tuple(found)


def _key_matches(certificate: str, key: str) -> tuple[Optional[bool], Optional[str]]:
    """Whether the library takes certificate and key as a pair, or the clause that says why not.

    Security level 0, since a short key is still a key; the callback stands for no pass phrase, so
    that OpenSSL never asks on a terminal.
    """
    raw, problem = read_bytes(key, PEM_LIMIT)
    if problem:
        return None, f"its key {key} {problem}"
    if _ENCRYPTED.search(raw):
        return None, f"its key {key} is encrypted"
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        return _refusal(error)
    except (OSError, ValueError) as error:
        return None, f"cannot be read: {_cause(error)}"
    return True, None


def _refusal(error: ssl.SSLError) -> tuple[Optional[bool], str]:
    reason = error.reason or ""
    # Without a certificate of the kind of the key there is none for it at all (ssl_rsa.c).
    if reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
        return False, "key does not match certificate"
    return None, f"cannot be used with its key: {reason.lower().replace('_', ' ') or 'unknown'}"


# ---------------------------------------------------------------------------------------------
# systemd


# systemctl(1) "is-enabled"; "static" units are started by others, so neither yes nor no.
_ENABLED = {
    "enabled": True,
    "enabled-runtime": True,
    "alias": True,
    "generated": True,
    "linked": False,
    "linked-runtime": False,
    "indirect": False,
    "disabled": False,
    "masked": False,
    "masked-runtime": False,
}
_ACTIVE = {
    "active": True,
    "reloading": True,
    "refreshing": True,
    "inactive": False,
    "failed": False,
    "activating": False,
    "deactivating": False,
}


def unit(name: str) -> Unit:
    """A systemd unit; a unit that does not exist is neither enabled nor active.

    Both are ``None`` where systemd is not there or does not answer.
    """
    return units((name,))[0]


def units(names: Sequence[str]) -> tuple[Unit, ...]:
    """Several systemd units by one call, in the order of ``names``."""
    answer = run(("systemctl", "show", "-p", "ActiveState,UnitFileState,LoadState", *names), 10.0)
    shown = answer.stdout.strip().split("\n\n") if answer.rc == 0 else []
    if len(shown) != len(names):
        return tuple(parse_unit(name, "") for name in names)
    return tuple(parse_unit(name, text) for name, text in zip(names, shown))


def parse_unit(name: str, shown: str) -> Unit:
    """The unit in the output of ``systemctl show``; empty output gives ``None`` fields."""
    state = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    if state.get("LoadState") == "not-found":
        return Unit(name, enabled=False, active=False)
    return Unit(
        name,
        enabled=_ENABLED.get(state.get("UnitFileState", "")),
        active=_ACTIVE.get(state.get("ActiveState", "")),
    )
