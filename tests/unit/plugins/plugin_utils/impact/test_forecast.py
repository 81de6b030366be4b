# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forecast against the truth of the corpus, and what it says where the logs say little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.config.vocabulary import PROTOCOLS
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.stamp import Clock
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.tally import Span, Tally
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
from ansible_collections.postmaster.tls.plugins.plugin_utils.exceptions import read_exceptions
from ansible_collections.postmaster.tls.plugins.plugin_utils.impact.changes import Change, Kind
from ansible_collections.postmaster.tls.plugins.plugin_utils.impact.forecast import (
    DAY,
    Forecast,
    forecast,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import load_profile
from ansible_collections.postmaster.tls.plugins.plugin_utils.registry import openssl_to_code
from ansible_collections.postmaster.tls.tests.unit import login_corpus as corpus

UNTIL = corpus.local(corpus.END)
SINCE = UNTIL - 30 * DAY
PROFILE = load_profile("intermediate")
SUITES = frozenset(code for n in PROFILE.ciphers if (code := openssl_to_code(n)) is not None)
IMAP = frozenset({Service.IMAP})


def everything(product: Product) -> tuple[Change, ...]:
    return (
        Change(Kind.PLAINTEXT, product),
        Change(Kind.PLAINTEXT, product, IMAP),
        Change(Kind.TRUSTED, product),
        Change(Kind.SASL, product),
        Change(Kind.PROTOCOL, product, floor="TLSv1.2"),
        Change(Kind.SUITE, product, suites=SUITES),
        Change(Kind.PORT, product, tls_mode="starttls"),
    )


def loses(change: Change, truth: corpus.Truth) -> bool:
    """Whether a login of the corpus, as it was, is one that goes away."""
    if truth.service not in change.services:
        return False
    tls = truth.security is Security.TLS
    below = tls and PROTOCOLS.index(truth.version or "") < PROTOCOLS.index("TLSv1.2")
    outside = tls and truth.version != "TLSv1.3"
    outside = outside and openssl_to_code(truth.suite or "") not in SUITES
    return {
        Kind.PLAINTEXT: truth.security is Security.CLEARTEXT,
        Kind.TRUSTED: truth.security is Security.SECURED,
        Kind.SASL: truth.security is Security.SASL,
        Kind.PROTOCOL: below,
        Kind.SUITE: outside,
        Kind.PORT: not truth.implicit,
    }[change.kind]


def logged(world: tuple[corpus.Truth, ...], form: corpus.Format) -> LoginLog:
    tally = Tally(form.product, form.parser(), form.marks)
    text = corpus.written(world, form, corpus.STAMPS["rsyslog"])
    first, last, lines = tally.count(text, Clock(corpus.END, corpus.local), Span(SINCE, UNTIL))
    evidence = Evidence(form.product, form.classes, form.versions, True, True, "x")
    source = Source("mail.log", lines, first, last)
    return LoginLog(SINCE, UNTIL, (evidence,), tally.usage(), (source,))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("form", ["dovecot-2.3-evidence", "dovecot-2.4-evidence", "dovecot-turned"])
def test_every_user_who_loses_something_and_nobody_else(form: str, seed: int) -> None:
    world = corpus.world(seed)
    changes = [c for c in everything(Product.DOVECOT) if c.kind is not Kind.PORT]
    made = forecast(logged(world, corpus.FORMATS[form]), changes)
    for change, outcome in zip(changes, made.outcomes):
        lost = [truth for truth in world if loses(change, truth)]
        assert {loss.user for loss in outcome.losses} == {truth.user for truth in lost}
        assert sum(loss.count for loss in outcome.losses) == len(lost)
        assert outcome.unknown == ()
        assert max((x.last for x in outcome.losses), default=0) == max(
            (corpus.local(truth.moment) for truth in lost), default=0
        )
    everyone = {t.user for t in world if any(loses(c, t) for c in changes)}
    assert made.locked_out == everyone
    assert made.users == {truth.user for truth in world}
    assert made.share == len(everyone) / len(made.users)
    assert {e.user for e in made.exposed} == {
        t.user for t in world if t.security is Security.CLEARTEXT
    }


@pytest.mark.parametrize("form", ["courier-5.0", "courier-5.2"])
def test_courier_by_port_and_password(form: str) -> None:
    world = corpus.world(3)
    changes = [c for c in everything(Product.COURIER) if c.kind in (Kind.PLAINTEXT, Kind.PORT)]
    made = forecast(logged(world, corpus.FORMATS[form]), changes)
    clear = {t.user for t in world if t.security is not Security.TLS}
    assert {loss.user for loss in made.outcomes[0].losses} == clear
    assert {loss.user for loss in made.outcomes[2].losses} == {
        t.user for t in world if not t.implicit
    }


@pytest.mark.parametrize("form", ["dovecot-2.3", "dovecot-blind", "courier-5.2"])
def test_what_the_log_does_not_tell_is_unknown_and_never_safe(form: str) -> None:
    kind = corpus.FORMATS[form]
    world = corpus.world(4)
    product = Product(kind.product)
    (outcome,) = forecast(
        logged(world, kind), [Change(Kind.PROTOCOL, product, floor="TLSv1.2")]
    ).outcomes
    silent = [t for t in world if not kind.classes or t.security is Security.TLS]
    assert outcome.losses == ()
    assert sum(loss.count for loss in outcome.unknown) == len(silent)
    assert {loss.user for loss in outcome.unknown} == {t.user for t in silent}


# ---------------------------------------------------------------------------------------------
# Single rows

CLEAR = Change(Kind.PLAINTEXT, Product.DOVECOT)


def row(user: Optional[str] = "a", **more: Any) -> Usage:
    base = Usage("dovecot", Service.IMAP, Security.CLEARTEXT, user, 3, UNTIL - 9, UNTIL - 5)
    return replace(base, clients=(Client("192.0.2.7", 3, UNTIL - 5),), **more)


def log(*rows: Usage, **more: Any) -> LoginLog:
    source = Source("mail.log", 9, SINCE, UNTIL)
    evidence = Evidence("dovecot", True, True, True, True, "login_log_format_elements")
    return replace(LoginLog(SINCE, UNTIL, (evidence,), rows, (source,)), **more)


def with_exceptions(rows: Sequence[Usage], entry: dict[str, Any], today: str) -> Forecast:
    held = read_exceptions([{"reason": "the lift", "until": "2026-12-31", **entry}])
    return forecast(log(*rows), [CLEAR], held, date.fromisoformat(today))


@pytest.mark.parametrize(
    ("entry", "today", "locked_out", "waived"),
    [
        ({"network": "192.0.2.0/24"}, "2026-12-31", [], ["a"]),
        ({"network": "192.0.2.0/24"}, "2027-01-01", ["a"], []),
        ({"network": "198.51.100.0/24"}, "2026-12-31", ["a"], []),
        ({"network": "192.0.2.0/24", "allow": "old_tls"}, "2026-12-31", ["a"], []),
        ({"user": "a"}, "2026-12-31", [], ["a"]),
        ({"user": "b"}, "2026-12-31", ["a"], []),
    ],
)
def test_an_exception_waives_until_its_last_day(
    entry: dict[str, Any], today: str, locked_out: list[str], waived: list[str]
) -> None:
    made = with_exceptions([row()], entry, today)
    assert (sorted(made.locked_out), sorted(made.waived)) == (locked_out, waived)
    ended = [loss.expired for loss in made.outcomes[0].losses]
    assert (ended != [None]) is (today > "2026-12-31")


def test_a_row_with_unnamed_clients_is_not_waived_by_a_network() -> None:
    entry = {"network": "192.0.2.0/24"}
    assert with_exceptions([row(more_clients=True)], entry, "2026-12-01").locked_out == {"a"}


def test_courier_makes_an_exception_for_a_network_too() -> None:
    held = read_exceptions([{"network": "192.0.2.0/24", "reason": "x", "until": "2027-12-31"}])
    change = Change(Kind.PLAINTEXT, Product.COURIER)
    made = forecast(log(row(product="courier")), [change], held)
    assert (made.locked_out, made.waived) == (frozenset(), {"a"})


def test_a_host_that_reads_its_own_mail_loses_nothing() -> None:
    made = forecast(log(row(security=Security.LOCAL)), [CLEAR, replace(CLEAR, kind=Kind.TRUSTED)])
    assert made.locked_out == frozenset()


def test_a_password_that_was_refused_crossed_the_wire_too() -> None:
    refused = row(reason=Reason.PLAINTEXT)
    assert forecast(log(refused), []).exposed == ()  # nobody's name, for all that is known
    (exposed,) = forecast(log(refused, row(security=Security.TLS)), []).exposed
    assert (exposed.user, exposed.count) == ("a", 3)


def test_folded_logins_are_numbers() -> None:
    made = forecast(log(row(None, folded=True), row()), [CLEAR])
    assert (made.folded, made.users, made.locked_out) == (3, {"a"}, {"a"})


def test_an_unknown_suite_or_version_is_unknown() -> None:
    changes = [
        Change(Kind.SUITE, Product.DOVECOT, suites=SUITES),
        Change(Kind.PROTOCOL, Product.DOVECOT, floor="TLSv1.2"),
    ]
    odd = row(security=Security.TLS, version="TLSv9", suite="GOST-SOMETHING")
    made = forecast(log(odd), changes)
    assert [[x.count for x in o.unknown] for o in made.outcomes] == [[3], [3]]
    assert (made.locked_out, made.possibly_locked_out) == (frozenset(), {"a"})


@pytest.mark.parametrize("kind", list(Kind))
def test_a_login_of_unknown_security_may_lose_by_every_change(kind: Kind) -> None:
    change = Change(kind, Product.DOVECOT, floor="TLSv1.2", suites=SUITES, tls_mode="starttls")
    made = forecast(log(row(security=Security.UNKNOWN)), [change])
    assert made.possibly_locked_out == {"a"}


def test_who_is_locked_out_for_sure_is_not_counted_twice() -> None:
    made = forecast(log(row(), row(security=Security.UNKNOWN)), [CLEAR])
    assert (made.locked_out, made.possibly_locked_out) == ({"a"}, frozenset())


def test_an_exception_answers_for_what_may_be_lost_too() -> None:
    entry = {"user": "a", "reason": "told", "until": "2099-12-31"}
    made = forecast(log(row(security=Security.UNKNOWN)), [CLEAR], read_exceptions([entry]))
    assert made.possibly_locked_out == frozenset()


def test_logins_without_a_name_may_be_anybody() -> None:
    unnamed = row(None, folded=True)
    both = forecast(log(unnamed, replace(unnamed, security=Security.UNKNOWN), row()), [CLEAR])
    assert both.unnamed == 6
    assert forecast(log(replace(unnamed, security=Security.TLS)), [CLEAR]).unnamed == 0


def test_suites_of_tls_1_3_are_judged_by_their_own_list() -> None:
    best = row(security=Security.TLS, version="TLSv1.3", suite="TLS_AES_128_GCM_SHA256")
    change = Change(Kind.SUITE, Product.DOVECOT, suites=SUITES)
    assert forecast(log(best), [change]).locked_out == frozenset()
    limited = replace(change, suites13=frozenset({0x1302}))
    assert forecast(log(best), [limited]).locked_out == {"a"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"sources": ()}, "no login line was found"),
        ({"sources": (Source("x", 1, UNTIL - 3 * DAY, UNTIL),)}, "reach back 3.0 of 30 days"),
        (
            {"evidence": (Evidence("dovecot", True, False, True, True, "x"),)},
            "mail_tls_stage=evidence",
        ),
        (
            {"evidence": (Evidence("dovecot", False, False, False, True, "x"),)},
            "does not log whether a login had TLS",
        ),
        (
            {"evidence": (Evidence("courier", True, False, False, True, None),)},
            "courier never logs",
        ),
    ],
)
def test_what_cannot_be_known_is_said(more: dict[str, Any], words: str) -> None:
    changes = [
        Change(kind, product, floor="TLSv1.2")
        for kind in (Kind.PLAINTEXT, Kind.PROTOCOL)
        for product in Product
    ]
    assert words in " ".join(forecast(log(row(), **more), changes).gaps)


def test_full_logs_have_no_gap() -> None:
    assert forecast(log(row()), [CLEAR]).gaps == ()
