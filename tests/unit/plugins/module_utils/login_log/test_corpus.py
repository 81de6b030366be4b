# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader against logs of known truth: every login found, and nothing that is none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.login_log import courier, dovecot
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.stamp import Clock
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.tally import (
    Span,
    Tally,
    whole_lines,
)
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.usage import Usage
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service
from ansible_collections.postmaster.tls.tests.unit import login_corpus as corpus

ALWAYS = Span(0, 2**40)
FIXTURES = Path(__file__).resolve().parents[4] / "fixtures" / "login_log"
CASES = [
    (form, stamp)
    for forms, stamps in (
        (corpus.FORMATS, corpus.STAMPS),
        (corpus.OWN_FORMATS, corpus.OWN_STAMPS),
    )
    for form in forms
    for stamp in stamps
]


def counted(log: bytes, form: corpus.Format, piece: int = 1 << 20) -> Tally:
    tally = Tally(form.product, form.parser(), form.marks)
    clock = Clock(corpus.END, corpus.local)
    for block in whole_lines(log[at : at + piece] for at in range(0, len(log), piece)):
        tally.count(block, clock, ALWAYS)
    return tally


def logins(usage: tuple[Usage, ...]) -> Counter[tuple[object, ...]]:
    found: Counter[tuple[object, ...]] = Counter()
    for row in usage:
        if row.reason is None:
            found[row.user, row.service, row.security, row.version, row.suite] += row.count
    return found


@pytest.mark.parametrize(("form", "stamp"), CASES)
def test_every_login_of_the_corpus_and_nothing_else(form: str, stamp: str) -> None:
    kind = {**corpus.FORMATS, **corpus.OWN_FORMATS}[form]
    mark = {**corpus.STAMPS, **corpus.OWN_STAMPS}[stamp]
    for seed in range(3):
        world = corpus.world(seed)
        tally = counted(corpus.written(world, kind, mark), kind)
        assert logins(tally.usage()) == Counter(corpus.told(truth, kind) for truth in world)
        assert (tally.not_understood, tally.without_time) == (0, 0)


@pytest.mark.parametrize("form", corpus.FORMATS)
def test_times_and_addresses_are_those_of_the_corpus(form: str) -> None:
    kind = corpus.FORMATS[form]
    world = corpus.world(7, 60)
    usage = counted(corpus.written(world, kind, corpus.STAMPS["rfc3164"]), kind).usage()
    for row in usage:
        if row.reason is None:
            same = [t for t in world if corpus.told(t, kind)[:5] == key(row)]
            same = [t for t in same if row.tls_mode is None or mode(t) == row.tls_mode]
            assert row.first == min(corpus.local(t.moment) for t in same)
            assert row.last == max(corpus.local(t.moment) for t in same)
            seen = {client.address for client in row.clients}
            assert seen == {t.address for t in same}


def key(row: Usage) -> tuple[object, ...]:
    return (row.user, row.service, row.security, row.version, row.suite)


def mode(truth: corpus.Truth) -> str:
    return "implicit" if truth.implicit else "starttls"


@pytest.mark.parametrize("piece", [1, 7, 997])
def test_it_does_not_matter_how_a_log_is_cut(piece: int) -> None:
    kind = corpus.FORMATS["dovecot-2.3-evidence"]
    log = corpus.written(corpus.world(1, 20), kind, corpus.STAMPS["rsyslog"])
    assert counted(log, kind, piece).usage() == counted(log, kind).usage()


# ---------------------------------------------------------------------------------------------
# Logs that servers of the lab wrote while imaplib and poplib logged in. Per service: one login
# without TLS, with TLS 1.0, 1.2 and 1.3 one each by STARTTLS and on the TLS port.

OFFERED = {Service.IMAP: True, Service.POP3: True}
BEFORE = {"cleartext": 1, "tls": 6}
# After hardening: TLS 1.2 and 1.3, two ways; refused: three passwords, three times TLS 1.0, …
AFTER_IMAP = {
    "tls TLSv1.2": 2,
    "tls TLSv1.3": 2,
    "plaintext_refused": 3,
    "unsupported_protocol": 3,
    "no_shared_cipher": 1,
    "not_tls": 2,
}
AFTER_POP3 = {
    "tls TLSv1.2": 2,
    "tls TLSv1.3": 2,
    "plaintext_refused": 1,
    "unsupported_protocol": 2,
    "not_tls": 2,
}


def words(row: Usage) -> str:
    if row.reason:
        return row.reason.value
    return " ".join(w for w in (row.security.value, row.version) if w)


def by_words(usage: tuple[Usage, ...], service: Service) -> dict[str, int]:
    found: Counter[str] = Counter()
    for row in usage:
        if row.service is service:
            found[words(row)] += row.count
    return dict(found)


def real(name: str, parser: object, marks: tuple[bytes, ...]) -> tuple[Usage, ...]:
    tally = Tally("x", parser, marks)  # type: ignore[arg-type]
    tally.count((FIXTURES / name).read_bytes(), Clock(corpus.END, corpus.local), ALWAYS)
    assert (tally.not_understood, tally.without_time) == (0, 0)
    return tally.usage()


def test_dovecot_2_3_of_the_lab() -> None:
    usage = real("dovecot-2.3.19.log", dovecot.Dovecot(), dovecot.MARKS)
    assert by_words(usage, Service.IMAP) == {**BEFORE, **AFTER_IMAP}
    assert by_words(usage, Service.POP3) == {**BEFORE, **AFTER_POP3}


def test_dovecot_2_4_of_the_lab() -> None:
    usage = real("dovecot-2.4.1.log", dovecot.Dovecot(corpus.EVIDENCE_24), dovecot.MARKS)
    # IMAP refused passwords without TLS from the beginning, three times more.
    refused = {"plaintext_refused": 6, "no_shared_parameters": 1}
    assert by_words(usage, Service.IMAP) == {"tls": 6, **AFTER_IMAP, **refused}
    assert by_words(usage, Service.POP3) == {**BEFORE, **AFTER_POP3}


def test_courier_5_2_of_the_lab() -> None:
    parser = courier.Courier(True, {Service.IMAP: False, Service.POP3: True})
    usage = real("courier-5.2.11.log", parser, parser.marks)
    # It offered no STARTTLS for IMAP before; it never logs that a password was refused.
    refused = {"unsupported_protocol": 2, "no_shared_cipher": 1, "not_tls": 2}
    assert by_words(usage, Service.IMAP) == {"cleartext": 1, "tls": 3 + 4, **refused}
    refused = {"unsupported_protocol": 1, "not_tls": 2}
    assert by_words(usage, Service.POP3) == {"cleartext": 1, "tls": 6 + 4, **refused}


def test_courier_5_0_of_the_lab() -> None:
    parser = courier.Courier(False, OFFERED)
    usage = real("courier-5.0.13.log", parser, parser.marks)
    assert by_words(usage, Service.IMAP) == {**BEFORE, "no_shared_cipher": 1, "not_tls": 1}
    assert by_words(usage, Service.POP3) == {**BEFORE, "not_tls": 1}
