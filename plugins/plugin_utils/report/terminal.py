# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report for a person at a terminal: one block per host, what matters first, and the cure.

Reads a document of report/json.py and nothing else. No line is longer than the width that was
asked for, and none holds a control character but the colours that were asked for (whether they
are wanted, NO_COLOR included, is the caller's to know).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .layout import (
    certificate,
    columns,
    cut,
    indented,
    pad,
    plaintext,
    port_name,
    safe,
    state,
    versions,
)

_VERDICTS = {
    "pass": ("passes", "32"),
    "fail": ("FAILS", "31;1"),
    "error": ("NOT PROVEN", "33;1"),
    "none": ("no mail server", "2"),
}
_COLOURS = {"critical": "31;1", "high": "31", "medium": "33", "low": "36", "info": "2"}
_SEVERITIES = tuple(_COLOURS)
_RANK = {"fail": 0, "error": 1, "none": 3, "pass": 2}
_NARROWEST = 40
# Of a piece of evidence, what a terminal shows; the document has it whole.
_SEEN = 150

Document = Mapping[str, Any]


def summary(document: Document, width: int = 80, colour: bool = False) -> str:
    """The document as text of at most ``width`` columns (40 at least), hosts that fail first."""
    width = max(width, _NARROWEST)
    hosts = sorted(document["hosts"], key=lambda h: (_RANK[h["verdict"]], h["host"]))
    lines: list[str] = []
    for host in hosts:
        lines += [*_host(host, document, width, colour), ""]
    lines += _total(document, width)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _host(host: Document, document: Document, width: int, colour: bool) -> Iterator[str]:
    word, code = _VERDICTS[host["verdict"]]
    profile = document["profile"]
    right = cut(f"  {safe(profile['name'])} {safe(profile['version'])}", width // 2)
    name = cut(safe(host["host"]), width - columns(word) - columns(right) - 2)
    yield f"{_paint(name, '1', colour)}  {_paint(word, code, colour)}{right}"
    for server in host["servers"]:
        yield cut(f"  {_server(server)}", width)
    yield from _ports(host["endpoints"], width)
    shown = [f for f in host["findings"] if f["status"] in ("fail", "error") or f["fails"]]
    cures: dict[str, str] = {}
    for group in _groups(shown):
        yield from _finding(group, cures, width, colour)
    yield from _rest(host, width)


def _server(server: Document) -> str:
    library = server["tls_library"]
    version = safe(server["version"] or "of unknown version")
    linked = f", {safe(library['name'])} {safe(library['version'] or '?')}" if library else ""
    return f"{safe(server['product'])} {version}{linked}"


def _ports(endpoints: Sequence[Document], width: int) -> Iterator[str]:
    """A line for each port; closed ones together."""
    seen = [endpoint for endpoint in endpoints if endpoint["open"]]
    rows = [_HEAD, *(_port(endpoint) for endpoint in seen)] if seen else []
    widths = [min(_WIDEST, max(columns(cell) for cell in column)) for column in zip(*rows)]
    for row in rows:
        cells = "  ".join(pad(cell, space) for cell, space in zip(row, widths))
        yield cut("  " + cells, width)
    for word in ("closed", "not reached"):
        those = [port_name(e) for e in endpoints if not e["open"] and state(e) == word]
        if those:
            names = ", ".join(dict.fromkeys(those))
            yield from indented(f"{word}: {names}", width, "  ", "    ")


_HEAD = ("port", "TLS", "no-TLS login", "certificate")
_WIDEST = 60


def _port(endpoint: Document) -> tuple[str, ...]:
    name = port_name(endpoint) + (" v6" if ":" in safe(endpoint["host"]) else "")
    return name, versions(endpoint), plaintext(endpoint), certificate(endpoint)


# ---------------------------------------------------------------------------------------------
# Findings


def _groups(findings: Sequence[Document]) -> list[list[Document]]:
    """Findings that say the same of several subjects, together; the order is kept."""
    groups: dict[tuple[Any, ...], list[Document]] = {}
    for finding in findings:
        key = tuple(finding[k] for k in ("check_id", "status", "severity", "actual", "remediation"))
        groups.setdefault(key, []).append(finding)
    return list(groups.values())


def _finding(
    group: Sequence[Document], cures: dict[str, str], width: int, colour: bool
) -> Iterator[str]:
    """What is wrong, where, and the cure; ``cures`` are those that were told already."""
    first = group[0]
    word = "unseen" if first["status"] in ("error", "not_checked") else safe(first["severity"])
    label = f"  {pad(word, 9)}{safe(first['check_id'])}  "
    head, *more = indented(safe(first["actual"]), width, label, " " * columns(label))
    yield _paint(head, _COLOURS.get(word, "33"), colour)
    yield from more
    subjects = ", ".join(safe(finding["subject"]) for finding in group)
    evidence = dict.fromkeys(safe(e) for finding in group for e in finding["evidence"])
    rest = [("on", subjects), ("expected", safe(first["expected"]))]
    rest += [("seen", cut(text, _SEEN)) for text in list(evidence)[:3]]
    cure, told = safe(first["remediation"]), cures.get(first["remediation"])
    cures.setdefault(first["remediation"], safe(first["check_id"]))
    rest.append(("cure", f"as for {told}" if told else cure))
    for title, text in rest:
        yield from indented(text, width, f"           {pad(title, 9)}", " " * 20)


def _rest(host: Document, width: int) -> Iterator[str]:
    """One line for what needs no words of its own."""
    statuses = host["summary"]["statuses"]
    words = [
        f"{statuses[status]} {text}"
        for status, text in (
            ("pass", "passed"),
            ("waived", "waived"),
            ("not_checked", "not checked"),
        )
        if statuses[status]
    ]
    if words:
        yield from indented(", ".join(words), width, "  ", "  ")
    for problem in host["problems"]:
        yield from indented(safe(problem["message"]), width, "  problem: ", "    ")


def _total(document: Document, width: int) -> list[str]:
    totals = document["summary"]
    verdicts = totals["verdicts"]
    parts = [
        f"{verdicts[word]} {text}"
        for word, text in (
            ("pass", "pass"),
            ("fail", "fail"),
            ("error", "not proven"),
            ("none", "without a mail server"),
        )
        if verdicts[word]
    ]
    found = [f"{totals['severities'][s]} {s}" for s in _SEVERITIES if totals["severities"][s]]
    hosts = f"{totals['hosts']} host{'' if totals['hosts'] == 1 else 's'}"
    text = f"{hosts}: {', '.join(parts) or 'none'}. Findings: {', '.join(found) or 'none'}."
    return list(indented(text, width, "", "  "))


def _paint(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text
