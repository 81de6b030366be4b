# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When is a renewal on the host tried, and when again after it failed? Pure but for one small file.

A run that failed is tried again after half an hour, then one hour, two, and so on up to half a day:
a fault that stays is not hammered at, and one that passes is noticed while nobody is warned yet. A
certificate is due with a third of its lifetime left and warned of with a quarter; of 160 hours that
is 13 hours, more than the longest wait. What is waited for is kept, so that a restart forgets
nothing; a clock that was set back makes nobody wait longer.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

from . import host, issuance, transaction
from .text import clean
from .transaction import FileState

FIRST, LONGEST = 1800.0, 12 * 3600.0
LIMIT = 64 * 1024
SAID = 500


@dataclass(frozen=True)
class Standing:
    """How it stands: ``failures`` in a row, not before ``until`` again, and why.

    ``pending``: a certificate was made and is not in force yet. Times are seconds since 1970.
    """

    failures: int = 0
    until: float = 0.0
    reason: str = ""
    pending: bool = False

    def failed(self, now: float, reason: str) -> Standing:
        """How it stands after one more failure."""
        wait = min(FIRST * 2.0 ** min(self.failures, 16), LONGEST)
        return Standing(self.failures + 1, now + wait, clean(reason, SAID), self.pending)

    def waits(self, now: float) -> bool:
        """Whether it is too early to try again."""
        return now < self.until <= now + LONGEST


def path(name: str) -> str:
    """Where it is kept how the order of that name stands."""
    return os.path.join(os.path.dirname(issuance.Order(name, ()).path), f"{name}.renewal.json")


def read(name: str) -> Standing:
    """How it stands; what cannot be read counts as nothing that has failed."""
    try:
        held = json.loads(host.read_text(path(name), LIMIT) or "{}")
        return Standing(
            int(held["failures"]), float(held["until"]), str(held["reason"]), bool(held["pending"])
        )
    except (ValueError, KeyError, TypeError):
        return Standing()


def write(name: str, standing: Standing) -> None:
    """Keep it, in one step. Raises OSError or :class:`transaction.Refused`."""
    if standing == read(name):
        return
    os.makedirs(os.path.dirname(path(name)), mode=0o700, exist_ok=True)
    content = (json.dumps(asdict(standing), sort_keys=True) + "\n").encode()
    transaction.install(FileState(path(name), content, 0o600, os.geteuid(), os.getegid()), "new")
