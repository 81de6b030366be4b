# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said on a stream before TLS, and how each end of it is told."""

from __future__ import annotations

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    Failure,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.talk import (
    Talk,
    Target,
    begin_tls,
    dialogue,
)
from ansible_collections.postmaster.tls.plugins.module_utils.tasks import run
from ansible_collections.postmaster.tls.plugins.module_utils.transport import Broken
from ansible_collections.postmaster.tls.plugins.module_utils.wire.dialogue import (
    Answer,
    Capabilities,
    Challenge,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.replay import ReplayStream

PIECES = [1 << 16, 1]


def target(service: Service = Service.IMAP, mode: TlsMode = TlsMode.STARTTLS) -> Target:
    return Target(Endpoint("192.0.2.1", 1, service, mode), None, "nobody")


def stream(script: str, piece: int = 1 << 16) -> ReplayStream:
    return ReplayStream(script.strip().splitlines(), piece)


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize(
    ("service", "script"),
    [
        (Service.IMAP, "S: * OK hi\nC: p1 STARTTLS\nS: p1 OK begin"),
        (Service.POP3, "S: +OK hi\nC: STLS\nS: +OK begin"),
        (Service.SIEVE, 'S: "SIEVE" "x"\nS: OK hi\nC: STARTTLS\nS: OK begin'),
    ],
)
def test_tls_begins_where_the_server_agrees(service: Service, script: str, piece: int) -> None:
    assert run(begin_tls(target(service), stream(script, piece))) == b""


def test_tls_begins_at_once_on_its_own_port() -> None:
    nothing = stream("")
    assert run(begin_tls(target(mode=TlsMode.IMPLICIT), nothing)) == b""
    assert nothing.stage == "connect"


def test_what_came_with_the_answer_is_handed_on() -> None:
    lines = ["S: * OK hi", "C: p1 STARTTLS", "S: p1 OK begin\r\n* OK injected"]
    early = ReplayStream(lines, 1 << 16)
    assert run(begin_tls(target(), early)) == b"* OK injected\r\n"


GREETING, STARTTLS = "greeting", "starttls"
AGREE = "S: * OK hi\nC: p1 STARTTLS\n"


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ("", Failure(GREETING, "closed")),
        ("BREAK reset", Failure(GREETING, "reset")),
        ("S: * BYE busy", Failure(GREETING, "refused", "BYE busy")),
        ("S: hello", Failure(GREETING, "unexpected")),
        (AGREE, Failure(STARTTLS, "closed")),
        (AGREE + "BREAK timeout", Failure(STARTTLS, "timeout")),
        (AGREE + "S: p1 NO later", Failure(STARTTLS, "refused", "NO later")),
        (AGREE + "S: p1 BAD what", Failure(STARTTLS, "refused", "BAD what")),
        (AGREE + "S: * BYE enough", Failure(STARTTLS, "closed", "BYE enough")),
        (AGREE + "S: + go on", Failure(STARTTLS, "refused", "go on")),
        (AGREE + "S: what", Failure(STARTTLS, "unexpected")),
    ],
)
def test_how_it_ends(script: str, failure: Failure, piece: int) -> None:
    with pytest.raises(Broken) as caught:
        run(begin_tls(target(), stream(script, piece)))
    found = caught.value.failure
    assert (found.stage, found.cause) == (failure.stage, failure.cause)
    if failure.detail:
        assert found.detail == failure.detail


def talk(script: str, service: Service = Service.IMAP) -> Talk:
    return Talk(stream(script), dialogue(target(service), greeted=True))


def test_capabilities_are_none_where_the_question_is_not_known() -> None:
    for answer in ("-ERR what", "+OK\nS: ."):
        asked = talk(f"C: CAPA\nS: {answer}", Service.POP3)
        assert run(asked.capabilities()) == Capabilities(())


def test_capabilities() -> None:
    asked = talk("C: p1 CAPABILITY\nS: * CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\nS: p1 OK")
    seen = run(asked.capabilities())
    assert (seen.starttls, seen.mechanisms) == (True, ("PLAIN",))
    assert asked.stream.stage == "capability"


def test_an_answer_and_a_challenge_are_told_apart() -> None:
    no = talk("C: AUTH PLAIN\nS: -ERR no", Service.POP3)
    go_on = talk("C: AUTH PLAIN\nS: + ", Service.POP3)
    assert isinstance(run(no.ask("login", b"AUTH PLAIN\r\n")), Answer)
    assert isinstance(run(go_on.ask("login", b"AUTH PLAIN\r\n")), Challenge)
