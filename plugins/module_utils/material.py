# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate and its key as somebody hands them over: read once, checked whole, or refused.

Each thing that can be wrong is one check in CHECKS, and gives one sentence that names the file.
What comes out is fit for a server and in one form: leaf first, then each certificate's issuer,
nothing else between them, and a key that no password guards. Signatures are verified, and keys
opened, by the host's ``openssl``; the bytes of a key are in no message.

Sources: RFC 7468 (PEM), RFC 8446 section 4.4.2 (order of a chain), RFC 9325 section 4.5 (strength),
openssl-verify(1), openssl-pkey(1).
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Callable, Optional

from . import host, scratch, transaction, x509
from .text import NAME, clean

LIMIT = 1024 * 1024
"""Bytes of a file: a chain with its key has less than 20 kB."""
CHAIN_LIMIT = 32
RSA_BITS = 2048
EC_BITS = 224

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n(.*?)-----END \1-----", re.DOTALL)
_KEY = re.compile(r"(?:[A-Z0-9]+ )?PRIVATE KEY\Z")
_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE")
_LEGACY_ENCRYPTION = b"Proc-Type: 4,ENCRYPTED"


class BadInput(Exception):
    """What was handed over is not fit for a server; the message is a sentence with the file."""


@dataclass(frozen=True)
class Source:
    """Where certificate and key come from, and what they are to be good for.

    ``key`` may be the same file, ``chain`` is a file with issuers where that one lacks them.
    ``names`` are those that clients ask for. ``password_file`` holds the password of the key in
    its first line. ``ca_file`` holds the authorities to which the chain has to lead; without it a
    chain is complete when it has an issuer, or the host's own store does.
    """

    certificate: str
    key: str
    names: tuple[str, ...] = ()
    password_file: Optional[str] = None
    chain: Optional[str] = None
    ca_file: Optional[str] = None


@dataclass(frozen=True)
class Material:
    """A certificate that is fit to be served: its chain, leaf first, and its key as PEM.

    ``notes`` are sentences about what could not be known.
    """

    chain: tuple[x509.Certificate, ...]
    key: bytes
    notes: tuple[str, ...] = ()

    @property
    def leaf(self) -> x509.Certificate:
        """The server's own certificate."""
        return self.chain[0]

    @property
    def pem(self) -> bytes:
        """The chain as PEM."""
        return b"".join(map(pem, self.chain))


def take(source: Source, now: Optional[float] = None) -> Material:
    """What is handed over, when all of it is right. Raises :class:`BadInput` for what is not.

    ``now`` is in seconds since 1970. Raises :class:`transaction.Refused` where a link on the way
    could have been put there by somebody else than root.
    """
    chain = _chain(source.certificate)
    if source.chain:
        chain += tuple(each for each in _chain(source.chain) if each not in chain)
    made = Material(chain, _key(source))
    at = time.time() if now is None else now
    for check in CHECKS:
        problem = check(made, source, at)
        if problem:
            raise BadInput(problem)
    return replace(made, notes=tuple(_open_end(made, source)))


def pem(certificate: x509.Certificate) -> bytes:
    """A certificate in the one form in which we write it (RFC 7468 section 5.1)."""
    text = base64.b64encode(certificate.der)
    lines = [text[begin : begin + 64] for begin in range(0, len(text), 64)]
    body = b"\n".join(lines)
    return b"-----BEGIN CERTIFICATE-----\n" + body + b"\n-----END CERTIFICATE-----\n"


def certificates(raw: bytes) -> tuple[x509.Certificate, ...]:
    """Every certificate in PEM text, in order. Raises :class:`x509.NotOne`."""
    found = []
    for label, body in _blocks(raw):
        if label in _CERTIFICATES:
            try:
                found.append(x509.read(base64.b64decode(b"".join(body.split()), validate=True)))
            except binascii.Error as error:
                raise x509.NotOne(str(error)) from None
    return tuple(found)


def _blocks(raw: bytes) -> list[tuple[str, bytes]]:
    return [(match[1].decode("ascii"), match[2]) for match in _BLOCK.finditer(raw)]


# ---------------------------------------------------------------------------------------------
# Reading


