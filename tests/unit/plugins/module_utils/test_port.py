# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drive: recorded conversations played back, and a server on loopback that misbehaves."""

from __future__ import annotations

import socket
import threading
from typing import Any
from unittest.mock import patch

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import port
from ansible_collections.postmaster.tls.plugins.module_utils.hellos import Hellos
from ansible_collections.postmaster.tls.plugins.module_utils.limits import Limits
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    EndpointObservation,
    Failure,
    Handshake,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.plain import from_plain, to_plain
from ansible_collections.postmaster.tls.plugins.module_utils.port import observe
from ansible_collections.postmaster.tls.plugins.module_utils.probe import (
    handshakes,
    probe,
)
from ansible_collections.postmaster.tls.plugins.module_utils.talk import Target
from ansible_collections.postmaster.tls.plugins.module_utils.tasks import run
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.evil_server import (
    IMAP_BEFORE,
    IMAP_INSIDE,
    Behaviour,
    answer,
    answer_one,
    context,
    decent,
    endlessly,
    evil,
    hears,
    lines,
    modern,
    reset,
    says,
    silent,
    then,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.replay import (
    ReplayNetwork,
    conversations,
    transcript,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.stopwatch import stopwatch

STARTTLS, IMPLICIT = TlsMode.STARTTLS, TlsMode.IMPLICIT
QUICK = Limits(connect=0.5, total=0.4, host=3.0, received=40_000)


def replayed(
    scripts: list[list[str]], service: Service, mode: TlsMode, piece: int = 1 << 16
) -> EndpointObservation:
    """The conversation and the injection; no hello is asked."""
    target = Target(Endpoint("192.0.2.1", 1, service, mode), None, "postmaster-tls-probe-0")
    with patch.object(port, "ask_hellos", return_value=Hellos((), ())):
        return run(observe(target, ReplayNetwork(scripts, piece)))


# ---------------------------------------------------------------------------------------------
# Real servers

PLAIN, SASL, LOGIN, USER = "AUTHENTICATE PLAIN", "AUTH PLAIN", "LOGIN", "USER"
REAL: list[tuple[str, int, dict[str, Any]]] = [
    (
        "imap-dovecot-2.3-cleartext-allowed",
        3,
        {"attempts": [(PLAIN, False)], "starttls": True, "mechanisms": ("PLAIN", "LOGIN")},
    ),
    (
        "imap-dovecot-2.4-cleartext-refused",
        2,
        {
            "attempts": [(LOGIN, True), (PLAIN, True)],
            "starttls": True,
            "starttls_inside": False,
            "starttls_accepted_inside": False,
            "injected": False,
            "mechanisms": (),
            "mechanisms_tls": ("PLAIN",),
        },
    ),
    (
        "imap-dovecot-2.4-no-tls",
        2,
        {"attempts": [(PLAIN, False)], "starttls": False, "capabilities_tls": None},
    ),
    ("imap-courier-5.0-cleartext-allowed", 3, {"attempts": [(PLAIN, False)], "starttls": True}),
    (
        "imap-courier-5.0-cleartext-refused",
        2,
        {"attempts": [(LOGIN, True), (PLAIN, True)], "starttls": True},
    ),
    (
        "imap-courier-5.0-required-without-starttls",
        2,
        {"attempts": [(PLAIN, False)], "starttls": False},
    ),
    ("pop3-courier-5.0-cleartext-allowed", 2, {"attempts": [(USER, False)], "injected": True}),
    (
        "pop3-courier-5.0-cleartext-refused",
        2,
        {"attempts": [(USER, True), (SASL, True)], "starttls": True, "injected": True},
    ),
    ("pop3-dovecot-2.3-implicit", 1, {"attempts": [], "starttls": None, "capabilities": None}),
    (
        "sieve-dovecot-2.3-cleartext-allowed",
        3,
        {"attempts": [(PLAIN, False)], "mechanisms": ("PLAIN", "LOGIN"), "starttls": True},
    ),
    (
        "sieve-dovecot-2.4-cleartext-refused",
        2,
        {"attempts": [(PLAIN, True)], "mechanisms": (), "injected": False},
    ),
]


@pytest.mark.parametrize("piece", [1 << 16, 1])
@pytest.mark.parametrize(("name", "talks", "expected"), REAL, ids=[name for name, _, _ in REAL])
def test_real_servers(name: str, talks: int, expected: dict[str, Any], piece: int) -> None:
    scripts = transcript(f"{name}.txt")
    assert len(scripts) == talks
    mode = IMPLICIT if name.endswith("implicit") else STARTTLS
    seen = replayed(scripts, Service(name.split("-")[0]), mode, piece)
    found = {key: getattr(seen, key) for key in expected}
    found["attempts"] = [(each.command, each.refused) for each in seen.attempts]
    assert found == expected
    assert seen.failures == ()
    asks_tls = mode is IMPLICIT or seen.starttls
    assert seen.connections == talks
    if asks_tls:
        assert seen.starttls_accepted_inside is False
        assert seen.injected is (None if mode is IMPLICIT else name.startswith("pop3"))
    assert (seen.handshake == Handshake(0x0304, 0x1302)) is bool(asks_tls)
    assert from_plain(EndpointObservation, to_plain(seen)) == seen


# ---------------------------------------------------------------------------------------------
# Servers that end the conversation because of an attempt

REFUSES_BY_CLOSING = """
CONNECT
S: +OK hi
C: CAPA
S: -ERR what
C: USER postmaster-tls-probe-*
BREAK closed
CONNECT
S: +OK hi
C: CAPA
S: -ERR what
C: AUTH PLAIN
S: -ERR no
C: STLS
BREAK reset
CONNECT
S: +OK hi
C: CAPA
S: -ERR what
C: STLS
S: +OK go
TLS
C: CAPA
S: -ERR what
C: STLS
S: -ERR already
C: QUIT
"""


def test_what_ended_a_conversation_is_not_tried_again() -> None:
    seen = replayed(conversations(REFUSES_BY_CLOSING), Service.POP3, STARTTLS)
    assert [(a.command, a.refused) for a in seen.attempts] == [(USER, None), (SASL, True)]
    assert seen.failures == (Failure("login", "closed"),)
    assert seen.starttls is True
    assert seen.capabilities_tls == ()


PREAUTH = """
CONNECT
S: * PREAUTH welcome
C: p1 CAPABILITY
S: * CAPABILITY IMAP4rev1 STARTTLS
S: p1 OK
C: p2 STARTTLS
S: p2 BAD too late
"""


def test_nobody_logs_in_where_everybody_is() -> None:
    seen = replayed(conversations(PREAUTH), Service.IMAP, STARTTLS)
    assert (seen.preauth, seen.attempts, seen.starttls) == (True, (), False)
    assert seen.failures == (Failure("starttls", "refused", "BAD too late"),)


ALL_REFUSED = """S: p2 NO [PRIVACYREQUIRED] no
S: p3 NO [PRIVACYREQUIRED] no
S: p4 OK go
TLS
C: p1 CAPABILITY | p2 STARTTLS
S: * CAPABILITY IMAP4rev1 AUTH=PLAIN
S: p1 OK
S: p2 BAD already
C: p3 LOGOUT
"""
AT_ONCE = f"""
CONNECT
S: * OK hi
C: p1 CAPABILITY
S: * CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED
S: p1 OK
C: p2 LOGIN * | p3 AUTHENTICATE PLAIN | p4 STARTTLS
{ALL_REFUSED}"""


def test_what_need_not_wait_for_an_answer_is_sent_at_once() -> None:
    seen = replayed(conversations(AT_ONCE), Service.IMAP, STARTTLS)
    assert [(a.command, a.refused) for a in seen.attempts] == [(LOGIN, True), (PLAIN, True)]
    assert (seen.mechanisms_tls, seen.starttls_accepted_inside) == (("PLAIN",), False)
    assert [failure.stage for failure in seen.failures] == ["injection"]


TAKEN_AT_ONCE = """
CONNECT
S: * OK hi
C: p1 CAPABILITY
S: * CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED
S: p1 OK
C: p2 LOGIN * | p3 AUTHENTICATE PLAIN | p4 STARTTLS
S: p2 NO [AUTHENTICATIONFAILED] no
S: p3 NO no
S: p4 OK go
CONNECT
S: * OK hi
C: p1 CAPABILITY
S: * CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED
S: p1 OK
C: p2 STARTTLS
S: p2 BAD what
"""


def test_an_attempt_that_is_taken_is_the_last_one() -> None:
    seen = replayed(conversations(TAKEN_AT_ONCE), Service.IMAP, STARTTLS)
    assert [(a.command, a.refused) for a in seen.attempts] == [(LOGIN, False)]
    assert seen.starttls is False
    assert [(failure.stage, failure.cause) for failure in seen.failures] == [
        ("starttls", "refused")
    ]


TOLD = """
CONNECT
S: * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi
C: p1 CAPABILITY | p2 LOGIN * | p3 AUTHENTICATE PLAIN | p4 STARTTLS
"""
AT_ONCE_ANSWERED = f"""S: * CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED
S: p1 OK
{ALL_REFUSED}"""
IN_TURN = """
CONNECT
S: * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi
C: p1 CAPABILITY
S: * CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED
S: p1 OK
C: p2 LOGIN *
S: p2 NO [PRIVACYREQUIRED] no
C: p3 AUTHENTICATE PLAIN
S: p3 NO [PRIVACYREQUIRED] no
C: p4 STARTTLS
S: p4 OK go
TLS
C: p1 CAPABILITY | p2 STARTTLS
S: * CAPABILITY IMAP4rev1 AUTH=PLAIN
S: p1 OK
S: p2 BAD already
C: p3 LOGOUT
"""


@pytest.mark.parametrize(
    "script",
    [
        TOLD + AT_ONCE_ANSWERED,
        # Who hangs up on several commands at once is asked one by one.
        TOLD + IN_TURN,
        TOLD + "BREAK reset" + IN_TURN,
        TOLD + "BREAK timeout" + IN_TURN,
    ],
)
def test_what_the_greeting_tells_is_not_waited_for(script: str) -> None:
    seen = replayed(conversations(script), Service.IMAP, STARTTLS)
    assert [(a.command, a.refused) for a in seen.attempts] == [(LOGIN, True), (PLAIN, True)]
    assert (seen.starttls, seen.starttls_accepted_inside) == (True, False)
    assert seen.capabilities == ("IMAP4rev1", "STARTTLS", "LOGINDISABLED")
    assert [failure.stage for failure in seen.failures] == ["injection"]


# ---------------------------------------------------------------------------------------------
# A peer that misbehaves

OK, CAPABLE = b"* OK hi\r\n", b"* CAPABILITY IMAP4rev1 STARTTLS\r\np1 OK\r\n"
NO, BEGIN = b"p2 NO not without TLS\r\n", b"p3 OK begin\r\n"
BEFORE_TLS = says(OK, CAPABLE, NO, BEGIN)
HTTP = b"HTTP/1.1 400 Bad Request\r\n\r\n"
SERVER_HELLO = bytes.fromhex("160303002a020000260303") + bytes(33) + b"\xc0\x2f\0"
BIG = b"\x16\x03\x03\x40\x00\x0b\x98\x96\x80" + bytes(16380)


def at_tls(behaviour: Behaviour) -> Behaviour:
    """Misbehaves after it has agreed to STARTTLS, however it was asked."""

    def behave(sock: socket.socket) -> None:
        sock.sendall(OK)
        while True:
            line = sock.recv(4096)
            tag, _, command = line.strip().partition(b" ")
            if command == b"CAPABILITY":
                sock.sendall(b"* CAPABILITY IMAP4rev1 STARTTLS\r\n" + tag + b" OK\r\n")
            elif command == b"STARTTLS":
                sock.sendall(tag + b" OK begin\r\n")
                break
            elif line:
                sock.sendall(tag + b" NO not without TLS\r\n")
            else:
                return
        behaviour(sock)

    return behave


HOSTILE: list[tuple[str, TlsMode, Behaviour, list[tuple[str, str]], int]] = [
    ("silent", STARTTLS, silent, [("greeting", "timeout")], 1),
    ("slow greeting", STARTTLS, endlessly(b"*", 0.05), [("greeting", "timeout")], 1),
    ("endless banner", STARTTLS, endlessly(b"x" * 999), [("greeting", "too_much")], 1),
    ("endless noise", STARTTLS, endlessly(b"\x00\xff\n"), [("greeting", "unexpected")], 1),
    ("HTTP", STARTTLS, says(HTTP), [("greeting", "unexpected")], 1),
    ("NUL and escapes", STARTTLS, says(b"\x00\x1b[2J\r\n"), [("greeting", "unexpected")], 1),
    ("busy", STARTTLS, says(b"* BYE busy\r\n"), [("greeting", "refused")], 1),
    ("closed at once", STARTTLS, says(b""), [("greeting", "closed")], 1),
    ("reset at once", STARTTLS, reset, [("greeting", "reset")], 1),
    (
        "endless capabilities",
        STARTTLS,
        then(says(OK, b""), endlessly(b"* X\r\n")),
        [("capability", "too_much")],
        1,
    ),
    ("literal bomb", STARTTLS, says(OK, b"* X {99999999}\r\n"), [("capability", "too_much")], 1),
    ("closed at capability", STARTTLS, says(OK, b""), [("capability", "closed")], 1),
    ("reset at capability", STARTTLS, then(says(OK, b""), reset), [("capability", "reset")], 1),
    (
        "no STARTTLS though listed",
        STARTTLS,
        says(OK, CAPABLE, NO, b"p3 NO later\r\n"),
        [("starttls", "refused")],
        3,
    ),
    ("TLS then silence", STARTTLS, at_tls(silent), [("handshake", "timeout")], 2),
    (
        "TLS then noise",
        STARTTLS,
        at_tls(then(hears, says(b"* OK noise\r\n"))),
        [("handshake", "not_tls")],
        2,
    ),
    ("TLS then closed", STARTTLS, at_tls(hears), [("handshake", "closed")], 13),
    ("TLS then reset", STARTTLS, at_tls(then(hears, reset)), [("handshake", "reset")], 13),
    (
        "words in clear after STARTTLS",
        STARTTLS,
        says(OK, CAPABLE, NO, BEGIN + b"* OK injected\r\n"),
        [("starttls", "unexpected"), ("handshake", "not_tls")],
        2,
    ),
    ("HTTP", IMPLICIT, then(hears, says(HTTP)), [("handshake", "not_tls")], 2),
    ("silent", IMPLICIT, silent, [("handshake", "timeout")], 2),
    ("reset", IMPLICIT, then(hears, reset), [("handshake", "reset")], 13),
    (
        "alert",
        IMPLICIT,
        then(hears, says(b"\x15\x03\x01\x00\x02\x02\x28")),
        [("handshake", "alert")],
        5,
    ),
    (
        "huge certificate",
        IMPLICIT,
        then(hears, then(says(SERVER_HELLO), endlessly(BIG))),
        [("handshake", "too_much")],
        13,
    ),
]


@pytest.mark.parametrize(
    ("name", "mode", "behaviour", "failures", "connections"),
    HOSTILE,
    ids=[f"{mode.value}: {name}" for name, mode, *_ in HOSTILE],
)
def test_hostile_peers(
    name: str,
    mode: TlsMode,
    behaviour: Behaviour,
    failures: list[tuple[str, str]],
    connections: int,
) -> None:
    with evil(behaviour) as server:
        endpoint = Endpoint("127.0.0.1", server.port, Service.IMAP, mode)
        with stopwatch() as watch:
            (seen,) = probe([endpoint], QUICK)
        assert server.total == seen.connections
        assert server.most <= 2
    assert [(f.stage, f.cause) for f in seen.failures] == failures
    assert seen.connections == connections
    assert watch.seconds < connections * QUICK.total * 1.1 + 0.1
    assert seen.open is True
    assert [o.name for o in seen.offers if o.accepted] == (
        ["tls1.2", "alpn"] if name == "huge certificate" else []
    )
    assert "\x1b" not in repr(to_plain(seen))


def test_refused_and_broken_are_told_apart() -> None:
    """A TLS that closes on every hello is broken, and so nothing was refused."""
    with evil(at_tls(hears)) as server:
        (seen,) = probe([Endpoint("127.0.0.1", server.port, Service.IMAP, STARTTLS)], QUICK)
    assert len(seen.offers) == 12
    assert {offer.accepted for offer in seen.offers} == {None}


def test_the_time_for_a_host_is_shared_by_its_ports() -> None:
    limits = Limits(total=2.0, host=0.5, per_address=2)
    with evil(silent) as one, evil(silent) as two, evil(silent) as three:
        ports = [server.port for server in (one, two, three)]
        asked = [Endpoint("127.0.0.1", port, Service.IMAP, STARTTLS) for port in ports]
        with stopwatch() as watch:
            seen = probe(asked, limits)
        assert watch.seconds < 0.5 * 1.1 + 0.05
    assert [(each.failures[0].stage, each.failures[0].cause) for each in seen] == [
        ("greeting", "timeout"),
        ("greeting", "timeout"),
        ("connect", "timeout"),
    ]
    assert [each.open for each in seen] == [True, True, None]


# ---------------------------------------------------------------------------------------------
# A decent server, and none at all


@pytest.mark.parametrize(("secured", "mode"), [(False, STARTTLS), (True, IMPLICIT)])
def test_a_decent_server(secured: bool, mode: TlsMode) -> None:
    with evil(decent(secured)) as server:
        (seen,) = probe([Endpoint("127.0.0.1", server.port, Service.IMAP, mode)])
        assert server.total == seen.connections
        assert server.most <= 2
    assert seen.connections == (5 if secured else 6)
    assert seen.failures == ()
    assert seen.handshake is not None
    assert (seen.handshake.version, seen.handshake.alpn) == (0x0304, "")
    assert seen.injected is (None if secured else False)
    assert len(seen.chain) == 1
    assert (seen.starttls, seen.starttls_inside) == (None if secured else True, False)
    accepted = {offer.name: offer.accepted for offer in seen.offers}
    assert accepted == {
        "tls1.3": True,
        "tls1.2": True,
        **dict.fromkeys(("ssl3", "tls1.0", "tls1.1", "deprecated"), False),
        **dict.fromkeys(("cbc", "static_rsa", "dhe", "broken", "forbidden"), False),
    }
    tls13 = seen.offer("tls1.3")
    assert tls13 is not None
    assert tls13.group is not None


def test_a_handshake_alone_takes_one_connection_and_attempts_nothing() -> None:
    with evil(decent()) as server:
        (seen,) = handshakes([Endpoint("127.0.0.1", server.port, Service.IMAP, STARTTLS)])
        assert server.total == seen.connections == 1
    assert seen.handshake is not None
    assert (seen.attempts, seen.offers, seen.failures) == ((), (), ())


def test_the_hellos_begin_beside_the_conversation() -> None:
    """The answer to the login attempts comes only after somebody else has asked for TLS."""
    begun, tls, waited = threading.Event(), context(), []

    def behave(sock: socket.socket) -> None:
        sock.sendall(b"* OK ready\r\n")
        for line in lines(sock):
            tag, _, command = line.partition(b" ")
            if command == b"STARTTLS":
                begun.set()
                sock.sendall(tag + b" OK begin\r\n")
                with tls.wrap_socket(sock, server_side=True) as inside:
                    answer(inside, IMAP_INSIDE)
                return
            if command.startswith((b"LOGIN", b"AUTHENTICATE")):
                waited.append(begun.wait(5))
            answer_one(sock, line, IMAP_BEFORE)

    with evil(behave) as server:
        (seen,) = probe([Endpoint("127.0.0.1", server.port, Service.IMAP, STARTTLS)])
    assert (seen.failures, seen.connections) == ((), 6)
    assert waited == [True, True]


def test_closed_ports_cost_one_connection_and_fail_nothing() -> None:
    with evil(silent) as server:
        port = server.port
    (seen,) = probe([Endpoint("127.0.0.1", port, Service.IMAP, STARTTLS)])
    assert (seen.open, seen.connections) == (False, 1)
    assert seen.failures == (Failure("connect", "refused", "Connection refused"),)


def test_drops_of_some_hellos_are_repeated_once() -> None:
    """A server that resets on what is old, and accepts the rest, refuses what is old."""
    good = decent(secured=True)

    def behave(sock: socket.socket) -> None:
        hello = sock.recv(5000, socket.MSG_PEEK)
        if b"\xc0\x2f" in hello or b"\x13\x02" in hello:
            good(sock)
        else:
            sock.recv(5000)
            reset(sock)

    with evil(behave) as server:
        (seen,) = probe([Endpoint("127.0.0.1", server.port, Service.IMAP, IMPLICIT)])
        assert server.total == seen.connections == 7
    refused = [offer.name for offer in seen.offers if offer.accepted is False]
    assert len(refused) == 9
    said = seen.offer("cbc")
    assert said is not None
    assert said.failure == Failure("hello", "reset", "Connection reset by peer (to forbidden)")


def test_a_modern_profile_shows_its_chain() -> None:
    """A server of TLS 1.3 only refuses all that would show a chain in clear."""
    with evil(modern()) as server:
        (seen,) = probe([Endpoint("127.0.0.1", server.port, Service.IMAP, IMPLICIT)])
    assert [offer.name for offer in seen.offers if offer.accepted] == ["tls1.3"]
    assert {offer.accepted for offer in seen.offers} == {True, False}
    assert (seen.connections, seen.failures, len(seen.chain)) == (4, (), 1)
