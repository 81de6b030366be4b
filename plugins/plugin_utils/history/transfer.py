# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history as JSON lines, and back: from one database to the other, or to a program of yours.

The first line says what it is, each line after it is one row of one table, in an order in which
they can be read in. Reading in adds what is not there and changes nothing that is, so it may be
done twice, and two histories become one. Parts of postures are written as JSON, not packed; their
names are made anew from what they hold, so that a line that was changed is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from . import parts
from .database import Database, Trouble

SCHEMA = "postmaster.tls/history"
SCHEMA_VERSION = 1

TABLES: dict[str, tuple[tuple[str, type], ...]] = {
    "runs": (("id", str), ("at", str), ("command", str), ("profile", str)),
    "documents": (("id", str), ("body", dict)),
    "postures": (
        ("run", str),
        ("host", str),
        ("at", str),
        ("observed_at", str),
        ("verdict", str),
        ("ports", int),
        ("ports_passing", int),
        ("failing", int),
        ("facts", str),
        ("judgement", str),
    ),
    "items": (
        ("fingerprint", str),
        ("since", str),
        ("kind", str),
        ("host", str),
        ("what", str),
        ("subject", str),
        ("grade", str),
        ("words", str),
        ("seen", str),
        ("recovered", str),
    ),
    "baselines": (
        ("host", str),
        ("at", str),
        ("run", str),
        ("observed_at", str),
        ("who", str),
        ("reason", str),
        ("facts", str),
        ("judgement", str),
    ),
    "told": (("channel", str), ("fingerprint", str), ("since", str), ("event", str), ("at", str)),
}
"""Tables in the order in which they refer to each other, and their columns."""
_MAY_LACK = ("recovered",)


def export(database: Database) -> Iterator[str]:
    """Every row as a line without its end, always in the same order."""
    yield _line({"schema": SCHEMA, "schema_version": SCHEMA_VERSION})
    for table, columns in TABLES.items():
        names = ", ".join(name for name, _kind in columns)
        rows = database.run(f"SELECT {names} FROM mail_tls_{table}")
        # Sorted here: two databases may have two orders of text.
        for row in sorted(rows, key=_order):
            values = dict(zip((name for name, _kind in columns), row))
            if table == "documents":
                values["body"] = json.loads(parts.unpack(values["body"]))
            yield _line({"table": table, **values})


def read_in(database: Database, lines: Iterable[str]) -> int:
    """Add the rows of :func:`export`; how many lines there were. All of them, or none.

    Raises Trouble with the number of the line for anything else.
    """
    count = 0
    with database.writing():
        for number, line in enumerate(lines, 1):
            try:
                _take(database, json.loads(line), first=number == 1)
            except ValueError as error:
                raise Trouble(f"line {number} is no line of a history: {error}") from None
            count = number
    if not count:
        raise Trouble("there is nothing to read in: not even a first line")
    return count


def _take(database: Database, row: Any, first: bool) -> None:
    if not isinstance(row, dict):
        raise ValueError("it is no JSON object")
    if first:
        if row != {"schema": SCHEMA, "schema_version": SCHEMA_VERSION}:
            raise ValueError(f"the first one says {SCHEMA} and version {SCHEMA_VERSION}")
        return
    table = row.pop("table", None)
    if table not in TABLES:
        raise ValueError(f"{table!r} is none of {', '.join(TABLES)}")
    values = [_value(row, name, kind) for name, kind in TABLES[table]]
    if table == "documents":
        part = parts.canonical(values[1])
        if parts.name(part) != values[0]:
            raise ValueError("the body is not the one that its id was made of")
        values[1] = parts.pack(part)
    marks = ", ".join("?" * len(values))
    database.run(f"INSERT INTO mail_tls_{table} VALUES ({marks}) ON CONFLICT DO NOTHING", values)


def _value(row: dict[str, Any], name: str, kind: type) -> Any:
    value = row.get(name)
    if value is None and name in _MAY_LACK:
        return None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{name} is missing or is no {kind.__name__}")
    return value


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _order(row: tuple[Any, ...]) -> list[str]:
    return [str(value) for value in row[:5] if not isinstance(value, (bytes, memoryview))]
