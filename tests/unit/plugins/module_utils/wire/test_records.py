# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.wire.reader import (
    NEED_MORE,
    NotTlsError,
)
from ansible_collections.postmaster.tls.plugins.module_utils.wire.records import (
    ALERT,
    FRAGMENT_LIMIT,
    HANDSHAKE,
    Record,
    RecordReader,
    record,
)

TWO = record(HANDSHAKE, 0x0303, b"abc") + record(ALERT, 0x0301, b"\2\x28")
EXPECTED = [Record(HANDSHAKE, 0x0303, b"abc", 5), Record(ALERT, 0x0301, b"\2\x28", 13)]


def records(data: bytes) -> list[Record]:
    reader = RecordReader()
    found: list[Record] = []
    reader.receive(data)
    while True:
        each = reader.next_record()
        if not isinstance(each, Record):
            return found
        found.append(each)


def test_records_whole_and_with_trailing_data() -> None:
    assert records(TWO + b"\x16\x03") == EXPECTED


def test_records_byte_by_byte() -> None:
    reader, found = RecordReader(), []
    for byte in TWO:
        reader.receive(bytes([byte]))
        found.append(reader.next_record())
    assert [each for each in found if each is not NEED_MORE] == EXPECTED
    assert len(found) == len(TWO)


@pytest.mark.parametrize(
    ("data", "position"),
    [
        (b"* OK", 0),
        (b"H", 0),
        (b"\x16\x02", 1),
        (b"\x80\x2e", 0),
        (record(HANDSHAKE, 0x0303, b"a") + b"HTTP", 6),
        (b"\x16\x03\x03" + (FRAGMENT_LIMIT + 1).to_bytes(2, "big"), 3),
        (b"\x16\x03\x03\x00\x00", 3),
    ],
)
def test_what_is_no_record(data: bytes, position: int) -> None:
    with pytest.raises(NotTlsError) as caught:
        records(data)
    assert caught.value.position == position
    assert caught.value.cause == "not_tls"
