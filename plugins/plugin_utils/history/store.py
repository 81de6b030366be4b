# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history: what was seen of every host, what is open since when, and what was accepted.

A run is kept whole or not at all, in one transaction. An item recovers only when a run has seen
that it is gone: of a host that was not reached, or a check that could not see, nothing is known,
and what was open stays open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Optional

from ..fingerprint import finding as fingerprint
from ..report.trend import Point
from . import parts, transfer
from .database import Database, Trouble
from .place import is_url
from .postgresql import Postgresql
from .rows import FINDING, Baseline, Item, Kept, moment, stamp
from .schema import migrate, version
from .sqlite import Sqlite

RETIRED = timedelta(days=30)
"""A host that no run has seen for so long is no longer counted as one of the fleet."""

_ITEM = "fingerprint, since, kind, host, what, subject, grade, words, seen, recovered"
_PARTS = "observed_at, f.body, j.body"
_JOIN = " JOIN mail_tls_documents f ON f.id = facts JOIN mail_tls_documents j ON j.id = judgement"


class History:
    """An open history. Use it with ``with``; everything may raise Trouble."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_error: object) -> None:
        self._database.close()

    # -----------------------------------------------------------------------------------------
    # Writing

    def keep(self, run: str, at: datetime, command: str, document: Mapping[str, Any]) -> None:
        """Keep a report's document: one run, the posture of each host, and what fails now."""
        hosts, when = document["hosts"], stamp(at)
        seen = [_Posture(host) for host in hosts]
        with self._database.writing():
            self._database.run(
                "INSERT INTO mail_tls_runs VALUES (?, ?, ?, ?)",
                (run, when, command, document["profile"]["name"]),
            )
            self._store(part for posture in seen for part in posture.parts)
            self._database.run_many(
                "INSERT INTO mail_tls_postures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(run, p.host, when, *p.row) for p in seen],
            )
            found = {item.fingerprint: item for p in seen for item in p.failing(when)}
            by_host = {p.host: p for p in seen}
            self._fold(FINDING, when, found, lambda item: by_host[item.host].is_gone(item), by_host)

    def fold(
        self,
        kind: str,
        at: datetime,
        found: Iterable[Item],
        hosts: Iterable[str],
        gone: Callable[[Item], bool] = lambda _item: True,
    ) -> None:
        """Take ``found`` for all that is open now of a kind on ``hosts``, as far as ``gone``."""
        with self._database.writing():
            current = {item.fingerprint: item for item in found}
            self._fold(kind, stamp(at), current, gone, set(hosts))

    def add(self, run: str, host: str, more: Mapping[str, Any]) -> Kept:
        """Keep more with the posture of a run, learned after it; the whole of it."""
        with self._database.writing():
            kept = self.latest(host)
            if kept is None or kept.run != run:
                raise Trouble(f"the history has no posture of {host} of this run")
            document = {**kept.document, **more}
            new, old = parts.split(document), parts.split(kept.document)
            self._store(new)
            self._database.run(
                "UPDATE mail_tls_postures SET facts = ?, judgement = ? WHERE run = ? AND host = ?",
                (*(parts.name(part) for part in new), run, host),
            )
            self._database.run_many(_UNUSED, [(parts.name(part),) * 5 for part in old])
        return replace(kept, document=document)

    def accept(self, host: str, at: datetime, who: str, reason: str) -> None:
        """Make the newest posture of a host what it is to be like."""
        with self._database.writing():
            rows = self._database.run(
                "SELECT run, observed_at, facts, judgement FROM mail_tls_postures"
                " WHERE host = ? ORDER BY at DESC, run DESC LIMIT 1",
                (host,),
            )
            if not rows:
                raise Trouble(f"nothing can be accepted of {host}: no run has seen it")
            run, observed_at, facts, judgement = rows[0]
            self._database.run(
                "INSERT INTO mail_tls_baselines VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (host, stamp(at), run, observed_at, who, reason, facts, judgement),
            )

    def tell(self, channel: str, event: str, items: Iterable[Item], at: datetime) -> None:
        """Note that these were told on a channel."""
        with self._database.writing():
            self._database.run_many(
                "INSERT INTO mail_tls_told VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [(channel, item.fingerprint, item.since, event, stamp(at)) for item in items],
            )

    def expire(self, before: datetime) -> int:
        """Forget runs from before a moment, and what hangs on them; how many runs went.

        The newest baseline of a host stays, and so does what is open.
        """
        edge, run = stamp(before), self._database.run
        if not run("SELECT 1 FROM mail_tls_runs WHERE at < ? LIMIT 1", (edge,)):
            return 0
        with self._database.writing():
            old = " WHERE run IN (SELECT id FROM mail_tls_runs WHERE at < ?)"
            superseded = (
                " WHERE at < ? AND at < (SELECT MAX(n.at) FROM mail_tls_baselines n"
                " WHERE n.host = mail_tls_baselines.host)"
            )
            parted = [
                each
                for table, where in (("postures", old), ("baselines", superseded))
                for column in ("facts", "judgement")
                for each in run(f"SELECT DISTINCT {column} FROM mail_tls_{table}{where}", (edge,))
            ]
            count = int(run("SELECT COUNT(*) FROM mail_tls_runs WHERE at < ?", (edge,))[0][0])
            run(f"DELETE FROM mail_tls_baselines{superseded}", (edge,))
            run(f"DELETE FROM mail_tls_postures{old}", (edge,))
            run("DELETE FROM mail_tls_runs WHERE at < ?", (edge,))
            run("DELETE FROM mail_tls_items WHERE recovered < ?", (edge,))
            run(
                """DELETE FROM mail_tls_told WHERE at < ? AND NOT EXISTS (
                    SELECT 1 FROM mail_tls_items i WHERE i.fingerprint = mail_tls_told.fingerprint
                    AND i.since = mail_tls_told.since)""",
                (edge,),
            )
            self._database.run_many(_UNUSED, [(each[0],) * 5 for each in set(parted)])
        return count

    def read_in(self, lines: Iterable[str]) -> int:
        """Add what was exported elsewhere; how many lines there were."""
        return transfer.read_in(self._database, lines)

    # -----------------------------------------------------------------------------------------
    # Reading

    def export(self) -> Iterator[str]:
        """All of it as JSON lines (transfer.py)."""
        return transfer.export(self._database)

    def latest(self, host: str) -> Optional[Kept]:
        """The newest posture of a host."""
        rows = self._database.run(
            f"SELECT run, at, {_PARTS} FROM mail_tls_postures{_JOIN}"
            " WHERE host = ? ORDER BY at DESC, run DESC LIMIT 1",
            (host,),
        )
        return Kept(rows[0][0], rows[0][1], host, _joined(rows[0][2:])) if rows else None

    def baseline(self, host: str) -> Optional[Baseline]:
        """What was accepted of a host last."""
        rows = self._database.run(
            f"SELECT at, run, who, reason, {_PARTS} FROM mail_tls_baselines{_JOIN}"
            " WHERE host = ? ORDER BY at DESC LIMIT 1",
            (host,),
        )
        if not rows:
            return None
        at, run, who, reason, *packed = rows[0]
        return Baseline(host, at, run, who, reason, _joined(packed))

    def items(
        self, kind: Optional[str] = None, open_only: bool = True, host: Optional[str] = None
    ) -> list[Item]:
        """Episodes by host, oldest first: the open ones, or all of them; those of one host."""
        where = " WHERE recovered IS NULL" if open_only else " WHERE 1 = 1"
        given = {"kind": kind, "host": host}
        values = [value for value in given.values() if value is not None]
        where += "".join(f" AND {name} = ?" for name, value in given.items() if value is not None)
        return self._items(f"SELECT {_ITEM} FROM mail_tls_items{where}", values)

    def untold(self, channel: str, event: str) -> list[Item]:
        """Episodes that a channel has not been told of: ``new`` ones, or ``recovered`` ones.

        Of a recovery only those hear that were told of what recovered.
        """
        condition, told_of_it = _EVENTS[event]
        sql = f"SELECT {_ITEM} FROM mail_tls_items i WHERE {condition} AND NOT EXISTS ({_TOLD})"
        sql += f" AND EXISTS ({_TOLD})" if told_of_it else ""
        values = (channel, event, *((channel, "new") if told_of_it else ()))
        return self._items(sql, values)

    def trend(self, now: datetime, days: int = 400) -> list[Point]:
        """How the fleet stood at the end of each day with a run, oldest first.

        A host counts as it was seen last, until :data:`RETIRED` is over, so that a run on a few
        hosts is no dip.
        """
        since = stamp(now - timedelta(days=days))
        rows = self._database.run(
            "SELECT at, host, verdict, ports, ports_passing, failing FROM mail_tls_postures"
            " WHERE at >= ? ORDER BY at, host",
            (since,),
        )
        return _points(rows)

    # -----------------------------------------------------------------------------------------

    def _items(self, sql: str, values: Sequence[str]) -> list[Item]:
        """Sorted here: two databases may have two orders of text."""
        found = [Item(*row) for row in self._database.run(sql, values)]
        return sorted(found, key=lambda i: (i.host, i.since, i.what, i.subject, i.fingerprint))

    def _store(self, those: Iterable[bytes]) -> None:
        named = {parts.name(part): part for part in those}
        known = set(self._known(list(named)))
        new = [(key, parts.pack(part)) for key, part in named.items() if key not in known]
        self._database.run_many(
            "INSERT INTO mail_tls_documents VALUES (?, ?) ON CONFLICT DO NOTHING", new
        )

    def _known(self, names: Sequence[str], chunk: int = 500) -> Iterable[str]:
        for start in range(0, len(names), chunk):
            some = names[start : start + chunk]
            marks = ", ".join("?" * len(some))
            sql = f"SELECT id FROM mail_tls_documents WHERE id IN ({marks})"
            yield from (row[0] for row in self._database.run(sql, some))

    def _fold(
        self,
        kind: str,
        when: str,
        found: Mapping[str, Item],
        gone: Callable[[Item], bool],
        hosts: Iterable[str],
    ) -> None:
        concerned = set(hosts)
        one = next(iter(concerned)) if len(concerned) == 1 else None
        held = [item for item in self.items(kind, host=one) if item.host in concerned]
        open_now = {item.fingerprint: item for item in held}
        new = [item for key, item in found.items() if key not in open_now]
        still = [
            (found[k].grade, found[k].words, when, k, i.since)
            for k, i in open_now.items()
            if k in found
        ]
        over = [
            (when, item.fingerprint, item.since)
            for item in held
            if item.fingerprint not in found and gone(item)
        ]
        database = self._database
        database.run_many(
            "INSERT INTO mail_tls_items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [_row(replace(item, since=when, seen=when, recovered=None)) for item in new],
        )
        where = " WHERE fingerprint = ? AND since = ?"
        database.run_many(f"UPDATE mail_tls_items SET grade = ?, words = ?, seen = ?{where}", still)
        database.run_many(f"UPDATE mail_tls_items SET recovered = ?{where}", over)


