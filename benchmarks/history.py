#!/usr/bin/env python3
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the history costs with a year of daily runs of 1,000 hosts.

    PYTHONPATH=collections benchmarks/history.py [--hosts N] [--days N] [--history PLACE]

Each figure is also a ratio to `json.loads` of one report of as many hosts in the same run, which
is what whoever has no history pays to look at a single day. The year is made of rows as the store
makes them (each host changes once a month, and a twentieth of what is open turns over each day);
the last day is kept by the store itself.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from importlib import import_module
from typing import Any

from ansible_collections.postmaster.tls.plugins.plugin_utils.fingerprint import finding
from ansible_collections.postmaster.tls.plugins.plugin_utils.history import parts
from ansible_collections.postmaster.tls.plugins.plugin_utils.history.rows import stamp
from ansible_collections.postmaster.tls.plugins.plugin_utils.history.store import (
    History,
    open_history,
)

# Not an import: the tests are typed by rules of their own.
DOCUMENTS: Any = import_module(
    "ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents"
)
NOW = datetime(2026, 11, 30, 3, tzinfo=timezone.utc)
OPEN = 18
"""What is open on a weak host."""
INSERTS = (
    "INSERT INTO mail_tls_documents VALUES (?, ?)",
    "INSERT INTO mail_tls_postures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "INSERT INTO mail_tls_items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
)


def fleet(hosts: int) -> dict[str, Any]:
    """A report of so many weak hosts."""
    one = DOCUMENTS.report(DOCUMENTS.WEAK)
    host = one["hosts"][0]
    one["hosts"] = []
    for number in range(hosts):
        other = copy.deepcopy(host)
        other["host"] = f"mail{number:04}.example.org"
        one["hosts"].append(other)
    return one


def year(history: History, document: dict[str, Any], days: int) -> int:
    """Fill a history; how many items it has."""
    rng = random.Random(6)  # noqa: S311  a history, not a secret
    database = history._database
    split = [parts.split(host) for host in document["hosts"]]
    names = [host["host"] for host in document["hosts"]]
    count = 0
    for day in range(days, 0, -1):
        at = stamp(NOW - timedelta(days=day))
        with database.writing():
            database.run("INSERT INTO mail_tls_runs VALUES (?, ?, 'drift', 'p')", (f"r{day}", at))
            documents, postures, items = [], [], []
            for number, (facts, judgement) in enumerate(split):
                # Once a month another posture: other bytes, so another name.
                month = b" " * ((day + number) // 30)
                pair = [facts + month, judgement + month]
                if day == days or (day + number) % 30 == 29:
                    documents += [(parts.name(part), parts.pack(part)) for part in pair]
                held = [parts.name(part) for part in pair]
                postures.append((f"r{day}", names[number], at, at, "fail", 5, 2, OPEN, *held))
                if day == days or rng.random() < 0.05 * OPEN:
                    fresh = range(OPEN) if day == days else [rng.randrange(OPEN)]
                    items += [_item(names[number], check, at, day, rng) for check in fresh]
            for sql, rows in zip(INSERTS, (documents, postures, items)):
                database.run_many(f"{sql} ON CONFLICT DO NOTHING", rows)
        count += len(items)
    return count


def _item(host: str, check: int, at: str, day: int, rng: random.Random) -> tuple[Any, ...]:
    over = stamp(NOW - timedelta(days=max(1, day - 20))) if rng.random() < 0.95 else None
    key = finding(host, f"C-{check}", "imap")
    row = ("finding", host, f"C-{check}", "imap://x:143", "high", "what was seen of it", at, over)
    return (key, at, *row)


def timed(what: Callable[[], Any], runs: int = 3) -> float:
    """The median of some runs, in seconds."""
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        what()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="What a year of history costs.")
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--history", default="")
    arguments = parser.parse_args()
    document = fleet(arguments.hosts)
    text = json.dumps(document)
    unit = timed(lambda: json.loads(text))
    with tempfile.TemporaryDirectory() as folder:
        place = arguments.history or os.path.join(folder, "history.sqlite")
        with open_history(place) as history:
            began = time.perf_counter()
            items = year(history, document, arguments.days)
            filled = time.perf_counter() - began
            measure(history, document, unit, arguments.hosts)
        what = f"{arguments.days} days of {arguments.hosts} hosts, {items} items"
        print(f"{what}, made in {filled:.0f} s")
        if not arguments.history:
            size, daily = os.path.getsize(place) / 1e6, len(text) * arguments.days / 1e6
            print(f"{size:.0f} MB; those reports as files: {daily:.0f} MB, {daily / size:.0f}x")


def measure(history: History, document: dict[str, Any], unit: float, hosts: int) -> None:
    """Time the questions that a run and a reader ask."""
    host = document["hosts"][hosts // 2]["host"]
    once: dict[str, Callable[[], Any]] = {
        "keep a run that is as the one before": lambda: history.keep("n1", NOW, "d", document),
        "keep a run like it once more": lambda: history.keep(
            "n2", NOW + timedelta(days=1), "d", document
        ),
        "accept one host": lambda: history.accept(host, NOW, "me", "because"),
    }
    often: dict[str, Callable[[], Any]] = {
        "newest posture of a host": lambda: history.latest(host),
        "baseline of a host": lambda: history.baseline(host),
        "all that is open": history.items,
        "what a channel has not heard": lambda: history.untold("c", "new"),
        "what recovered and was told": lambda: history.untold("c", "recovered"),
        "trend of the year": lambda: history.trend(NOW + timedelta(days=2)),
    }
    print(f"{'json.loads of one report':40}{unit * 1000:10.1f} ms   1")
    for name, what in once.items():
        _say(name, timed(what, 1), unit)
    for name, what in often.items():
        _say(name, timed(what), unit)
    _say("forget the oldest day", timed(lambda: history.expire(NOW - timedelta(days=364)), 1), unit)


def _say(name: str, seconds: float, unit: float) -> None:
    print(f"{name:40}{seconds * 1000:10.1f} ms   {seconds / unit:.3g}")


if __name__ == "__main__":
    main()
