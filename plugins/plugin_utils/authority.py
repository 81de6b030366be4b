# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private authority in a folder on the controller: a root, an intermediate that issues, a CRL.

For intranets and labs, where no public authority issues. Both keys are encrypted (PKCS #8); the
root's is used once, to sign the intermediate, whose path ends there. What was issued is written
down, one JSON object a line, before it leaves.

    root.pem root.key     for users' programs to trust; keep the key somewhere else if you like
    issuing.pem issuing.key crl.pem issued.jsonl

Sources: RFC 5280 sections 4.2.1 (extensions) and 5 (CRL), RFC 2986 (requests), RFC 6125 section 6.4
(names in subjectAltName alone), CA/B Forum baseline requirements section 7.1.2 (profiles).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Optional

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    HAS_CRYPTOGRAPHY = hasattr(x509.Certificate, "not_valid_after_utc")
except ImportError:  # an ansible-core without its own requirements
    HAS_CRYPTOGRAPHY = False

PASSPHRASE = 12
"""Characters that a passphrase has at least."""
ROOT_DAYS, ISSUING_DAYS, CRL_DAYS = 3650, 1825, 30
RSA_BITS = 2048
BEFORE = timedelta(minutes=10)
"""How long ago a new certificate begins: clocks differ."""


class AuthorityError(Exception):
    """The authority cannot do what is asked; the message is a sentence."""


def fingerprint(directory: str) -> Optional[str]:
    """SHA-256 of the root in ``directory``; ``None`` where there is no authority yet.

    Raises :class:`AuthorityError`.
    """
    path = Path(directory) / "root.pem"
    try:
        root = x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise AuthorityError(f"the authority in {directory}: {error}") from None
    return root.fingerprint(hashes.SHA256()).hex()


@dataclass(frozen=True)
class _Signer:
    certificate: x509.Certificate
    key: Any


class Authority:
    """The authority in ``directory``; it is made where there is none.

    ``now`` is the time, in UTC. Raises :class:`AuthorityError`.
    """

    def __init__(self, directory: str, title: str, passphrase: str, now: datetime) -> None:
        if not HAS_CRYPTOGRAPHY:
            raise AuthorityError("cryptography 42 or newer is needed on the controller")
        if len(passphrase) < PASSPHRASE:
            raise AuthorityError(f"the authority's passphrase needs {PASSPHRASE} characters")
        self._folder, self._now = Path(directory), now
        self._passphrase = passphrase.encode()
        self.made = False
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked():
                self._issuing = self._load("issuing") or self._make(title)
        except (OSError, ValueError) as error:
            raise AuthorityError(f"the authority in {directory}: {error}") from None

    @property
    def root(self) -> str:
        """The root's certificate as PEM, for programs to trust."""
        return (self._folder / "root.pem").read_text("ascii")

    def issue(self, request: str, names: Sequence[str], days: int) -> str:
        """The chain for a request (PKCS #10 as PEM): certificate and intermediate.

        The names are those that are given here; what a request says of itself is nobody's word.
        """
        key = _requested_key(request)
        number = x509.random_serial_number()
        ends = min(self._now + timedelta(days=days), self._ends())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
        made = _signed(
            self._builder(subject, key, number, ends)
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False),
            self._issuing,
        )
        with self._locked():
            self._note(made, names)
        return _pem(made) + _pem(self._issuing.certificate)

    def revoke(self, serials: Sequence[str]) -> bool:
        """Write the revocation list with these serial numbers (hexadecimal); whether it is new.

        A list that is valid for more than half of its time and says the same stays.
        """
        wanted = {_number(serial) for serial in serials}
        with self._locked():
            held = self._crl()
            fresh = held is not None and (held.next_update_utc or self._now) - self._now > (
                timedelta(days=CRL_DAYS / 2)
            )
            if held is not None and fresh and {entry.serial_number for entry in held} == wanted:
                return False
            self._write("crl.pem", self._new_crl(wanted).public_bytes(Encoding.PEM))
            return True

    # -----------------------------------------------------------------------------------------

    def _ends(self) -> datetime:
        return self._issuing.certificate.not_valid_after_utc

    def _make(self, title: str) -> _Signer:
        root = self._signer(f"{title} Root CA", None, None, ROOT_DAYS)
        issuing = self._signer(f"{title} Issuing CA", root, 0, ISSUING_DAYS)
        for name, one in (("root", root), ("issuing", issuing)):
            closed = one.key.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(self._passphrase)
            )
            self._write(f"{name}.key", closed)
            self._write(f"{name}.pem", _pem(one.certificate).encode("ascii"))
        self.made = True
        return issuing

    def _signer(self, title: str, by: Optional[_Signer], path: Optional[int], days: int) -> _Signer:
        key = ec.generate_private_key(ec.SECP384R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
        number, ends = x509.random_serial_number(), self._now + timedelta(days=days)
        builder = (
            self._builder(subject, key.public_key(), number, ends)
            .add_extension(x509.BasicConstraints(True, path), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        )
        by = by or _Signer(_unsigned(subject, key), key)
        return _Signer(_signed(builder, by), key)

    def _builder(
        self, subject: x509.Name, key: Any, number: int, ends: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .public_key(key)
            .serial_number(number)
            .not_valid_before(self._now - BEFORE)
            .not_valid_after(ends)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )

    def _load(self, name: str) -> Optional[_Signer]:
        path = self._folder / f"{name}.pem"
        if not path.exists():
            return None
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        if certificate.not_valid_after_utc <= self._now:
            raise AuthorityError(f"{path} has ended; move the folder away to begin anew")
        try:
            key = load_pem_private_key(
                (self._folder / f"{name}.key").read_bytes(), self._passphrase
            )
        except (ValueError, TypeError):
            raise AuthorityError(
                f"{self._folder / name}.key cannot be opened with this passphrase"
            ) from None
        return _Signer(certificate, key)

    def _crl(self) -> Optional[x509.CertificateRevocationList]:
        path = self._folder / "crl.pem"
        return x509.load_pem_x509_crl(path.read_bytes()) if path.exists() else None

    def _new_crl(self, numbers: set[int]) -> x509.CertificateRevocationList:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._issuing.certificate.subject)
            .last_update(self._now)
            .next_update(self._now + timedelta(days=CRL_DAYS))
            .add_extension(x509.CRLNumber(int(self._now.timestamp())), critical=False)
        )
        for number in sorted(numbers):
            entry = x509.RevokedCertificateBuilder().serial_number(number)
            builder = builder.add_revoked_certificate(entry.revocation_date(self._now).build())
        return builder.sign(self._issuing.key, hashes.SHA384())

    def _note(self, made: x509.Certificate, names: Sequence[str]) -> None:
        entry = {
            "serial": f"{made.serial_number:x}",
            "names": list(names),
            "not_after": made.not_valid_after_utc.isoformat(),
            "sha256": made.fingerprint(hashes.SHA256()).hex(),
        }
        with (self._folder / "issued.jsonl").open("a", encoding="ascii") as handle:
            handle.write(json.dumps(entry) + "\n")
            handle.flush()
            os.fsync(handle.fileno())

    def _write(self, name: str, content: bytes) -> None:
        new = self._folder / f".{name}.new"
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(new, self._folder / name)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hosts are served side by side; one at a time in the folder."""
        with (self._folder / ".lock").open("w", encoding="ascii") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _requested_key(request: str) -> Any:
    try:
        asked = x509.load_pem_x509_csr(request.encode("ascii", "replace"))
        good = asked.is_signature_valid
        key = asked.public_key()
    except (ValueError, InvalidSignature) as error:
        raise AuthorityError(f"the request cannot be read: {error}") from None
    strong = isinstance(key, ec.EllipticCurvePublicKey) or (
        isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_BITS
    )
    if not good or not strong:
        raise AuthorityError(
            "the request is not signed by its own key" if strong else "the request's key is weak"
        )
    return key


def _unsigned(subject: x509.Name, key: Any) -> x509.Certificate:
    """Stands for a certificate that signs itself: its subject and its key are what is needed."""
    moment = datetime(2000, 1, 1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(moment)
        .not_valid_after(moment)
        .sign(key, hashes.SHA384())
    )


def _signed(builder: x509.CertificateBuilder, by: _Signer) -> x509.Certificate:
    key = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
    return (
        builder.issuer_name(by.certificate.subject)
        .add_extension(key, critical=False)
        .sign(by.key, hashes.SHA384())
    )


_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _usage(**uses: bool) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: uses.get(name, False) for name in _USES})


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def _number(serial: str) -> int:
    try:
        return int(serial.replace(":", ""), 16)
    except ValueError:
        raise AuthorityError(f"{serial[:64]!r} is no serial number in hexadecimal") from None
