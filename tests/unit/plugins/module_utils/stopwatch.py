# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long something took, less the time in which others had the processors.

A deadline is a promise about what our own code does. On a machine that does more than it has
processors for, a thread that is ready to go on waits for its turn; the kernel counts for how long
(proc_pid_schedstat: the second number, in nanoseconds), and that is not ours.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCHEDSTAT = Path("/proc/thread-self/schedstat")


def _waited() -> float:
    return int(_SCHEDSTAT.read_text(encoding="ascii").split()[1]) / 1e9


class Stopwatch:
    """``seconds`` is set when it is stopped."""

    seconds: float


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """Measures what is done inside by the thread that enters."""
    watch = Stopwatch()
    begun, waited = time.monotonic(), _waited()
    yield watch
    watch.seconds = (time.monotonic() - begun) - (_waited() - waited)
