# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of code points, and what a suite's name says of it."""

from __future__ import annotations

from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.plugin_utils import registry

SUITES = [
    # IANA name, OpenSSL name, code, exchange, what is true of it
    ("TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", 0x1301, "any", "fs aead tls13"),
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        0xC02F,
        "ECDHE",
        "fs aead",
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        0xCCA9,
        "ECDHE",
        "fs aead",
    ),
    ("TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA", 0x002F, "RSA", "cbc rsa"),
    ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "DES-CBC3-SHA", 0x000A, "RSA", "cbc rsa broken"),
    ("TLS_DHE_RSA_WITH_AES_256_CBC_SHA", "DHE-RSA-AES256-SHA", 0x0039, "DHE", "fs cbc dhe"),
    ("TLS_DHE_RSA_WITH_AES_128_CCM", "DHE-RSA-AES128-CCM", 0xC09E, "DHE", "fs aead dhe"),
    ("TLS_RSA_WITH_RC4_128_SHA", "RC4-SHA", 0x0005, "RSA", "rsa broken"),
    ("TLS_RSA_WITH_NULL_MD5", "NULL-MD5", 0x0001, "RSA", "rsa open broken"),
    ("TLS_DH_anon_WITH_RC4_128_MD5", "ADH-RC4-MD5", 0x0018, "DH", "open broken"),
    (
        "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA",
        "EXP-DES-CBC-SHA",
        0x0008,
        "RSA",
        "cbc rsa open broken",
    ),
    (
        "TLS_ECDHE_RSA_WITH_CAMELLIA_128_GCM_SHA256",
        None,
        0xC08A,
        "ECDHE",
        "fs aead",
    ),
    ("TLS_RSA_PSK_WITH_AES_128_CBC_SHA", "RSA-PSK-AES128-CBC-SHA", 0x0094, "RSA", "cbc"),
]


@pytest.mark.parametrize(("name", "openssl", "code", "exchange", "facts"), SUITES)
def test_suite(name: str, openssl: Optional[str], code: int, exchange: str, facts: str) -> None:
    suite = registry.suite(code)
    assert suite is not None
    assert (suite.name, suite.openssl, suite.exchange) == (name, openssl, exchange)
    held = {
        "fs": suite.forward_secret,
        "aead": suite.aead,
        "cbc": suite.cbc,
        "rsa": suite.static_rsa,
        "dhe": suite.dhe,
        "open": suite.open,
        "broken": suite.broken,
        "tls13": suite.tls13,
    }
    assert {word for word, true in held.items() if true} == set(facts.split())
    assert registry.openssl_to_code(name) == code
    assert registry.suite_name(code) == name
    if openssl:
        assert registry.openssl_to_code(openssl) == code


GROUPS = [
    ("X25519", 29, "x25519"),
    ("x25519", 29, "x25519"),
    ("prime256v1", 23, "secp256r1"),
    ("secp256r1", 23, "secp256r1"),
    ("P-256", 23, "secp256r1"),
    ("secp384r1", 24, "secp384r1"),
    ("X25519MLKEM768", 4588, "X25519MLKEM768"),
    ("SecP256r1MLKEM768", 4587, "SecP256r1MLKEM768"),
    ("ffdhe2048", 256, "ffdhe2048"),
]


@pytest.mark.parametrize(("name", "code", "iana"), GROUPS)
def test_group(name: str, code: int, iana: str) -> None:
    assert registry.group_code(name) == code
    assert registry.group_name(code) == iana


def test_unknown_names_and_codes() -> None:
    assert registry.openssl_to_code("NO-SUCH-SUITE") is None
    assert registry.group_code("curve25520") is None
    assert registry.suite(0xFEFE) is None
    assert registry.suite_name(0xFEFE) == "0xFEFE"
    assert registry.group_name(0x0A0A) == "0x0A0A"
    assert registry.version_name(0x0305) == "0x0305"
    assert registry.signature_name(0x0999) == "0x0999"
    assert registry.alert_name(200) == "alert 200"


def test_names_are_unique() -> None:
    names = [name for names in registry.SUITES.values() for name in set(names) if name]
    assert len(names) == len(set(names))
    groups = [group.name for group in registry.GROUPS.values()]
    assert len(groups) == len(set(groups))


@pytest.mark.parametrize(
    ("code", "name"),
    [(0x0300, "SSLv3"), (0x0301, "TLSv1"), (0x0303, "TLSv1.2"), (0x0304, "TLSv1.3")],
)
def test_versions(code: int, name: str) -> None:
    assert registry.version_name(code) == name


def test_alerts_and_signatures() -> None:
    assert registry.alert_name(70) == "protocol_version"
    assert registry.signature_name(0x0403) == "ecdsa_secp256r1_sha256"
