# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of findings, what fails a host, and waivers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.posture import (
    Finding,
    Severity,
    Status,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.judge import (
    Waiver,
    WaiverError,
    accepted,
    fails,
    judge,
    ordered,
    read_waivers,
    waive,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import load_profile
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    CATALOGUE,
    NAME,
    NOW,
    PORTS,
    SELF_SIGNED,
    dovecot,
    port,
    posture,
)

TODAY = date(2026, 11, 24)


def finding(
    status: Status,
    severity: Severity = Severity.HIGH,
    check: str = "TLS-01",
    subject: str = "imap://192.0.2.1:143",
) -> Finding:
    return Finding(check, subject, status, severity, "expected", "actual")


VERDICTS = [
    (finding(Status.FAIL, Severity.CRITICAL), True),
    (finding(Status.FAIL, Severity.MEDIUM), True),
    (finding(Status.FAIL, Severity.LOW), False),
    (finding(Status.FAIL, Severity.INFO), False),
    (finding(Status.ERROR, Severity.MEDIUM), True),
    (finding(Status.ERROR, Severity.LOW), False),
    (finding(Status.PASS, Severity.CRITICAL), False),
    (finding(Status.WAIVED, Severity.CRITICAL), False),
    (finding(Status.NOT_APPLICABLE), False),
    (finding(Status.NOT_CHECKED), False),
    (finding(Status.NOT_CHECKED, check="OPS-02"), True),
    (finding(Status.FAIL, check="OPS-01"), False),
]


@pytest.mark.parametrize(("found", "failing"), VERDICTS)
def test_fails(found: Finding, failing: bool) -> None:
    assert fails([found]) == ((found,) if failing else ())


def test_threshold() -> None:
    low = finding(Status.FAIL, Severity.LOW)
    assert fails([low], Severity.LOW) == (low,)
    assert fails([finding(Status.FAIL, Severity.HIGH)], Severity.CRITICAL) == ()


def test_worst_comes_first() -> None:
    found = [
        finding(Status.PASS, Severity.CRITICAL),
        finding(Status.NOT_CHECKED, Severity.CRITICAL),
        finding(Status.FAIL, Severity.LOW, "CRT-09"),
        finding(Status.ERROR, Severity.CRITICAL),
        finding(Status.FAIL, Severity.HIGH, "TLS-01", "b"),
        finding(Status.FAIL, Severity.HIGH, "TLS-01", "a"),
        finding(Status.FAIL, Severity.HIGH, "PT-06", "z"),
    ]
    order = [(f.status.value, f.severity.value, f.check_id, f.subject[0]) for f in ordered(found)]
    assert order == [
        ("fail", "high", "PT-06", "z"),
        ("fail", "high", "TLS-01", "a"),
        ("fail", "high", "TLS-01", "b"),
        ("fail", "low", "CRT-09", "i"),
        ("error", "critical", "TLS-01", "i"),
        ("not_checked", "critical", "TLS-01", "i"),
        ("pass", "critical", "TLS-01", "i"),
    ]


def test_the_same_posture_gives_the_same_findings() -> None:
    spoilt = posture(dovecot(), port(chain=(SELF_SIGNED,)), *PORTS[1:])
    turned = replace(spoilt, endpoints=spoilt.endpoints[::-1])
    profile = load_profile("intermediate")
    first, second = (judge(p, profile, CATALOGUE, NOW, [NAME]) for p in (spoilt, turned))
    assert first == second
    assert first[0].status is Status.FAIL


def test_a_finding_takes_its_words_from_the_catalogue() -> None:
    (found,) = [
        f
        for f in judge(posture(port(starttls=False)), load_profile("modern"), CATALOGUE, NOW)
        if f.check_id == "PT-05"
    ]
    assert found.severity is CATALOGUE["PT-05"].severity
    assert found.remediation == CATALOGUE["PT-05"].remediation


