# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.module_utils.wire.reader import (
    Cursor,
    LineReader,
    TooMuchError,
    WireError,
)


def lines(reader: LineReader) -> list[bytes]:
    found: list[bytes] = []
    while True:
        line = reader.next_line()
        if line is None:
            return found
        found.append(line)


CASES = [
    (b"", []),
    (b"a", []),
    (b"a\r\n", [b"a"]),
    (b"a\nb\r\n", [b"a", b"b"]),
    (b"\r\n", [b""]),
    (b'x {3}\r\na"b y\r\nz\r\n', [b'x "a\\"b" y', b"z"]),
    (b"{2+}\r\n\r\n\r\n", [b'"\r\n"']),
    (b"{0}\r\n\r\n", [b'""']),
    (b"{1}\r\nA {1}\r\nB\r\n", [b'"A" "B"']),
    (b"{5}\r\nab", []),
    (b"{1}\r\n\\\r\n", [b'"\\\\"']),
]


@pytest.mark.parametrize(("data", "expected"), CASES)
def test_lines_whole_and_byte_by_byte(data: bytes, expected: list[bytes]) -> None:
    whole, slow = LineReader(literals=True), LineReader(literals=True)
    whole.receive(data)
    assert lines(whole) == expected
    found = []
    for position in range(len(data)):
        slow.receive(data[position : position + 1])
        found += lines(slow)
    assert found == expected


def test_what_follows_a_line_is_trailing() -> None:
    reader = LineReader(literals=True)
    reader.receive(b"a OK\r\n\x16\x03\x01")
    assert reader.next_line() == b"a OK"
    assert reader.trailing() == b"\x16\x03\x01"
    assert reader.trailing() == b""


@pytest.mark.parametrize(
    ("data", "position"),
    [(b"x" * 21, 0), (b"ok\r\n" + b"x" * 21, 4), (b"{21}\r\n", 6), (b"x" * 15 + b" {9}\r\n", 21)],
)
def test_a_line_is_bounded(data: bytes, position: int) -> None:
    reader = LineReader(literals=True, limit=20)
    reader.receive(data)
    with pytest.raises(TooMuchError) as caught:
        lines(reader)
    assert caught.value.position == position
    assert caught.value.cause == "too_much"


def test_literals_are_text_where_the_protocol_has_none() -> None:
    reader = LineReader(literals=False)
    reader.receive(b"+OK {3}\r\nabc\r\n")
    assert lines(reader) == [b"+OK {3}", b"abc"]


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_pieces_make_no_difference(pieces: list[bytes]) -> None:
    whole, slow = LineReader(literals=True, limit=64), LineReader(literals=True, limit=64)

    def outcome(reader: LineReader, fed: list[bytes]) -> tuple[list[bytes], bool]:
        found: list[bytes] = []
        try:
            for piece in fed:
                reader.receive(piece)
                line = reader.next_line()
                while line is not None:
                    found.append(line)
                    line = reader.next_line()
        except TooMuchError:
            return found, True
        return found, False

    one = [bytes([b]) for b in b"".join(pieces)]
    assert outcome(whole, [b"".join(pieces)]) == outcome(slow, one)


def test_cursor_reads_the_presentation_language() -> None:
    cursor = Cursor(b"\x01\x02\x03\x00\x02ab!", start=100)
    assert cursor.number(1) == 1
    assert cursor.number(2) == 0x0203
    inner = cursor.vector(2)
    assert (inner.position, inner.rest()) == (105, b"ab")
    assert (cursor.left, cursor.rest()) == (1, b"!")


def test_cursor_says_where_it_ends_too_early() -> None:
    with pytest.raises(WireError, match=r"5 bytes promised, 2 there at byte 101"):
        Cursor(b"\x05ab", start=100).vector(1)
