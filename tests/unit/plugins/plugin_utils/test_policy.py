# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles and catalogue: the shipped ones, and files that are refused."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.posture import Severity
from ansible_collections.postmaster.tls.plugins.plugin_utils import policy

INTERMEDIATE = (policy.POLICY / "profiles" / "intermediate.yml").read_text("utf-8")


def test_profiles_are_mozillas() -> None:
    assert policy.profile_names() == ("intermediate", "modern")
    modern, intermediate = policy.load_profile("modern"), policy.load_profile("intermediate")
    assert (modern.protocol_min, modern.protocols_required) == ("TLSv1.3", ("TLSv1.3",))
    assert intermediate.protocols_required == ("TLSv1.2", "TLSv1.3")
    assert modern.ciphers == ()
    assert ":".join(intermediate.ciphers) == (
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
        "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
    )
    assert modern.groups == ("X25519MLKEM768", "X25519", "prime256v1", "secp384r1")
    assert modern.certificate_lifetime_days_max == 90
    assert intermediate.certificate_lifetime_days_max == 366
    assert intermediate.lifetime_warn == Fraction(1, 4)
    assert intermediate.gnutls_priority == (
        "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:"
        "+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD"
    )
    assert "VERS-TLS1.2" not in modern.gnutls_priority


def test_an_unknown_profile_lists_the_choices() -> None:
    with pytest.raises(policy.PolicyError, match=r"no profile 'old'.*: intermediate, modern$"):
        policy.load_profile("old")


def test_the_catalogue() -> None:
    checks = policy.load_checks()
    assert len(checks) > 30
    for check_id, check in checks.items():
        assert re.fullmatch(r"(PT|TLS|INJ|CRT|CFG|LOG|OPS|DNS)-\d\d", check_id)
        assert isinstance(check.severity, Severity)
        assert check.references
        assert "\n" not in check.rationale + check.remediation + check.title


REFUSED = [
    # replaced text, text that replaces it, what the error says
    ("version:", "versoin:", "unknown key versoin"),
    ("rsa_bits_min: 2048", "", "missing key rsa_bits_min"),
    ("rsa_bits_min: 2048", "rsa_bits_min: many", "rsa_bits_min: expected a number"),
    ("rsa_bits_min: 2048", "rsa_bits_min: true", "rsa_bits_min: expected a number"),
    ("lifetime_warn: 1/4", "lifetime_warn: 1/0", "lifetime_warn: "),
    ("lifetime_warn: 1/4", "lifetime_warn: 3/2", "between 0 and 1"),
    ("protocol_min: TLSv1.2", "protocol_min: TLS1.2", "unknown name TLS1.2"),
    ("- TLS_AES_128_GCM_SHA256", "- TLS_AES_128", "unknown name TLS_AES_128"),
    ("X25519,", "X25520,", "unknown name X25520"),
    ("cipher_order: client", "cipher_order: any", "cipher_order"),
    ("title: Mozilla intermediate", "title: [1]", "title: expected a list of texts"),
    ("title: Mozilla intermediate", "title: 6", "title: expected text"),
    ("name: intermediate", "name: modern", "name is modern"),
    ("---", "--- [", "is not YAML"),
    ("---", "---\nsix\n...\n---", "is not YAML"),
]


@pytest.mark.parametrize(("old", "new", "error"), REFUSED)
def test_profiles_are_read_strictly(
    old: str, new: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "profiles" / "intermediate.yml"
    file.parent.mkdir()
    file.write_text(INTERMEDIATE.replace(old, new, 1), "utf-8")
    monkeypatch.setattr(policy, "POLICY", tmp_path)
    with pytest.raises(policy.PolicyError, match=re.escape(error)) as caught:
        policy.load_profile("intermediate")
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


CHECK = """
- {id: X-01, title: t, severity: low, applies_to: port, rationale: r, references: [a],
   remediation: c}
"""
CHECKS = [
    (CHECK + CHECK, "X-01 stands twice"),
    (CHECK.replace("low", "grave"), "severity"),
    (CHECK.replace("port", "moon"), "applies_to"),
    (CHECK.replace("title: t, ", ""), "missing key title"),
    ("id: X-01", "expected a list"),
    ("- X-01", "expected keys and values"),
]


@pytest.mark.parametrize(("text", "error"), CHECKS)
def test_checks_are_read_strictly(
    text: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "checks" / "some.yml"
    file.parent.mkdir()
    file.write_text(text, "utf-8")
    monkeypatch.setattr(policy, "POLICY", tmp_path)
    with pytest.raises(policy.PolicyError, match=error) as caught:
        policy.load_checks()
    assert str(file) in str(caught.value)
