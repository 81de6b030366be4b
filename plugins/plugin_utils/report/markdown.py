# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as Markdown: a summary for an issue, a merge request or the summary of a CI step.

Short whatever the fleet is (those places take 64 KiB to 1 MiB): the worst hosts, what fails most
with its cure, the next certificates, and how many more there are. Text of the document stands in
code spans only, where nothing of it is markup, a link or a mention; prose is the catalogue's.

Source: GitHub Flavored Markdown, sections 6.1 (backslash escapes), 6.3 (code spans), 4.10 (tables).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ..policy import Check
from .layout import cut, safe

Document = Mapping[str, Any]

_HOSTS, _CHECKS, _UNSEEN, _CERTIFICATES, _SUBJECTS = 25, 15, 15, 10, 3
_LONGEST = 160
_SEVERITIES = ("critical", "high", "medium", "low", "info")
_VERDICTS = {
    "fail": "**fails**",
    "error": "**not proven**",
    "none": "no mail server seen",
    "pass": "passes",
}
_RANK = tuple(_VERDICTS)


def summary(document: Document, checks: Mapping[str, Check]) -> str:
    """The document in a page; ``checks`` is the catalogue."""
    parts = (
        _head(document),
        _changes(document["hosts"]),
        _hosts(document["hosts"]),
        _failing(document["hosts"], checks),
        _not_seen(document["hosts"]),
        _certificates(document["hosts"]),
    )
    return "\n".join(line for part in parts for line in part)


# ---------------------------------------------------------------------------------------------
# Escaping


def code(value: object) -> str:
    """Untrusted text as a code span, also within a table."""
    # No escape of a pipe within a code span is read alike everywhere, so it becomes a broken bar.
    text = cut(safe(value), _LONGEST).replace("|", "\u00a6")
    if not text.strip():
        return "(empty)"
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    blank = " " if longest or text != text.strip() else ""
    return f"{fence}{blank}{text}{blank}{fence}"


def prose(text: str) -> str:
    """Words of the catalogue, of which nothing is taken for markup or a mention."""
    return " ".join(code(word) if "@" in word else _plain(word) for word in safe(text).split())


def _plain(word: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|~!&$])", r"\\\1", word)


# ---------------------------------------------------------------------------------------------
# Parts of the page


def _head(document: Document) -> Iterator[str]:
    totals = document["summary"]
    verdicts, profile = totals["verdicts"], document["profile"]
    yield f"# Mail TLS: {verdicts['pass']} of {totals['hosts']} hosts pass"
    yield ""
    counts = [f"{totals['severities'][s]} {s}" for s in _SEVERITIES if totals["severities"][s]]
    judged = f"Judged by {code(profile['name'])} {code(profile['version'])}"
    yield f"{judged} at {code(document['generated_at'])}. Findings: {', '.join(counts) or 'none'}."
    yield ""


def _changes(hosts: Sequence[Document]) -> Iterator[str]:
    """What changed since the report before, where there was one."""
    since = [host["since"] for host in hosts if host["since"] is not None]
    if since:
        new, gone = (sum(len(each[word]) for each in since) for word in ("new", "gone"))
        yield f"Since the report before: {new} new, {gone} gone."
        yield ""


def _hosts(hosts: Sequence[Document]) -> Iterator[str]:
    if not hosts:
        return
    ordered = sorted(hosts, key=_weight)
    shown = [host for host in ordered if host["verdict"] != "pass"][:_HOSTS] or ordered[:_HOSTS]
    yield f"| host | verdict | {' | '.join(_SEVERITIES[:3])} | not seen |"
    yield "|---|---|--:|--:|--:|--:|"
    for host in shown:
        counts = host["summary"]
        numbers = [counts["severities"][severity] for severity in _SEVERITIES[:3]]
        numbers.append(counts["statuses"]["error"])
        cells = [code(host["host"]), _VERDICTS[host["verdict"]], *map(str, numbers)]
        yield f"| {' | '.join(cells)} |"
    yield ""
    rest = ordered[len(shown) :]
    if rest:
        words = [
            f"{sum(host['verdict'] == verdict for host in rest)} {_VERDICTS[verdict]}"
            for verdict in _RANK
            if any(host["verdict"] == verdict for host in rest)
        ]
        yield f"And {len(rest)} more: {', '.join(words)}."
        yield ""


