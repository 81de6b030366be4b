# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.module_utils.wire.flight import (
    CHAIN_LIMIT,
    MESSAGE_LIMIT,
    Alert,
    Certificate,
    Event,
    ServerFlight,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
    agreed_group,
)
from ansible_collections.postmaster.tls.plugins.module_utils.wire.reader import NeedMore, WireError
from ansible_collections.postmaster.tls.plugins.module_utils.wire.records import HANDSHAKE, record

TRANSCRIPTS = Path(__file__).resolve().parents[4] / "fixtures" / "transcripts"


def recorded(name: str) -> bytes:
    lines = (TRANSCRIPTS / f"flight-{name}.hex").read_text(encoding="ascii").splitlines()
    return bytes.fromhex("".join(line for line in lines if not line.startswith("#")))


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def hello(suite: int, version: int = 0x0303, rest: bytes = b"") -> bytes:
    body = version.to_bytes(2, "big") + bytes(32) + b"\0" + suite.to_bytes(2, "big") + b"\0" + rest
    return message(2, body)


def in_records(data: bytes, size: int = 1 << 14) -> bytes:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(record(HANDSHAKE, 0x0303, piece) for piece in pieces)


CHANGED = record(20, 0x0303, b"\1")


def events(pieces: list[bytes]) -> list[Event]:
    flight, found = ServerFlight(), []
    for piece in pieces:
        flight.receive(piece)
        event = flight.next_event()
        while not isinstance(event, NeedMore):
            found.append(event)
            event = flight.next_event()
    return found


RECORDED = "04144e14d9192dfbf9ba7f9d988098f7023f787fde8383957911ba55893a31b9"
OF_0X80 = hashlib.sha256(b"\x80").hexdigest()
HELLO12 = (0xFF01, 0x0B, 0x23, 0x17)
CASES = [
    (
        "tls1.2-ecdhe-rsa",
        ServerHello(0x0303, 0xC030, 0, HELLO12),
        ServerKeyExchange(group=0x001D, signature=0x0804),
    ),
    (
        "tls1.0-cbc",
        ServerHello(0x0301, 0xC014, 0, (0xFF01, 0x0B, 0x23, 0x16, 0x17)),
        ServerKeyExchange(group=0x001D),
    ),
    (
        "tls1.2-dhe-1024",
        ServerHello(0x0303, 0x009F, 0, (0xFF01, 0x23, 0x17)),
        ServerKeyExchange(dh_bits=1024, signature=0x0804, dh_prime=RECORDED),
    ),
    ("tls1.2-static-rsa", ServerHello(0x0303, 0x009D, 0, (0xFF01, 0x23, 0x17)), None),
]


@pytest.mark.parametrize(("name", "hello", "key"), CASES)
def test_recorded_flights(name: str, hello: ServerHello, key: ServerKeyExchange) -> None:
    data = recorded(name)
    found = events([data])
    assert found[0] == hello
    assert isinstance(found[1], Certificate)
    assert found[1].chain[0][:2] == b"\x30\x82"
    assert found[2:] == ([key] if key else []) + [ServerHelloDone()]
    assert events([bytes([b]) for b in data]) == found


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("alert-handshake-failure", Alert(2, 40)),
        ("alert-close-notify", Alert(1, 0)),
        ("tls1.3-retry", ServerHello(0x0304, 0x1302, 0, (0x2B, 0x33), 0x001D, True)),
        ("tls1.3-retry-gnutls", ServerHello(0x0304, 0x1302, 0, (0x33, 0x2B), 0x001D, True)),
    ],
)
def test_recorded_answers_of_one_event(name: str, event: Event) -> None:
    flight = ServerFlight()
    flight.receive(recorded(name))
    assert flight.next_event() == event


@pytest.mark.parametrize("changed", [b"", CHANGED])
def test_a_retry_is_followed_by_the_answer_to_a_second_hello(changed: bytes) -> None:
    retry = ServerHello(0x0304, 0x1302, 0, (0x2B, 0x33), 0x001D, True)
    final = ServerHello(0x0303, 0xC02F, 0, ())
    data = recorded("tls1.3-retry") + changed
    assert events([data, recorded("alert-handshake-failure")]) == [retry, Alert(2, 40)]
    assert events([data, in_records(hello(0xC02F))]) == [retry, final]


