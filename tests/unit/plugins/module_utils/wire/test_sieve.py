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
from ansible_collections.postmaster.tls.plugins.module_utils.wire.reader import (
    NEED_MORE,
    TooMuchError,
    WireError,
)
from ansible_collections.postmaster.tls.plugins.module_utils.wire.sieve import Dialogue

LIST = b'"IMPLEMENTATION" "S \\"x\\""\r\n"SASL" "plain X"\r\n"STARTTLS"\r\n"N" {2}\r\n3"\r\n'
SEEN = Capabilities(
    ('IMPLEMENTATION S "x"', "SASL plain X", "STARTTLS", 'N 3"'), ("PLAIN", "X"), True
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (LIST + b'OK "ready"\r\n', Greeting('S "x" OK "ready"', capabilities=SEEN)),
        (b"OK\r\n", Greeting("OK")),
        (b'BYE "busy"\r\n', Greeting('BYE "busy"', ok=False)),
        (
            b'"SASL"\r\n"STARTTLS"\r\nOK\r\n',
            Greeting("OK", capabilities=Capabilities(("SASL", "STARTTLS"), starttls=True)),
        ),
    ],
)
def test_greetings(data: bytes, expected: Event) -> None:
    dialogue = Dialogue()
    dialogue.receive(data)
    assert dialogue.next_event() == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (LIST + b"OK\r\n", Answer("OK", "", "OK", SEEN)),
        (b'"STARTTLS"\r\nOK\r\n', Answer("OK", "", "OK", Capabilities(("STARTTLS",), (), True))),
        (
            b'NO (ENCRYPT-NEEDED) "no"\r\n',
            Answer("NO", "ENCRYPT-NEEDED", 'NO (ENCRYPT-NEEDED) "no"'),
        ),
        (b"NO {2}\r\nno\r\n", Answer("NO", "", 'NO "no"')),
        (b'"A" "b"\r\n"LONE"\r\nOK\r\n', Answer("OK", "", "OK", Capabilities(("A b", "LONE")))),
        (b'""\r\n', Challenge("")),
        (b"{0}\r\n\r\n", Challenge("")),
        (b'"abc="\r\n', Challenge("abc=")),
    ],
)
def test_answers(data: bytes, expected: Event) -> None:
    dialogue = Dialogue(greeted=True)
    dialogue.receive(data + b"\x16\x03")
    assert dialogue.next_event() == expected
    assert dialogue.next_event() is NEED_MORE
    assert dialogue.trailing() == b"\x16\x03"


@pytest.mark.parametrize("data", [b"* OK\r\n", b'"a\r\n', b"\r\n", b"HTTP/1.1 400\r\n"])
def test_what_is_no_answer(data: bytes) -> None:
    dialogue = Dialogue(greeted=True)
    dialogue.receive(data)
    with pytest.raises(WireError, match="at byte 0"):
        dialogue.next_event()


def test_a_list_is_bounded() -> None:
    dialogue = Dialogue()
    dialogue.receive(b'"A" "b"\r\n' * (ANSWER_LIMIT + 1))
    with pytest.raises(TooMuchError):
        dialogue.next_event()


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (Challenge(""), False),
        (Answer("NO", "", 'NO "no"'), True),
        (Answer("BYE", "", "BYE"), None),
    ],
)
def test_refusals(answer: Union[Answer, Challenge], refused: Optional[bool]) -> None:
    assert Dialogue().refused("AUTHENTICATE PLAIN", answer) is refused
