# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Failure, Offer
from ansible_collections.postmaster.tls.plugins.module_utils.wire import suites
from ansible_collections.postmaster.tls.plugins.module_utils.wire.flight import (
    Alert,
    Certificate,
    CertificateRequest,
    Event,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
)
from ansible_collections.postmaster.tls.plugins.module_utils.wire.offers import (
    COVERS,
    FIRST,
    HELLOS,
    Reply,
    closed_as_refusal,
    concluded,
    drops,
    outcome,
    rest,
    settle,
    shown,
    unanswered,
    without_fields,
)

TLS12_VERSION = 0x0303
TLS12 = ServerHello(0x0303, 0xC02F, 0, (0xFF01,))
TLS12_CBC = ServerHello(0x0303, 0xC013, 0, ())
TLS10 = ServerHello(0x0301, 0xC013, 0, ())
RETRY = ServerHello(0x0304, 0x1301, 0, (), group=0x11EC, retry=True)
CLOSED = Failure("hello", "closed")
RESET = Failure("hello", "reset")
TIMEOUT = Failure("hello", "timeout")


def reply(*events: Event) -> Reply:
    collected = Reply()
    for event in events:
        collected.add(event)
    return collected


@pytest.mark.parametrize(
    ("name", "events", "cut", "accepted", "cause", "alert"),
    [
        ("tls1.2", [TLS12, ServerHelloDone()], None, True, None, None),
        ("tls1.2", [TLS12], TIMEOUT, True, "timeout", None),
        ("tls1.2", [TLS12, Alert(2, 80)], None, False, "alert", 80),
        ("tls1.2", [TLS10, ServerHelloDone()], None, False, None, None),
        ("tls1.3", [RETRY], None, True, None, None),
        ("tls1.3", [TLS12], None, None, "unexpected", None),  # a suite that was not offered
        ("tls1.3", [replace(RETRY, group=0xFAFA)], None, None, "unexpected", None),  # a group
        ("tls1.0", [TLS12], None, None, "unexpected", None),  # a higher version
        ("cbc", [TLS12], None, None, "unexpected", None),
        ("deprecated", [TLS10, ServerHelloDone()], None, True, None, None),
        ("deprecated", [TLS12_CBC, ServerHelloDone()], None, False, None, None),  # chose by legacy
        ("deprecated", [TLS12], None, None, "unexpected", None),
        ("deprecated", [Alert(2, 70)], None, False, "alert", 70),
        ("ssl3", [Alert(2, 70)], None, False, "alert", 70),
        ("ssl3", [Alert(2, 40)], None, False, "alert", 40),
        ("ssl3", [Alert(1, 0)], None, None, "closed", None),
        ("ssl3", [Alert(1, 41)], CLOSED, False, "alert", 41),
        ("ssl3", [Alert(1, 41)], TIMEOUT, None, "timeout", None),
        ("tls1.2", [Alert(1, 112), TLS12, ServerHelloDone()], None, True, None, None),
        ("tls1.2", [Alert(2, 112)], None, None, "alert", 112),
        ("ssl3", [], CLOSED, None, "closed", None),
        ("ssl3", [], RESET, None, "reset", None),
        ("ssl3", [], TIMEOUT, None, "timeout", None),
    ],
)
def test_outcomes(
    name: str,
    events: list[Event],
    cut: Optional[Failure],
    accepted: Optional[bool],
    cause: Optional[str],
    alert: Optional[int],
) -> None:
    offer = outcome(name, reply(*events), cut)
    assert offer.accepted is accepted
    assert (offer.failure.cause if offer.failure else None) == cause
    assert (offer.failure.alert if offer.failure else None) == alert