def _weight(host: Document) -> tuple[Any, ...]:
    """Worst first: by verdict, then by how many findings of the worst kinds."""
    counts = host["summary"]["severities"]
    return _RANK.index(host["verdict"]), *(-counts[s] for s in _SEVERITIES), host["host"]


def _failing(hosts: Sequence[Document], checks: Mapping[str, Check]) -> Iterator[str]:
    """What fails, by check: the worst first, then what is on most hosts."""
    found: dict[str, list[tuple[str, Document]]] = {}
    for host in hosts:
        for finding in host["findings"]:
            if finding["fails"] and finding["status"] == "fail":
                found.setdefault(finding["check_id"], []).append((host["host"], finding))
    if not found:
        return
    order = sorted(found, key=lambda check: (_worst(found[check]), -_on(found[check]), check))
    yield "## What fails"
    yield ""
    cures: dict[str, str] = {}
    for check in order[:_CHECKS]:
        yield from _check(check, found[check], checks.get(check), cures)
    if order[_CHECKS:]:
        yield f"- and {_count(len(order) - _CHECKS, 'check')} more"
    yield ""


def _worst(rows: Sequence[tuple[str, Document]]) -> int:
    return min(_SEVERITIES.index(finding["severity"]) for _host, finding in rows)


def _on(rows: Sequence[tuple[str, Document]]) -> int:
    return len({host for host, _finding in rows})


def _check(
    check: str,
    rows: Sequence[tuple[str, Document]],
    known: Optional[Check],
    cures: dict[str, str],
) -> Iterator[str]:
    """A check, where it fails, and its cure unless ``cures`` has it from another one."""
    title = f" {prose(known.title)}" if known else ""
    where = f"{_count(_on(rows), 'host')}, {_count(len(rows), 'place')}"
    yield f"- **{_SEVERITIES[_worst(rows)]}** {code(check)}{title} ({where})"
    for host, finding in rows[:_SUBJECTS]:
        yield f"  - {_place(host, finding)}: {code(finding['actual'])}"
    if rows[_SUBJECTS:]:
        yield f"  - and {len(rows) - _SUBJECTS} more"
    if known:
        told = cures.setdefault(known.remediation, check)
        cure = prose(known.remediation) if told == check else f"as for {code(told)}"
        yield f"  - Cure: {cure}"


def _place(host: str, finding: Document) -> str:
    return f"{code(host)}, {code(finding['subject'])}" if finding["subject"] else code(host)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _not_seen(hosts: Sequence[Document]) -> Iterator[str]:
    """What could not be observed, so that nobody takes it for good."""
    found: list[str] = []
    for host in hosts:
        found += [f"- {code(host['host'])}: {code(p['message'])}" for p in host["problems"]]
        silent: dict[str, list[Document]] = {}
        for finding in host["findings"]:
            if finding["status"] == "error":
                silent.setdefault(finding["subject"], []).append(finding)
        for rows in silent.values():
            place = _place(host["host"], rows[0])
            found.append(f"- {place}: {_count(len(rows), 'check')}, {code(rows[0]['actual'])}")
    if found:
        yield from ("## What could not be seen", "", *found[:_UNSEEN])
        if found[_UNSEEN:]:
            yield f"- and {len(found) - _UNSEEN} more"
        yield ""


def _certificates(hosts: Sequence[Document]) -> Iterator[str]:
    """Those that end next, each once."""
    ends: dict[str, tuple[int, str, set[str]]] = {}
    for host in hosts:
        for endpoint in host["endpoints"]:
            for leaf in endpoint["chain"][:1]:
                if not leaf.get("error"):
                    name = (leaf["names"] or [leaf["common_name"] or leaf["subject"]])[0]
                    row = ends.setdefault(leaf["sha256"], (leaf["days_left"], name, set()))
                    row[2].add(host["host"])
    if not ends:
        return
    yield "## Certificates by time left"
    yield ""
    ordered = sorted(ends.values(), key=lambda row: (row[0], row[1]))
    for left, name, on in ordered[:_CERTIFICATES]:
        time = f"{left} days" if left >= 0 else "**ended**"
        more = f" and {len(on) - 1} more" if len(on) > 1 else ""
        yield f"- {time}: {code(name)} on {code(min(on))}{more}"
    if ordered[_CERTIFICATES:]:
        yield f"- and {len(ordered) - _CERTIFICATES} more"
    yield ""
