# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report for a person at a terminal: one block per host, what matters first, and the cure.

What is alike is said once: at the addresses of a port, of the ports that share a finding, and of
the checks that one silence left without an answer. What is small and fails nothing is told without
its cure; the document has all. A fleet that is too long for blocks is told by fleet.py.

Reads a document of report/json.py and nothing else. No line is longer than the width that was
asked for, and none holds a control character but the colours that were asked for (whether they
are wanted, NO_COLOR included, is the caller's to know).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import fleet
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
_UNSEEN = ("error", "not_checked")
_SMALL = ("low", "info")
_ID = 10
_NARROWEST = 40
# From how many hosts on blocks are more than a person reads.
_FLEET = 13
# Of a piece of evidence, what a terminal shows; the document has it whole.
_SEEN = 150

Document = Mapping[str, Any]


def summary(document: Document, width: int = 80, colour: bool = False) -> str:
    """The document as text of at most ``width`` columns (40 at least), hosts that fail first."""
    width = max(width, _NARROWEST)
    lines: list[str] = []
    if len(document["hosts"]) < _FLEET:
        for host in sorted(document["hosts"], key=_weight):
            lines += [*_host(host, document, width, colour), ""]
    else:
        ordered = sorted(document["hosts"], key=_weight)
        lines += fleet.lines(ordered, width, lambda text, code: _paint(text, code, colour))
    lines += _total(document, width)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _weight(host: Document) -> tuple[Any, ...]:
    """Worst first: by verdict, then by how many findings of the worst kinds."""
    counts = host["summary"]["severities"]
    return _RANK[host["verdict"]], *(-counts[s] for s in _SEVERITIES), host["host"]


def _host(host: Document, document: Document, width: int, colour: bool) -> Iterator[str]:
    word, code = _VERDICTS[host["verdict"]]
    profile = document["profile"]
    right = cut(f"  {safe(profile['name'])} {safe(profile['version'])}", width // 2)
    name = cut(safe(host["host"]), width - columns(word) - columns(right) - 2)
    yield f"{_paint(name, '1', colour)}  {_paint(word, code, colour)}{right}"
    for server in host["servers"]:
        yield cut(f"  {_server(server)}", width)
    yield from _ports(host["endpoints"], width)
    ports = _Ports(host["endpoints"])
    shown = [f for f in host["findings"] if f["status"] == "fail"]
    cures: dict[str, str] = {}
    for group in _groups(shown):
        yield from _finding(group, ports, cures, width, colour)
    yield from _not_seen(host["findings"], ports, width, colour)
    yield from _rest(host, width)


def _server(server: Document) -> str:
    library = server["tls_library"]
    version = safe(server["version"] or "of unknown version")
    linked = f", {safe(library['name'])} {safe(library['version'] or '?')}" if library else ""
    return f"{safe(server['product'])} {version}{linked}"


def _ports(endpoints: Sequence[Document], width: int) -> Iterator[str]:
    """A line for each port; closed ones together."""
    seen = [endpoint for endpoint in endpoints if endpoint["open"]]
    rows = [_HEAD, *_rows(seen)] if seen else []
    widths = [min(_WIDEST, max(columns(cell) for cell in column)) for column in zip(*rows)]
    for row in rows:
        cells = "  ".join(pad(cell, space) for cell, space in zip(row, widths))
        yield cut("  " + cells.rstrip(), width)
    for word in ("closed", "not reached"):
        those = [port_name(e) for e in endpoints if not e["open"] and state(e) == word]
        if those:
            names = ", ".join(dict.fromkeys(those))
            yield from indented(f"{word}: {names}", width, "  ", "    ")


_HEAD = ("port", "TLS", "no-TLS login", "certificate")
_WIDEST = 60


def _rows(seen: Sequence[Document]) -> Iterator[tuple[str, ...]]:
    """A row for each port; another one for an address that shows something else."""
    told: dict[str, tuple[str, ...]] = {}
    for endpoint in seen:
        name = port_name(endpoint)
        facts = versions(endpoint), plaintext(endpoint), certificate(endpoint)
        if told.setdefault(name, facts) is facts:
            yield name, *facts
        elif facts != told[name]:
            yield f"{name}{_six(endpoint) or ' again'}", *facts


def _six(endpoint: Document) -> str:
    return " v6" if ":" in safe(endpoint["host"]) else ""


class _Ports:
    """The ports of a host, to speak of subjects in fewer words."""

    def __init__(self, endpoints: Sequence[Document]) -> None:
        self.known = {endpoint["url"]: endpoint for endpoint in endpoints}
        self.addresses: dict[str, set[str]] = {}
        for endpoint in endpoints:
            self.addresses.setdefault(port_name(endpoint), set()).add(endpoint["host"])

    def words(self, subjects: Sequence[str]) -> str:
        """``143 imap, 993 imap v6``: a port by its name alone where all its addresses are meant."""
        meant: dict[str, set[str]] = {}
        for subject in subjects:
            if subject in self.known:
                name = port_name(self.known[subject])
                meant.setdefault(name, set()).add(self.known[subject]["host"])
        said = [self._named(subject, meant) for subject in subjects]
        return ", ".join(dict.fromkeys(said))

    def _named(self, subject: str, meant: Mapping[str, set[str]]) -> str:
        endpoint = self.known.get(subject)
        if endpoint is None:
            return safe(subject)
        name = port_name(endpoint)
        if meant[name] == self.addresses[name]:
            return name
        return f"{name}{_six(endpoint) or ' v4'}" if _two(self.addresses[name]) else safe(subject)


def _two(addresses: set[str]) -> bool:
    """Whether they are one of IPv4 and one of IPv6, so that this tells them apart."""
    return sorted(":" in address for address in addresses) == [False, True]


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
    group: Sequence[Document], ports: _Ports, cures: dict[str, str], width: int, colour: bool
) -> Iterator[str]:
    """What is wrong, where, and the cure; ``cures`` are those that were told already."""
    first = group[0]
    severity = safe(first["severity"])
    label = f"  {pad(severity, 9)}{cut(safe(first['check_id']), _ID)}  "
    text = safe(first["actual"]).strip() or "(nothing said)"
    head, *more = indented(text, width, label, " " * columns(label))
    yield _paint(head, _COLOURS.get(severity, "33"), colour)
    yield from more
    told = [("on", ports.words([finding["subject"] for finding in group]))]
    if first["fails"] or severity not in _SMALL:
        told += _details(group, cures)
    for title, text in told:
        yield from indented(text, width, f"           {pad(title, 9)}", " " * 20)


def _details(group: Sequence[Document], cures: dict[str, str]) -> Iterator[tuple[str, str]]:
    first = group[0]
    evidence = dict.fromkeys(safe(e) for finding in group for e in finding["evidence"])
    yield "expected", safe(first["expected"])
    for text in list(evidence)[:3]:
        yield "seen", cut(text, _SEEN)
    cure, told = safe(first["remediation"]), cures.get(first["remediation"])
    cures.setdefault(first["remediation"], cut(safe(first["check_id"]), _ID))
    yield "cure", f"as for {told}" if told else cure


def _not_seen(
    findings: Sequence[Document], ports: _Ports, width: int, colour: bool
) -> Iterator[str]:
    """What got no answer: the checks together that it was the same subjects' fault."""
    by_subject: dict[str, list[Document]] = {}
    for finding in findings:
        if finding["status"] == "error" or (finding["fails"] and finding["status"] in _UNSEEN):
            by_subject.setdefault(finding["subject"], []).append(finding)
    alike: dict[tuple[str, ...], list[str]] = {}
    for subject, found in by_subject.items():
        alike.setdefault(tuple(safe(f["check_id"]) for f in found), []).append(subject)
    for checks, subjects in alike.items():
        where = ports.words(subjects).strip() or "the host"
        head, *more = indented(where, width, f"  {pad('unseen', 9)}", " " * 11)
        yield _paint(head, "33", colour)
        yield from more
        reason = safe(by_subject[subjects[0]][0]["actual"])
        for title, text in (("because", reason), ("checks", ", ".join(checks))):
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