@pytest.mark.parametrize(
    "data",
    [
        CHANGED,
        in_records(hello(0xC02F)) + CHANGED,
        recorded("tls1.3-retry") + recorded("tls1.3-retry"),
        recorded("tls1.3-retry") + in_records(hello(0xC02F)) + in_records(hello(0xC02F)),
    ],
)
def test_nothing_else_is_followed_by_a_second_answer(data: bytes) -> None:
    with pytest.raises(WireError):
        events([data])


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("tls1.2-ecdhe-rsa", 0x001D),
        ("tls1.0-cbc", 0x001D),
        ("tls1.2-dhe-1024", None),
        ("tls1.2-static-rsa", None),
        ("tls1.3-retry", 0x001D),
        ("alert-handshake-failure", None),
    ],
)
@pytest.mark.parametrize("after", [b"", b"\x14\x03\x03\0\1\1", b"no record at all"])
def test_the_group_agreed_on(name: str, group: Optional[int], after: bytes) -> None:
    assert agreed_group(recorded(name) + after) == group


def test_messages_may_be_cut_anywhere_between_records() -> None:
    data = hello(0x0016) + message(11, b"\0\0\0") + message(12, b"\0\1\7\0\1\2\0\1\4\4\1\0\0")
    expected = events([in_records(data)])
    prime = hashlib.sha256(b"\7").hexdigest()
    assert expected[2] == ServerKeyExchange(dh_bits=3, signature=0x0401, dh_prime=prime)
    for size in (1, 2, 3, 5, 50):
        assert events([in_records(data, size)]) == expected


@pytest.mark.parametrize(
    ("suite", "version", "body", "expected"),
    [
        (0xC02F, 0x0303, "03001d0120" + "0804", ServerKeyExchange(0x1D, None, 0x0804)),
        (0xC013, 0x0302, "0300170120", ServerKeyExchange(0x17, None, None)),
        (0xC019, 0x0303, "0300170120", ServerKeyExchange(0x17, None, None)),  # anonymous
        (0xC02F, 0x0303, "010000", ServerKeyExchange()),  # a curve that is spelled out
        (0x0034, 0x0303, "000180" + "000102" + "000103", ServerKeyExchange(None, 8, None, OF_0X80)),
        (
            0x0034,
            0x0303,
            "00020080" + "000102" + "000103",
            ServerKeyExchange(None, 8, None, OF_0X80),
        ),
        (0x0003, 0x0301, "ffff", ServerKeyExchange()),  # export
    ],
)
def test_key_exchanges(suite: int, version: int, body: str, expected: ServerKeyExchange) -> None:
    data = hello(suite, version) + message(12, bytes.fromhex(body))
    assert events([in_records(data)])[1] == expected


@pytest.mark.parametrize(
    ("data", "cause", "position"),
    [
        (b"* OK\r\n", "not_tls", 0),
        (record(23, 0x0303, b"x"), "unexpected", 5),
        (record(21, 0x0303, b"\2"), "unexpected", 5),
        (in_records(message(11, b"\0\0\0")), "unexpected", 9),
        (in_records(hello(1) + hello(1)), "unexpected", 5 + 42 + 4),
        (in_records(message(2, b"\3\3")), "unexpected", 11),
        (in_records(message(2, b"\3\3"), 3), "unexpected", 11),
        (in_records(hello(1, rest=b"\0\5\0")), "unexpected", 5 + 4 + 40),
        (in_records(b"\x0b" + (MESSAGE_LIMIT + 1).to_bytes(3, "big")), "too_much", 5),
        (in_records(hello(1) + message(11, b"\0\0\x78" + b"\0\0\0" * 40)), "too_much", 150),
    ],
)
def test_what_contradicts_itself(data: bytes, cause: str, position: int) -> None:
    with pytest.raises(WireError) as caught:
        events([data])
    assert (caught.value.cause, caught.value.position) == (cause, position)
    assert CHAIN_LIMIT < 40


@given(st.binary(max_size=300))
def test_never_raises_anything_but_its_own_error(data: bytes) -> None:
    prefixes = (b"", record(HANDSHAKE, 0x0303, hello(0xC02F)), record(HANDSHAKE, 0x0303, b"\x0c"))
    for prefix in prefixes:
        for fed in (prefix + data, prefix + (in_records(data) if data else b"")):
            try:
                events([fed])
            except WireError:
                continue
