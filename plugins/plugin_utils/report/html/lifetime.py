# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Served certificates by the share of their lifetime that is left: who runs out first.

A share and not days, because 20 days are plenty for one that lives for 90 and late for one that
lives for a year (RFC 9773 section 4; the thresholds are those of CRT-02 in policy/profiles).
Reads a document of report/json.py and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Optional

from ..trend import moment

Document = Mapping[str, Any]

STATES = ("expired", "urgent", "late", "fine")
"""Ended or not begun; less than an eighth left; less than a quarter; more."""
_URGENT, _LATE = 1 / 8, 1 / 4


@dataclass(frozen=True)
class Lease:
    """A certificate, what is left of it, and the hosts (number, name) that serve it on ports."""

    names: tuple[str, ...]
    issuer: str
    self_signed: bool
    not_after: str
    days_left: int
    days: int
    left: float
    state: str
    hosts: tuple[tuple[int, str], ...]
    ports: int


def leases(document: Document) -> tuple[Lease, ...]:
    """Every certificate that an open port serves as its own, the one that ends first first."""
    seen: dict[str, tuple[Document, dict[int, str], list[None]]] = {}
    for number, host in enumerate(document["hosts"], 1):
        for leaf in _leaves(host):
            _leaf, hosts, ports = seen.setdefault(leaf["sha256"], (leaf, {}, []))
            hosts[number] = host["host"]
            ports.append(None)
    now = moment(document["generated_at"])
    found = (_lease(leaf, hosts, len(ports), now) for leaf, hosts, ports in seen.values())
    return tuple(sorted(found, key=lambda lease: (STATES.index(lease.state), lease.left)))


def _leaves(host: Document) -> Iterator[Document]:
    for endpoint in host["endpoints"]:
        if endpoint["open"] and endpoint["chain"] and not endpoint["chain"][0]["error"]:
            yield endpoint["chain"][0]


def _lease(leaf: Document, hosts: Mapping[int, str], ports: int, now: datetime) -> Lease:
    begin, end = moment(leaf["not_before"]), moment(leaf["not_after"])
    left = remaining(begin, end, now)
    return Lease(
        names=tuple(leaf["names"]) or (leaf["common_name"] or "no name",),
        issuer=leaf["issuer"],
        self_signed=leaf["self_signed"],
        not_after=leaf["not_after"],
        days_left=leaf["days_left"],
        days=max((end - begin).days, 0),
        left=left or 0.0,
        state=_state(left),
        hosts=tuple(hosts.items()),
        ports=ports,
    )


def remaining(begin: datetime, end: datetime, now: datetime) -> Optional[float]:
    """The share of a lifetime that is left; ``None`` where it is over or has not begun."""
    if now >= end or now < begin:
        return None
    return (end - now) / (end - begin)


def _state(left: Optional[float]) -> str:
    if left is None:
        return "expired"
    return "urgent" if left < _URGENT else "late" if left < _LATE else "fine"
