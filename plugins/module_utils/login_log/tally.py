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
from typing import Any, Optional, Protocol, Union

from .stamp import STAMP, Clock
from .usage import Client, Security, Seen, Usage

ROWS = 50_000
CLIENTS = 8  # addresses kept for each row
LINE = 4096  # longer ones are cut: no login line comes near
_CACHE = 100_000

# A row's key: what differs is another row.
_Key = tuple[object, ...]
# A line without what differs for each login: what it says, how often, first and last.
_Cell = list[Any]


class Parser(Protocol):
    """What knows one server's lines."""

    prefix: re.Pattern[bytes]  # what may stand between the stamp and the line's own name

    def key(self, line: bytes, at: int) -> bytes: ...

    def read(self, key: bytes) -> Optional[Seen]: ...


@dataclass(frozen=True)
class Span:
    """A time that is read, without the parts that were read elsewhere."""

    since: int
    until: int
    without: tuple[tuple[int, int], ...] = ()

    def __contains__(self, moment: int) -> bool:
        if not self.since <= moment <= self.until:
            return False
        return not any(first <= moment <= last for first, last in self.without)


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
        self._cells: dict[tuple[bool, bytes], _Cell] = {}
        self._prefixes: dict[bytes, bool] = {}
        self._proof = False
        self.not_understood = 0
        self.without_time = 0

    def count(self, block: bytes, clock: Clock, span: Span) -> tuple[int, ...]:
        """Count the lines of a block whose time is in ``span``: first, last and how many.

        ``()`` where it holds no line of this server in that time.
        """
        times: list[int] = []
        for mark in self._marks:
            for line, at in _hits(block, mark):
                stamp = STAMP.match(line)
                time = clock.read(stamp) if stamp else None
                if stamp is None or time is None:
                    self.without_time += 1
                elif time in span and self._line(line, at, stamp.end(), time):
                    times.append(time)
        return (min(times), max(times), len(times)) if times else ()

    def _line(self, line: bytes, at: int, after: int, time: int) -> bool:
        """Whether the server wrote the line, not another program that quotes what a client sent."""
        start = line.rfind(b" ", 0, at) + 1
        prefix = line[after:start]
        ours = self._prefixes.get(prefix)
        if ours is None:
            ours = self._prefixes[prefix] = bool(self._parser.prefix.fullmatch(prefix))
        if not ours:
            return False
        key = (time < self._unproven, self._parser.key(line[start:], at - start))
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = [self._understood(key[1]), 0, time, time]
        cell[1] += 1
        if time > cell[3]:
            cell[3] = time
        elif time < cell[2]:
            cell[2] = time
        if len(self._cells) > _CACHE or len(self._prefixes) > _CACHE:
            self._settle()
        return True

    def _understood(self, key: bytes) -> Union[Seen, bool, None]:
        """What a line says, ``None`` for nothing, False where it should say something."""
        try:
            return self._parser.read(key)
        except ValueError:
            return False

    def _settle(self) -> None:
        """Cells into rows: memory is bounded, and lines that came once do not stay."""
        for (early, _line), (seen, count, first, last) in self._cells.items():
            if seen is False:
                self.not_understood += count
            elif seen is not None:
                self._add(seen, early, count, (first, last))
        self._cells.clear()
        self._prefixes.clear()

    def _add(self, seen: Seen, early: bool, count: int, span: tuple[int, int]) -> None:
        self._proof = self._proof or (early and seen.shown)
        row = self._row(seen, early and seen.absent)
        row.count += count
        row.first = min(span[0], row.first or span[0])
        row.last = max(span[1], row.last)
        if seen.address is None or row.folded:
            return
        client = row.clients.get(seen.address)
        if client is not None:
            client[0] += count
            client[1] = max(client[1], span[1])
        elif len(row.clients) < CLIENTS:
            row.clients[seen.address] = [count, span[1]]
        else:
            row.more = True

    def _row(self, seen: Seen, doubtful: bool) -> _Row:
        words = (seen.version, seen.suite, seen.tls_mode, seen.reason)
        kind = (seen.service, seen.security, *words, seen.ended)
        key: _Key = (seen.user, doubtful, *kind)
        row = self._rows.get(key)
        if row is not None:
            return row
        folded = len(self._rows) >= self._limit
        if folded:
            key, seen = (None, doubtful, True, *kind), replace(seen, user=None)
        return self._rows.setdefault(key, _Row(seen, folded))

    def usage(self) -> tuple[Usage, ...]:
        """All rows, most recent first."""
        self._settle()
        ended = self._ended()
        found = [self._usage(key, row, ended) for key, row in self._rows.items()]
        kept = (usage for usage in found if usage.count > 0)
        return tuple(sorted(kept, key=lambda u: (-u.last, u.user or "")))

    def _ended(self) -> dict[_Key, int]:
        """How many logins told their security at their end, of those that did not at first."""
        found: dict[_Key, int] = {}
        for row in self._rows.values():
            if row.seen.ended:
                key = (row.seen.user, row.seen.service, row.seen.tls_mode)
                found[key] = found.get(key, 0) + row.count
        return found

    def _usage(self, key: _Key, row: _Row, ended: dict[_Key, int]) -> Usage:
        seen = row.seen
        open_end = seen.security is Security.UNKNOWN and seen.reason is None
        told = ended.get((seen.user, seen.service, seen.tls_mode), 0) if open_end else 0
        doubtful = bool(key[1]) and not self._proof and not seen.reason
        return Usage(
            product=self._product,
            service=seen.service,
            security=Security.UNKNOWN if doubtful else seen.security,
            user=seen.user,
            count=row.count - told,
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
