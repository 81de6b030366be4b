# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An authority for tests: good certificates, and every kind that must not go into force.

BAD is the table of what somebody may hand over by mistake; the unit tests go through it on files,
the scenario ``certificate`` through the same on real servers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Optional

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAME = "mail.example.test"
PASSWORD = "correct horse"


def new_key(bits: int = 0) -> Any:
    """A private key: RSA of so many bits, else ECDSA P-256."""
    return (
        rsa.generate_private_key(65537, bits) if bits else ec.generate_private_key(ec.SECP256R1())
    )


def key_pem(key: Any, password: str = "", legacy: bool = False) -> bytes:
    """A private key as PEM, in the form of PKCS #8 or in the one of before."""
    how = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    form = PrivateFormat.TraditionalOpenSSL if legacy else PrivateFormat.PKCS8
    return bytes(key.private_bytes(Encoding.PEM, form, how))


def pem(*certificates: x509.Certificate) -> bytes:
    """Certificates as PEM, in this order."""
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def certificate(
    subject: str,
    key: Any,
    issuer: Optional[tuple[str, Any]] = None,
    *,
    names: Sequence[str] = (),
    authority: bool = False,
    begins: float = -1,
    ends: float = 60,
    digest: Any = None,
    purposes: Sequence[x509.ObjectIdentifier] = (),
) -> x509.Certificate:
    """A certificate that is valid from ``begins`` to ``ends``, in days from now."""
    by, with_key = issuer or (subject, key)
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=begins))
        .not_valid_after(now + timedelta(days=ends))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
    )
    if names:
        alternatives = [x509.DNSName(name) for name in names]
        made = made.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    if purposes:
        made = made.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return made.sign(with_key, digest or hashes.SHA256())


class Authority:
    """A root and an intermediate that issues."""

    def __init__(self, title: str = "Test") -> None:
        self.root_key, self.key = new_key(), new_key()
        self.title = title
        self.root = certificate(f"{title} Root", self.root_key, authority=True, ends=3650)
        by = (f"{title} Root", self.root_key)
        self.intermediate = certificate(f"{title} Issuing", self.key, by, authority=True)

    def leaf(self, key: Any, names: Sequence[str] = (NAME,), **more: Any) -> x509.Certificate:
        """A certificate for these names."""
        return certificate(names[0], key, (f"{self.title} Issuing", self.key), names=names, **more)

    def issue(self, names: Sequence[str] = (NAME,), key: Any = None) -> tuple[bytes, bytes]:
        """A chain and its key, as an ACME client leaves them."""
        key = key or new_key()
        return pem(self.leaf(key, names), self.intermediate), key_pem(key)


@dataclass(frozen=True)
class Bad:
    """Something wrong: the two files (``None`` is left out), and what is said about which."""

    what: str
    make: Callable[[Authority], tuple[Optional[bytes], Optional[bytes]]]
    file: str
    words: str


def _chain(**more: Any) -> Callable[[Authority], tuple[bytes, bytes]]:
    def make(by: Authority) -> tuple[bytes, bytes]:
        key = new_key(more.get("bits", 0))
        options = {name: value for name, value in more.items() if name != "bits"}
        return pem(by.leaf(key, **options), by.intermediate), key_pem(key)

    return make


def _reversed(by: Authority) -> tuple[bytes, bytes]:
    key = new_key()
    return pem(by.intermediate, by.leaf(key)), key_pem(key)


def _der(by: Authority) -> tuple[bytes, bytes]:
    key = new_key()
    return by.leaf(key).public_bytes(Encoding.DER), key_pem(key)


def _der_key(by: Authority) -> tuple[bytes, bytes]:
    key = new_key()
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return pem(by.leaf(key), by.intermediate), bytes(der)


def _two_leaves(by: Authority) -> tuple[bytes, bytes]:
    key = new_key()
    return pem(by.leaf(key), by.leaf(new_key(), ["other.example.test"]), by.intermediate), key_pem(
        key
    )