_TOLD = (
    "SELECT 1 FROM mail_tls_told t WHERE t.fingerprint = i.fingerprint AND t.since = i.since"
    " AND t.channel = ? AND t.event = ?"
)
_EVENTS = {"new": ("recovered IS NULL", False), "recovered": ("recovered IS NOT NULL", True)}
"""An event: which episodes it is of, and whether the channel must know of the episode already."""
_UNUSED = (
    "DELETE FROM mail_tls_documents WHERE id = ?"
    " AND NOT EXISTS (SELECT 1 FROM mail_tls_postures WHERE facts = ?)"
    " AND NOT EXISTS (SELECT 1 FROM mail_tls_postures WHERE judgement = ?)"
    " AND NOT EXISTS (SELECT 1 FROM mail_tls_baselines WHERE facts = ?)"
    " AND NOT EXISTS (SELECT 1 FROM mail_tls_baselines WHERE judgement = ?)"
)


def open_history(place: str, read_only: bool = False) -> History:
    """The history at a place (place.find); made where there is none. Raises Trouble."""
    database: Database = Postgresql(place) if is_url(place) else Sqlite(place, read_only)
    try:
        if not read_only:
            migrate(database)
        elif version(database) == 0:
            raise Trouble(f"there is no history at {database.name}")
    except BaseException:
        database.close()
        raise
    return History(database)


