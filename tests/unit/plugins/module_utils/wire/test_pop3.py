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
from ansible_collections.postmaster.tls.plugins.module_utils.wire.pop3 import Dialogue
from ansible_collections.postmaster.tls.plugins.module_utils.wire.reader import (
    NEED_MORE,
    TooMuchError,
    WireError,
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"+OK hello <1.2@x>\r\n", Greeting("+OK hello <1.2@x>")),
        (b"+ok\r\n", Greeting("+ok")),
        (b"-ERR busy\r\n", Greeting("-ERR busy", ok=False)),
    ],
)
def test_greetings(data: bytes, expected: Event) -> None:
    dialogue = Dialogue()
    dialogue.receive(data)
    assert dialogue.next_event() == expected


@pytest.mark.parametrize("data", [b"+ hi\r\n", b"* OK hi\r\n", b"+OKAY\r\n", b"\r\n"])
def test_what_is_no_greeting(data: bytes) -> None:
    dialogue = Dialogue()
    dialogue.receive(data)
    with pytest.raises(WireError, match=r"no POP3 answer.* at byte 0"):
        dialogue.next_event()


LISTED = b"+OK list\r\nSTLS\r\nsasl plain LOGIN\r\n..dot\r\nUSER\r\n.\r\n"
SEEN = Capabilities(("STLS", "sasl plain LOGIN", ".dot", "USER"), ("PLAIN", "LOGIN"), True)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (LISTED, Answer("+OK", "", "+OK list", SEEN)),
        (b"+OK\r\n.\r\n", Answer("+OK", "", "+OK", Capabilities(()))),
        (b"-ERR what\r\n", Answer("-ERR", "", "-ERR what")),
    ],
)
def test_capabilities(data: bytes, expected: Event) -> None:
    dialogue = Dialogue(greeted=True)
    assert dialogue.capability() == b"CAPA\r\n"
    dialogue.receive(data + b"+OK next\r\n")
    assert dialogue.next_event() == expected
    assert dialogue.next_event() == Answer("+OK", "", "+OK next")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"+ \r\n", Challenge("")),
        (b"+\r\n", Challenge("")),
        (b"-ERR [AUTH] no\r\n", Answer("-ERR", "AUTH", "-ERR [AUTH] no")),
        (b"-ERR [SYS/TEMP] no\r\n", Answer("-ERR", "SYS/TEMP", "-ERR [SYS/TEMP] no")),
    ],
)
def test_answers(data: bytes, expected: Event) -> None:
    dialogue = Dialogue(greeted=True)
    dialogue.receive(data + b"\x16\x03")
    assert dialogue.next_event() == expected
    assert dialogue.next_event() is NEED_MORE
    assert dialogue.trailing() == b"\x16\x03"


def test_a_list_is_bounded() -> None:
    dialogue = Dialogue(greeted=True)
    dialogue.capability()
    dialogue.receive(b"+OK\r\n" + b"X\r\n" * (ANSWER_LIMIT + 1))
    with pytest.raises(TooMuchError):
        dialogue.next_event()


@pytest.mark.parametrize(
    ("command", "answer", "refused"),
    [
        ("USER", Answer("+OK", "", "+OK Password required."), False),
        ("USER", Answer("-ERR", "", "-ERR TLS required to log in."), True),
        ("USER", Answer("-ERR", "AUTH", "-ERR [AUTH] Plaintext authentication disallowed"), True),
        ("USER", Answer("-ERR", "", "-ERR no such user here"), None),
        ("AUTH PLAIN", Challenge(""), False),
        ("AUTH PLAIN", Answer("-ERR", "", "-ERR unknown mechanism"), True),
    ],
)
def test_refusals(command: str, answer: Union[Answer, Challenge], refused: Optional[bool]) -> None:
    assert Dialogue().refused(command, answer) is refused
