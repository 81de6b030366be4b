# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many hosts for a person at a terminal: the worst of them, what fails most, and how many more.

As long for 1,000 hosts as for 100: what is left out is counted. Reads hosts of a document of
report/json.py, worst first, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .layout import cut, indented, pad, safe

Document = Mapping[str, Any]
Paint = Callable[[str, str], str]

_HOSTS, _CHECKS = 20, 8
_SEVERITIES = {"critical": "31;1", "high": "31", "medium": "33", "low": "36", "info": "2"}
_VERDICTS = {
    "fail": ("FAILS", "fail", "31;1"),
    "error": ("NOT PROVEN", "are not proven", "33;1"),
    "pass": ("passes", "pass", "32"),
    "none": ("no server", "have no mail server", "2"),
}
_COLUMNS = ("critical", "high", "medium", "unseen")
_RIGHT = sum(len(column) + 2 for column in _COLUMNS) + 12


def lines(ordered: Sequence[Document], width: int, paint: Paint) -> Iterator[str]:
    """The fleet in some 60 lines."""
    bad = [host for host in ordered if host["verdict"] in ("fail", "error")]
    shown = bad[:_HOSTS]
    if shown:
        yield from _table(shown, width, paint)
    yield from _rest([host for host in ordered if host not in shown], bool(shown), width)
    yield ""
    yield from _failing(ordered, width, paint)


def _table(hosts: Sequence[Document], width: int, paint: Paint) -> Iterator[str]:
    wide = width >= 30 + _RIGHT
    numbers = _COLUMNS if wide else _COLUMNS[:1]
    room = width - 12 - sum(len(column) + 2 for column in numbers)
    yield cut(pad("worst hosts", room) + pad("verdict", 12) + _numbers(numbers), width)
    for host in hosts:
        counts = {**host["summary"]["severities"], "unseen": host["summary"]["statuses"]["error"]}
        word, _several, code = _VERDICTS[host["verdict"]]
        cells = [f"{counts[column]:>{len(column) + 2}}" for column in numbers]
        yield pad(safe(host["host"]), room - 1) + " " + paint(pad(word, 12), code) + "".join(cells)


def _numbers(columns: Sequence[str]) -> str:
    return "".join(f"  {column}" for column in columns)


def _rest(hosts: Sequence[Document], more: bool, width: int) -> Iterator[str]:
    """How many hosts were not named, by verdict."""
    counts = {word: sum(host["verdict"] == word for host in hosts) for word in _VERDICTS}
    words = [f"{count} {_VERDICTS[word][1]}" for word, count in counts.items() if count]
    if words:
        text = f"and {len(hosts)} more: {', '.join(words)}" if more else ", ".join(words)
        yield from indented(text, width, "", "  ")


def _failing(hosts: Sequence[Document], width: int, paint: Paint) -> Iterator[str]:
    """The checks that fail: worst first, then on most hosts; each with its cure."""
    on: dict[str, dict[str, Document]] = {}
    for host in hosts:
        for finding in host["findings"]:
            if finding["status"] == "fail" and finding["fails"]:
                on.setdefault(finding["check_id"], {}).setdefault(host["host"], finding)
    rank = list(_SEVERITIES)

    def weight(check: str) -> tuple[int, int, str]:
        worst = min(rank.index(finding["severity"]) for finding in on[check].values())
        return worst, -len(on[check]), check

    order = sorted(on, key=weight)
    cures: dict[str, str] = {}
    for check in order[:_CHECKS]:
        yield from _check(check, on[check], cures, width, paint)
    if order[_CHECKS:]:
        yield from indented(f"and {len(order) - _CHECKS} more checks", width, "", "  ")
    if order:
        yield ""


def _check(
    check: str, on: Mapping[str, Document], cures: dict[str, str], width: int, paint: Paint
) -> Iterator[str]:
    first, *_others = on.values()
    severity, count = safe(first["severity"]), len(on)
    head = f"{pad(severity, 9)}{safe(check)} on {count} host{'' if count == 1 else 's'}"
    yield paint(cut(head, width), _SEVERITIES.get(severity, "33"))
    cure, told = safe(first["remediation"]), cures.get(first["remediation"])
    cures.setdefault(first["remediation"], safe(check))
    for title, text in (
        ("expected", safe(first["expected"])),
        ("cure", f"as for {told}" if told else cure),
    ):
        yield from indented(text, width, f"         {pad(title, 9)}", " " * 18)
