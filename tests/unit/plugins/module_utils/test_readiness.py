# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits on a pair of sockets: one registration and one timer, however many waits."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Iterator
from typing import Any, Callable, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.readiness import Readiness


class Counting:
    """An event loop that counts what it is asked for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        self.asked[name] += 1
        return getattr(self._loop, name)


@pytest.fixture(name="pair")
def _pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def run(ours: socket.socket, use: Callable[[Readiness, float], Awaitable[None]]) -> Counter[str]:
    """Uses the readiness of a socket; ``use`` gets the instant too at which it began."""

    async def go() -> Counter[str]:
        loop = asyncio.get_running_loop()
        counting = Counting(loop)
        readiness = Readiness(counting, ours)
        await use(readiness, loop.time())
        readiness.close()
        return counting.asked

    return asyncio.run(go())


def test_many_waits_are_one_registration_and_one_timer(pair: Any) -> None:
    ours, theirs = pair

    async def use(readiness: Readiness, now: float) -> None:
        for number in range(50):
            asyncio.get_running_loop().call_soon(theirs.send, b"%d" % number)
            assert await readiness.receive(100, now + 20) == b"%d" % number

    asked = run(ours, use)
    assert (asked["add_reader"], asked["remove_reader"], asked["call_at"]) == (1, 1, 1)


def test_what_is_there_is_received_up_to_the_most(pair: Any) -> None:
    ours, theirs = pair
    theirs.send(b"abcdef")
    theirs.close()

    async def use(readiness: Readiness, now: float) -> None:
        got = [await readiness.receive(4, now + 20) for _ in range(3)]
        assert got == [b"abcd", b"ef", b""]

    run(ours, use)


@pytest.mark.parametrize("deadlines", [[0.05], [20.0, 0.05], [0.01, 0.05]])
def test_each_wait_ends_at_its_own_deadline(pair: Any, deadlines: list[float]) -> None:
    """Also where the one before had a later deadline, or one that passes in the meantime."""
    ours, theirs = pair

    async def use(readiness: Readiness, now: float) -> None:
        for deadline in deadlines[:-1]:
            theirs.send(b"x")
            assert await readiness.receive(1, now + deadline) == b"x"
        assert await readiness.receive(1, now + deadlines[-1]) is None
        assert 0.05 <= asyncio.get_running_loop().time() - now < 5

    run(ours, use)


def test_nobody_is_told_again_and_again_of_what_nobody_waits_for(pair: Any) -> None:
    ours, theirs = pair

    async def use(readiness: Readiness, now: float) -> None:
        theirs.send(b"x")
        await readiness.receive(1, now + 20)
        theirs.send(b"y")
        begun = time.process_time()
        await asyncio.sleep(0.2)
        assert time.process_time() - begun < 0.1
        assert await readiness.receive(1, now + 20) == b"y"

    assert run(ours, use)["add_reader"] == 2


@pytest.mark.parametrize(("full", "expected"), [(False, True), (True, False)])
def test_writable(pair: Any, full: bool, expected: Optional[bool]) -> None:
    ours, _theirs = pair
    while full:
        try:
            ours.send(b"x" * 65536)
        except BlockingIOError:
            break

    async def use(readiness: Readiness, now: float) -> None:
        assert await readiness.writable(now + 0.05) is expected

    asked = run(ours, use)
    assert asked["add_writer"] == asked["remove_writer"] == 1


def test_errors_of_the_socket_are_raised(pair: Any) -> None:
    ours, _theirs = pair

    class Broken:
        fileno = staticmethod(ours.fileno)

        def recv(self, _most: int) -> bytes:
            raise ConnectionResetError(104, "reset")

    async def use(readiness: Readiness, now: float) -> None:
        with pytest.raises(ConnectionResetError):
            await readiness.receive(1, now + 20)

    _theirs.send(b"x")
    run(Broken(), use)  # type: ignore[arg-type]
