# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a port, in how many connections, and that what is concluded is so."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.hellos import Hellos, ask_hellos
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    Failure,
    Handshake,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.talk import Target
from ansible_collections.postmaster.tls.plugins.module_utils.tasks import Told, run
from ansible_collections.postmaster.tls.plugins.module_utils.wire import suites
from ansible_collections.postmaster.tls.plugins.module_utils.wire.flight import RETRY_RANDOM
from ansible_collections.postmaster.tls.plugins.module_utils.wire.hello import (
    SSL30,
    TLS10,
    TLS11,
    TLS12,
    TLS13,
)
from ansible_collections.postmaster.tls.plugins.module_utils.wire.offers import COVERS, HELLOS
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.hello_server import (
    CLOSE_NOTIFY,
    HARD,
    VERSIONS,
    Peer,
    PeerNetwork,
    flight,
)

NO_PROTOCOL = "no_application_protocol"
STARTTLS, IMPLICIT = TlsMode.STARTTLS, TlsMode.IMPLICIT
STATIC_RSA = (*suites.RSA_AEAD, *suites.RSA_CBC)
DHE = (*suites.DHE_AEAD, *suites.DHE_CBC)
WEAK = (*HARD, *suites.ECDHE_CBC, *STATIC_RSA, *DHE, *suites.BROKEN)


def asked(
    peer: Peer, mode: TlsMode = IMPLICIT, shook_hands: bool = True, alpn: str = "imap"
) -> tuple[Hellos, int]:
    network = PeerNetwork(peer, greets=mode is STARTTLS)
    target = Target(Endpoint("192.0.2.1", 1, Service.IMAP, mode), None, "nobody")

    async def ask() -> Hellos:
        handshake: Told[Optional[Handshake]] = Told()
        handshake.tell(Handshake(TLS13, 0x1302, alpn) if shook_hands else None)
        return await ask_hellos(target, network, handshake)

    return run(ask()), network.count


def accepted(hellos: Hellos) -> set[str]:
    """The names of what was accepted; everything else must have been refused."""
    assert all(offer.accepted is not None for offer in hellos.offers), hellos.offers
    return {offer.name for offer in hellos.offers if offer.accepted}


MODERN, USUAL = {"tls1.3"}, {"tls1.2", "tls1.3"}
OLD = {"deprecated", "tls1.1", "tls1.0", "ssl3"}
FAMILIES = {"forbidden", "cbc", "static_rsa", "dhe", "broken"}

# A server, where TLS begins, the hellos that it must be seen to accept, and the connections.
SERVERS: list[tuple[str, Peer, TlsMode, set[str], int]] = [
    ("hard, alerts", Peer(), IMPLICIT, USUAL, 5),
    ("hard, alerts", Peer(), STARTTLS, USUAL, 5),
    ("hard, close_notify", Peer(refuses=CLOSE_NOTIFY), IMPLICIT, USUAL, 5),
    # Without a word: what is refused is asked once more, where the reason may be another.
    ("hard, closes", Peer(refuses="closed"), IMPLICIT, USUAL, 8),
    ("hard, closes", Peer(refuses="closed"), STARTTLS, USUAL, 8),
    ("hard, resets", Peer(refuses="reset"), IMPLICIT, USUAL, 8),
    ("hard, resets", Peer(refuses="reset"), STARTTLS, USUAL, 8),
    # An alert that complains of something else: nothing is concluded.
    ("hard, internal_error", Peer(refuses=80), IMPLICIT, USUAL, 12),
    ("hard, decode_error", Peer(refuses=50), IMPLICIT, USUAL, 12),
    ("TLS 1.3 only", Peer((TLS13,)), IMPLICIT, MODERN, 4),
    ("TLS 1.3 only, closes", Peer((TLS13,), refuses="closed"), STARTTLS, MODERN, 7),
    ("all of it", Peer(VERSIONS, WEAK), IMPLICIT, USUAL | OLD | FAMILIES, 10),
    ("old versions, CBC", Peer(VERSIONS, (*HARD, *suites.ECDHE_CBC)), IMPLICIT,
     USUAL | OLD | {"forbidden", "cbc"}, 8),
    ("TLS 1.0 beside", Peer((TLS10, TLS12)), IMPLICIT, {"tls1.2"}, 5),
    ("TLS 1.0 beside, CBC", Peer((TLS10, TLS12), WEAK), IMPLICIT,
     {"tls1.2", "tls1.0", "deprecated", *FAMILIES}, 9),
    ("weak families only", Peer(suites=WEAK), IMPLICIT, USUAL | FAMILIES, 8),
    # Who follows its client's order shows with the first hello that it has CBC.
    ("weak families, follows", Peer(suites=WEAK, follows=True), IMPLICIT, USUAL | FAMILIES, 7),
    ("CBC, follows", Peer(suites=(*HARD, *suites.ECDHE_CBC), follows=True), IMPLICIT,
     USUAL | {"forbidden", "cbc"}, 5),
    ("CBC, prefers it", Peer(suites=(*suites.ECDHE_CBC, *HARD)), IMPLICIT,
     USUAL | {"forbidden", "cbc"}, 5),
    # Dovecot 2.3 as Debian installs it: who did DHE does not lack its parameters.
    ("CBC, DHE, follows, closes", Peer(suites=(*HARD, *suites.ECDHE_CBC, *DHE), follows=True,
     refuses="closed", foreign=True), STARTTLS, USUAL | {"alpn", "forbidden", "cbc", "dhe"}, 6),
    ("CBC, DHE, follows, closes", Peer(suites=(*HARD, *suites.ECDHE_CBC, *DHE), follows=True,
     refuses="closed", foreign=True), IMPLICIT, USUAL | {"alpn", "forbidden", "cbc", "dhe"}, 7),
    # It does not look at ALPN, and closes on what it refuses: Dovecot 2.3.
    ("hard, closes, serves all", Peer(refuses="closed", foreign=True), STARTTLS,
     USUAL | {"alpn"}, 7),
    ("TLS 1.3 only, serves all", Peer((TLS13,), foreign=True), IMPLICIT, MODERN | {"alpn"}, 4),
]  # fmt: skip
ONE_FAMILY = [
    ("cbc", suites.ECDHE_CBC),
    ("static_rsa", STATIC_RSA),
    ("dhe", DHE),
    ("broken", suites.BROKEN),
    ("broken", (0xC012,)),
    ("broken", (0x0034,)),
]


