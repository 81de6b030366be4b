# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two reports side by side: each host and port before and after, for a person to read.

Reads two documents of report/json.py and nothing else. So that the eye finds what changed, it says
of a port only that, and says it once where all addresses of the host are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Optional

from .layout import certificate, cut, pad, plaintext, port_name, safe, state, versions

Document = Mapping[str, Any]

WIDTH = 80
_NAME, _WHAT = 16, 13
_VALUE = (WIDTH - _NAME - _WHAT - 2) // 2

_VERDICTS = {
    "pass": "passes",
    "fail": "FAILS",
    "error": "NOT PROVEN",
    "none": "no mail server",
}


def before_after(before: Document, after: Document) -> str:
    """A table of at most 80 columns: what each port was and is."""
    hosts = {host["host"]: host for host in before["hosts"]}
    then = {host["host"]: host for host in after["hosts"]}
    lines = [_row("", "", "before", "after"), "-" * (WIDTH - 1)]
    for name in sorted(hosts.keys() | then.keys()):
        lines += [cut(safe(name), WIDTH), *_host(hosts.get(name), then.get(name)), ""]
    lines.append(_totals(before, after))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _row(name: str, what: str, old: str, new: str) -> str:
    shown = new if old != new else "same"
    return f"{pad(name, _NAME)}{pad(what, _WHAT)}{pad(old, _VALUE)}  {cut(shown, _VALUE)}"


def _host(before: Optional[Document], after: Optional[Document]) -> Iterator[str]:
    for name, what, old, new in changes(before, after):
        yield _row(f"  {name}" if name else "", what, old, new)


def changes(
    before: Optional[Document], after: Optional[Document]
) -> Iterator[tuple[str, str, str, str]]:
    """A host before and after: port (``""`` where it is the one above), aspect, old, new."""
    yield "", "verdict", _verdict(before), _verdict(after)
    yield "", "findings", _findings(before), _findings(after)
    old, new = _ports(before), _ports(after)
    for port in sorted(old.keys() | new.keys()):
        yield from _addresses(old.get(port, {}), new.get(port, {}))


def _addresses(
    old: Mapping[str, Document], new: Mapping[str, Document]
) -> Iterator[tuple[str, str, str, str]]:
    """The rows of one port: once, or for each address where they differ."""
    ends = {a: (old.get(a), new.get(a)) for a in sorted(old.keys() | new.keys())}
    told = {address: list(_port(*both)) for address, both in ends.items()}
    alike = all(rows == told[min(told)] for rows in told.values())
    for address in [min(told)] if alike else told:
        name = port_name(new.get(address) or old[address])
        if not alike and ":" in address:
            name += " v6"
        for number, (what, was, now) in enumerate(told[address]):
            yield "" if number else name, what, was, now


def _verdict(host: Optional[Document]) -> str:
    return _VERDICTS[host["verdict"]] if host else "not there"


def _findings(host: Optional[Document]) -> str:
    counts = host["summary"]["severities"] if host else {}
    said = [f"{counts[s]} {s}" for s in ("critical", "high", "medium") if counts.get(s)]
    small = sum(counts.get(s, 0) for s in ("low", "info"))
    return ", ".join([*said, *([f"{small} low"] if small else [])]) or "none"


def _ports(host: Optional[Document]) -> dict[int, dict[str, Document]]:
    """The endpoints of a host by port and address."""
    found: dict[int, dict[str, Document]] = {}
    for endpoint in host["endpoints"] if host else ():
        found.setdefault(endpoint["port"], {})[safe(endpoint["host"])] = endpoint
    return found


def _handshake(endpoint: Document) -> str:
    """The group that TLS 1.3, or else 1.2, agreed on."""
    chosen = {offer["name"]: offer["group"] for offer in endpoint["offers"] if offer["accepted"]}
    return safe(chosen.get("tls1.3") or chosen.get("tls1.2") or "-")


_ASPECTS: tuple[tuple[str, Callable[[Document], str]], ...] = (
    ("TLS versions", versions),
    ("no-TLS login", plaintext),
    ("key exchange", _handshake),
    ("certificate", lambda endpoint: certificate(endpoint, name_first=False)),
)


def _port(old: Optional[Document], new: Optional[Document]) -> Iterator[tuple[str, str, str]]:
    """Aspect, before and after, where one port changed; a port that was and is closed is silent."""
    if not _open(old) and not _open(new):
        return
    told = [(what, tell(old) if old else "-", tell(new) if new else "-") for what, tell in _ASPECTS]
    if _open(old) != _open(new):
        told.insert(0, ("port", _state(old), _state(new)))
    yield from [row for row in told if row[1] != row[2]] or told[:1]


def _open(endpoint: Optional[Document]) -> bool:
    return bool(endpoint and endpoint["open"])


def _state(endpoint: Optional[Document]) -> str:
    return state(endpoint) if endpoint else "not there"


def _totals(before: Document, after: Document) -> str:
    def count(document: Document) -> str:
        verdicts = document["summary"]["verdicts"]
        return f"{verdicts['pass']} of {document['summary']['hosts']} hosts pass"

    return cut(f"Before: {count(before)}. After: {count(after)}.", WIDTH)
