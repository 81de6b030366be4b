# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Code points of TLS and their names, and what a cipher suite is made of.

Nodes and probes speak in code points; people, policy and OpenSSL in names. This file translates
both ways and tells facts of a suite (forward secrecy, AEAD, CBC …) from its IANA name, which says
all of them. It knows no policy: what is good enough stands in policy/. A code point without a
name is shown as ``0xNNNN``.

Sources: IANA, TLS Parameters (suites: registry_data.py; groups: TLS Supported Groups; alerts: TLS
Alerts; extensions: TLS ExtensionType Values); RFC 8446 sections 4.2.3, 4.2.7, 6; RFC 7919;
OpenSSL's names from ``openssl list`` and SSL_CTX_set1_groups_list(3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Optional

from ..module_utils.wire.records import ALERTS
from .registry_data import SUITES

VERSIONS: dict[int, str] = {
    0x0002: "SSLv2",
    0x0300: "SSLv3",
    0x0301: "TLSv1",
    0x0302: "TLSv1.1",
    0x0303: "TLSv1.2",
    0x0304: "TLSv1.3",
}


class Group(NamedTuple):
    """A key exchange group: IANA name, OpenSSL name, and bits of its field or modulus.

    ``hybrid``: combined with ML-KEM, so that a recording stays closed to a quantum computer.
    """

    name: str
    openssl: str
    bits: int
    hybrid: bool = False


GROUPS: dict[int, Group] = {
    1: Group("sect163k1", "sect163k1", 163),
    2: Group("sect163r1", "sect163r1", 163),
    3: Group("sect163r2", "sect163r2", 163),
    4: Group("sect193r1", "sect193r1", 193),
    5: Group("sect193r2", "sect193r2", 193),
    6: Group("sect233k1", "sect233k1", 233),
    7: Group("sect233r1", "sect233r1", 233),
    8: Group("sect239k1", "sect239k1", 239),
    9: Group("sect283k1", "sect283k1", 283),
    10: Group("sect283r1", "sect283r1", 283),
    11: Group("sect409k1", "sect409k1", 409),
    12: Group("sect409r1", "sect409r1", 409),
    13: Group("sect571k1", "sect571k1", 571),
    14: Group("sect571r1", "sect571r1", 571),
    15: Group("secp160k1", "secp160k1", 160),
    16: Group("secp160r1", "secp160r1", 160),
    17: Group("secp160r2", "secp160r2", 160),
    18: Group("secp192k1", "secp192k1", 192),
    19: Group("secp192r1", "prime192v1", 192),
    20: Group("secp224k1", "secp224k1", 224),
    21: Group("secp224r1", "secp224r1", 224),
    22: Group("secp256k1", "secp256k1", 256),
    23: Group("secp256r1", "prime256v1", 256),
    24: Group("secp384r1", "secp384r1", 384),
    25: Group("secp521r1", "secp521r1", 521),
    26: Group("brainpoolP256r1", "brainpoolP256r1", 256),
    27: Group("brainpoolP384r1", "brainpoolP384r1", 384),
    28: Group("brainpoolP512r1", "brainpoolP512r1", 512),
    29: Group("x25519", "X25519", 255),
    30: Group("x448", "X448", 448),
    31: Group("brainpoolP256r1tls13", "brainpoolP256r1tls13", 256),
    32: Group("brainpoolP384r1tls13", "brainpoolP384r1tls13", 384),
    33: Group("brainpoolP512r1tls13", "brainpoolP512r1tls13", 512),
    256: Group("ffdhe2048", "ffdhe2048", 2048),
    257: Group("ffdhe3072", "ffdhe3072", 3072),
    258: Group("ffdhe4096", "ffdhe4096", 4096),
    259: Group("ffdhe6144", "ffdhe6144", 6144),
    260: Group("ffdhe8192", "ffdhe8192", 8192),
    512: Group("MLKEM512", "MLKEM512", 512),
    513: Group("MLKEM768", "MLKEM768", 768),
    514: Group("MLKEM1024", "MLKEM1024", 1024),
    4587: Group("SecP256r1MLKEM768", "SecP256r1MLKEM768", 256, hybrid=True),
    4588: Group("X25519MLKEM768", "X25519MLKEM768", 255, hybrid=True),
    4589: Group("SecP384r1MLKEM1024", "SecP384r1MLKEM1024", 384, hybrid=True),
    25497: Group("X25519Kyber768Draft00", "x25519_kyber768", 255, hybrid=True),
}

# What else these groups are called by OpenSSL, GnuTLS and people; compared in lower case.
_GROUP_ALIASES = {"p-256": 23, "p-384": 24, "p-521": 25, "p-192": 19, "p-224": 21}

