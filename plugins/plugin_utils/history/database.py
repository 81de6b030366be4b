# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the history asks of a database; sqlite.py and postgresql.py are the two that there are.

SQL is written with ``?`` for values. Whatever goes wrong is Trouble: one sentence that names the
place without its password.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Rows = list[tuple[Any, ...]]
WAIT = 60.0
"""Seconds that a writer waits for the ones before it."""


class Trouble(Exception):
    """The history cannot be used; the message is one sentence with place, cause and cure."""


class Database(Protocol):
    """One connection. It belongs to the process that opened it and is never kept over a fork."""

    name: str
    """The place, fit to be shown."""
    bytes_type: str
    """The SQL name of the type for bytes."""

    def run(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """Run one statement; its rows, if it has any."""

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of values."""

    def writing(self) -> AbstractContextManager[None]:
        """A transaction of the one writer that there is at a time: all of it, or nothing."""

    def has_table(self, name: str) -> bool:
        """Whether there is a table of this name."""

    def close(self) -> None:
        """Give the connection back."""