# ---------------------------------------------------------------------------------------------
# Waivers

WAIVERS = [
    # waiver, finding, the status it then has
    (Waiver("TLS-01", "*", "why"), finding(Status.FAIL), "waived"),
    (Waiver("TLS-01", "imap://*", "why"), finding(Status.FAIL), "waived"),
    (Waiver("TLS-01", "pop3://*", "why"), finding(Status.FAIL), "fail"),
    (Waiver("TLS-02", "*", "why"), finding(Status.FAIL), "fail"),
    (Waiver("TLS-01", "*", "why", date(2026, 11, 24)), finding(Status.FAIL), "waived"),
    (Waiver("TLS-01", "*", "why", date(2026, 11, 23)), finding(Status.FAIL), "fail"),
    (Waiver("TLS-01", "*", "why"), finding(Status.ERROR), "error"),
    (Waiver("TLS-01", "*", "why"), finding(Status.NOT_CHECKED), "not_checked"),
    (Waiver("TLS-01", "*", "why"), finding(Status.PASS), "pass"),
    (Waiver("OPS-02", "*", "why"), finding(Status.ERROR, check="OPS-02"), "waived"),
    (Waiver("OPS-02", "*", "why"), finding(Status.NOT_CHECKED, check="OPS-02"), "waived"),
    (Waiver("OPS-02", "*", "why"), finding(Status.PASS, check="OPS-02"), "pass"),
]


@pytest.mark.parametrize(("waiver", "found", "status"), WAIVERS)
def test_waive(waiver: Waiver, found: Finding, status: str) -> None:
    (after,) = waive([found], [waiver], TODAY)
    assert after.status.value == status
    assert ("waived: why" in after.evidence) == (status == "waived")


def test_an_expired_waiver_is_named() -> None:
    (after,) = waive(
        [finding(Status.FAIL)], [Waiver("TLS-01", "*", "old", date(2026, 1, 1))], TODAY
    )
    assert after.evidence == ("waiver expired on 2026-01-01: old",)


def test_an_accepted_self_signed_certificate_is_reported_and_does_not_fail() -> None:
    seen = [replace(p, chain=(SELF_SIGNED,)) for p in PORTS]
    found = judge(posture(*seen), load_profile("intermediate"), CATALOGUE, NOW, [NAME])
    assert {f.check_id for f in fails(found)} == {"CRT-05"}
    waived = waive(found, accepted(["CRT-05"]), TODAY)
    assert fails(waived) == ()
    assert {f.check_id for f in waived if f.status is Status.WAIVED} == {"CRT-05"}


READ: list[tuple[Any, Optional[str]]] = [
    (["CRT-05"], None),
    ([{"check": "CRT-05", "reason": "lab"}], None),
    ([{"check": "CRT-05", "subject": "imap://*", "reason": "lab", "expires": "2027-01-31"}], None),
    ([{"check": "CRT-05", "reason": "lab", "expires": date(2027, 1, 31)}], None),
    (["CRT-5"], "no check"),
    (["CRT-05", ["CRT-06"]], "check, subject, reason"),
    ("CRT-05", "list"),
    ([{"check": "CRT-05"}], "no reason"),
    ([{"check": "CRT-05", "reason": "x", "until": "y"}], "check, subject, reason"),
    ([{"reason": "x"}], "check, subject, reason"),
    ([{"check": "CRT-05", "reason": "x", "expires": "soon"}], "YYYY-MM-DD"),
    ([{"check": ["CRT-05"], "reason": "x"}], "no check"),
]


@pytest.mark.parametrize(("data", "error"), READ)
def test_read_waivers(data: Any, error: Optional[str]) -> None:
    if error is None:
        (waiver,) = read_waivers(data, CATALOGUE)
        assert waiver.check == "CRT-05"
        return
    with pytest.raises(WaiverError, match=error):
        read_waivers(data, CATALOGUE)