@pytest.mark.parametrize(
    ("peer", "mode", "expected", "connections"),
    [case[1:] for case in SERVERS],
    ids=[f"{case[2].value}: {case[0]}" for case in SERVERS],
)
def test_what_a_server_accepts(
    peer: Peer, mode: TlsMode, expected: set[str], connections: int
) -> None:
    found, count = asked(peer, mode)
    assert accepted(found) == expected
    assert count == connections
    assert [offer.name for offer in found.offers] == list(HELLOS)


@pytest.mark.parametrize(("name", "family"), ONE_FAMILY)
def test_one_family_is_found(name: str, family: tuple[int, ...]) -> None:
    found, count = asked(Peer(suites=(*HARD, *family)))
    assert accepted(found) == USUAL | {"forbidden", name}
    assert count == 6


@pytest.mark.parametrize(
    ("versions", "modern", "holes", "expected"),
    [
        ((TLS10, TLS12, TLS13), True, False, {"tls1.2", "tls1.3", "deprecated", "tls1.0"}),
        # GnuTLS with TLS 1.1 off: it refuses a hello of TLS 1.1, and takes one of TLS 1.0.
        ((TLS10, TLS12, TLS13), True, True, {"tls1.2", "tls1.3", "deprecated", "tls1.0"}),
        ((TLS11, TLS12, TLS13), True, True, {"tls1.2", "tls1.3", "deprecated", "tls1.1"}),
        # Libraries from before TLS 1.3 choose TLS 1.2: that concludes nothing.
        ((TLS10, TLS12), False, False, {"tls1.2", "tls1.0"}),
        ((TLS10, TLS12), False, True, {"tls1.2", "tls1.0"}),
        ((TLS10,), False, False, {"deprecated", "tls1.0"}),
        ((SSL30,), True, False, {"deprecated", "ssl3"}),
        ((SSL30,), False, False, {"deprecated", "ssl3"}),
    ],
)
def test_no_old_version_is_missed(
    versions: tuple[int, ...], modern: bool, holes: bool, expected: set[str]
) -> None:
    peer = Peer(versions, WEAK, modern=modern, holes=holes)
    found, _ = asked(peer, shook_hands=TLS12 in versions)
    assert accepted(found) - FAMILIES == expected


def test_who_shuns_newer_hellos_is_found_by_the_old_ones() -> None:
    peer = Peer((TLS10,), WEAK, refuses="closed", modern=False, holes=True)
    found, _ = asked(peer, shook_hands=False)
    said = {offer.name: offer.accepted for offer in found.offers}
    assert [said[name] for name in ("tls1.0", "tls1.1", "ssl3")] == [True, False, False]
    assert (said["deprecated"], said["tls1.2"]) == (None, None)


def test_an_answer_in_another_version_is_kept() -> None:
    found, _ = asked(Peer((TLS10, TLS12), WEAK, modern=False))
    tls11 = next(offer for offer in found.offers if offer.name == "tls1.1")
    assert (tls11.accepted, tls11.version) == (False, TLS10)


@pytest.mark.parametrize("mode", [IMPLICIT, STARTTLS])
@pytest.mark.parametrize(
    ("remaining", "expected"),
    [
        (suites.RSA_AEAD, {"tls1.2", "static_rsa", "forbidden"}),
        (suites.ECDHE_AEAD, {"tls1.2"}),
        ((), set()),
    ],
)
def test_lacking_parameters_hide_nothing(
    mode: TlsMode, remaining: tuple[int, ...], expected: set[str]
) -> None:
    """Dovecot 2.3 that prefers DHE and has no ssl_dh fails without a word."""
    peer = Peer(suites=(*suites.TLS13, *DHE, *remaining), lacking=DHE, refuses="closed")
    found, _ = asked(peer, mode)
    assert accepted(found) == {"tls1.3"} | expected


