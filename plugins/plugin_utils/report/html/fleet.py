# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet in figures: what the first page of a report shows, as values.

Reads a document of report/json.py and nothing else; knows no HTML. Identical findings are told
once with all their places, because a fleet's hosts are alike: what is wrong on one is wrong on
hundreds. All that is listed is bounded, so that a page of ten thousand hosts can still be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from ...policy import Check
from ..trend import Point, of
from .lifetime import Lease, leases

Document = Mapping[str, Any]

FAMILIES: Mapping[str, str] = {
    "PT": "Plaintext",
    "INJ": "Injection",
    "TLS": "Protocol",
    "CRT": "Certificate",
    "CFG": "Configuration",
    "LOG": "Logging",
    "DNS": "DNS",
    "OPS": "Operation",
}
"""The families of checks, by the letters before the number of a check id."""

SEVERITIES = ("critical", "high", "medium", "low", "info")
MOST_CASES, MOST_PLACES, MOST_CHANGES = 8, 12, 30

_VERDICTS = ("fail", "error", "pass", "none")
_RANK = {
    word: number
    for number, word in enumerate((*SEVERITIES, "unseen", "noted", "waived", "pass", ""))
}


@dataclass(frozen=True)
class Row:
    """A host on the first page. ``cells`` are the worst that each family of checks found.

    A cell is a severity, ``unseen``, ``noted`` (wrong, but no reason to fail), ``waived``,
    ``pass`` or ``""`` (nothing to judge).
    """

    number: int
    host: str
    verdict: str
    server: str
    failing: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where something is wrong: subjects of one host, and the files and lines that cause it."""

    number: int
    host: str
    subjects: tuple[str, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """One way in which a check fails, and where; ``more`` places are not listed."""

    actual: str
    expected: str
    places: tuple[Place, ...]
    more: int


@dataclass(frozen=True)
class Fault:
    """A check that fails, how often, and its cures."""

    check_id: str
    title: str
    severity: str
    hosts: int
    subjects: int
    cures: tuple[str, ...]
    cases: tuple[Case, ...]
    more: int


@dataclass(frozen=True)
class Change:
    """A check that began (``new``) or ended to fail since the last report, and where."""

    check_id: str
    title: str
    new: bool
    hosts: tuple[tuple[int, str, int], ...]
    more: int


@dataclass(frozen=True)
class Fleet:
    """All that the first page says."""

    now: Point
    verdicts: Mapping[str, int]
    rows: tuple[Row, ...]
    families: tuple[str, ...]
    faults: tuple[Fault, ...]
    leases: tuple[Lease, ...]
    changes: tuple[Change, ...]
    compared: Optional[str]


def fleet(document: Document, catalogue: Mapping[str, Check]) -> Fleet:
    """The figures of a document; checks have their titles from the catalogue."""
    hosts = document["hosts"]
    rows = [_row(number, host) for number, host in enumerate(hosts, 1)]
    used = {key for row in rows for key, cell in zip(FAMILIES, row.cells) if cell}
    families = tuple(key for key in FAMILIES if key in used)
    return Fleet(
        now=of(document),
        verdicts=document["summary"]["verdicts"],
        rows=tuple(sorted(rows, key=_order)),
        families=families,
        faults=tuple(_faults(hosts, catalogue)),
        leases=leases(document),
        changes=tuple(_changes(hosts, catalogue)),
        compared=document["previous_generated_at"],
    )


def _order(row: Row) -> tuple[Any, ...]:
    return _VERDICTS.index(row.verdict), sorted(_RANK[cell] for cell in row.cells)


def title(check_id: str, catalogue: Mapping[str, Check]) -> str:
    """The promise that a check makes, ``""`` for one that the catalogue does not have."""
    check = catalogue.get(check_id)
    return check.title if check else ""


# ---------------------------------------------------------------------------------------------
# Hosts and families


def _row(number: int, host: Document) -> Row:
    worst = dict.fromkeys(FAMILIES, "")
    for finding in host["findings"]:
        family, cell = finding["check_id"].partition("-")[0], cell_of(finding)
        if family in worst and _RANK[cell] < _RANK[worst[family]]:
            worst[family] = cell
    servers = ", ".join(server_name(server) for server in host["servers"])
    failing = host["summary"]["failing"]
    return Row(number, host["host"], host["verdict"], servers, failing, tuple(worst.values()))


def cell_of(finding: Document) -> str:
    """A finding in one word: its severity where it counts, else what became of it."""
    status = finding["status"]
    if finding["fails"]:
        return str(finding["severity"]) if status == "fail" else "unseen"
    if status == "fail":
        return "noted"
    return str(status) if status in ("pass", "waived") else ""


def server_name(server: Document) -> str:
    """``dovecot 2.4.1``."""
    return f"{server['product']} {server['version'] or ''}".strip()


# ---------------------------------------------------------------------------------------------
# What to fix


def _faults(hosts: Sequence[Document], catalogue: Mapping[str, Check]) -> Iterator[Fault]:
    """The checks that fail, worst first, then those of most hosts; a cure is told once."""
    found: dict[str, list[tuple[int, Document]]] = {}
    for number, host in enumerate(hosts):
        for finding in host["findings"]:
            if finding["fails"] and finding["status"] == "fail":
                found.setdefault(finding["check_id"], []).append((number, finding))
    faults = [_fault(name, where, hosts, catalogue) for name, where in found.items()]
    faults.sort(key=lambda f: (_RANK[f.severity], -f.hosts, -f.subjects, f.check_id))
    told: dict[tuple[str, ...], str] = {}
    for fault in faults:
        first = told.setdefault(fault.cures, fault.check_id)
        alike = first != fault.check_id
        yield replace(fault, cures=(f"As for {first}.",)) if alike else fault


def _fault(
    check_id: str,
    where: Sequence[tuple[int, Document]],
    hosts: Sequence[Document],
    catalogue: Mapping[str, Check],
) -> Fault:
    ways: dict[tuple[str, str], dict[int, list[Document]]] = {}
    for number, finding in where:
        way = ways.setdefault((finding["actual"], finding["expected"]), {})
        way.setdefault(number, []).append(finding)
    common = sorted(ways.items(), key=lambda way: -len(way[1]))
    return Fault(
        check_id=check_id,
        title=title(check_id, catalogue),
        severity=min((finding["severity"] for _number, finding in where), key=SEVERITIES.index),
        hosts=len({number for number, _finding in where}),
        subjects=len(where),
        cures=tuple(dict.fromkeys(finding["remediation"] for _number, finding in where))[:3],
        cases=tuple(_case(way, hosts) for way in common[:MOST_CASES]),
        more=max(0, len(common) - MOST_CASES),
    )


def _case(way: tuple[tuple[str, str], dict[int, list[Document]]], hosts: Any) -> Case:
    (actual, expected), found = way
    listed = list(found.items())[:MOST_PLACES]
    places = (_place(number, hosts[number]["host"], those) for number, those in listed)
    return Case(actual, expected, tuple(places), max(0, len(found) - MOST_PLACES))


def _place(number: int, host: str, findings: Iterable[Document]) -> Place:
    those = tuple(findings)
    evidence = dict.fromkeys(text for finding in those for text in finding["evidence"])
    subjects = tuple(finding["subject"] for finding in those)
    return Place(number + 1, host, subjects, tuple(evidence)[:3])


# ---------------------------------------------------------------------------------------------
# Since the last report


def _changes(hosts: Sequence[Document], catalogue: Mapping[str, Check]) -> Iterator[Change]:
    """What began to fail first, then what ended to; the checks of most hosts first."""
    for new in (True, False):
        found: dict[str, dict[int, int]] = {}
        for number, host in enumerate(hosts, 1):
            for each in (host["since"] or {}).get("new" if new else "gone", ()):
                counts = found.setdefault(each["check_id"], {})
                counts[number] = counts.get(number, 0) + 1
        ordered = sorted(found.items(), key=lambda each: (-len(each[1]), each[0]))
        for check_id, counts in ordered[:MOST_CHANGES]:
            listed = list(counts.items())[:MOST_PLACES]
            named = tuple((n, hosts[n - 1]["host"], count) for n, count in listed)
            more = len(counts) - len(listed)
            yield Change(check_id, title(check_id, catalogue), new, named, more)