def _read(path: str) -> bytes:
    """A file's bytes; links are followed only where root alone can put them."""
    real = transaction.resolve(path)
    raw, problem = host.read_bytes(real, LIMIT)
    if problem:
        raise BadInput(f"{path} {problem}")
    owner = os.stat(real).st_uid
    if owner not in (0, os.geteuid()):
        raise BadInput(
            f"{path} belongs to user {owner}, who could change it meanwhile; give it to root"
        )
    if not raw.strip():
        raise BadInput(f"{path} is empty")
    if b"-----BEGIN " not in raw:
        der = raw[:1] == b"\x30"  # X.690 section 8.9: a SEQUENCE
        how = f"; convert it: openssl x509 -inform DER -in {path}" if der else ""
        raise BadInput(f"{path} is {'DER, not PEM' if der else 'not PEM'}{how}")
    return raw


def _chain(path: str) -> tuple[x509.Certificate, ...]:
    try:
        found = certificates(_read(path))
    except x509.NotOne as error:
        raise BadInput(f"{path} holds a certificate that cannot be read: {error}") from None
    if not found:
        raise BadInput(f"{path} holds no certificate")
    if len(found) > CHAIN_LIMIT:
        raise BadInput(f"{path} holds {len(found)} certificates, more than a chain can have")
    return found


def _key(source: Source) -> bytes:
    """The one private key of the file, without a password."""
    keys = [(label, body) for label, body in _blocks(_read(source.key)) if _KEY.match(label)]
    if not keys:
        raise BadInput(f"{source.key} holds no private key")
    if len(keys) > 1:
        raise BadInput(f"{source.key} holds {len(keys)} private keys; give one")
    label, body = keys[0]
    lines = f"-----BEGIN {label}-----\n".encode() + body.replace(b"\r\n", b"\n")
    text = lines + f"-----END {label}-----\n".encode()
    if label != "ENCRYPTED PRIVATE KEY" and _LEGACY_ENCRYPTION not in body:
        return text
    if source.password_file is None:
        raise BadInput(
            f"{source.key} is encrypted and no password file was given; a server that starts "
            "unattended cannot open it"
        )
    return _opened(source.key, source.password_file, text)


def _opened(path: str, password_file: str, text: bytes) -> bytes:
    if not host.read_bytes(transaction.resolve(password_file), LIMIT)[0]:
        raise BadInput(f"{password_file}, the password of {path}, cannot be read or is empty")
    with scratch.folder("key") as directory:
        name = _put(directory, "key", text)
        answer = host.run(["openssl", "pkey", "-in", name, "-passin", f"file:{password_file}"])
    if answer.rc:
        raise BadInput(f"{path} cannot be opened with the password in {password_file}")
    return answer.stdout.encode("ascii", "replace")