class _Posture:
    """A host's part of the document, on its way in."""

    def __init__(self, host: Mapping[str, Any]) -> None:
        self.host: str = host["host"]
        self._document = host
        self.parts = parts.split(host)
        ports = [end["url"] for end in host["endpoints"] if end["open"]]
        spoiled = {finding["subject"] for finding in host["findings"] if finding["fails"]}
        self.row = (
            host["observed_at"],
            host["verdict"],
            len(ports),
            sum(url not in spoiled for url in ports),
            host["summary"]["failing"],
            *(parts.name(part) for part in self.parts),
        )
        self._blind = {
            finding["check_id"]
            for finding in host["findings"]
            if finding["status"] in ("error", "not_checked")
        }

    def failing(self, when: str) -> list[Item]:
        """What fails, once for each check and subject: the findings stand worst first."""
        found: dict[str, Item] = {}
        for each in self._document["findings"]:
            if each["status"] != "fail" and not each["fails"]:
                continue
            key = fingerprint(self.host, each["check_id"], each["subject"])
            words, grade = each["actual"], each["severity"]
            item = Item(
                key, when, FINDING, self.host, each["check_id"], each["subject"], grade, words, when
            )
            found.setdefault(key, item)
        return list(found.values())

    def is_gone(self, item: Item) -> bool:
        """Whether it was seen that something is no longer so, and not merely not seen."""
        same = [
            finding["status"]
            for finding in self._document["findings"]
            if (finding["check_id"], finding["subject"]) == (item.what, item.subject)
        ]
        if same:
            return not set(same) & {"error", "not_checked"}
        return item.what not in self._blind and not self._document["problems"]


