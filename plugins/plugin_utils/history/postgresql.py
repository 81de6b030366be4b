# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history in PostgreSQL, for controllers that come and go (AWX, CI).

psycopg 3 is loaded only when a URL asks for it, so no other user needs it. Writers queue by one
advisory lock, which ends with the transaction and so with the connection of a writer that died.
A driver's error may quote the URL: the password is taken out of every message.
Source: PostgreSQL 13.3.5 (advisory locks), libpq connection URIs (34.1.1).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .database import WAIT, Rows, Trouble
from .place import redacted, shown

_LOCK = 0x6D61696C746C73  # "mailtls"
_CONNECT_SECONDS = 10


class Postgresql:
    """See database.Database."""

    bytes_type = "BYTEA"

    def __init__(self, url: str, wait: float = WAIT) -> None:
        self._url = url
        self.name = shown(url)
        try:
            import psycopg
        except ImportError:
            raise Trouble(
                f"the history {self.name} needs psycopg 3 on the controller, for the Python that "
                "runs Ansible: pip install 'psycopg[binary]', or Debian's python3-psycopg"
            ) from None
        self._error = psycopg.Error
        try:
            self._connection = psycopg.connect(
                url, autocommit=True, connect_timeout=_CONNECT_SECONDS
            )
            # Not as an option of the connection: the URL may have options of its own.
            self.run(f"SET lock_timeout = {int(wait * 1000)}")
            self.run("SET client_min_messages = warning")
        except psycopg.Error as error:
            raise self._trouble(error) from None

    def run(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """Run one statement; its rows, if it has any."""
        try:
            cursor = self._connection.execute(_native(sql), values or None)
            return cursor.fetchall() if cursor.description else []
        except self._error as error:
            raise self._trouble(error) from None

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of values."""
        try:
            with self._connection.cursor() as cursor:
                cursor.executemany(_native(sql), rows)
        except self._error as error:
            raise self._trouble(error) from None

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction of the one writer that there is at a time: all of it, or nothing."""
        try:
            with self._connection.transaction():
                self.run("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
                yield
        except self._error as error:
            raise self._trouble(error) from None

    def has_table(self, name: str) -> bool:
        """Whether there is a table of this name."""
        # Read from the catalogue: to_regclass() may answer from before a lock was waited for.
        sql = "SELECT 1 FROM pg_catalog.pg_class WHERE relname = ? AND pg_table_is_visible(oid)"
        return bool(self.run(sql, (name,)))

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def _trouble(self, error: Exception) -> Trouble:
        cause = " ".join(redacted(str(error), self._url).split())
        return Trouble(f"the history {self.name} cannot be used: {cause}")


def _native(sql: str) -> str:
    return sql.replace("?", "%s")
