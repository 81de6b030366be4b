# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the history holds, as values: runs, postures, items with their episodes, and baselines.

An item is anything that can be open and recover: a finding that fails, a difference that drift
found. Each time that it opens is an episode of its own, so an item has a fingerprint for life and
an episode the fingerprint and the moment at which it began.

Moments are text of one form and one length (ISO 8601, UTC, microseconds), so that both databases
order them as time does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Optional

FINDING = "finding"
DRIFT = "drift"


@dataclass(frozen=True)
class Item:
    """One episode of something that is open, or was.

    ``kind`` is FINDING or DRIFT. ``what`` is the check's id, or of a difference its side (policy,
    disk, served); ``grade`` a severity, or of a difference its direction. ``since`` is the run that
    saw it first, ``seen`` the last one, ``recovered`` the one that saw it gone.
    """

    fingerprint: str
    since: str
    kind: str
    host: str
    what: str
    subject: str
    grade: str
    words: str
    seen: str
    recovered: Optional[str] = None


@dataclass(frozen=True)
class Kept:
    """The posture of one host in one run: its part of the report's document."""

    run: str
    at: str
    host: str
    document: dict[str, Any]


@dataclass(frozen=True)
class Baseline:
    """What somebody accepted of one host, and why."""

    host: str
    at: str
    run: str
    who: str
    reason: str
    document: dict[str, Any]


def stamp(moment: datetime) -> str:
    """A moment with a time zone as the history writes it."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """What :func:`stamp` wrote; ValueError for anything else."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
