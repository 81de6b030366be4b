# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a fleet stood at one earlier audit: a few numbers, so that a year of them is small.

Whoever keeps the history makes a sequence of these, oldest first, and a report draws it. ``of``
makes the point of a document itself, so that both count by one rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any


@dataclass(frozen=True)
class Point:
    """The totals of one audit.

    ``at`` is its time (ISO 8601, UTC). ``hosts`` are those with a mail server or without a proof
    that there is none, ``hosts_passing`` those that meet the profile; ``ports`` the open ones,
    ``ports_passing`` those that nothing fails on. ``failing`` counts findings that fail.
    """

    at: str
    hosts: int
    hosts_passing: int
    ports: int
    ports_passing: int
    failing: int


def of(document: Mapping[str, Any]) -> Point:
    """The point that a report's document makes."""
    counted = [_ports(host) for host in document["hosts"]]
    verdicts = document["summary"]["verdicts"]
    return Point(
        at=document["generated_at"],
        hosts=document["summary"]["hosts"] - verdicts["none"],
        hosts_passing=verdicts["pass"],
        ports=sum(ports for ports, _passing in counted),
        ports_passing=sum(passing for _all, passing in counted),
        failing=document["summary"]["failing"],
    )


def _ports(host: Mapping[str, Any]) -> tuple[int, int]:
    """How many open ports a host has, and how many of them no failing finding is about."""
    ports = [endpoint["url"] for endpoint in host["endpoints"] if endpoint["open"]]
    spoiled = {finding["subject"] for finding in host["findings"] if finding["fails"]}
    return len(ports), sum(url not in spoiled for url in ports)


def moment(at: str) -> datetime:
    """A time of a point or a document; one without a zone is UTC."""
    read = datetime.fromisoformat(at.replace("Z", "+00:00"))
    return read if read.tzinfo else read.replace(tzinfo=timezone.utc)