def test_what_is_kept_of_a_flight() -> None:
    key = ServerKeyExchange(0x001D, None, 0x0804)
    whole = reply(TLS12, Certificate((b"der",)), key, CertificateRequest(), ServerHelloDone())
    assert outcome("tls1.2", whole) == Offer(
        name="tls1.2",
        accepted=True,
        version=0x0303,
        suite=0xC02F,
        group=0x001D,
        signature=0x0804,
        extensions=(0xFF01,),
        compression=0,
        client_certificate=True,
    )
    assert whole.chain == (b"der",)


@pytest.mark.parametrize(
    ("events", "asked"),
    [([TLS12, ServerHelloDone()], False), ([TLS12], None), ([RETRY], None)],
)
def test_not_asking_for_a_certificate_must_be_seen(
    events: list[Event], asked: Optional[bool]
) -> None:
    assert outcome("tls1.3", reply(*events)).client_certificate is asked


NOTIFIED = Failure("hello", "closed", "close_notify")


ALONE, MIXED = "cbc", "tls1.1"  # without and with finite-field Diffie-Hellman among others


@pytest.mark.parametrize(
    ("failure", "agreed", "refusal", "repeat"),
    [
        (CLOSED, True, True, True),
        (CLOSED, False, False, True),
        (NOTIFIED, False, True, True),
        (RESET, True, False, True),
        (TIMEOUT, True, False, False),
        (Failure("greeting", "closed"), True, False, True),
        (Failure("connect", "refused"), True, False, True),
        (Failure("starttls", "refused"), True, False, True),
        (None, True, False, False),
    ],
)
def test_what_a_closed_connection_says(
    failure: Optional[Failure], agreed: bool, refusal: bool, repeat: bool
) -> None:
    offer = Offer(ALONE, None, failure=failure)
    assert closed_as_refusal(offer, agreed) is refusal
    assert unanswered(offer) is repeat


def test_closing_on_a_mixed_hello_is_no_refusal_yet() -> None:
    assert closed_as_refusal(Offer(MIXED, None, failure=CLOSED), agreed=True) is False
    assert closed_as_refusal(Offer(MIXED, None, failure=NOTIFIED), agreed=True) is True


def test_the_second_hello_leaves_finite_fields_out() -> None:
    for name, first in HELLOS.items():
        again = without_fields(first)
        if name == "dhe":
            assert again == first
            continue
        assert set(first.suites) - set(again.suites) <= suites.EPHEMERAL_DH
        assert not set(again.suites) & suites.EPHEMERAL_DH
        assert (again.version, again.versions) == (first.version, first.versions)


@pytest.mark.parametrize(
    ("offer", "part"),
    [
        (Offer("forbidden", True, TLS12_VERSION, 0xC013), "cbc"),
        (Offer("forbidden", True, TLS12_VERSION, 0x009C), "static_rsa"),
        (Offer("forbidden", True, TLS12_VERSION, 0x0033), "dhe"),
        (Offer("forbidden", True, TLS12_VERSION, 0x0005), "broken"),
        (Offer("deprecated", True, 0x0302, 0xC013), "tls1.1"),
        (Offer("deprecated", True, 0x0300, 0x0035), "ssl3"),
        (Offer("forbidden", True, TLS12_VERSION, 0xC02F), None),
        (Offer("forbidden", False, TLS12_VERSION, 0xC013), None),
        (Offer("forbidden", None, failure=CLOSED), None),
    ],
)
def test_an_acceptance_shows_one_part(offer: Offer, part: Optional[str]) -> None:
    assert shown(offer, COVERS[offer.name]) == part
    if part is not None:
        assert shown(offer, [name for name in COVERS[offer.name] if name != part]) is None


@pytest.mark.parametrize("name", list(COVERS))
def test_the_rest_offers_what_is_left_and_nothing_else(name: str) -> None:
    whole = HELLOS[name]
    assert rest(name, COVERS[name]) == whole
    for part in COVERS[name]:
        left = [each for each in COVERS[name] if each != part]
        again = rest(name, left)
        if whole.versions:
            assert again.versions == tuple(HELLOS[each].version for each in left)
            assert again.suites == whole.suites
        else:
            assert set(whole.suites) - set(again.suites) == set(HELLOS[part].suites)
        refused = Offer(name, False, failure=REFUSED)
        assert [each.name for each in concluded(refused, left)] == left


