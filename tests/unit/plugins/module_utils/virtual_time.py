# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An event loop whose clock is virtual: it jumps to the next timer when nothing else is to do.

Seconds that are waited for cost nothing, and instants can be compared. Nothing may wait for a
socket: its peer would have no time to answer.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, Optional, TypeVar

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    """Waits for nothing, but remembers how long it was asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: Optional[float] = None) -> Any:
        ready = super().select(0)
        assert ready or timeout is not None, "everybody waits, and nothing will happen"
        self.now += 0 if ready else timeout or 0
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def run_virtually(task: Coroutine[Any, Any, T]) -> T:
    """Runs a task to its end; the clock begins at 0."""
    loop = _Loop()
    try:
        return loop.run_until_complete(task)
    finally:
        loop.close()
