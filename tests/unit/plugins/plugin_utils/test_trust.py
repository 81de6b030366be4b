# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains that lead to an authority, and those that do not."""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.plugin_utils import trust as module
from ansible_collections.postmaster.tls.plugins.plugin_utils.trust import (
    Trust,
    TrustError,
    load,
    parse,
    trusted,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    CA,
    LEAF,
    NOW,
    ROOT,
    SELF_SIGNED,
    TRUST,
    certificate,
)

RELAXED = module.HAS_VERIFIER and hasattr(module.verification, "ExtensionPolicy")


def middle(**changes: Any) -> str:
    """An intermediate that is spoilt."""
    good: dict[str, Any] = {"days": 3650, "ca": True, "kind": "p384", "issuer_kind": "rsa2048"}
    return certificate("Example CA", "Example Root", (), **{**good, **changes})


CHAINS: list[tuple[str, tuple[str, ...], Trust, Optional[bool], str]] = [
    ("good", (LEAF, CA), TRUST, True, "CN=Example Root"),
    ("with the root", (LEAF, CA, ROOT), TRUST, True, "CN=Example Root"),
    ("in disorder", (LEAF, ROOT, LEAF, CA), TRUST, True, ""),
    ("an intermediate is trusted", (LEAF,), Trust("f", (CA,)), True, "CN=Example CA"),
    ("incomplete", (LEAF,), TRUST, False, "no authority"),
    ("of somebody else", (certificate(issuer="X"), CA), TRUST, False, "no authority"),
    ("the same name, another key", (certificate(issuer_kind="p521"), CA), TRUST, False, "no auth"),
    ("self-signed", (SELF_SIGNED,), TRUST, False, "no authority"),
    ("self-signed and trusted", (SELF_SIGNED,), Trust("f", (SELF_SIGNED,)), True, "itself"),
    ("below what is no authority", (LEAF, middle(ca=False)), TRUST, False, "not valid"),
    ("below one that expired", (LEAF, middle(days=30, age=60)), TRUST, False, "not valid"),
    ("expired: CRT-01", (certificate(days=90, age=91), CA), TRUST, True, ""),
    ("not valid yet: CRT-01", (certificate(age=-2), CA), TRUST, True, ""),
    ("a wildcard", (certificate(names=("*.example.org",)), CA), TRUST, True, ""),
    ("no name", (certificate(names=()), CA), TRUST, None, "CRT-03"),
    ("no DER", ("bm90IERFUg==",), TRUST, False, "cannot be read"),
    ("no DER above", (LEAF, "bm90IERFUg=="), TRUST, False, "no authority"),
    ("no DER beside", (LEAF, CA, "bm90IERFUg=="), TRUST, False, "not valid"),
    ("no DER in the store", (LEAF, CA), Trust("f", ("bm90", "!", ROOT)), True, ""),
]


@pytest.mark.skipif(not RELAXED, reason="cryptography before 45 asks for more; see the test below")
@pytest.mark.parametrize(
    ("chain", "trust", "verdict", "word"), [c[1:] for c in CHAINS], ids=[c[0] for c in CHAINS]
)
def test_chain(chain: tuple[str, ...], trust: Trust, verdict: Optional[bool], word: str) -> None:
    answer = trusted(chain, trust, NOW)
    assert answer.trusted is verdict, answer
    assert word in answer.why


@pytest.mark.parametrize("there", [False, True])
def test_an_older_cryptography_does_not_say_no(
    there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not where an authority has signed the chain, and only its extensions are not liked."""

    class Strict:
        def __getattr__(self, name: str) -> Any:
            if name == "ExtensionPolicy":
                raise AttributeError(name)
            raise ValueError("Certificate is missing required extension")

    monkeypatch.setattr(module, "HAS_VERIFIER", there)
    monkeypatch.setattr(module, "verification", Strict(), raising=False)
    trusted.cache_clear()
    assert trusted((LEAF, CA), TRUST, NOW).trusted is None
    assert trusted((LEAF,), TRUST, NOW).trusted is False
    trusted.cache_clear()


def test_authorities_have_a_time_too() -> None:
    if RELAXED:
        assert trusted((LEAF, CA), TRUST, NOW + timedelta(days=79)).trusted is True


PEM = "-----BEGIN CERTIFICATE-----\nbm90\nIGEg\n-----END CERTIFICATE-----\n"


def test_a_file_of_authorities(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text(f"# words\n{PEM}words\n{PEM}", encoding="ascii")
    assert load(str(path)) == Trust(str(path), ("bm90IGEg",))
    assert base64.b64decode(parse(PEM, "x").anchors[0]) == b"not a "


@pytest.mark.parametrize("text", ["", "words", "-----BEGIN PRIVATE KEY-----\nxx\n"])
def test_a_file_without_authorities(text: str, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text(text, encoding="ascii")
    with pytest.raises(TrustError, match="no certificate in PEM; see mail_tls_ca_file"):
        load(str(path))
    with pytest.raises(TrustError, match="cannot be read: No such file"):
        load(str(tmp_path / "none"))


def test_the_store_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.pem"
    path.write_text(PEM, encoding="ascii")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(module, "STORES", (str(tmp_path / "neither"), str(path)))
    assert load() == Trust(str(path), ("bm90IGEg",))
    monkeypatch.setattr(module, "STORES", ())
    assert load() is None
