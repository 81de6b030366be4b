# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/generate_registry.py: what it reads, and that the table is what it would write."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "generate_registry.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_registry", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HEADER = """
# define TLS1_CK_ECDHE_RSA_WITH_AES_128_GCM_SHA256       0x0300C02F
#define TLS1_RFC_ECDHE_RSA_WITH_AES_128_GCM_SHA256 "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
# define TLS1_TXT_ECDHE_RSA_WITH_AES_128_GCM_SHA256 "ECDHE-RSA-AES128-GCM-SHA256"
# define TLS1_3_CK_AES_128_GCM_SHA256     0x03001301
# define TLS1_3_RFC_AES_128_GCM_SHA256    "TLS_AES_128_GCM_SHA256"
# define SSL3_CK_RSA_DES_64_CBC_SHA 0x03000009
# define SSL3_TXT_RSA_DES_64_CBC_SHA "DES-CBC-SHA"
# define SSL3_CK_EDH_RSA_DES_64_CBC_SHA SSL3_CK_DHE_RSA_DES_64_CBC_SHA
# define SSL3_CK_UNHEARD_OF 0x0300FFFE
"""
GNUTLS = """
TLS_CHACHA20_POLY1305_SHA256            \t0x13, 0x03\tTLS1.3
TLS_ECDHE_RSA_CHACHA20_POLY1305         \t0xcc, 0xa8\tTLS1.2
TLS_DH_ANON_ARCFOUR_128_MD5             \t0x00, 0x18\tTLS1.0
TLS_DHE_PSK_AES_128_CCM_8               \t0xc0, 0xaa\tTLS1.2
TLS_RSA_AES_128_CBC_SHA1                \t0x00, 0x2f\tTLS1.0
TLS_GOSTR341112_256_28147_CNT_IMIT      \t0xc1, 0x02\tTLS1.2
"""


def test_headers(script: ModuleType) -> None:
    assert script.from_headers(HEADER) == {
        0xC02F: ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        0x1301: ("TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
        0x0009: ("TLS_RSA_WITH_DES_CBC_SHA", "DES-CBC-SHA"),
    }


def test_gnutls(script: ModuleType) -> None:
    assert {code: names[0] for code, names in script.from_gnutls(GNUTLS).items()} == {
        0x1303: "TLS_CHACHA20_POLY1305_SHA256",
        0xCCA8: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        0x0018: "TLS_DH_anon_WITH_RC4_128_MD5",
        0xC0AA: "TLS_PSK_DHE_WITH_AES_128_CCM_8",
        0x002F: "TLS_RSA_WITH_AES_128_CBC_SHA",
    }


def test_both_agree_with_the_table(script: ModuleType) -> None:
    text = script.TABLE.read_text("utf-8")
    assert script.check(text, {**script.from_headers(HEADER), **script.from_gnutls(GNUTLS)}) == []


def test_the_table_is_as_the_script_would_lay_it_out(script: ModuleType) -> None:
    text = script.TABLE.read_text("utf-8")
    assert script.render(*script.read(text)) == text
    assert script.main(["--check"]) == 0


def test_a_changed_table_is_seen(script: ModuleType) -> None:
    text = script.TABLE.read_text("utf-8")
    assert script.check(text.replace("    0x0001:", "    0x1:"), {})
    assert script.check(text, {0x1301: ("TLS_OTHER", None)})
    assert script.check(text, {0xFEFE: ("TLS_NEW", "NEW")})
