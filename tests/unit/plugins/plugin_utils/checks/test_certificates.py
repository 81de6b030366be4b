# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of chains, keys and files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import FileFact
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Failure
from ansible_collections.postmaster.tls.plugins.plugin_utils.checks import certificates
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    CA,
    IMAPS,
    LEAF,
    NAME,
    SELF_SIGNED,
    certificate,
    courier,
    dovecot,
    findings,
    port,
    unseen,
)


def served(*chain: str, **changes: Any) -> Any:
    return port(*IMAPS, chain=chain, **changes)


def weak(kind: str) -> str:
    return certificate(kind=kind)


PRIVATE = certificate(issuer="House CA", access=False)
OLD = certificate(days=90, age=91)
FUTURE = certificate(days=90, age=-2)
LATE = certificate(days=80, age=65)  # 15 of 80 days left: less than a quarter
URGENT = certificate(days=80, age=75)
LONG = certificate(days=400)

PORTS = [
    # check, profile, port, status, severity, a word of what is said
    ("CRT-01", "", served(LEAF, CA), "pass", "critical", "valid until"),
    ("CRT-01", "", served(OLD), "fail", "critical", "expired"),
    ("CRT-01", "", served(FUTURE), "fail", "critical", "valid only from"),
    ("CRT-01", "", served("bm90IGEgY2VydA=="), "fail", "high", "cannot be read"),
    ("CRT-01", "", served("not base64!"), "fail", "high", "not base64"),
    ("CRT-02", "", served(LEAF), "pass", "medium", "80 days left of 90 days"),
    ("CRT-02", "", served(LATE), "fail", "medium", "15 days"),
    ("CRT-02", "", served(URGENT), "fail", "high", "5 days"),
    ("CRT-02", "", served(OLD), "not_applicable", "medium", "CRT-01"),
    ("CRT-03", "", served(LEAF), "pass", "high", ""),
    ("CRT-03", "", served(certificate(names=("www.example.org",))), "fail", "high", NAME),
    ("CRT-03", "", served(certificate(names=())), "fail", "high", NAME),
    ("CRT-04", "", served(LEAF, CA), "pass", "medium", "2 certificates"),
    ("CRT-04", "", served(LEAF), "fail", "medium", "not served"),
    ("CRT-04", "", served(LEAF, LEAF), "fail", "medium", "did not sign"),
    ("CRT-04", "", served(PRIVATE), "not_checked", "medium", "only the leaf"),
    ("CRT-04", "", served(SELF_SIGNED), "not_applicable", "medium", ""),
    ("CRT-04", "", served(LEAF, "bm90IGEgY2VydA=="), "not_checked", "medium", ""),
    ("CRT-05", "", served(LEAF, CA), "pass", "medium", "Example CA"),
    ("CRT-05", "", served(SELF_SIGNED), "fail", "medium", "self-signed"),
    ("CRT-06", "", served(LEAF, CA), "pass", "high", "ECDSA secp256r1"),
    ("CRT-06", "", served(weak("rsa2048")), "pass", "high", "RSA 2048"),
    ("CRT-06", "", served(weak("rsa1024")), "fail", "high", "1024-bit RSA"),
    ("CRT-06", "", served(weak("p521")), "fail", "low", "not of the profile"),
    ("CRT-06", "modern", served(weak("rsa2048")), "fail", "low", "not of the profile"),
    ("CRT-09", "", served(LEAF), "pass", "low", "90 days"),
    ("CRT-09", "", served(LONG), "fail", "low", "400 days"),
    ("CRT-09", "modern", served(certificate(days=91)), "fail", "low", "91 days"),
]


@pytest.mark.parametrize(("check", "profile", "seen", "status", "severity", "word"), PORTS)
def test_port(check: str, profile: str, seen: Any, status: str, severity: str, word: str) -> None:
    (finding,) = findings(check, seen, profile=profile or "intermediate")
    assert (finding.status.value, finding.severity.value) == (status, severity), finding
    assert word in finding.actual
    assert finding.subject == str(seen.endpoint)


