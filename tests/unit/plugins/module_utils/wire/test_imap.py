# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Optional, Union

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.wire.dialogue import (
    ANSWER_LIMIT,
    Answer,
    Capabilities,
    Challenge,
    Event,
    Greeting,
)
from ansible_collections.postmaster.tls.plugins.module_utils.wire.imap import Dialogue
from ansible_collections.postmaster.tls.plugins.module_utils.wire.reader import (
    NEED_MORE,
    NeedMore,
    TooMuchError,
    WireError,
)


def fed(data: bytes, greeted: bool = True) -> Dialogue:
    dialogue = Dialogue(greeted)
    dialogue.receive(data)
    return dialogue


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"* OK", NEED_MORE),
        (
            b"* OK [CAPABILITY X] hi\r\n",
            Greeting("OK [CAPABILITY X] hi", capabilities=Capabilities(("X",))),
        ),
        (
            b"* OK [capability STARTTLS LOGINDISABLED]\r\n",
            Greeting(
                "OK [capability STARTTLS LOGINDISABLED]",
                capabilities=Capabilities(
                    ("STARTTLS", "LOGINDISABLED"), starttls=True, login_disabled=True
                ),
            ),
        ),
        (b"* OK [CAPABILITY\r\n", Greeting("OK [CAPABILITY")),
        (b"* OK [ALERT] [CAPABILITY X] hi\r\n", Greeting("OK [ALERT] [CAPABILITY X] hi")),
        (b"* ok hi\r\n", Greeting("ok hi")),
        (b"* OK\r\n", Greeting("OK")),
        (b"* PREAUTH in\r\n", Greeting("PREAUTH in", preauth=True)),
        (b"* BYE busy\r\n", Greeting("BYE busy", ok=False)),
        (b"* OK a\x1b[2Jb\r\n", Greeting("OK a\\x1b[2Jb")),
    ],
)
def test_greetings(data: bytes, expected: Union[Event, NeedMore]) -> None:
    assert fed(data, greeted=False).next_event() == expected


@pytest.mark.parametrize("data", [b"* NO hi\r\n", b"+OK hi\r\n", b"p1 OK hi\r\n", b"\r\n"])
def test_what_is_no_greeting(data: bytes) -> None:
    with pytest.raises(WireError, match=r"no IMAP greeting.* at byte 0"):
        fed(data, greeted=False).next_event()


CAPABILITY = b"* CAPABILITY IMAP4rev1 StartTLS AUTH=plain AUTH=X LOGINDISABLED\r\np1 OK done\r\n"
SEEN = Capabilities(
    ("IMAP4rev1", "StartTLS", "AUTH=plain", "AUTH=X", "LOGINDISABLED"), ("PLAIN", "X"), True, True
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (CAPABILITY, Answer("OK", "", "OK done", SEEN)),
        (b"* OK still here\r\np1 NO no\r\n", Answer("NO", "", "NO no")),
        (b"* X {3}\r\np1 \r\np1 BAD no\r\n", Answer("BAD", "", "BAD no")),
        (
            b"p1 NO [privacyrequired] no\r\n",
            Answer("NO", "PRIVACYREQUIRED", "NO [privacyrequired] no"),
        ),
        (b"p1 OK\r\n", Answer("OK", "", "OK")),
        (b"* BYE out\r\n", Answer("BYE", "", "BYE out")),
        (b"+\r\n", Challenge("")),
        (b"+ abc\r\n", Challenge("abc")),
    ],
)
def test_answers(data: bytes, expected: Event) -> None:
    dialogue = fed(data + b"\x16\x03")
    assert dialogue.next_event() == expected
    assert dialogue.next_event() is NEED_MORE
    assert dialogue.trailing() == b"\x16\x03"


@pytest.mark.parametrize("data", [b"p1 MAYBE x\r\n", b"*\r\n", b"\r\n", b"GET / HTTP/1.1\r\n"])
def test_what_is_no_answer(data: bytes) -> None:
    with pytest.raises(WireError, match=r"no IMAP answer.* at byte 8"):
        fed(b"* X 123\n" + data).next_event()


def test_untagged_lines_are_bounded() -> None:
    with pytest.raises(TooMuchError):
        fed(b"* OK\r\n" * (ANSWER_LIMIT + 1)).next_event()


@pytest.mark.parametrize(
    ("command", "answer", "refused"),
    [
        ("AUTHENTICATE PLAIN", Challenge(""), False),
        ("AUTHENTICATE PLAIN", Answer("NO", "PRIVACYREQUIRED", ""), True),
        ("AUTHENTICATE PLAIN", Answer("BAD", "", ""), True),
        ("AUTHENTICATE PLAIN", Answer("OK", "", ""), False),
        ("LOGIN", Answer("NO", "", "NO STARTTLS required"), True),
        ("LOGIN", Answer("NO", "AUTHENTICATIONFAILED", ""), False),
        ("LOGIN", Answer("BYE", "", ""), None),
    ],
)
def test_refusals(command: str, answer: Union[Answer, Challenge], refused: Optional[bool]) -> None:
    assert Dialogue().refused(command, answer) is refused


def test_login_is_tried_only_where_it_is_disabled() -> None:
    assert [a.command for a in Dialogue().attempts(Capabilities(()), "n")] == ["AUTHENTICATE PLAIN"]
    disabled = Capabilities((), login_disabled=True)
    assert [(a.command, a.data) for a in Dialogue().attempts(disabled, "nobody-12")] == [
        ("LOGIN", b"p1 LOGIN nobody-12 21-ydobon\r\n"),
        ("AUTHENTICATE PLAIN", b"p2 AUTHENTICATE PLAIN\r\n"),
    ]


@pytest.mark.parametrize(
    ("seen", "promised"),
    [
        (Capabilities(("LOGINDISABLED",), login_disabled=True), True),
        # Courier without TLS: no mechanism is listed, and PLAIN is taken.
        (Capabilities(("STARTTLS",), starttls=True), False),
        (Capabilities(("LOGINDISABLED", "AUTH=X"), ("X",), login_disabled=True), False),
    ],
)
def test_only_a_promise_in_words_counts(seen: Capabilities, promised: bool) -> None:
    assert Dialogue().promises(seen) is promised
