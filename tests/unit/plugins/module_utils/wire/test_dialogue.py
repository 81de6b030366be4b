# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the three dialogues have in common: fed whole, byte by byte, and with anything at all."""

from __future__ import annotations

from typing import Union

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.module_utils.wire import imap, pop3, sieve
from ansible_collections.postmaster.tls.plugins.module_utils.wire.dialogue import (
    Capabilities,
    Dialogue,
    Event,
)
from ansible_collections.postmaster.tls.plugins.module_utils.wire.reader import NeedMore, WireError

KINDS: list[type[Dialogue]] = [imap.Dialogue, pop3.Dialogue, sieve.Dialogue]

Heard = list[Union[Event, tuple[str, int]]]


def hear(dialogue: Dialogue, pieces: list[bytes]) -> Heard:
    found: Heard = []
    for piece in pieces:
        dialogue.receive(piece)
        while True:
            try:
                event = dialogue.next_event()
            except WireError as error:
                return [*found, (error.cause, error.position)]
            if isinstance(event, NeedMore):
                break
            found.append(event)
    return found


WORDS = [
    *[b"* OK x\r\n", b"* CAPABILITY A STARTTLS\r\n", b"p1 OK x\r\n", b"* BYE\r\n", b"+ \r\n"],
    *[b"+OK\r\n", b"-ERR [AUTH] x\r\n", b"SASL PLAIN\r\n", b".\r\n", b"..\r\n"],
    *[b'"SASL" "PLAIN"\r\n', b'"STARTTLS"\r\n', b'OK "x"\r\n', b"NO {3}\r\nabc\r\n", b'""\r\n'],
]


@pytest.mark.parametrize("kind", KINDS)
@given(words=st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=20)), max_size=12))
@example(words=[b"\r\n"])
@example(words=[b"* OK x\r\n", b"\x00\xff\r\n"])
def test_never_raises_anything_but_its_own_error(kind: type[Dialogue], words: list[bytes]) -> None:
    data = b"".join(words)
    whole, slow = kind(), kind()
    for dialogue in (whole, slow):
        dialogue.capability()
    assert hear(whole, [data]) == hear(slow, [bytes([b]) for b in data])


@pytest.mark.parametrize("kind", KINDS)
def test_other_protocols_are_an_error_at_once(kind: type[Dialogue]) -> None:
    for banner in (b"HTTP/1.1 400 Bad Request\r\n", b"220 mail ESMTP\r\n", b"\x15\x03\x01\n"):
        assert hear(kind(), [banner]) == [("unexpected", 0)]


@pytest.mark.parametrize("kind", KINDS)
def test_no_attempt_has_a_second_message(kind: type[Dialogue]) -> None:
    for seen in (Capabilities(()), Capabilities((), login_disabled=True)):
        for attempt in kind().attempts(seen, "nobody"):
            assert attempt.data.endswith(b"\r\n")
            assert attempt.data.count(b"\n") == 1
            assert b"PASS" not in attempt.data
