# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""X.509: DER as facts, the links of a chain, and whether a name is covered.

Certificates come from servers and files and are hostile until read: sizes are bounded, all text
is cleaned here, and whatever is wrong with one is a CertificateError of one sentence. This file
asks no network and no trust store: it says what a certificate holds and who signed whom, not
whether anyone should trust it.

Sources: RFC 5280; RFC 6125 section 6.4 and RFC 7817 section 3 (names: subjectAltName only, a
common name is noted and never matched); RFC 4985 (SRV-ID); RFC 7633 (must-staple).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, Callable, Optional, TypeVar

from ..module_utils.text import NAME, WORD, clean

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
except ImportError:  # an ansible-core without its own requirements
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = True

# A certificate larger than this is refused unread; real ones stay below 10 kB.
DER_LIMIT = 65536
NAMES_LIMIT = 200
_ON_DNS_SRV = "1.3.6.1.5.5.7.8.7"  # id-on-dnsSRV, RFC 4985 section 2
_IA5_STRING = 0x16

E = TypeVar("E", bound="x509.ExtensionType")
T = TypeVar("T")


class CertificateError(Exception):
    """Bytes that are no certificate that can be read; its text is one clean sentence."""


@dataclass(frozen=True)
class Certificate:
    """The facts of one certificate; all text is clean.

    ``names`` are the DNS names, IP addresses and URIs of the subjectAltName, ``services`` its SRV
    names (``_imaps.example.org``). ``signs``: its key may make signatures (keyUsage
    digitalSignature), ``None`` where that is not said. ``key_type``
    is ``rsa``, ``ecdsa``, ``ed25519``, ``ed448``, ``dsa`` or another word, ``curve`` an IANA group
    name. ``signature_hash`` is ``None`` where the scheme has none of its own (Ed25519).
    ``self_signed``: subject equals issuer and the signature is its own key's. ``names_issuer``: it
    tells where its issuer's certificate can be had (Authority Information Access), as public ones
    do.
    """

    subject: str
    issuer: str
    common_name: Optional[str]
    names: tuple[str, ...]
    services: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    serial: str
    key_type: str
    key_bits: Optional[int]
    curve: Optional[str]
    signature_hash: Optional[str]
    self_signed: bool
    is_ca: bool
    signs: Optional[bool]
    extended_key_usage: tuple[str, ...]
    must_staple: bool
    names_issuer: bool
    sha256: str


def read(der: bytes) -> Certificate:
    """The facts of a DER certificate; CertificateError for anything else."""
    return _told(der, lambda cert: _facts(cert, der))


def subject(text: str) -> str:
    """The subject alone, as :class:`Certificate` has it, of base64 DER; CertificateError."""
    return _told(_decode(text), _subject)


@lru_cache(maxsize=512)
def read_base64(text: str) -> Certificate:
    """The facts of a certificate as base64 DER, as observations carry it; CertificateError."""
    return read(_decode(text))


