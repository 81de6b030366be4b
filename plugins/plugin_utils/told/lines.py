# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drift for a person at a terminal: 80 columns, a host that drifted before one that did not.

Reads the document that becomes drift.json. No line holds a control character.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..report.layout import cut, indented, safe

WIDTH = 80
_WORDS = {"clean": "no drift", "drifted": "DRIFTED", "unseen": "NOT SEEN"}
_RANK = ("drifted", "unseen", "clean")
_MOST = 40
_SHOWN = 120


def lines(document: Mapping[str, Any]) -> list[str]:
    """The document as lines of at most 80 columns."""
    hosts = sorted(document["hosts"], key=lambda h: (_RANK.index(h["state"]), h["host"]))
    found: list[str] = []
    for host in hosts:
        found += [*_host(host), ""]
    states = [host["state"] for host in hosts]
    counts = [f"{states.count(s)} {_WORDS[s]}" for s in _RANK if s in states]
    return [
        *found,
        cut(f"{len(hosts)} host{'' if len(hosts) == 1 else 's'}: {', '.join(counts)}", WIDTH),
    ]


def _host(host: Mapping[str, Any]) -> Iterator[str]:
    yield cut(f"{safe(host['host'])}  {_WORDS[host['state']]}", WIDTH)
    if host["unseen"]:
        yield from indented(safe(host["unseen"]), WIDTH, "  not seen: ", "    ")
    yield from indented(_baseline(host["baseline"]), WIDTH, "  ", "    ")
    groups = _groups(host["differences"])
    for group in groups[:_MOST]:
        yield from _difference(group)
    left_out = sum(len(group) for group in groups[_MOST:])
    if left_out > 0:
        yield f"  and {left_out} more in the report"


def _baseline(baseline: Any) -> str:
    if not baseline:
        return "no baseline was accepted (-e mail_tls_baseline=accept)"
    who, why = safe(baseline["who"]), safe(baseline["reason"])
    return f"baseline of {baseline['at'][:16]}Z by {who}: {why}"


def _groups(found: list[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Those that say the same of several ports or fields, together; the order is kept."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for each in found:
        place = "" if each["place"] == each["subject"] else each["place"]
        about = each["name"] if each["side"] == "served" else ""
        key = (each["direction"], each["side"], about, each["before"], each["after"], place)
        groups.setdefault(key, []).append(each)
    return list(groups.values())


def _difference(group: list[Mapping[str, Any]]) -> Iterator[str]:
    first = group[0]
    head = f"  {first['direction']:9}{first['side']:7} "
    about = f"{safe(first['subject'])}: {safe(first['name'])}"
    about += f" and {len(group) - 1} more" if len(group) > 1 else ""
    yield from indented(about, WIDTH, head, " " * 19)
    rest = [("", f"{cut(safe(first['before']), _SHOWN)} -> {cut(safe(first['after']), _SHOWN)}")]
    if first["place"] != first["subject"]:
        rest.append(("in ", safe(first["place"])))
    if first["writer"]:
        rest.append(("by ", f"{safe(first['writer'])}, {first['since']}"))
    if first["seen_since"]:
        rest.append(("first seen ", f"{first['seen_since'][:16]}Z"))
    for title, text in rest:
        yield from indented(title + text, WIDTH, " " * 19, " " * 21)
