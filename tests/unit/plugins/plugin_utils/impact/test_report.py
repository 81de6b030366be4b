# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown of a forecast: numbers, never a name unless asked for, and the guard."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.login_log.usage import (
    Client,
    Evidence,
    LoginLog,
    Security,
    Source,
    Usage,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model import Product, Service
from ansible_collections.postmaster.tls.plugins.plugin_utils.exceptions import read_exceptions
from ansible_collections.postmaster.tls.plugins.plugin_utils.impact import report
from ansible_collections.postmaster.tls.plugins.plugin_utils.impact.changes import Change, Kind
from ansible_collections.postmaster.tls.plugins.plugin_utils.impact.forecast import (
    Forecast,
    forecast,
)

UNTIL = 1_795_000_000
CHANGES = (
    Change(Kind.PLAINTEXT, Product.DOVECOT),
    Change(Kind.PROTOCOL, Product.DOVECOT, floor="TLSv1.2"),
    Change(Kind.SUITE, Product.DOVECOT, suites=frozenset({0xC02F})),
)
PEOPLE = ("alice@example.org", "bob@example.org", "192.0.2.7", "192.0.2.8")


def made(sources: int = 1) -> Forecast:
    def row(user: str, security: Security, address: str, count: int) -> Usage:
        clients = (Client(address, count, UNTIL),)
        return Usage(
            "dovecot", Service.IMAP, security, user, count, UNTIL - 9, UNTIL, clients=clients
        )

    usage = (
        row(PEOPLE[0], Security.CLEARTEXT, PEOPLE[2], 4),
        row(PEOPLE[1], Security.CLEARTEXT, PEOPLE[3], 2),
        row("carol", Security.TLS, "192.0.2.9", 7),
    )
    evidence = Evidence("dovecot", True, False, True, True, "login_log_format_elements")
    log = LoginLog(
        UNTIL - 86400, UNTIL, (evidence,), usage, (Source("x", 9, UNTIL - 80000, UNTIL),) * sources
    )
    held = read_exceptions([{"user": PEOPLE[1], "reason": "told", "until": "2099-12-31"}])
    return forecast(log, CHANGES, held)


def document(names: report.Names, key: bytes = b"k") -> dict[str, Any]:
    return report.document("mail", made(), CHANGES, names, key)


def test_the_lines_of_a_run_hold_numbers_and_no_people() -> None:
    lines = report.lines(made())
    assert lines[0] == (
        "passwords without TLS are refused: 1 of 3 users (33.3 %), 4 logins, the last on "
        "2026-11-18, 1 user waived"
    )
    assert "not known for 7 logins of 1 user" in lines[1]
    assert "in all 1 of 3 users (33.3 %) would be locked out" in lines
    assert "2 users sent a password without TLS" in " ".join(lines)
    assert [word for word in (*PEOPLE, "carol") if word in " ".join(lines)] == []


def test_nothing_that_goes_away_is_said() -> None:
    log = LoginLog(UNTIL - 86400, UNTIL, sources=(Source("x", 1, UNTIL - 80000, UNTIL),))
    assert report.lines(forecast(log, ())) == ["nothing that clients use goes away"]


@pytest.mark.parametrize("names", [report.Names.COUNTS, report.Names.HASHED])
def test_a_shared_report_names_nobody(names: report.Names) -> None:
    text = json.dumps(document(names))
    assert [word for word in (*PEOPLE, "carol") if word in text] == []


def test_counts_leave_out_every_single_loss() -> None:
    made_ = document(report.Names.COUNTS)
    assert made_["exposed_users"] is None
    assert [change["losses"] for change in made_["changes"]] == [None] * 3
    assert made_["changes"][0]["users"] == 1
    assert made_["changes"][0]["waived"] == {"told (until 2099-12-31)": 1}


def test_a_hash_is_the_same_within_a_report_and_another_in_the_next() -> None:
    first, second = document(report.Names.HASHED, b"1"), document(report.Names.HASHED, b"2")
    user = first["changes"][0]["losses"][0]["user"]
    assert user in {e["user"] for e in first["exposed_users"]}
    assert len(user) == 16
    assert user != second["changes"][0]["losses"][0]["user"]


def test_full_names_them() -> None:
    text = json.dumps(document(report.Names.FULL))
    assert [word for word in PEOPLE if word not in text] == []


def test_a_document_gives_its_changes_back() -> None:
    found = json.loads(json.dumps(document(report.Names.COUNTS)))
    assert report.changes_of(found) == CHANGES
    assert report.made_at(found) == UNTIL


@pytest.mark.parametrize("found", [{}, {"changes": [{}]}, {"changes": 3}, {"changes": [3]}])
def test_another_document_is_refused(found: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no forecast"):
        report.changes_of(found)


@pytest.mark.parametrize(
    ("limit", "stops"),
    [
        ("any", False),
        ("ANY", False),
        (0, True),
        ("0", True),
        ("1", False),
        (1, False),
        ("0%", True),
        ("33%", True),
        ("33.4 %", False),
        ("100%", False),
    ],
)
def test_the_guard(limit: object, stops: bool) -> None:
    assert (report.exceeded(made(), limit) is not None) is stops


def test_nothing_known_is_not_below_a_limit() -> None:
    said = report.exceeded(made(sources=0), "100%")
    assert said is not None
    assert "no login line was found" in said
    assert report.exceeded(made(sources=0), "any") is None


@pytest.mark.parametrize("limit", ["few", "-1", "nan", "inf", "%", "5 percent", ""])
def test_what_is_no_limit_is_refused(limit: str) -> None:
    with pytest.raises(report.LimitError, match="write a number"):
        report.exceeded(made(), limit)


def test_the_message_says_where_names_are_and_holds_none() -> None:
    for names in report.Names:
        said = report.where_named(names, "reports/impact-mail.json")
        assert ("reports/" in said) is (names is not report.Names.COUNTS)