def public_key_info(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo (DER) of a DER certificate; CertificateError."""
    return _told(der, _public_key_info)


def from_pem(text: str) -> list[bytes]:
    """The certificates in PEM text as DER, in order; CertificateError where there are none."""
    found = pem_bodies(text)
    if not found:
        raise CertificateError("the text holds no certificate in PEM")
    return [_decode(body) for body in found]


def pem_bodies(text: str) -> list[str]:
    """The certificates in PEM text as base64 DER, as it stands there (RFC 7468 section 5.1)."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    return ["".join(part.partition(end)[0].split()) for part in text.split(begin)[1:]]


def fingerprint(text: str) -> str:
    """The SHA-256 fingerprint (hex) of a certificate as base64 DER, readable or not."""
    return hashlib.sha256(_decode(text)).hexdigest()


@lru_cache(maxsize=512)
def signed_by(text: str, issuer: str) -> Optional[bool]:
    """Whether the certificate was signed by the next one (both base64 DER).

    ``None`` where it cannot be told: one is unreadable, or the algorithm is not known here.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _signed_by(
                x509.load_der_x509_certificate(_decode(text)),
                x509.load_der_x509_certificate(_decode(issuer)),
            )
    except Exception:  # hostile encodings again
        return None


def covers(certificate: Certificate, name: str) -> bool:
    """Whether the certificate is good for the host name or address that a user connects to."""
    wanted = _ascii(name)
    address = _address(wanted)
    if address:
        return any(_address(held) == address for held in certificate.names)
    return any(_matches(held.lower().rstrip("."), wanted) for held in certificate.names)


# ---------------------------------------------------------------------------------------------


def _told(der: bytes, ask: Callable[[x509.Certificate], T]) -> T:
    """What ``ask`` is told by a DER certificate; CertificateError for anything else."""
    if not HAS_CRYPTOGRAPHY:
        raise CertificateError("certificates cannot be read here; install cryptography with pip")
    if len(der) > DER_LIMIT:
        raise CertificateError(f"the certificate is {len(der)} bytes long, more than {DER_LIMIT}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cryptography warns of oddities that we report
            return ask(x509.load_der_x509_certificate(der))
    except CertificateError:
        raise
    except Exception as error:  # whatever a hostile encoding brings up: it stops here
        cause = clean(str(error) or type(error).__name__, 120)
        raise CertificateError(f"the certificate cannot be read: {cause}") from None


def _subject(cert: x509.Certificate) -> str:
    return clean(cert.subject.rfc4514_string(), NAME)


def _public_key_info(cert: x509.Certificate) -> bytes:
    return cert.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise CertificateError("the certificate is not base64") from None


def _facts(cert: x509.Certificate, der: bytes) -> Certificate:
    key_type, bits, curve = _key(cert)
    constraints = _extension(cert, x509.BasicConstraints)
    use = _extension(cert, x509.KeyUsage)
    usage = _extension(cert, x509.ExtendedKeyUsage)
    features = _extension(cert, x509.TLSFeature)
    access = _extension(cert, x509.AuthorityInformationAccess)
    return Certificate(
        subject=_subject(cert),
        issuer=clean(cert.issuer.rfc4514_string(), NAME),
        common_name=_common_name(cert),
        names=tuple(_names(cert))[:NAMES_LIMIT],
        services=tuple(_services(cert))[:NAMES_LIMIT],
        not_before=_moment(cert, "not_valid_before"),
        not_after=_moment(cert, "not_valid_after"),
        serial=f"{cert.serial_number:x}"[:WORD],
        key_type=key_type,
        key_bits=bits,
        curve=curve,
        signature_hash=_signature_hash(cert),
        self_signed=cert.subject == cert.issuer and _signed_by(cert, cert) is not False,
        is_ca=bool(constraints and constraints.ca),
        signs=use.digital_signature if use else None,
        extended_key_usage=tuple(clean(_oid(oid), WORD) for oid in usage or ()),
        must_staple=bool(features and x509.TLSFeatureType.status_request in features),
        names_issuer=any(
            entry.access_method == AuthorityInformationAccessOID.CA_ISSUERS
            for entry in access or ()
        ),
        sha256=hashlib.sha256(der).hexdigest(),
    )


def _extension(cert: x509.Certificate, kind: type[E]) -> Optional[E]:
    try:
        return cert.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _common_name(cert: x509.Certificate) -> Optional[str]:
    held = cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return clean(held[0].value, NAME) if held else None


def _names(cert: x509.Certificate) -> Iterable[str]:
    alternative = _extension(cert, x509.SubjectAlternativeName)
    for name in alternative or ():
        if isinstance(name, (x509.DNSName, x509.IPAddress, x509.UniformResourceIdentifier)):
            yield clean(str(name.value), NAME)


def _services(cert: x509.Certificate) -> Iterable[str]:
    for name in _extension(cert, x509.SubjectAlternativeName) or ():
        if isinstance(name, x509.OtherName) and name.type_id.dotted_string == _ON_DNS_SRV:
            text = name.value[2:]
            if len(text) < 128 and name.value[:2] == bytes([_IA5_STRING, len(text)]):
                yield clean(text, NAME)


def _moment(cert: x509.Certificate, name: str) -> datetime:
    """A date with its time zone; cryptography before 42 returns it without."""
    aware = getattr(cert, f"{name}_utc", None)
    moment: datetime = aware or getattr(cert, name).replace(tzinfo=timezone.utc)
    return moment


def _key_types() -> tuple[tuple[type, str], ...]:
    return (
        (rsa.RSAPublicKey, "rsa"),
        (ec.EllipticCurvePublicKey, "ecdsa"),
        (ed25519.Ed25519PublicKey, "ed25519"),
        (ed448.Ed448PublicKey, "ed448"),
        (dsa.DSAPublicKey, "dsa"),
    )


def _key(cert: x509.Certificate) -> tuple[str, Optional[int], Optional[str]]:
    key: Any = cert.public_key()
    kind = next(
        (word for cls, word in _key_types() if isinstance(key, cls)), type(key).__name__.lower()
    )
    curve = clean(key.curve.name, WORD) if kind == "ecdsa" else None
    return kind, getattr(key, "key_size", None), curve


def _signature_hash(cert: x509.Certificate) -> Optional[str]:
    try:
        used = cert.signature_hash_algorithm
    except Exception:  # UnsupportedAlgorithm: named by its identifier instead
        return clean(cert.signature_algorithm_oid.dotted_string, WORD)
    return used.name if used else None


def _signed_by(cert: x509.Certificate, issuer: x509.Certificate) -> Optional[bool]:
    verify = getattr(cert, "verify_directly_issued_by", None)
    if verify is None:  # cryptography before 40: names only
        return None if cert.issuer == issuer.subject else False
    try:
        verify(issuer)
    except (TypeError, NotImplementedError):  # an issuer's key of a kind that verifies nothing
        return None
    except Exception as error:  # InvalidSignature, or names that differ (ValueError)
        return None if type(error).__name__ == "UnsupportedAlgorithm" else False
    return True


# Words of RFC 5280 section 4.2.1.12 for the purposes met on mail servers.
_PURPOSES = {
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "2.5.29.37.0": "anyExtendedKeyUsage",
}


def _oid(oid: x509.ObjectIdentifier) -> str:
    return _PURPOSES.get(oid.dotted_string, oid.dotted_string)


def _ascii(name: str) -> str:
    """A name as it stands in certificates: lower case, A-labels, no last dot."""
    plain = name.strip().rstrip(".").lower()
    try:
        return plain if plain.isascii() else plain.encode("idna").decode("ascii")
    except UnicodeError:
        return plain


def _address(text: str) -> Optional[object]:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def _matches(held: str, wanted: str) -> bool:
    """RFC 6125 section 6.4.3: a wildcard is the whole first label and stands for exactly one."""
    if held == wanted:
        return "*" not in held and bool(held)
    labels: list[str] = held.split(".")
    if labels[0] != "*" or "*" in held[1:] or len(labels) < 3:
        return False
    first, _dot, rest = wanted.partition(".")
    return bool(first) and rest == ".".join(labels[1:])
