# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts to break, and what is asked of them afterwards; certificates that are wrong in one way."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.postmaster.tls.lab.hosts import HOSTS, ipv4
from ansible_collections.postmaster.tls.molecule.shared import clients

ROOT = Path(__file__).resolve().parents[2]
LAB = str(ROOT / "lab" / "lab.py")
NAMES = ("dovecot-bookworm", "dovecot-trixie", "courier-trixie")
STATE = "/var/lib/postmaster-tls"
PATIENCE = 30.0
T = TypeVar("T")


def everywhere(task: Callable[[Host], T], names: Iterable[str] = NAMES) -> dict[str, T]:
    """A task on all hosts at once: what each came to, in the order of the names."""
    hosts = [Host(name) for name in names]
    with ThreadPoolExecutor(len(hosts)) as pool:
        return {host.name: came for host, came in zip(hosts, pool.map(task, hosts))}


def await_(
    condition: Callable[[], bool], what: str, seconds: float = PATIENCE, pause: float = 0.05
) -> float:
    """How long it took to become true; fails when it does not."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds} seconds"
        time.sleep(pause)
    return time.monotonic() - began


def environment() -> dict[str, str]:
    """As a user's, whatever Molecule has set: no colours, so that an answer can be read."""
    plain = {"ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1"}
    return {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), **plain}


SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""As systemd gives it to the units that call the program."""


class Host:
    """A host of the lab, entered by its namespaces: a cut network keeps nobody from asking it."""

    found: ClassVar[dict[str, tuple[Path, str]]] = {}
    """Each host's first process, and the time at which it started: a host may lose its power."""

    def __init__(self, name: str) -> None:
        self.name, self.product = name, name.split("-")[0]
        self.folder = f"/etc/{self.product}"

    def run(self, script: str) -> str:
        """What a line of shell prints there, with this machine's rights: to mount, to cut."""
        space = ("-m", "-u", "-i", "-n", "-p", "-t", self.init().name)
        done = subprocess.run(
            ["nsenter", *space, "--", "sh", "-euc", script],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env={"PATH": SEARCHED},
        )
        assert done.returncode == 0, f"{self.name}: {script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def init(self) -> Path:
        """The host's first process, as this machine sees it: there is no quicker way in."""
        path, began = self.found.get(self.name, (Path("/proc/none"), ""))
        if not began or started(path) != began:
            mark = f"run/mark-{secrets.token_hex(8)}"
            made = [LAB, "exec", self.name, "--", "touch", f"/{mark}"]
            subprocess.run(made, check=True, stdin=subprocess.DEVNULL)
            inside = [p for p in Path("/proc").glob("[0-9]*") if os.path.exists(p / "root" / mark)]
            path = min(inside, key=lambda process: int(process.name))
            self.found[self.name] = path, started(path)
            (path / "root" / mark).unlink()
        return path

    def state(self) -> str:
        """How far the open change came, empty where there is none; within a millisecond."""
        try:
            record = (self.init() / "root" / STATE.lstrip("/") / "transaction.json").read_text()
        except OSError:
            return ""
        return str(json.loads(record)["state"])

    def modules(self) -> list[int]:
        """What Ansible runs there: each a Python that reads its standard input."""
        space, found = os.readlink(self.init() / "ns" / "mnt"), []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                own = os.readlink(process / "ns" / "mnt") == space
                if own and (process / "cmdline").read_bytes() == b"/usr/bin/python3\0":
                    found.append(int(process.name))
        return found

    def stop_at(self, state: str) -> list[int]:
        """Stop the module that changes the host when it comes to a state; its processes."""
        await_(lambda: bool(self.state()), "a change has begun", 120.0, pause=0.001)
        pids = self.modules()
        await_(lambda: self.state() == state, f"it is {state}", 60.0, pause=0.0005)
        send(pids, signal.SIGSTOP)
        return pids

    def sums(self) -> str:
        """Name, mode, owner and content of every file of the server's folder, hidden ones too."""
        return self.run(self._sums())

    def _sums(self) -> str:
        return (
            f"cd {self.folder}; find . ! -name faults -printf '%p %m %u %g %y\\n' | sort; "
            "find . -type f -exec sha256sum {} + | sort; "
        )

    def look(self) -> tuple[str, str]:
        """The sums, and what nothing may leave: processes, folders, units, timers, staged files."""
        sums, _line, left = self.run(
            f"rm -rf {self.folder}/faults; {self._sums()} echo ---; "
            "ls -d /run/postmaster-tls-* 2>/dev/null || true; "
            f"find {self.folder} -name '.*.2*'; "
            "pgrep -af 'rehearsal|postmaster-tls' | grep -v pgrep || true; "
            "ls /etc/systemd/system /etc/systemd/system/multi-user.target.wants | "
            "grep postmaster || true; "
            "systemctl list-units --no-legend 'postmaster-tls*' || true; "
            f"ls {STATE}/transaction.json 2>/dev/null || true"
        ).partition("---\n")
        return sums, left

    def open_change(self) -> str:
        """The record of the open change, empty where there is none."""
        return self.run(f"cat {STATE}/transaction.json 2>/dev/null || true")

    def journal(self) -> list[dict[str, Any]]:
        """What is written of changes that are over."""
        lines = self.run(f"cat {STATE}/journal.jsonl 2>/dev/null || true").splitlines()
        return [json.loads(line) for line in lines]

    def doors_closed(self) -> list[str]:
        """Doors that worked before and do not: each must shake hands, seen from outside."""
        doors = [door for door in clients.DOORS if door in WORKING[self.name]]
        with ThreadPoolExecutor(len(doors)) as pool:  # one that drops what it gets takes long
            return [door for door, works in zip(doors, pool.map(self.works, doors)) if not works]

    def works(self, door: str) -> bool:
        try:
            clients.handshake(ipv4(HOSTS[self.name]), door, clients.context(clients.V.TLSv1))
        except (OSError, AssertionError):
            return False
        return True

    def module(self, **arguments: Any) -> dict[str, Any]:
        """One call of server_config; its answer."""
        return call({self.name: arguments})[self.name]

    def change(self, *settings: dict[str, str], **more: Any) -> dict[str, Any]:
        """Put settings in force, proven on the ports of IMAP and POP3."""
        return self.module(**self.wants(*settings, **more))

    def wants(self, *settings: dict[str, str], **more: Any) -> dict[str, Any]:
        """The arguments of server_config for that."""
        listeners = [
            {"service": kind.rstrip("s"), "address": "*", "port": int(port), "tls_mode": mode}
            for kind, port in (door.split() for door in WORKING[self.name])
            for mode in ["implicit" if kind.endswith("s") else "starttls"]
        ]
        version = {"dovecot-bookworm": "2.3.19", "dovecot-trixie": "2.4.1"}.get(self.name, "")
        wanted = {"product": self.product, "version": version, "settings": list(settings)}
        return {**wanted, "listeners": listeners, **more}