SIGNATURE_SCHEMES: dict[int, str] = {
    0x0101: "rsa_pkcs1_md5",
    0x0201: "rsa_pkcs1_sha1",
    0x0202: "dsa_sha1",
    0x0203: "ecdsa_sha1",
    0x0401: "rsa_pkcs1_sha256",
    0x0402: "dsa_sha256",
    0x0403: "ecdsa_secp256r1_sha256",
    0x0501: "rsa_pkcs1_sha384",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0601: "rsa_pkcs1_sha512",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0804: "rsa_pss_rsae_sha256",
    0x0805: "rsa_pss_rsae_sha384",
    0x0806: "rsa_pss_rsae_sha512",
    0x0807: "ed25519",
    0x0808: "ed448",
    0x0809: "rsa_pss_pss_sha256",
    0x080A: "rsa_pss_pss_sha384",
    0x080B: "rsa_pss_pss_sha512",
    0x0904: "mldsa44",
    0x0905: "mldsa65",
    0x0906: "mldsa87",
}

EXTENDED_MASTER_SECRET = 23
RENEGOTIATION_INFO = 0xFF01

# Suites that protect nothing, or that a recording of today opens: RFC 9325 section 4.1.
_OPEN_WORDS = ("_NULL_", "_anon_", "_EXPORT_")
_BROKEN_WORDS = (*_OPEN_WORDS, "_RC4_", "_RC2_", "_3DES_", "_DES_", "_DES40_", "_IDEA_")


@dataclass(frozen=True)
class Suite:
    """A cipher suite and what its name says of it.

    ``exchange`` is ``ECDHE``, ``DHE``, ``RSA`` (static), ``any`` (TLS 1.3) or another word of the
    name. ``open``: no encryption, no authentication or export strength; ``broken``: that, or a
    cipher below 112 bits or with 64-bit blocks.
    """

    code: int
    name: str
    openssl: Optional[str]
    exchange: str
    forward_secret: bool
    aead: bool
    cbc: bool
    static_rsa: bool
    dhe: bool
    open: bool
    broken: bool
    tls13: bool


def suite(code: int) -> Optional[Suite]:
    """The suite of a code point, or ``None`` for one that has no name."""
    names = SUITES.get(code)
    if names is None:
        return None
    name, openssl = names
    marked = f"{name}_"
    tls13 = "_WITH_" not in name
    exchange = "any" if tls13 else name[4:].split("_", 1)[0]
    return Suite(
        code=code,
        name=name,
        openssl=openssl,
        exchange=exchange,
        forward_secret=tls13 or (exchange in ("ECDHE", "DHE") and "_anon_" not in name),
        aead=tls13 or any(word in marked for word in ("_GCM_", "_CCM_", "_POLY1305_")),
        cbc="_CBC_" in marked,
        static_rsa=exchange == "RSA" and not name.startswith("TLS_RSA_PSK"),
        dhe=exchange == "DHE",
        open=any(word in marked for word in _OPEN_WORDS),
        broken=any(word in marked for word in _BROKEN_WORDS),
        tls13=tls13,
    )


_SUITE_CODES: dict[str, int] = {
    name: code for code, names in SUITES.items() for name in names if name
}
_GROUP_CODES: dict[str, int] = {
    **{name.lower(): code for code, group in GROUPS.items() for name in group[:2]},
    **_GROUP_ALIASES,
}


def openssl_to_code(name: str) -> Optional[int]:
    """The code point of a suite by its OpenSSL or IANA name; ``None`` for an unknown name."""
    return _SUITE_CODES.get(name)


def group_code(name: str) -> Optional[int]:
    """The code point of a group by its OpenSSL or IANA name, in any case; ``None`` if unknown."""
    return _GROUP_CODES.get(name.lower())


def suite_name(code: int) -> str:
    """The IANA name of a suite."""
    return SUITES[code][0] if code in SUITES else _hex(code)


def group_name(code: int) -> str:
    """The IANA name of a group."""
    return GROUPS[code].name if code in GROUPS else _hex(code)


def version_name(code: int) -> str:
    """A protocol version in the words of policy and configuration: ``TLSv1.2``."""
    return VERSIONS.get(code, _hex(code))


def signature_name(code: int) -> str:
    """The IANA name of a signature scheme."""
    return SIGNATURE_SCHEMES.get(code, _hex(code))


def alert_name(number: int) -> str:
    """The IANA name of an alert, or its number."""
    return ALERTS.get(number, f"alert {number}")


def _hex(code: int) -> str:
    return f"0x{code:04X}"
