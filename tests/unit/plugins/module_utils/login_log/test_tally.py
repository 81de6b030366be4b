# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting: memory that is bounded, times that are left out, and logs whose format has changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.login_log import (
    courier,
    dovecot,
    tally,
)
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.stamp import Clock
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.tally import (
    CLIENTS,
    Span,
    Tally,
    whole_lines,
)
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.usage import Security
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service

CLOCK = Clock(datetime(2026, 11, 24), lambda moment: int(moment.timestamp()))
ALWAYS = Span(0, 2**40)
BASE = 1_790_000_000


def line(moment: int, user: str = "a", rip: str = "192.0.2.7", tls: str = "") -> str:
    who = f"user=<{user}>, method=PLAIN, rip={rip}, lip=192.0.2.1, mpid=1{tls}, session=<x>"
    return f"{BASE + moment}.0 dovecot[1]: imap-login: Login: {who}\n"


def counted(text: str, span: Span = ALWAYS, **more: Any) -> Tally:
    made = Tally("dovecot", dovecot.Dovecot(), dovecot.MARKS, **more)
    made.count(text.encode(), CLOCK, span)
    return made


def test_first_last_and_clients_in_any_order_of_lines() -> None:
    text = line(5) + line(1, rip="192.0.2.8") + line(9) + line(3)
    (row,) = counted(text).usage()
    assert (row.count, row.first, row.last) == (4, BASE + 1, BASE + 9)
    assert {(c.address, c.count, c.last) for c in row.clients} == {
        ("192.0.2.7", 3, BASE + 9),
        ("192.0.2.8", 1, BASE + 1),
    }


def test_what_is_outside_the_span_or_read_elsewhere_does_not_count() -> None:
    span = Span(BASE + 2, BASE + 8, ((BASE + 4, BASE + 5),))
    (row,) = counted("".join(line(n) for n in range(11)), span).usage()
    assert row.count == len([2, 3, 6, 7, 8])


def test_more_rows_than_the_limit_are_folded_and_their_logins_kept() -> None:
    text = "".join(line(n, user=f"u{n}") for n in range(30))
    usage = counted(text, limit=10).usage()
    folded = [row for row in usage if row.folded]
    assert len(usage) == 11
    assert sum(row.count for row in usage) == 30
    assert [(row.user, row.count, row.clients) for row in folded] == [(None, 20, ())]


def test_some_addresses_are_kept_and_it_is_said_that_there_are_more() -> None:
    (row,) = counted("".join(line(n, rip=f"192.0.2.{n}") for n in range(20))).usage()
    assert (row.count, len(row.clients), row.more_clients) == (20, CLIENTS, True)


def test_what_is_looked_up_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "_CACHE", 5)
    made = counted("".join(line(n, user=f"u{n}") for n in range(40)))
    assert len(made._cells) <= 5
    assert sum(row.count for row in made.usage()) == 40


@pytest.mark.parametrize(
    ("early", "security"), [("", Security.UNKNOWN), (", TLS", Security.CLEARTEXT)]
)
def test_before_a_change_of_format_a_missing_word_counts_if_it_was_ever_written(
    early: str, security: Security
) -> None:
    text = line(1, user="other", tls=early) + line(2) + line(10, user="later")
    rows = {row.user: row.security for row in counted(text, unproven=BASE + 5).usage()}
    assert rows["a"] is security
    assert rows["later"] is Security.CLEARTEXT


def test_a_tls_port_of_an_old_courier_proves_no_word() -> None:
    parser = courier.Courier(True, {Service.IMAP: True, Service.POP3: True})
    made = Tally("courier", parser, parser.marks, unproven=BASE + 5)
    who = "user=a, ip=[192.0.2.7], port=[1], protocol=IMAP"
    made.count(
        f"{BASE}.0 imapd-ssl: LOGIN, {who}\n{BASE}.0 imapd: LOGIN, {who}\n".encode(), CLOCK, ALWAYS
    )
    assert {row.security for row in made.usage()} == {Security.TLS, Security.UNKNOWN}


def test_sessions_that_have_not_ended_stay_unknown() -> None:
    parser = courier.Courier(False, {Service.IMAP: True, Service.POP3: True})
    made = Tally("courier", parser, parser.marks)
    who = "user=a, ip=[192.0.2.7], port=[1]"
    begun = f"{BASE}.0 imapd: LOGIN, {who}, protocol=IMAP\n" * 3
    made.count(f"{begun}{BASE}.0 imapd: LOGOUT, {who}, time=0\n".encode(), CLOCK, ALWAYS)
    assert {(row.security, row.count) for row in made.usage()} == {
        (Security.UNKNOWN, 2),
        (Security.CLEARTEXT, 1),
    }


def test_lines_without_a_time_or_of_another_format_are_counted_as_such() -> None:
    text = line(1).replace(str(BASE + 1), "yesterday") + f"{BASE}.0 dovecot: imap-login: Login: a\n"
    made = counted(text * 2)
    assert made.usage() == ()
    assert (made.not_understood, made.without_time) == (2, 2)


@pytest.mark.parametrize(
    ("pieces", "blocks"),
    [
        ([b"a\nb", b"c\nd"], [b"a\n", b"bc\n", b"d"]),
        ([b"", b"\n"], [b"\n"]),
        ([b"a" * 9, b"b" * 9, b"\nc\n"], [b" \nc\n"]),
        ([], []),
    ],
)
def test_blocks_end_with_a_line(pieces: list[bytes], blocks: list[bytes]) -> None:
    assert list(whole_lines(pieces, limit=10)) == blocks