REFUSED = Failure("hello", "alert", "handshake_failure", 40)


@pytest.mark.parametrize(
    ("offer", "drawn"),
    [
        (Offer("forbidden", False, failure=REFUSED), True),
        (
            Offer("forbidden", False, failure=Failure("hello", "alert", "protocol_version", 70)),
            True,
        ),
        (Offer("forbidden", False, failure=NOTIFIED), True),
        (Offer("forbidden", False, failure=RESET), True),
        (Offer("forbidden", False, failure=Failure("hello", "alert", "decode_error", 50)), False),
        (Offer("forbidden", False, failure=Failure("hello", "alert", "internal_error", 80)), False),
        (Offer("forbidden", False, version=0x0303, suite=0x0033, failure=REFUSED), False),
        (Offer("forbidden", False, version=0x0301, suite=0x0033), False),
        (Offer("forbidden", None, failure=TIMEOUT), False),
        (Offer("forbidden", True, version=0x0303, suite=0x0033), False),
        (Offer("deprecated", False, failure=REFUSED), True),
    ],
)
def test_conclusions(offer: Offer, drawn: bool) -> None:
    found = concluded(offer)
    assert [each.name for each in found] == (list(COVERS[offer.name]) if drawn else [])
    for each in found:
        assert each.accepted is False
        assert each.failure is not None
        assert each.failure.detail.endswith(f"(to {offer.name})")


def test_combined_hellos_offer_what_they_cover() -> None:
    for name, covered in COVERS.items():
        assert name in FIRST
        for each in covered:
            assert set(HELLOS[each].suites) <= set(HELLOS[name].suites)
    versions = {HELLOS[each].version for each in COVERS["deprecated"]}
    assert set(HELLOS["deprecated"].versions) == versions
    assert set(FIRST) | {each for names in COVERS.values() for each in names} == set(HELLOS)


@pytest.mark.parametrize(
    ("first", "again", "accepted"),
    [
        (RESET, RESET, False),
        (RESET, CLOSED, False),
        (RESET, TIMEOUT, None),
        (Failure("greeting", "closed"), RESET, None),
        (RESET, Failure("connect", "refused"), None),
    ],
)
def test_dropped_twice_is_refused(first: Failure, again: Failure, accepted: Optional[bool]) -> None:
    settled = settle(Offer("ssl3", None, failure=first), Offer("ssl3", None, failure=again))
    assert settled == Offer("ssl3", accepted, failure=again)


def test_a_repetition_that_is_answered_counts() -> None:
    answered = Offer("ssl3", True, version=0x0300)
    assert settle(Offer("ssl3", None, failure=RESET), answered) == answered


def test_the_names_that_policies_rely_on() -> None:
    assert set(HELLOS) == {
        *["ssl3", "tls1.0", "tls1.1", "tls1.2", "tls1.3"],
        *["cbc", "static_rsa", "dhe", "broken"],
        *["deprecated", "forbidden", "alpn"],
    }


HANGS_UP = [
    (Offer("ssl3", False, failure=Failure("hello", "closed")), True),
    (
        Offer("ssl3", False, failure=Failure("hello", "reset", "(to deprecated)")),
        True,
    ),
    (Offer("ssl3", False, failure=Failure("hello", "closed", "close_notify")), False),
    (Offer("ssl3", False, failure=Failure("hello", "alert", "handshake_failure", 40)), False),
    (Offer("ssl3", None, failure=Failure("hello", "closed")), False),
    (Offer("ssl3", False), False),
    (Offer("ssl3", True), False),
]


@pytest.mark.parametrize(("offer", "known"), HANGS_UP)
def test_who_is_known_to_hang_up(offer: Offer, known: bool) -> None:
    assert drops([Offer("tls1.2", True), offer]) is known