def started(process: Path) -> str:
    """When a process started, as the kernel counts it (proc(5), the 22nd field); empty if gone."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """A signal to processes, those that are gone left out."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def call(arguments: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Host → arguments of one call of server_config; the answers, all had by one run of Ansible."""
    options = {option for each in arguments.values() for option in each}
    given = {
        name: f"{{{{ calls[inventory_hostname].{name} | default(omit) }}}}" for name in options
    }
    done = subprocess.run(
        [
            *("ansible", ":".join(arguments), "-o", "-m", "postmaster.tls.server_config"),
            *("-a", json.dumps(given), "-e", json.dumps({"calls": arguments})),
        ],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    lines = re.findall(r"^(\S+) \| ([A-Z]+)!? => ?(\{.*\})\s*$", done.stdout, re.MULTILINE)
    answers = {name: {**json.loads(said), "failed": word == "FAILED"} for name, word, said in lines}
    assert answers.keys() == arguments.keys(), done.stdout + done.stderr
    return answers


def change_all(
    settings: Callable[[Host], list[dict[str, str]]], names: Iterable[str] = NAMES, **more: Any
) -> dict[str, dict[str, Any]]:
    """Put settings in force on all hosts at once; the answers."""
    wanted = everywhere(lambda host: host.wants(*settings(host), **more), names)
    return call(wanted)


COURIER_FILES = tuple(f"/etc/courier/{name}" for name in ("imapd-ssl", "pop3d-ssl"))
HARD = (
    ("ssl_min_protocol", "TLSv1.2"),
    ("TLS_PRIORITY", "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3"),
)
"""A change that every server takes."""
HARDER = (("ssl_min_protocol", "TLSv1.3"), ("TLS_PRIORITY", "NORMAL:-VERS-ALL:+VERS-TLS1.3"))


def setting(host: Host, dovecot: tuple[str, str], courier: tuple[str, str]) -> list[dict[str, str]]:
    """A setting in the words of the host's server; Courier's in both files."""
    if host.product == "dovecot":
        return [{"name": dovecot[0], "value": dovecot[1]}]
    return [{"name": courier[0], "value": courier[1], "file": file} for file in COURIER_FILES]


# courier-trixie serves no STARTTLS for IMAP, by its weakness.
WORKING = {
    "dovecot-bookworm": clients.DOORS,
    "dovecot-trixie": clients.DOORS,
    "courier-trixie": ("imaps 993", "pop3s 995", "pop3 110"),
}


# ---------------------------------------------------------------------------------------------
# Certificates


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _certificate(
    name: str, key: Any, issuer: tuple[str, Any] | None = None, days: int = 30
) -> bytes:
    by, with_key = issuer or (name, key)
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, by)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(with_key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def _pem(key: Any) -> bytes:
    return bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def pairs() -> dict[str, tuple[bytes, bytes]]:
    """What is wrong → certificate file and key file."""
    authority, key = _key(), _key()
    chain = (
        _certificate("mail.example.test", key, ("CA", authority)),
        _certificate("CA", authority),
    )
    return {
        "good": (b"".join(chain), _pem(key)),
        "wrong key": (b"".join(chain), _pem(_key())),
        "truncated": (chain[0][: len(chain[0]) // 2], _pem(key)),
        "truncated key": (chain[0], _pem(key)[: len(_pem(key)) // 2]),
        "expired": (_certificate("mail.example.test", key, days=-1), _pem(key)),
        "reversed": (b"".join(reversed(chain)), _pem(key)),
    }


def lay_out(host: Host, pair: tuple[bytes, bytes], mode: str, owner: str) -> list[dict[str, str]]:
    """Put a pair on a host; the settings that name it."""
    folder = f"{host.folder}/faults"
    certificate, key = (base64.b64encode(part).decode() for part in pair)
    combined = base64.b64encode(b"".join(pair[::-1])).decode()
    host.run(
        f"mkdir -p {folder}; cd {folder}; echo {certificate} | base64 -d >crt; "
        f"echo {key} | base64 -d >key; echo {combined} | base64 -d >pem; "
        f"chmod {mode} *; chown {owner} *"
    )
    if host.product == "courier":
        return [
            {"name": "TLS_CERTFILE", "value": f"{folder}/pem", "file": f"{host.folder}/{name}"}
            for name in ("imapd-ssl", "pop3d-ssl")
        ]
    old = host.name == "dovecot-bookworm"
    names = ("ssl_cert", "ssl_key") if old else ("ssl_server_cert_file", "ssl_server_key_file")
    return [
        {"name": name, "value": f"{'<' if old else ''}{folder}/{part}"}
        for name, part in zip(names, ("crt", "key"))
    ]