def _other_issuer(by: Authority) -> tuple[bytes, bytes]:
    key = new_key()
    return pem(by.leaf(key), Authority(by.title).intermediate), key_pem(key)


def _incomplete(by: Authority) -> tuple[bytes, bytes]:
    key = new_key()
    return pem(by.leaf(key)), key_pem(key)


def _truncated(by: Authority) -> tuple[bytes, bytes]:
    key = new_key()
    whole = pem(by.leaf(key))
    return whole[: len(whole) // 2], key_pem(key)


def _garbled(by: Authority) -> tuple[bytes, bytes]:
    key = new_key()
    lines = pem(by.leaf(key)).splitlines(keepends=True)
    return b"".join([*lines[:3], *lines[5:]]), key_pem(key)


def _authority(by: Authority) -> tuple[bytes, bytes]:
    return pem(by.intermediate, by.root), key_pem(by.key)


def _key(text: Callable[[Any], Optional[bytes]]) -> Callable[[Authority], Any]:
    def make(by: Authority) -> tuple[bytes, Optional[bytes]]:
        key = new_key()
        return pem(by.leaf(key), by.intermediate), text(key)

    return make


CHAIN, KEY = "chain.pem", "key.pem"
_ENCRYPTED = "is encrypted and no password file was given"
BAD = (
    Bad("no certificate file", lambda by: (None, key_pem(new_key())), CHAIN, "does not exist"),
    Bad("no key file", _key(lambda _key: None), KEY, "does not exist"),
    Bad("an empty file", lambda by: (b"\n", key_pem(new_key())), CHAIN, "is empty"),
    Bad("DER", _der, CHAIN, "is DER, not PEM; convert it: openssl x509 -inform DER"),
    Bad("a key as DER", _der_key, KEY, "is DER, not PEM"),
    Bad("text", lambda by: (b"hello\n", key_pem(new_key())), CHAIN, "is not PEM"),
    Bad("a key for a certificate", lambda by: (key_pem(new_key()),) * 2, CHAIN, "no certificate"),
    Bad("a certificate for a key", lambda by: (by.issue()[0],) * 2, KEY, "no private key"),
    Bad("two keys", _key(lambda key: key_pem(key) * 2), KEY, "holds 2 private keys"),
    Bad("cut", _truncated, CHAIN, "holds no certificate"),
    Bad("lines missing", _garbled, CHAIN, "holds a certificate that cannot be read"),
    Bad("a password", _key(lambda key: key_pem(key, PASSWORD)), KEY, _ENCRYPTED),
    Bad("a password, as of old", _key(lambda key: key_pem(key, PASSWORD, True)), KEY, _ENCRYPTED),
    Bad("a key that is cut", _key(lambda key: key_pem(key)[:60]), KEY, "holds no private key"),
    Bad(
        "another key",
        _key(lambda _key: key_pem(new_key())),
        KEY,
        "is the key of another certificate",
    ),
    Bad(
        "another kind of key",
        _key(lambda _key: key_pem(new_key(2048))),
        KEY,
        "is the key of another certificate",
    ),
    Bad("ended", _chain(ends=-0.1), CHAIN, "ended at 20"),
    Bad("not yet valid", _chain(begins=1), CHAIN, "is valid only from 20"),
    Bad("another name", _chain(names=["x.example.test"]), CHAIN, f"does not cover {NAME}"),
    Bad("no issuer", _incomplete, CHAIN, "is incomplete"),
    Bad("reversed", _reversed, CHAIN, "is in the wrong order: it begins with Test Issuing"),
    Bad("an issuer of the same name", _other_issuer, CHAIN, "did not sign the one before it"),
    Bad("two leaves", _two_leaves, CHAIN, "holds 2 server certificates"),
    Bad("an authority", _authority, CHAIN, "holds certificates of authorities only"),
    Bad("a short key", _chain(bits=1024), CHAIN, "has a weak key: RSA with 1024 bits"),
    Bad(
        "for clients alone",
        _chain(purposes=[ExtendedKeyUsageOID.CLIENT_AUTH]),
        CHAIN,
        "is not for servers",
    ),
)
