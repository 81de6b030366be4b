# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all parsers of the wire share: their two other answers, and two ways to walk over bytes.

A parser is fed bytes with ``receive`` and asked with ``next_event``. It answers with an event,
with :data:`NEED_MORE`, or raises :class:`WireError` with the position of the first byte that it
could not accept, counted from the start of what it was fed. After an error it is not asked again.
Nothing here knows a protocol, a socket or a clock.
"""

from __future__ import annotations

import enum
import re
from typing import Final, Optional

LINE_LIMIT = 16 * 1024
"""The most bytes of one logical line, literals included (RFC 9051 section 4: at least 8192)."""


class NeedMore(enum.Enum):
    """The type of :data:`NEED_MORE`, so that type checkers can tell it from an event."""

    NEED_MORE = "need more"


NEED_MORE: Final = NeedMore.NEED_MORE


class WireError(ValueError):
    """Bytes that the protocol does not allow. ``cause`` is a cause of :class:`model.Failure`."""

    cause = "unexpected"

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} at byte {position}")
        self.position = position


class TooMuchError(WireError):
    """The peer sent more than any honest server would."""

    cause = "too_much"


class NotTlsError(WireError):
    """The peer's bytes are no TLS record."""

    cause = "not_tls"


class Cursor:
    """Walks over a complete structure: integers and vectors of the TLS presentation language.

    ``start`` is the position of ``data`` in the stream. Raises WireError where data ends early.
    Source: RFC 8446 section 3.
    """

    def __init__(self, data: bytes, start: int = 0) -> None:
        self._data = data
        self._start = start
        self._at = 0

    @property
    def position(self) -> int:
        """The position in the stream of the next byte."""
        return self._start + self._at

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        if count > self.left:
            raise WireError(f"{count} bytes promised, {self.left} there", self.position)
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, width: int) -> int:
        """An unsigned integer of ``width`` bytes."""
        return int.from_bytes(self.take(width), "big")

    def vector(self, width: int) -> Cursor:
        """A vector whose length is an integer of ``width`` bytes, as a cursor over its content."""
        length = self.number(width)
        start = self.position
        return Cursor(self.take(length), start)

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.left)


_LITERAL = re.compile(rb"\{(\d{1,9})\+?\}\Z")


class LineReader:
    """Cuts a stream into logical lines: without their end, each literal put in as a quoted string.

    A line ends with LF or CRLF. One that ends with ``{n}`` goes on after the n bytes that follow
    (RFC 9051 section 4.3, RFC 5804 section 4), if ``literals`` is set. A logical line is never
    longer than ``limit``.
    """

    def __init__(self, literals: bool, limit: int = LINE_LIMIT) -> None:
        self._literals = literals
        self._limit = limit
        self._buffer = bytearray()
        self._line = bytearray()
        self._literal: Optional[int] = None
        self._searched = 0
        self.position = 0
        self._begin = 0
        self.line_at = 0
        """The position of the line that was given out last."""

    def receive(self, data: bytes) -> None:
        """Takes in what the peer sent."""
        self._buffer += data

    def next_line(self) -> Optional[bytes]:
        """The next logical line, or ``None`` where it is not there whole.

        Raises TooMuchError for a line longer than the limit.
        """
        while True:
            step = self._take_literal() if self._literal is not None else self._take_line()
            if step is None:
                return None
            if step:
                line = bytes(self._line)
                self._line.clear()
                self.line_at, self._begin = self._begin, self.position
                return line

    def trailing(self) -> bytes:
        """What was fed and is not part of a line that was given out; it is forgotten here."""
        rest = bytes(self._line + self._buffer)
        self._consume(len(self._buffer))
        self._line.clear()
        return rest

    def _take_line(self) -> Optional[bool]:
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._buffer)
            self._check(len(self._buffer))
            return None
        self._check(end)
        part = bytes(self._buffer[:end]).rstrip(b"\r")
        self._consume(end + 1)
        literal = _LITERAL.search(part) if self._literals else None
        if literal is None:
            self._line += part
            return True
        self._line += part[: literal.start()]
        self._literal = int(literal.group(1))
        self._check(self._literal)
        return False

    def _take_literal(self) -> Optional[bool]:
        length = self._literal
        if length is None or len(self._buffer) < length:
            return None
        text = bytes(self._buffer[:length])
        self._consume(length)
        self._literal = None
        self._line += b'"' + re.sub(rb'(["\\])', rb"\\\1", text) + b'"'
        return False

    def _consume(self, count: int) -> None:
        del self._buffer[:count]
        self.position += count
        self._searched = 0

    def _check(self, more: int) -> None:
        if len(self._line) + more > self._limit:
            raise TooMuchError(f"a line longer than {self._limit} bytes", self.position)
