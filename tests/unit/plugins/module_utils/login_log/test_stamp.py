# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stamps: each kind, years that are not written, and days that no calendar has."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.login_log.stamp import STAMP, Clock


def utc(moment: datetime) -> int:
    return int(moment.replace(tzinfo=timezone.utc).timestamp())


def read(line: bytes, written: datetime = datetime(2026, 11, 24, 12)) -> Optional[int]:
    match = STAMP.match(line)
    return Clock(written, utc).read(match) if match else None


AT = utc(datetime(2026, 11, 4, 13, 43, 29))


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        (b"Nov  4 13:43:29 mail dovecot: x", AT),
        (b"Nov 04 13:43:29 imap-login: x", AT),
        (b"<22>Nov  4 13:43:29 mail dovecot: x", AT),
        (b"2026-11-04T13:43:29Z mail x", AT),
        (b"<22>1 2026-11-04T13:43:29.123456Z mail x", AT),
        (b"2026-11-04T14:43:29.000001+01:00 mail x", AT),
        (b"2026-11-04T08:13:29-0530 mail x", AT),
        (b"2026-11-04 13:43:29 imap-login: x", AT),
        (b"1793799809.547211 dovecot[42]: x", 1793799809),
        (b"Nov  4 13:43:60 mail x", AT + 31),
        (b"Nov 31 13:43:29 mail x", None),
        (b"Feb 30 13:43:29 mail x", None),
        (b"Foo  4 13:43:29 mail x", None),
        (b"2026-13-04T13:43:29Z mail x", None),
        (b"2026-11-04T13:43:29+99:00 mail x", None),
        (b"2026-11-04T25:43:29Z mail x", None),
        (b"Nov  4 13:43 mail x", None),
        (b" Nov  4 13:43:29 mail x", None),
        (b"", None),
    ],
)
def test_a_stamp_is_read_or_is_none(line: bytes, moment: Optional[int]) -> None:
    assert read(line) == moment


@pytest.mark.parametrize(
    ("line", "written", "year"),
    [
        (b"Dec 31 23:59:59 m x", datetime(2027, 1, 1, 0, 5), 2026),
        (b"Jan  1 00:00:01 m x", datetime(2027, 1, 1, 0, 5), 2027),
        # The clock of who wrote the line was ahead, within a day.
        (b"Jan  1 00:00:01 m x", datetime(2026, 12, 31, 23, 59), 2027),
        (b"Jan  3 00:00:01 m x", datetime(2026, 12, 31, 23, 59), 2026),
        (b"Feb 29 10:00:00 m x", datetime(2026, 3, 1), 2024),
        (b"Feb 29 10:00:00 m x", datetime(2028, 3, 1), 2028),
        (b"Nov 24 11:00:00 m x", datetime(2026, 11, 24, 12), 2026),
        (b"Nov 26 12:00:00 m x", datetime(2026, 11, 24, 12), 2025),
    ],
)
def test_the_year_is_the_last_that_is_not_later_than_the_file(
    line: bytes, written: datetime, year: int
) -> None:
    moment = read(line, written)
    assert moment is not None
    assert datetime.fromtimestamp(moment, timezone.utc).year == year


def test_the_hours_of_a_hostile_file_do_not_fill_the_memory() -> None:
    clock = Clock(datetime(2026, 11, 24), utc)
    for number in range(45_000):
        year, rest = divmod(number, 20 * 12 * 20)
        day, rest = divmod(rest, 12 * 20)
        month, hour = divmod(rest, 20)
        line = b"%04d-%02d-%02d %02d:00:00 x" % (1990 + year, month + 1, day + 1, hour)
        match = STAMP.match(line)
        assert match
        clock.read(match)
    assert len(clock._hours) <= 20_001