HOURS = {"160 hours": 160, "45 days": 1080, "64 days": 1536, "90 days": 2160, "200 days": 4800}


@pytest.mark.parametrize("hours", HOURS.values(), ids=HOURS)
def test_a_lifetime_of_any_length_is_warned_of_in_its_last_quarter(hours: int) -> None:
    """Clients renew at a third that is left (at a half, below ten days): that is never a fault."""

    def said(share_left: float) -> tuple[str, str]:
        spent = hours * (1 - share_left)
        leaf = certificate(days=hours / 24, age=spent / 24)
        (finding,) = findings("CRT-02", served(leaf))
        return finding.status.value, finding.severity.value

    healthy = [said(share / 100) for share in range(99, 25, -2)]
    assert {status for status, _severity in healthy} == {"pass"}
    assert said(0.249) == ("fail", "medium")  # a stuck renewal, with a quarter of its time left
    assert said(0.126) == ("fail", "medium")
    assert said(0.124) == ("fail", "high")


LEAF_CHECKS = ["CRT-01", "CRT-02", "CRT-03", "CRT-04", "CRT-05", "CRT-06", "CRT-09"]


@pytest.mark.parametrize("check", LEAF_CHECKS)
def test_no_chain(check: str) -> None:
    assert findings(check, unseen())[0].status.value == "not_checked"
    broken = port(chain=(), failures=(Failure("handshake", "alert", "", 40),))
    assert findings(check, broken)[0].status.value == "error"


def test_sha1_is_weak_unless_self_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    read = certificates.read_base64
    monkeypatch.setattr(
        certificates, "read_base64", lambda text: replace(read(text), signature_hash="sha1")
    )
    assert findings("CRT-06", served(LEAF))[0].status.value == "fail"
    assert findings("CRT-06", served(SELF_SIGNED))[0].status.value == "pass"
    assert "issuer" in findings("CRT-06", served(SELF_SIGNED, CA))[0].actual


def test_names_must_be_known() -> None:
    (finding,) = findings("CRT-03", served(LEAF), names=())
    assert finding.status.value == "not_checked"


def key(mode: Any, role: str = "key", exists: bool = True) -> FileFact:
    return FileFact("/etc/key.pem", role, exists, "root", "root", mode)


KEYS = [
    ("0400", "pass"),
    ("0600", "pass"),
    ("0640", "pass"),
    ("0644", "fail"),
    ("0604", "fail"),
    ("0660", "fail"),
    (None, "not_checked"),
    ("rw-", "not_checked"),
]


@pytest.mark.parametrize(("mode", "status"), KEYS)
def test_key_mode(mode: Any, status: str) -> None:
    for role in ("key", "combined"):
        (finding,) = findings("CRT-08", dovecot(files=(key(mode, role),)))
        assert (finding.status.value, finding.subject) == (status, "/etc/key.pem")


def test_modes_of_certificates_and_missing_keys_do_not_matter() -> None:
    assert (
        findings("CRT-08", dovecot(files=(key("0644", "certificate"), key("0644", exists=False))))
        == []
    )


DISK = [
    (served(LEAF, CA), (LEAF, CA), "pass"),
    (served(LEAF, CA), (SELF_SIGNED,), "fail"),
    (served(LEAF, CA), (), "not_checked"),
    (served(LEAF, CA), ("not base64!",), "fail"),
    (unseen(993, *IMAPS[1:]), (LEAF,), "not_checked"),
]


@pytest.mark.parametrize(("seen", "chain", "status"), DISK)
def test_served_is_on_disk(seen: Any, chain: tuple[str, ...], status: str) -> None:
    file = FileFact("/etc/cert.pem", "certificate", True, chain=chain)
    (finding,) = findings("CRT-08", seen, courier(files=(file,)))
    assert (finding.status.value, finding.subject) == (status, str(seen.endpoint))
