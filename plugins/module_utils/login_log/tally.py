# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts lines: blocks of a log in, usage out, in bounded memory. Pure.

A log of 200 MB is read at a few times the cost of unpacking it, so nothing is done per line that is
not a login: marks are looked for in whole blocks, and a line without its process id and session is
looked up among those already understood before it is parsed.

What memory holds is bounded: users times kinds of security up to ``limit`` rows, some addresses of
each, and a cache. What is beyond is counted without user and address and marked ``folded``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Callable, Optional, Protocol

from .stamp import STAMP, Clock
from .usage import Client, Security, Seen, Usage

ROWS = 50_000
CLIENTS = 8  # addresses kept for each row
LINE = 4096  # longer ones are cut: no login line comes near
_CACHE = 100_000

# Classes that a word in the line stands for.
_SAID = (Security.TLS, Security.SECURED, Security.LOCAL)

# A row's key: what differs is another row.
_Key = tuple[object, ...]


class Parser(Protocol):
    """What knows one server's lines."""

    prefix: re.Pattern[bytes]  # what may stand between the stamp and the line's own name

    def key(self, line: bytes, at: int) -> bytes: ...

    def read(self, key: bytes) -> Optional[Seen]: ...


Wanted = Callable[[int], bool]


@dataclass
class _Row:
    seen: Seen
    folded: bool = False
    count: int = 0
    first: int = 0
    last: int = 0
    clients: dict[str, list[int]] = field(default_factory=dict)
    more: bool = False


class Tally:
    """Counts what one server's lines say. ``unproven`` is when the log's format last changed:

    of what stands before, the absence of a word says nothing unless the word was seen there too.
    """

    def __init__(
        self,
        product: str,
        parser: Parser,
        marks: Sequence[bytes],
        unproven: int = 0,
        limit: int = ROWS,
    ) -> None:
        self._product = product
        self._parser = parser
        self._marks = tuple(marks)
        self._unproven = unproven
        self._limit = limit
        self._rows: dict[_Key, _Row] = {}
        self._cache: dict[bytes, Optional[Seen]] = {}
        self._prefixes: dict[bytes, bool] = {}
        self._proof = False
        self.not_understood = 0
        self.without_time = 0

    def count(self, blocks: Iterable[bytes], clock: Clock, wanted: Wanted) -> tuple[int, ...]:
        """Count whole lines of one source whose time is ``wanted``; first, last and how many.

        ``()`` where it holds no line of this server in that time.
        """
        first = last = lines = 0
        for block in blocks:
            for mark in self._marks:
                for line, at in _hits(block, mark):
                    time = self._line(line, at, clock, wanted)
                    if time:
                        lines += 1
                        first = time if not first or time < first else first
                        last = time if time > last else last
        return (first, last, lines) if lines else ()

    def _line(self, line: bytes, at: int, clock: Clock, wanted: Wanted) -> int:
        """The line's time where it counts, else 0."""
        stamp = STAMP.match(line)
        time = clock.read(stamp) if stamp else None
        if time is None:
            self.without_time += 1
            return 0
        if not wanted(time):
            return 0
        start = line.rfind(b" ", 0, at) + 1
        if not self._is_ours(line[stamp.end() : start]):  # type: ignore[union-attr]
            return 0
        key = self._parser.key(line[start:], at - start)
        try:
            seen = self._cache[key]
        except KeyError:
            seen = self._understood(key)
        if seen is not None:
            self._add(seen, time)
        return time

    def _is_ours(self, prefix: bytes) -> bool:
        """Whether the server wrote the line, not another program that quotes what a client sent."""
        known = self._prefixes.get(prefix)
        if known is None:
            if len(self._prefixes) >= _CACHE:
                self._prefixes.clear()
            known = self._prefixes[prefix] = bool(self._parser.prefix.fullmatch(prefix))
        return known

    def _understood(self, key: bytes) -> Optional[Seen]:
        try:
            seen = self._parser.read(key)
        except ValueError:
            self.not_understood += 1
            return None
        if len(self._cache) >= _CACHE:
            self._cache.clear()
        self._cache[key] = seen
        return seen

    def _add(self, seen: Seen, time: int) -> None:
        early = time < self._unproven
        if early and seen.proven and seen.security in _SAID:
            self._proof = True
        row = self._row(seen, early and not seen.proven)
        row.count += 1
        row.first = time if not row.first or time < row.first else row.first
        row.last = time if time > row.last else row.last
        address = seen.address
        if address is None or row.folded:
            return
        client = row.clients.get(address)
        if client is not None:
            client[0] += 1
            client[1] = time if time > client[1] else client[1]
        elif len(row.clients) < CLIENTS:
            row.clients[address] = [1, time]
        else:
            row.more = True

    def _row(self, seen: Seen, doubtful: bool) -> _Row:
        kind = (seen.service, seen.security, seen.version, seen.suite, seen.tls_mode, seen.reason)
        key: _Key = (seen.user, doubtful, *kind)
        row = self._rows.get(key)
        if row is None:
            folded = len(self._rows) >= self._limit
            if folded:
                key = (None, doubtful, True, *kind)
                row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = _Row(replace(seen, user=None) if folded else seen, folded)
        return row

    def usage(self) -> tuple[Usage, ...]:
        """All rows, most recent first."""
        found = [self._usage(key, row) for key, row in self._rows.items()]
        return tuple(sorted(found, key=lambda u: (-u.last, u.user or "")))

    def _usage(self, key: _Key, row: _Row) -> Usage:
        seen = row.seen
        doubtful = bool(key[1]) and not self._proof
        return Usage(
            product=self._product,
            service=seen.service,
            security=Security.UNKNOWN if doubtful and not seen.reason else seen.security,
            user=seen.user,
            count=row.count,
            first=row.first,
            last=row.last,
            version=seen.version,
            suite=seen.suite,
            tls_mode=seen.tls_mode,
            reason=seen.reason,
            clients=tuple(Client(a, c[0], c[1]) for a, c in row.clients.items()),
            more_clients=row.more or row.folded,
            folded=row.folded,
        )


def _hits(block: bytes, mark: bytes) -> Iterator[tuple[bytes, int]]:
    """Each line of ``block`` that holds ``mark``, and where in the line it stands first."""
    at = block.find(mark)
    while at >= 0:
        start = block.rfind(b"\n", 0, at) + 1
        end = block.find(b"\n", at)
        end = len(block) if end < 0 else end
        if at - start < LINE:
            yield block[start : min(end, start + LINE)], at - start
        at = block.find(mark, end)


def whole_lines(pieces: Iterable[bytes], limit: int = 1 << 20) -> Iterator[bytes]:
    """Pieces of any size as blocks of whole lines; a line longer than ``limit`` is dropped."""
    rest = b""
    for piece in pieces:
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield rest + piece[:cut]
            rest = piece[cut:]
        else:
            rest += piece
        if len(rest) > limit:
            rest = b" "  # what follows of it is no line of ours
    if rest:
        yield rest
