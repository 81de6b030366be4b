# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for one non-blocking socket, as cheaply as an event loop allows it.

A conversation waits a dozen times on the same socket. So it is registered for reading once, what
came is read where the loop tells of it (epoll would tell again until it is read), and one timer
stands for all waits: it is set anew only where a deadline comes before it. Opens no socket and
knows no protocol: transport.py brings the socket and the loop. Source: the ``asyncio`` chapter of
the Python library ("Watching file descriptors", "Scheduling delayed callbacks").
"""

from __future__ import annotations

from typing import Any, Optional


class Readiness:
    """One task waits at a time. Each wait ends at its deadline, an instant of the loop's clock."""

    def __init__(self, loop: Any, socket: Any) -> None:
        self._loop = loop
        self._socket = socket
        self._number = socket.fileno()
        self._reading = False
        self._most = 0
        self._deadline = 0.0
        self._waiting: Any = None
        self._timer: Any = None

    async def receive(self, most: int, deadline: float) -> Optional[bytes]:
        """What comes next, ``None`` at the deadline; raises OSError."""
        self._most = most
        if not self._reading:
            self._reading = True
            self._loop.add_reader(self._number, self._read)
        received: Optional[bytes] = await self._wait(deadline)
        return received

    async def writable(self, deadline: float) -> bool:
        """Whether the socket took up writing before the deadline."""
        self._loop.add_writer(self._number, self._tell, b"")
        try:
            return await self._wait(deadline) is not None
        finally:
            self._loop.remove_writer(self._number)

    def close(self) -> None:
        """Ends all watching; to be called before the socket is closed."""
        if self._reading:
            self._loop.remove_reader(self._number)
        if self._timer is not None:
            self._timer.cancel()
        self._reading, self._timer = False, None

    async def _wait(self, deadline: float) -> Any:
        self._deadline, self._waiting = deadline, self._loop.create_future()
        if self._timer is not None and deadline < self._timer.when():
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._expire)
        try:
            return await self._waiting
        finally:
            self._waiting = None

    def _tell(self, what: Optional[bytes]) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(what)

    def _read(self) -> None:
        if self._waiting is None or self._waiting.done():
            # Nobody waits, and the loop would tell of it again and again.
            self._loop.remove_reader(self._number)
            self._reading = False
            return
        try:
            self._waiting.set_result(self._socket.recv(self._most))
        except BlockingIOError:
            return
        except OSError as error:
            self._waiting.set_exception(error)

    def _expire(self) -> None:
        """The timer is over: so is the wait, unless its deadline is a later one."""
        self._timer = None
        if self._waiting is not None and self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._expire)
        else:
            self._tell(None)
