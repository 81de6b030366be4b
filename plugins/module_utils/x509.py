# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node has to know of a certificate before it puts it in force, read from its DER. Pure.

Names, dates, kind of key and who signed; nothing is verified here (material.py has ``openssl``
do that), and no policy is known: what a profile wants is judged on the controller.
Sources: RFC 5280 sections 4.1 and 4.2.1, RFC 5480 (EC keys), RFC 8410 (Ed25519), RFC 6125 section
6.4.3 (wildcards: the whole left-most label, and no other).
"""

from __future__ import annotations

import calendar
import hashlib
import ipaddress
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from .der import part, parts
from .text import NAME, clean

_VERSION, _EXTENSIONS = 0xA0, 0xA3
_BOOLEAN, _OCTETS, _OID = 0x01, 0x04, 0x06
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
_TIMES = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}  # UTCTime, GeneralizedTime

_COMMON_NAME = bytes.fromhex("550403")
_ALTERNATIVES = bytes.fromhex("551d11")
_CONSTRAINTS = bytes.fromhex("551d13")
_PURPOSES = bytes.fromhex("551d25")
_FOR_SERVERS = {bytes.fromhex("2b06010505070301"), bytes.fromhex("551d2500")}
_RSA = bytes.fromhex("2a864886f70d010101")
_EC = bytes.fromhex("2a8648ce3d0201")
_KEYS = {
    bytes.fromhex("2b6570"): ("ed25519", 256),
    bytes.fromhex("2b6571"): ("ed448", 456),
    bytes.fromhex("2a8648ce380401"): ("dsa", 0),
}
_CURVES = {
    bytes.fromhex("2a8648ce3d030101"): 192,
    bytes.fromhex("2b81040021"): 224,
    bytes.fromhex("2a8648ce3d030107"): 256,
    bytes.fromhex("2b81040022"): 384,
    bytes.fromhex("2b81040023"): 521,
}
# RFC 3279 sections 2.2.1 to 2.2.3: signatures on digests in which collisions were found.
_WEAK_SIGNATURES = {
    bytes.fromhex("2a864886f70d010102"): "MD2",
    bytes.fromhex("2a864886f70d010104"): "MD5",
    bytes.fromhex("2a864886f70d010105"): "SHA-1",
    bytes.fromhex("2a8648ce3d0401"): "SHA-1",
    bytes.fromhex("2a8648ce380403"): "SHA-1",
}


class NotOne(Exception):
    """The bytes are no certificate."""


@dataclass(frozen=True)
class Certificate:
    """A certificate. Times are seconds since 1970; ``subject`` and ``issuer`` are DER.

    ``names`` are its DNS names and addresses (subjectAltName alone: RFC 6125 section 6.4.4).
    ``key_bits`` is 0 where it is not known. ``purposes`` is ``None`` where any will do.
    """

    der: bytes
    subject: bytes
    issuer: bytes
    common_name: str
    not_before: float
    not_after: float
    names: tuple[str, ...]
    authority: bool
    for_servers: bool
    key_type: str
    key_bits: int
    weak_signature: Optional[str]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the DER, as lower-case hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def self_issued(self) -> bool:
        """Whether subject and issuer are the same."""
        return self.subject == self.issuer

    @property
    def title(self) -> str:
        """How it is called in a sentence."""
        first = self.names[0] if self.names else ""
        return clean(self.common_name or first or "without a name", NAME)

    def covers(self, name: str) -> bool:
        """Whether a client that asks for ``name`` takes it."""
        wanted = name.lower().rstrip(".")
        _label, _dot, rest = wanted.partition(".")
        return wanted in self.names or (bool(rest) and f"*.{rest}" in self.names)


def read(der: bytes) -> Certificate:
    """A certificate from its DER. Raises :class:`NotOne`."""
    try:
        return _read(der)
    except (ValueError, IndexError, KeyError) as error:
        raise NotOne(clean(f"{type(error).__name__}: {error}", NAME)) from None


def _read(der: bytes) -> Certificate:
    _tag, whole, _rest = part(der)
    _tag, body, _rest = part(whole)
    fields = list(parts(body))
    fields = fields[1:] if fields[0][0] == _VERSION else fields
    _serial, (_t, signature), issuer, (_t, validity), subject, (_t, key), *others = fields
    moments = [_moment(*moment) for moment in parts(validity)]
    held = _extensions(next((value for tag, value in others if tag == _EXTENSIONS), b""))
    key_type, key_bits = _key(key)
    return Certificate(
        der=der,
        subject=subject[1],
        issuer=issuer[1],
        common_name=_common_name(subject[1]),
        not_before=moments[0],
        not_after=moments[1],
        names=_names(held.get(_ALTERNATIVES)),
        authority=_authority(held.get(_CONSTRAINTS)),
        for_servers=_for_servers(held.get(_PURPOSES)),
        key_type=key_type,
        key_bits=key_bits,
        weak_signature=_WEAK_SIGNATURES.get(part(signature)[1]),
    )


def _moment(tag: int, text: bytes) -> float:
    return float(calendar.timegm(time.strptime(text.decode("ascii"), _TIMES[tag])))


def _common_name(name: bytes) -> str:
    """The last common name of a distinguished name; empty where it has none."""
    found = ""
    for _set, attributes in parts(name):
        for _sequence, attribute in parts(attributes):
            (_tag, kind), (_tag, value) = list(parts(attribute))[:2]
            found = clean(value, NAME) if kind == _COMMON_NAME else found
    return found


def _extensions(wrapped: bytes) -> Mapping[bytes, bytes]:
    """OID → value of each extension; whether one is critical does not matter here."""
    found = {}
    for _tag, extension in parts(part(wrapped)[1]) if wrapped else ():
        values = dict(parts(extension))
        found[values[_OID]] = values[_OCTETS]
    return found


def _names(value: Optional[bytes]) -> tuple[str, ...]:
    if value is None:
        return ()
    found = []
    for tag, name in parts(part(value)[1]):
        if tag == _DNS_NAME:
            found.append(clean(name, NAME).lower())
        elif tag == _IP_ADDRESS and len(name) in (4, 16):
            found.append(str(ipaddress.ip_address(name)))
    return tuple(dict.fromkeys(found))


def _authority(value: Optional[bytes]) -> bool:
    if value is None:
        return False
    return any(tag == _BOOLEAN and flag != b"\0" for tag, flag in parts(part(value)[1]))


def _for_servers(value: Optional[bytes]) -> bool:
    return value is None or any(oid in _FOR_SERVERS for _tag, oid in parts(part(value)[1]))


def _key(info: bytes) -> tuple[str, int]:
    (_tag, algorithm), (_tag, bits) = parts(info)
    (_tag, kind), *parameters = parts(algorithm)
    if kind == _RSA:
        (_tag, modulus), *_exponent = parts(part(bits[1:])[1])
        return "rsa", int.from_bytes(modulus, "big").bit_length()
    if kind == _EC:
        return "ecdsa", _CURVES.get(parameters[0][1] if parameters else b"", 0)
    return _KEYS.get(kind, ("unknown", 0))
