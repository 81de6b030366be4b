# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables, as steps from nothing to now. A step that was released is never changed: add one.

``schema_version`` holds one row with the number of steps that were taken. All of them run in one
write transaction, so that of several that open an old history at once one takes the steps and the
others find them taken. The SQL is what SQLite 3.35 and PostgreSQL 13 have in common; BYTES is the
one type that they name differently.
"""

from __future__ import annotations

from .database import Database, Trouble

VERSION_TABLE = "mail_tls_schema_version"

STEPS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE mail_tls_runs (
            id TEXT PRIMARY KEY, at TEXT NOT NULL, command TEXT NOT NULL, profile TEXT NOT NULL)""",
        "CREATE INDEX mail_tls_runs_at ON mail_tls_runs (at)",
        # Most days a host is as it was: a part of a posture is kept once, by its SHA-256.
        "CREATE TABLE mail_tls_documents (id TEXT PRIMARY KEY, body BYTES NOT NULL)",
        """CREATE TABLE mail_tls_postures (
            run TEXT NOT NULL REFERENCES mail_tls_runs (id) ON DELETE CASCADE,
            host TEXT NOT NULL, at TEXT NOT NULL, observed_at TEXT NOT NULL, verdict TEXT NOT NULL,
            ports INTEGER NOT NULL, ports_passing INTEGER NOT NULL, failing INTEGER NOT NULL,
            facts TEXT NOT NULL REFERENCES mail_tls_documents (id),
            judgement TEXT NOT NULL REFERENCES mail_tls_documents (id),
            PRIMARY KEY (host, at, run))""",
        "CREATE INDEX mail_tls_postures_run ON mail_tls_postures (run)",
        """CREATE INDEX mail_tls_postures_at ON mail_tls_postures
            (at, host, verdict, ports, ports_passing, failing)""",
        "CREATE INDEX mail_tls_postures_facts ON mail_tls_postures (facts)",
        "CREATE INDEX mail_tls_postures_judgement ON mail_tls_postures (judgement)",
        """CREATE TABLE mail_tls_items (
            fingerprint TEXT NOT NULL, since TEXT NOT NULL, kind TEXT NOT NULL, host TEXT NOT NULL,
            what TEXT NOT NULL, subject TEXT NOT NULL, grade TEXT NOT NULL, words TEXT NOT NULL,
            seen TEXT NOT NULL, recovered TEXT, PRIMARY KEY (fingerprint, since))""",
        "CREATE INDEX mail_tls_items_open ON mail_tls_items (recovered, kind, host)",
        """CREATE TABLE mail_tls_baselines (
            host TEXT NOT NULL, at TEXT NOT NULL, run TEXT NOT NULL, observed_at TEXT NOT NULL,
            who TEXT NOT NULL, reason TEXT NOT NULL,
            facts TEXT NOT NULL REFERENCES mail_tls_documents (id),
            judgement TEXT NOT NULL REFERENCES mail_tls_documents (id),
            PRIMARY KEY (host, at))""",
        "CREATE INDEX mail_tls_baselines_facts ON mail_tls_baselines (facts)",
        "CREATE INDEX mail_tls_baselines_judgement ON mail_tls_baselines (judgement)",
    ),
    (
        # What was said of an episode on one channel, so that nothing is said twice or forgotten.
        """CREATE TABLE mail_tls_told (
            channel TEXT NOT NULL, fingerprint TEXT NOT NULL, since TEXT NOT NULL,
            event TEXT NOT NULL, at TEXT NOT NULL,
            PRIMARY KEY (channel, fingerprint, since, event))""",
    ),
)


def version(database: Database) -> int:
    """How many steps were taken; 0 for a database that is no history yet."""
    if not database.has_table(VERSION_TABLE):
        return 0
    rows = database.run(f"SELECT version FROM {VERSION_TABLE}")
    return int(rows[0][0]) if rows else 0


def migrate(database: Database, steps: tuple[tuple[str, ...], ...] = STEPS) -> None:
    """Take the steps that are missing. Trouble for a history of a newer release."""
    if version(database) == len(steps):
        return
    with database.writing():
        taken = version(database)
        if taken > len(steps):
            raise Trouble(
                f"the history {database.name} was written by a newer release of postmaster.tls "
                f"(its tables are of version {taken}, this release knows {len(steps)}); "
                "upgrade the collection on this controller"
            )
        if taken == 0 and not database.has_table(VERSION_TABLE):
            database.run(f"CREATE TABLE {VERSION_TABLE} (version INTEGER NOT NULL)")
            database.run(f"INSERT INTO {VERSION_TABLE} VALUES (0)")
        for step in steps[taken:]:
            for statement in step:
                database.run(statement.replace("BYTES", database.bytes_type))
        database.run(f"UPDATE {VERSION_TABLE} SET version = ?", (len(steps),))
