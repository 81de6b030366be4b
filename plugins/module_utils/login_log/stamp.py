# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a line was written: the stamp at its front, and seconds since 1970. Pure.

Known stamps: RFC 3164 section 4.1.2 (``Nov  4 13:43:29``, no year, local time), RFC 3339 as in RFC
5424 section 6.2.3 and rsyslog's file format, the same with a blank for the ``T`` (a custom
``log_timestamp`` of Dovecot), and seconds since 1970 (``journalctl -o short-unix``).

A year is not in RFC 3164. The last year in which the stamp is not later than the file's own last
change, plus a day for clocks that differ, is taken: so a file that runs over New Year is right on
both sides of it, and a leap day finds a leap year.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Callable, Optional

# Groups: 1 everything to the full hour (cached), 2 minute, 3 second, 4 zone; or 5 seconds.
STAMP = re.compile(
    rb"(?:<\d{1,3}>(?:\d )?)?(?:"
    rb"([A-Z][a-z]{2} [ \d]\d \d\d|\d{4}-\d\d-\d\d[T ]\d\d):([0-5]\d):([0-5]\d|60)"
    rb"(?:[.,]\d{1,9})?(Z|[+-]\d\d:?\d\d)?"
    rb"|(\d{9,11})\.\d{1,9}) "
)
_MONTHS = {
    name: number
    for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)
}
_DAY = timedelta(days=1)
_HOURS = 20_000  # of two years, and some
_TWO = {b"%02d" % number: number for number in range(61)}
_YEARS_BACK = 8  # between two leap days

# Local wall time as seconds since 1970; the reader's, since a time zone is the host's.
LocalTime = Callable[[datetime], int]


class Clock:
    """Reads the stamps of one file. ``written`` is when the file was last changed (local time)."""

    def __init__(self, written: datetime, local: LocalTime) -> None:
        self._limit = written + _DAY
        self._local = local
        self._hours: dict[bytes, Optional[int]] = {}

    def read(self, match: re.Match[bytes]) -> Optional[int]:
        """The time of a match of :data:`STAMP`; ``None`` for a day that no calendar has."""
        hour, minute, second, zone, unix = match.groups()
        if unix is not None:
            return int(unix)
        key = hour if zone is None else hour + zone
        base = self._hours.get(key, 0)
        if base == 0:
            if len(self._hours) > _HOURS:  # only a hostile file has so many
                self._hours.clear()
            base = self._hours[key] = self._hour(hour, zone)
        return None if base is None else base + _TWO[minute] * 60 + _TWO[second]

    def _hour(self, text: bytes, zone: Optional[bytes]) -> Optional[int]:
        try:
            naive = self._year(text) if text[:1].isalpha() else _iso(text)
            if naive is None or zone is None:
                return None if naive is None else self._local(naive)
            return int(naive.replace(tzinfo=_zone(zone)).timestamp())
        except (ValueError, OverflowError, KeyError):
            return None

    def _year(self, text: bytes) -> Optional[datetime]:
        month, day, hour = _MONTHS[text[:3]], int(text[4:6]), int(text[7:9])
        for year in range(self._limit.year, self._limit.year - _YEARS_BACK - 1, -1):
            try:
                found = datetime(year, month, day, hour)
            except ValueError:
                continue  # 29 February
            if found <= self._limit:
                return found
        return None


def _iso(text: bytes) -> datetime:
    return datetime(int(text[:4]), int(text[5:7]), int(text[8:10]), int(text[11:13]))


def _zone(text: bytes) -> timezone:
    if text == b"Z":
        return timezone.utc
    digits = text[1:].replace(b":", b"")
    span = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-span if text[:1] == b"-" else span)
