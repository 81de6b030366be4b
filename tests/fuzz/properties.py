# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each parser of the wire and of logs promises of any bytes at all, as functions of bytes.

It says events, "need more" or its own error with a position in what it was fed; it says the same
whether it is fed whole or byte by byte; and the texts in its events are clean. Asked by hypothesis
in the unit tests, and by a fuzzer in fuzz.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any, Callable, Protocol

from ansible_collections.postmaster.tls.plugins.module_utils.login_log.courier import Courier
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.dovecot import (
    MARKS,
    Dovecot,
)
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.stamp import Clock
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.tally import (
    CLIENTS,
    Span,
    Tally,
    whole_lines,
)
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.usage import Usage
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service
from ansible_collections.postmaster.tls.plugins.module_utils.text import BANNER, NAME, clean
from ansible_collections.postmaster.tls.plugins.module_utils.wire import imap, pop3, sieve
from ansible_collections.postmaster.tls.plugins.module_utils.wire.flight import ServerFlight
from ansible_collections.postmaster.tls.plugins.module_utils.wire.offers import (
    HELLOS,
    Reply,
    outcome,
)
from ansible_collections.postmaster.tls.plugins.module_utils.wire.reader import (
    LineReader,
    NeedMore,
    WireError,
)
from ansible_collections.postmaster.tls.plugins.module_utils.wire.records import RecordReader


class Parser(Protocol):
    """Bytes in; something else comes out through a function."""

    def receive(self, data: bytes) -> None: ...


def heard(parser: Parser, ask: Callable[[], Any], pieces: Iterable[bytes]) -> list[Any]:
    """What it says to these pieces, its error last."""
    found: list[Any] = []
    for piece in pieces:
        parser.receive(piece)
        while True:
            try:
                event = ask()
            except WireError as error:
                return [*found, (error.cause, error.position, str(error))]
            if event is None or isinstance(event, NeedMore):
                break
            found.append(event)
    return found


def _same(made: Callable[[], tuple[Parser, Callable[[], Any]]], data: bytes) -> list[Any]:
    """What is said to the whole, which is what is said to each byte."""
    whole = heard(*made(), [data])
    assert whole == heard(*made(), (data[at : at + 1] for at in range(len(data))))
    if whole and isinstance(whole[-1], tuple):
        assert 0 <= whole[-1][1] <= len(data)
    return whole


def dialogue(data: bytes) -> None:
    """IMAP, POP3 and ManageSieve, before and inside TLS, with and without an open question."""
    for kind in (imap.Dialogue, pop3.Dialogue, sieve.Dialogue):
        for greeted in (False, True):
            for asked in (False, True):

                def made(
                    kind: Any = kind, greeted: bool = greeted, asked: bool = asked
                ) -> tuple[Parser, Callable[[], Any]]:
                    parser = kind(greeted)
                    if asked:
                        parser.capability()
                    return parser, parser.next_event

                for event in _same(made, data):
                    _clean(event)


def lines(data: bytes) -> None:
    """Logical lines, with and without literals; none is longer than the limit allows."""
    for literals in (False, True):

        def made(literals: bool = literals) -> tuple[Parser, Callable[[], Any]]:
            reader = LineReader(literals, limit=64)
            return reader, reader.next_line

        for line in _same(made, data):
            # A quoted literal may be twice as long as what was promised.
            assert isinstance(line, tuple) or len(line) <= 2 * 64 + 2 * 32


def records(data: bytes) -> None:
    """Records of TLS; put together again they are what was fed."""

    def made() -> tuple[Parser, Callable[[], Any]]:
        reader = RecordReader()
        return reader, reader.next_record

    for found in _same(made, data):
        if not isinstance(found, tuple):
            at = found.position
            assert data[at : at + len(found.fragment)] == found.fragment


def flight(data: bytes) -> None:
    """The first flight of a server, and what it means to each hello."""

    def made() -> tuple[Parser, Callable[[], Any]]:
        parser = ServerFlight()
        return parser, parser.next_event

    events = [event for event in _same(made, data) if not isinstance(event, tuple)]
    for name, hello in HELLOS.items():
        reply = Reply()
        any(reply.add(event) for event in events)
        offer = outcome(name, reply)
        if offer.accepted:
            assert offer.suite in hello.suites
            assert offer.version in (hello.versions or (hello.version,))


def text(data: bytes) -> None:
    """Clean text is bounded, and clean."""
    for limit in (1, 64, BANNER):
        shown = clean(data, limit)
        assert len(shown) <= limit
        assert shown.isprintable() or shown == clean(shown, limit)


_EPOCH = datetime(2026, 11, 24)


_ROWS = 3


def _tallies(data: bytes, limit: int) -> Iterable[Tally]:
    """The readers of login logs; one of them with a format that is part of the data."""
    offered = {Service.IMAP: True, Service.POP3: True}
    own = Dovecot(data[:200].decode("utf-8", "replace"))
    for parser in (Dovecot(), own):
        yield Tally("dovecot", parser, MARKS, limit=limit)
    for marked in (False, True):
        courier = Courier(marked, offered)
        yield Tally("courier", courier, courier.marks, limit=limit)


def _counted(tally: Tally, data: bytes, step: int) -> tuple[Usage, ...]:
    clock = Clock(_EPOCH, lambda moment: int((moment - datetime(1970, 1, 1)).total_seconds()))
    pieces = (data[at : at + step] for at in range(0, len(data), step))
    for block in whole_lines(pieces, limit=256):
        tally.count(block, clock, Span(0, 2**40))
    return tally.usage()


def login_log(data: bytes) -> None:
    """A log: never more rows than allowed, clean words, the same however it is cut.

    Which rows are folded depends on the order of the lines, and within a block a server's marks are
    looked for one after the other.
    """
    if max((len(line) for line in data.split(b"\n")), default=0) < 256:
        for whole, single in zip(_tallies(data, len(data) + 1), _tallies(data, len(data) + 1)):
            assert set(_counted(whole, data, len(data) + 1)) == set(_counted(single, data, 1))
    for tally in _tallies(data, _ROWS):
        found = _counted(tally, data, len(data) + 1)
        for row in found:
            _clean(row)
            assert row.count > 0
            assert row.first <= row.last
            assert len(row.clients) <= CLIENTS
            assert row.user is None or len(row.user) <= NAME
        kinds = {(row.security, row.version, row.suite, row.tls_mode, row.reason) for row in found}
        assert len([row for row in found if not row.folded]) <= _ROWS
        assert len(found) <= _ROWS + 2 * len(kinds) * len(Service)


def _clean(value: Any) -> None:
    if isinstance(value, str):
        assert clean(value, 2 * BANNER) == value
    elif isinstance(value, tuple):
        for each in value:
            _clean(each)
    elif is_dataclass(value):
        for each in fields(value):
            _clean(getattr(value, each.name))


PROPERTIES: dict[str, Callable[[bytes], None]] = {
    "dialogue": dialogue,
    "lines": lines,
    "records": records,
    "flight": flight,
    "text": text,
    "login_log": login_log,
}
