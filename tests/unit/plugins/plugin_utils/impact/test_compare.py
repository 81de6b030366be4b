# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A forecast beside what came: who was turned away, who is back, and who is a stranger."""

from __future__ import annotations

from typing import Optional

from ansible_collections.postmaster.tls.plugins.module_utils.login_log.usage import (
    Client,
    Evidence,
    LoginLog,
    Reason,
    Security,
    Source,
    Usage,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import Product
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service
from ansible_collections.postmaster.tls.plugins.plugin_utils.impact.changes import Change, Kind
from ansible_collections.postmaster.tls.plugins.plugin_utils.impact.compare import (
    compare,
    lines,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.impact.forecast import forecast

UNTIL = 1_795_000_000
CHANGES = (
    Change(Kind.PLAINTEXT, Product.DOVECOT),
    Change(Kind.PROTOCOL, Product.DOVECOT, floor="TLSv1.2"),
    Change(Kind.SASL, Product.DOVECOT),
)


def row(
    user: Optional[str],
    address: str,
    security: Security,
    version: Optional[str] = None,
    reason: Optional[Reason] = None,
    count: int = 1,
) -> Usage:
    return Usage(
        "dovecot",
        Service.IMAP,
        security,
        user,
        count,
        UNTIL,
        UNTIL,
        version=version,
        reason=reason,
        clients=(Client(address, count, UNTIL),),
    )


def log(*rows: Usage, refusals: bool = True) -> LoginLog:
    evidence = Evidence("dovecot", True, True, refusals, True, "x")
    return LoginLog(0, UNTIL, (evidence,), rows, (Source("x", 1, 0, UNTIL),))


BEFORE = log(
    row("plain", "192.0.2.1", Security.CLEARTEXT),
    row("moved", "192.0.2.2", Security.CLEARTEXT),
    row("silent", "192.0.2.3", Security.CLEARTEXT),
    row("old", "192.0.2.4", Security.TLS, "TLSv1"),
    row("good", "192.0.2.5", Security.TLS, "TLSv1.3"),
)
AFTER = log(
    row("plain", "192.0.2.1", Security.CLEARTEXT, reason=Reason.PLAINTEXT, count=9),
    row("moved", "192.0.2.2", Security.TLS, "TLSv1.3"),
    row("good", "192.0.2.5", Security.CLEARTEXT, reason=Reason.PLAINTEXT),
    row("admin", "203.0.113.1", Security.CLEARTEXT, reason=Reason.PLAINTEXT),
    row(None, "192.0.2.4", Security.UNKNOWN, reason=Reason.PROTOCOL, count=4),
    row(None, "192.0.2.5", Security.UNKNOWN, reason=Reason.PROTOCOL),
    row(None, "203.0.113.2", Security.UNKNOWN, reason=Reason.PROTOCOL),
    row(None, "203.0.113.2", Security.UNKNOWN, reason=Reason.CIPHER),
)


def test_each_change_as_forecast_and_as_it_came() -> None:
    passwords, versions = compare(CHANGES, forecast(BEFORE, CHANGES), BEFORE, AFTER)
    assert (passwords.what, passwords.forecast, passwords.met, passwords.back) == ("user", 3, 1, 1)
    assert (passwords.unforeseen, passwords.strangers, passwords.refusals) == (1, 1, 11)
    assert (versions.what, versions.forecast, versions.met, versions.back) == ("address", 1, 1, 0)
    assert (versions.unforeseen, versions.strangers, versions.refusals) == (1, 1, 6)


def test_the_lines_name_nobody() -> None:
    found = lines(compare(CHANGES, forecast(BEFORE, CHANGES), BEFORE, AFTER))
    assert found[0] == (
        "passwords without TLS are refused: 3 users forecast, 1 of them turned away since, 1 back "
        "with TLS, 1 user turned away that had not been forecast, 1 that never logged in before"
    )
    assert "192.0.2." not in " ".join(found)


def test_what_is_not_logged_is_not_zero() -> None:
    after = log(refusals=False)
    found = lines(compare(CHANGES, forecast(BEFORE, CHANGES), BEFORE, after))
    assert found[0].endswith("3 users forecast; refusals are not logged")