def test_an_accident_is_no_refusal() -> None:
    found, count = asked(Peer(suites=WEAK, drops=1))
    assert accepted(found) == USUAL | FAMILIES
    assert count == 9


def test_who_wants_to_greet_first_is_waited_for() -> None:
    """STARTTLS is sent at once; where that is lost, once, it is sent after the greeting."""
    found, count = asked(Peer(deaf=True), STARTTLS)
    assert accepted(found) == USUAL
    assert [offer.name for offer in found.offers] == list(HELLOS)
    assert count == 6


def test_who_promises_starttls_and_never_begins_is_not_asked_twice() -> None:
    found, count = asked(Peer(deaf=True), STARTTLS, shook_hands=False)
    assert [(offer.name, offer.accepted) for offer in found.offers] == [("tls1.2", None)]
    assert count == 1


# ---------------------------------------------------------------------------------------------
# Who refuses everything, or speaks no TLS


@pytest.mark.parametrize(
    ("refuses", "verdict", "connections"),
    [
        ("closed", None, 12),
        ("reset", None, 12),
        (CLOSE_NOTIFY, None, 12),
        (40, False, 4),
        ("timeout", None, 1),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", None, 1),
    ],
)
def test_who_accepts_nothing(refuses: object, verdict: Optional[bool], connections: int) -> None:
    found, count = asked(Peer((), refuses=refuses), shook_hands=False)  # type: ignore[arg-type]
    assert {offer.accepted for offer in found.offers} == {verdict}
    assert count == connections


def test_a_handshake_makes_closing_a_refusal() -> None:
    found, count = asked(Peer((), refuses="closed"), shook_hands=True)
    assert accepted(found) == set()
    assert (
        count == 7
    )  # TLS 1.3 has no fields to leave out: by then it is known how this port refuses
    assert [o.failure for o in found.offers if o.name == "dhe"] == [
        Failure("hello", "closed", "(to tls1.2)")
    ]


@pytest.mark.parametrize(("refuses", "connections"), [(None, 4), ("closed", 6)])
def test_what_is_known_is_not_asked(refuses: Optional[str], connections: int) -> None:
    """With a conversation and an injection, no port that is hard takes more than 8 connections."""
    found, count = asked(Peer(refuses=refuses, foreign=True), STARTTLS, alpn="")
    assert [o.name for o in found.offers] == [name for name in HELLOS if name != "alpn"]
    assert count == connections


RETRY = Peer(groups=(suites.X25519,), retries=True)


@pytest.mark.parametrize(
    ("peer", "foreign", "connections"),
    [
        # Another protocol is refused on the connection on which TLS 1.3 was accepted.
        (RETRY, False, 4),
        (replace(RETRY, groups=(suites.X25519MLKEM768, suites.X25519)), False, 4),
        # Whatever else is said there concludes nothing: it is asked by a hello of its own.
        (replace(RETRY, foreign=True), True, 5),
        (replace(RETRY, again=flight(TLS13, 0x1302, suites.X25519)), False, 5),
        (replace(RETRY, again=flight(TLS13, 0x1302, random=RETRY_RANDOM)), False, 5),
        (replace(RETRY, again=47), False, 5),
        (replace(RETRY, again=CLOSE_NOTIFY), False, 5),
        (replace(RETRY, again="reset"), False, 5),
        (replace(RETRY, again=b"220 hello\r\n"), False, 5),
        (replace(RETRY, groups=(0x001E,)), False, 5),  # X448: no key is known for it
    ],
)
@pytest.mark.parametrize("mode", [IMPLICIT, STARTTLS])
def test_another_protocol_is_offered_behind_tls13(
    peer: Peer, foreign: bool, connections: int, mode: TlsMode
) -> None:
    found, count = asked(peer, mode)
    assert accepted(found) == USUAL | ({"alpn"} if foreign else set())
    tls13, alpn = found.offers[list(HELLOS).index("tls1.3")], found.offers[-1]
    assert (tls13.group, tls13.failure) == (peer.groups[0], None)
    assert alpn.failure == (None if foreign else Failure("hello", "alert", NO_PROTOCOL, 120))
    assert count == connections


def test_another_protocol_is_not_offered_to_who_does_not_look() -> None:
    found, count = asked(replace(RETRY, again=120), alpn="")
    assert [o.name for o in found.offers] == [name for name in HELLOS if name != "alpn"]
    assert count == 4


def test_a_refused_version_refuses_its_suites() -> None:
    """Nothing is asked of TLS 1.2 where all that it has was refused."""
    found, _ = asked(Peer((TLS13,)))
    said = {offer.name: offer.failure for offer in found.offers if offer.accepted is False}
    for name in FAMILIES:
        failure = said[name]
        assert failure is not None
        assert failure.detail == "protocol_version (to tls1.2)"


def test_conclusions_say_what_they_come_from() -> None:
    found, _ = asked(Peer())
    said = {offer.name: offer.failure for offer in found.offers}
    for combined, covered in COVERS.items():
        for name in covered:
            failure = said[name]
            assert failure is not None
            assert failure.detail.endswith(f"(to {combined})")
            assert failure.alert in (40, 70)
