# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The event loop, for those who may not import it: what runs at the same time, and what waits.

Refuses to know what is done. Source: the ``asyncio`` chapter of the Python library, 3.9 to 3.14.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Coroutine, Sequence
from typing import Any, Callable, Generic, Optional, TypeVar

T = TypeVar("T")
U = TypeVar("U")


def run(task: Coroutine[Any, Any, T]) -> T:
    """Runs a task to its end in an event loop of its own."""
    return asyncio.run(task)


class Told(Generic[T]):
    """A value that one task tells, once, and others wait for. To be made in a running loop."""

    def __init__(self) -> None:
        self._value: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def tell(self, value: T) -> None:
        """Tells the value; only the first one counts."""
        if not self._value.done():
            self._value.set_result(value)

    async def told(self) -> T:
        """The value, as soon as it is told."""
        return await asyncio.shield(self._value)

    def now(self) -> Optional[T]:
        """The value, if it has been told."""
        return self._value.result() if self._value.done() else None


class Places:
    """So many may be there at the same time; of those who wait, the lowest ``rank`` comes first.

    Those of one rank come in the order in which they came. A place that somebody leaves is kept for
    ``pause`` seconds before it goes to one who waits: another with a lower rank may be about to
    come, because of the same event.
    """

    def __init__(self, free: int, pause: float = 0.0) -> None:
        self._free = free
        self._pause = pause
        self._waiting: list[tuple[tuple[int, ...], int, asyncio.Future[None]]] = []
        self._came = itertools.count()

    def place(self, rank: tuple[int, ...] = ()) -> _Place:
        """A place for the time of the context."""
        return _Place(self, rank)

    async def come(self, rank: tuple[int, ...]) -> None:
        """Takes a place, as soon as there is one."""
        if self._free:
            self._free -= 1
        else:
            turn = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (rank, next(self._came), turn))
            await self._awaited(turn)

    async def _awaited(self, turn: asyncio.Future[None]) -> None:
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the place came with the cancellation
                self.leave()
            raise

    def leave(self) -> None:
        """Gives a place up, to who comes first of those who wait."""
        if self._pause and self._waiting:
            asyncio.get_running_loop().call_later(self._pause, self._hand_on)
        else:
            self._hand_on()

    def _hand_on(self) -> None:
        while self._waiting:
            turn = heapq.heappop(self._waiting)[-1]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    async def take(self, task: Coroutine[Any, Any, T]) -> T:
        """The result of the task, which begins when there is a place for it."""
        try:
            async with self.place():
                return await task
        finally:
            task.close()  # where it never began


class _Place:
    """A place for the time of a context. A class, since many thousands of them are taken."""

    def __init__(self, places: Places, rank: tuple[int, ...]) -> None:
        self._places = places
        self._rank = rank

    async def __aenter__(self) -> None:
        await self._places.come(self._rank)

    async def __aexit__(self, *_: object) -> None:
        self._places.leave()


async def both(one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """Runs two tasks of different kinds at the same time."""
    first, second = await asyncio.gather(one, other)
    return first, second


async def side_by_side(tasks: Sequence[Coroutine[Any, Any, T]]) -> tuple[T, ...]:
    """Runs tasks at the same time; their results in the same order."""
    return tuple(await asyncio.gather(*tasks))


async def in_turn(
    work: Callable[[U], Coroutine[Any, Any, T]], things: Sequence[U], at_once: int
) -> tuple[T, ...]:
    """Works on all things, never on more than ``at_once``; the results in the same order."""
    done: dict[int, T] = {}
    waiting = iter(enumerate(things))

    async def worker() -> None:
        for number, thing in waiting:
            done[number] = await work(thing)

    await asyncio.gather(*[worker() for _place in range(min(at_once, len(things)))])
    return tuple(done[number] for number in range(len(things)))
