# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown of a forecast: numbers, never a name unless asked for, and the guard."""

from __future__ import annotations

import json
from dataclasses import replace
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
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import Product
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service
from ansible_collections.postmaster.tls.plugins.plugin_utils.exceptions import read_exceptions
from ansible_collections.postmaster.tls.plugins.plugin_utils.impact import report
from ansible_collections.postmaster.tls.plugins.plugin_utils.impact.changes import Change, Kind
from ansible_collections.postmaster.tls.plugins.plugin_utils.impact.forecast import (
    Forecast,
    Outcome,
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
    assert "in all 1 of 3 users (33.3 %) would be locked out" in " ".join(lines)
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
    assert made_["changes"][0]["share"] == pytest.approx(1 / 3)
    assert made_["changes"][0]["waived"] == {"told (until 2099-12-31)": 1}


def test_a_hash_is_the_same_within_a_report_and_another_in_the_next() -> None:
    first, second = document(report.Names.HASHED, b"1"), document(report.Names.HASHED, b"2")
    user = first["changes"][0]["losses"][0]["user"]
    assert user in {e["user"] for e in first["exposed_users"]}
    assert len(user) == 16
    assert user != second["changes"][0]["losses"][0]["user"]


def test_full_says_of_every_kind_who_from_where_with_what_when_and_how_often() -> None:
    """Every change tells the same of a loss; what is only possible as well."""
    rows = made().outcomes[0].losses[:1]
    kinds = [Change(kind, Product.DOVECOT, tls_mode="starttls") for kind in Kind]
    every = replace(
        made(), outcomes=tuple(Outcome(c.kind.value, c.title, rows, rows) for c in kinds)
    )
    found = report.document("mail", every, kinds, report.Names.FULL, b"k")
    moment = "2026-11-18T11:06:40+00:00"
    loss = {
        "user": PEOPLE[0],
        "service": "imap",
        "used": "cleartext",
        "logins": 4,
        "last": moment,
        "clients": [{"address": PEOPLE[2], "logins": 4, "last": moment}],
        "more_clients": False,
        "waived": None,
        "expired": None,
    }
    for change in found["changes"]:
        assert (change["losses"], change["unknown"]) == ([loss], [loss]), change["kind"]
        assert (change["users"], change["logins"], change["last"]) == (1, 4, moment)


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


COUNT, IGNORE = report.Unknown.COUNT, report.Unknown.IGNORE


@pytest.mark.parametrize(
    ("limit", "stops", "counted"),
    [
        ("any", False, False),
        ("ANY", False, False),
        (0, True, True),
        ("0", True, True),
        ("1", False, True),
        (1, False, True),
        (2, False, False),
        ("0%", True, True),
        ("33%", True, True),
        ("33.4 %", False, True),
        ("66%", False, True),
        ("66.7%", False, False),
        ("100%", False, False),
    ],
)
def test_the_guard(limit: object, stops: bool, counted: bool) -> None:
    """One of three users is locked out, one may be: carol's TLS version is not logged."""
    assert (report.exceeded(made(), limit, IGNORE) is not None) is stops
    assert (report.exceeded(made(), limit, COUNT) is not None) is counted


def test_the_guard_says_what_is_certain_and_what_is_not() -> None:
    assert report.exceeded(made(), 1, COUNT) == (
        "1 of 3 users (33.3 %) would be locked out and up to 1 more, of whom the log does not say "
        "what they used, and mail_tls_max_locked_out is 1"
    )
    assert report.exceeded(made(), 0, COUNT) == (
        "1 of 3 users (33.3 %) would be locked out, and mail_tls_max_locked_out is 0"
    )
    assert report.lines(made())[3].endswith("and up to 1 more of whom the log does not tell")


def test_nothing_known_is_not_below_a_limit() -> None:
    said = report.exceeded(made(sources=0), "100%", IGNORE)
    assert said is not None
    assert "no login line was found" in said
    assert report.exceeded(made(sources=0), "any", COUNT) is None


def test_a_log_that_was_not_read_whole_is_not_below_a_limit() -> None:
    torn = replace(made(), problems=("zstd could not be run", "another"))
    said = report.exceeded(torn, "100%", COUNT)
    assert said is not None
    assert "could not be read whole (zstd could not be run)" in said
    assert report.exceeded(torn, "100%", IGNORE) is None


def test_a_login_without_a_name_counts_as_a_user() -> None:
    rows = made().outcomes[0].losses[:1]
    nobody = Outcome("plaintext", "x", (replace(rows[0], user=None, count=2),))
    folded = replace(made(), outcomes=(nobody,))
    assert report.exceeded(folded, 1, COUNT) is not None
    assert report.exceeded(folded, 2, COUNT) is None
    assert report.exceeded(folded, "39%", COUNT) is not None  # 2 of 5
    assert report.exceeded(folded, "40%", COUNT) is None


@pytest.mark.parametrize("limit", ["few", "-1", "nan", "inf", "%", "5 percent", ""])
def test_what_is_no_limit_is_refused(limit: str) -> None:
    with pytest.raises(report.LimitError, match="write a number"):
        report.exceeded(made(), limit, COUNT)


def test_the_message_says_where_names_are_and_holds_none() -> None:
    for names in report.Names:
        said = report.where_named(names, "reports/impact-mail.json")
        assert ("reports/" in said) is (names is not report.Names.COUNTS)
