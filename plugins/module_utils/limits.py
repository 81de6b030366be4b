# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run may cost others: how many connections, how fast, and for how long.

Pure: the clock comes in as an argument, in seconds of any monotonic clock. transport.py waits and
counts by it. Two sets of limits are data here. OWN is for hosts of one's own inventory: two
connections at a time to a port and eight to an address, which servers as they are installed serve
without turning their users away. SWEEP is for many hosts that somebody else runs: no faster than
the survey needs, so that no host and no firewall on the way takes it for an attack (Durumeric et
al., "Ten Years of ZMap", IMC 2024, section 6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Limits:
    """What one run may cost, in seconds, bytes and connections.

    ``total`` is for one connection, ``host`` for all to one address; its clock stands while no
    connection to that address is under way. ``per_address`` and ``per_port`` count connections at
    the same time, ``parallel`` those to all addresses. ``rate`` and ``address_rate`` are new
    connections per second, to all addresses and to one; ``None`` is no limit. For ``pause`` a
    place that became free at an address waits for the port that had it: who has just been answered
    comes to ask on well within that time.
    """

    connect: float = 5.0
    total: float = 10.0
    host: float = 60.0
    received: int = 256 * 1024
    per_address: int = 8
    per_port: int = 2
    parallel: int = 64
    rate: Optional[float] = None
    address_rate: Optional[float] = None
    pause: float = 0.001


OWN = Limits()
# 256 connections at a time keep up 50 per second where nothing answers for 5 seconds.
SWEEP = Limits(per_address=2, per_port=2, parallel=256, rate=50.0, address_rate=5.0, pause=0.0)


class Pace:
    """Beginnings that are evenly apart, so that no second has more of them than ``per_second``.

    A leaky bucket that holds one: who was idle does not make up for it by a burst.
    """

    def __init__(self, per_second: Optional[float]) -> None:
        self._gap = 1 / per_second if per_second else 0.0
        self._next = 0.0

    def wait(self, now: float) -> float:
        """Seconds until the next may begin; 0 where it may now."""
        return max(0.0, self._next - now)

    def begin(self, now: float) -> None:
        """One begins now."""
        self._next = now + self._gap


class Budget:
    """Seconds for one host, spent only while something is under way there.

    Who waits for a turn, because of a pace or of other hosts, spends nothing.
    """

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._since = 0.0
        self._under_way = 0

    def end(self, now: float) -> float:
        """The instant at which all is spent, if something is under way from now on."""
        return (self._since if self._under_way else now) + self._left

    def begin(self, now: float) -> None:
        """Something begins; several may be under way at the same time."""
        if not self._under_way:
            self._since = now
        self._under_way += 1

    def finish(self, now: float) -> None:
        """It is over."""
        self._under_way -= 1
        if not self._under_way:
            self._left -= now - self._since
