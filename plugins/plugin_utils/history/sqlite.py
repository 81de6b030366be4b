# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history in one file: SQLite, for a controller that stays.

WAL, so that a reader never waits for a writer, with every commit on the disk before it counts
(synchronous=FULL). Writers queue by BEGIN IMMEDIATE and the busy timeout: a transaction that
begins as a reader and then writes would be refused at once whatever the timeout
(sqlite.org/lang_transaction.html). The file is its owner's alone, as the report should be.

WAL needs memory that all processes share, so the file must not lie on a network file system
(sqlite.org/wal.html).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from .database import WAIT, Rows, Trouble

_PAUSE = 0.02


class Sqlite:
    """See database.Database."""

    bytes_type = "BLOB"

    def __init__(self, path: str, read_only: bool = False, wait: float = WAIT) -> None:
        self.name = path
        self._wait = wait
        try:
            self._connection = self._open(os.path.abspath(path), read_only)
        except (OSError, sqlite3.Error) as error:
            raise self._trouble(error) from None

    def _open(self, path: str, read_only: bool) -> sqlite3.Connection:
        if read_only:
            # A reader of WAL writes beside the file; where it may not, nobody else does either.
            still = "" if os.access(os.path.dirname(path), os.W_OK) else "&immutable=1"
            uri = f"file:{quote(path)}?mode=ro{still}"
            return sqlite3.connect(uri, timeout=self._wait, isolation_level=None, uri=True)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=self._wait, isolation_level=None)
        try:
            self._settle(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _settle(self, connection: sqlite3.Connection) -> None:
        """WAL once and for all; the busy timeout does not hold for changing to it."""
        end = time.monotonic() + self._wait
        while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(_PAUSE)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    def run(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """Run one statement; its rows, if it has any."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._trouble(error) from None

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of values."""
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise self._trouble(error) from None

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction of the one writer that there is at a time: all of it, or nothing."""
        self.run("BEGIN IMMEDIATE")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def has_table(self, name: str) -> bool:
        """Whether there is a table of this name."""
        sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return bool(self.run(sql, (name,)))

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _trouble(self, error: Exception) -> Trouble:
        cause = getattr(error, "strerror", None) or str(error)
        return Trouble(
            f"the history {self.name} cannot be used: {cause}; set mail_tls_history to a file "
            "that this user may write on a local disk, or to none"
        )