def _put(directory: str, name: str, content: bytes) -> str:
    """A file for openssl, in a folder that only root can open."""
    path = os.path.join(directory, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(content)
    return path


# ---------------------------------------------------------------------------------------------
# What can be wrong. Each check knows that those before it found nothing.

_Check = Callable[[Material, Source, float], Optional[str]]


def _one_leaf(made: Material, source: Source, _now: float) -> Optional[str]:
    leaves = [each for each in made.chain if not each.authority]
    titles = " and ".join(each.title for each in leaves)
    if len(leaves) > 1:
        return (
            f"{source.certificate} holds {len(leaves)} server certificates ({titles}); "
            "give one, followed by its issuers"
        )
    if leaves and leaves[0] is not made.leaf:
        return (
            f"{source.certificate} is in the wrong order: it begins with {made.leaf.title}, an "
            f"authority; the server's own certificate ({titles}) comes first"
        )
    if not leaves and not made.leaf.self_issued:
        return f"{source.certificate} holds certificates of authorities only"
    return None


def _in_order(made: Material, source: Source, _now: float) -> Optional[str]:
    for number, (child, issuer) in enumerate(zip(made.chain, made.chain[1:]), 2):
        if child.issuer != issuer.subject or not _signed(child, issuer):
            return (
                f"{source.certificate}: certificate {number} ({issuer.title}) did not sign the one "
                "before it; the order is the server's own, then each one's issuer"
            )
    return None


def _complete(made: Material, source: Source, _now: float) -> Optional[str]:
    if source.ca_file:
        if _verified(made, ["-CAfile", source.ca_file, "-no-CApath"]):
            return None
        return f"{source.certificate} does not lead to an authority of {source.ca_file}"
    if len(made.chain) > 1 or made.leaf.self_issued or _verified(made, []):
        return None
    return (
        f"{source.certificate} is incomplete: the certificate of its issuer is missing; give the "
        "whole chain (fullchain.pem)"
    )


def _open_end(made: Material, source: Source) -> Iterator[str]:
    """Whether an issuer is missing after the last one cannot be known without its authority.

    A private authority's root is seldom in the chain or in the host's store, so it is no reason to
    refuse; but a second intermediate that is missing looks the same.
    """
    last = made.chain[-1]
    if not (source.ca_file or last.self_issued or _verified(made, [])):
        yield clean(
            f"{source.certificate}: whether it is whole is not known, for the issuer of its last "
            f"certificate ({last.title}) is neither in it nor trusted by this host; name the "
            "authority (--ca-file, certificate_trusted_file) to have it verified",
            4 * NAME,
        )


def _paired(made: Material, source: Source, _now: float) -> Optional[str]:
    with scratch.folder("pair") as directory:
        certificate = _put(directory, "certificate", made.pem)
        key = _put(directory, "key", made.key)
        fact = host.file_fact(certificate, "certificate", key)
    if fact.key_matches:
        return None
    if fact.key_matches is False:
        return f"{source.key} is the key of another certificate than {source.certificate}"
    return f"{source.key} holds a private key that the TLS library cannot read"


def _in_time(made: Material, source: Source, now: float) -> Optional[str]:
    if now >= made.leaf.not_after:
        return f"{source.certificate} ended at {moment(made.leaf.not_after)}"
    if now < made.leaf.not_before:
        return f"{source.certificate} is valid only from {moment(made.leaf.not_before)} on"
    for issuer in made.chain[1:]:
        if now >= issuer.not_after:
            ended = moment(issuer.not_after)
            return f"{source.certificate}: its issuer {issuer.title} ended at {ended}"
    return None


def _for_servers(made: Material, source: Source, _now: float) -> Optional[str]:
    if made.leaf.for_servers:
        return None
    return f"{source.certificate} is not for servers (extendedKeyUsage)"


def _strong(made: Material, source: Source, _now: float) -> Optional[str]:
    kind, bits = made.leaf.key_type, made.leaf.key_bits
    least = {"rsa": RSA_BITS, "ecdsa": EC_BITS}.get(kind)
    if kind == "dsa" or (least is not None and bits and bits < least):
        return f"{source.certificate} has a weak key: {kind.upper()} with {bits} bits"
    for each in made.chain:
        if each.weak_signature and not each.self_issued:
            return f"{source.certificate}: {each.title} is signed with {each.weak_signature}"
    return None


def _named(made: Material, source: Source, _now: float) -> Optional[str]:
    missing = [name for name in source.names if not made.leaf.covers(name)]
    if not missing:
        return None
    held = ", ".join(made.leaf.names) or "no name at all"
    return clean(
        f"{source.certificate} does not cover {', '.join(missing)}; it is for {held}", 2 * NAME
    )


CHECKS: tuple[_Check, ...] = (
    _one_leaf,
    _in_order,
    _paired,
    _in_time,
    _for_servers,
    _strong,
    _complete,
    _named,
)
"""In the order in which they are asked; the first that finds something ends it."""


def moment(seconds: float) -> str:
    """A time for people, UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds))


# ---------------------------------------------------------------------------------------------
# Signatures


def _signed(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the key of ``issuer`` made the signature; dates are judged elsewhere."""
    with scratch.folder("chain") as directory:
        trusted, asked = _put(directory, "issuer", pem(issuer)), _put(directory, "one", pem(child))
        return _verify("-partial_chain", "-no-CApath", "-no-CAfile", "-trusted", trusted, asked)


def _verified(made: Material, store: Sequence[str]) -> bool:
    """Whether the chain leads to an authority of ``store``, the host's own where it is empty."""
    with scratch.folder("chain") as directory:
        rest = b"".join(map(pem, made.chain[1:]))
        between = ["-untrusted", _put(directory, "issuers", rest)] if rest else []
        return _verify(*store, *between, _put(directory, "leaf", pem(made.leaf)))


def _verify(*arguments: str) -> bool:
    answer = host.run(["openssl", "verify", "-no_check_time", *arguments])
    if answer.rc == host.NOT_FOUND:
        raise BadInput("openssl is not installed on the host; install the package openssl")
    return answer.rc == 0