def _joined(row: Sequence[Any]) -> dict[str, Any]:
    observed_at, facts, judgement = row
    return parts.join(parts.unpack(facts), parts.unpack(judgement), observed_at)


def _row(item: Item) -> tuple[Any, ...]:
    return tuple(vars(item).values())


def _points(rows: Iterable[Sequence[Any]]) -> list[Point]:
    points: list[Point] = []
    fleet: dict[str, tuple[Any, ...]] = {}
    last = ""
    for row in rows:
        if last and row[0][:10] != last[:10]:
            points.append(_point(last, fleet))
        last = row[0]
        fleet[row[1]] = tuple(row)
    return [*points, _point(last, fleet)] if last else []


def _point(at: str, fleet: dict[str, tuple[Any, ...]]) -> Point:
    edge = stamp(moment(at) - RETIRED)
    for host in [host for host, row in fleet.items() if row[0] < edge]:
        del fleet[host]
    counted = [row for row in fleet.values() if row[2] != "none"]
    return Point(
        at=f"{at[:19]}Z",
        hosts=len(counted),
        hosts_passing=sum(row[2] == "pass" for row in counted),
        ports=sum(row[3] for row in counted),
        ports_passing=sum(row[4] for row in counted),
        failing=sum(row[5] for row in counted),
    )
