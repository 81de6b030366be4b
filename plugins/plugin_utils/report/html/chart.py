# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers for charts: where the points of a line lie. Knows no SVG element and no colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..trend import Point
from ..trend import moment as read

WIDTH, HEIGHT = 600, 160
"""The drawing; it is stretched to the room there is, and lines keep their width."""
MOST_POINTS = 400


@dataclass(frozen=True)
class Chart:
    """Two lines of ``x,y`` pairs for an SVG polyline, and the audits that they stand for."""

    hosts: str
    ports: str
    points: tuple[Point, ...]


def percent(part: int, whole: int) -> int:
    """A share in whole per cents that says 100 and 0 only where it is all or none."""
    if not whole:
        return 0
    exact = 100 * part / whole
    return min(99, max(1, round(exact))) if 0 < part < whole else round(exact)


def chart(points: Sequence[Point]) -> Chart:
    """The shares of hosts and ports over time; of more points than can be drawn, every n-th."""
    step = -(-len(points) // MOST_POINTS)
    # Counted from the end: the newest point is always there.
    kept = tuple(points[::-1][:: max(step, 1)][::-1])
    return Chart(
        hosts=_line([(p.at, p.hosts_passing, p.hosts) for p in kept]),
        ports=_line([(p.at, p.ports_passing, p.ports) for p in kept]),
        points=kept,
    )


def _line(values: Sequence[tuple[str, int, int]]) -> str:
    moments = [read(at) for at, _part, _whole in values]
    span = (moments[-1] - moments[0]).total_seconds() or 1.0
    pairs = []
    for moment, (_at, part, whole) in zip(moments, values):
        x = WIDTH * (moment - moments[0]).total_seconds() / span
        y = HEIGHT * (1 - (part / whole if whole else 0))
        pairs.append(f"{x:.1f},{y:.1f}")
    return " ".join(pairs)
