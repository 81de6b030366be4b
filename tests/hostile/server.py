# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that misbehave as they are told: all of them in one event loop, in one thread.

Each server has an address of its own in 127.0.0.0/8, so that limits per address are its own, and
writes down who came and for how long. What it does is a list of steps (steps.py). Knows sockets
and TLS, and no mail protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Awaitable, Iterator, Sequence
from typing import Callable, Optional

CHUNK = 64 * 1024


class Left(Exception):
    """The client is gone."""


class Peer:
    """One connection, seen from the server. ``tag`` and ``session`` are the client's.

    The tag is that of the last command, the session that of its TLS hello.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._tls: Optional[ssl.SSLObject] = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tag = self.session = b""

    async def send(self, data: bytes) -> None:
        """Sends all of it, inside TLS where that has begun."""
        if self._tls is not None:
            self._tls.write(data)
            data = self._outgoing.read()
        await self.send_raw(data)

    async def send_raw(self, data: bytes) -> None:
        """Sends all of it as it is."""
        await self._loop.sock_sendall(self._socket, data)

    async def receive(self) -> bytes:
        """What has come; raises Left at the end."""
        while self._tls is not None:
            with contextlib.suppress(ssl.SSLWantReadError):
                data = self._tls.read(CHUNK)
                if not data:
                    raise Left
                return data
            self._incoming.write(await self.receive_raw())
        return await self.receive_raw()

    async def receive_raw(self) -> bytes:
        """What has come, as it is; raises Left at the end."""
        data = await self._loop.sock_recv(self._socket, CHUNK)
        if not data:
            raise Left
        return data

    async def start_tls(self, context: ssl.SSLContext, pause: float = 0.0) -> None:
        """Completes a handshake as the server; ``pause`` comes before each flight."""
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                with contextlib.suppress(ssl.SSLWantReadError):
                    tls.do_handshake()
                    break
            finally:
                await asyncio.sleep(pause)
                await self.send_raw(self._outgoing.read())
            self._incoming.write(await self.receive_raw())
        await self.send_raw(self._outgoing.read())
        self._tls = tls

    def end(self) -> None:
        """Says that no more will come."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Ends the connection with RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


Step = Callable[[Peer], Awaitable[None]]


class Server:
    """One port. ``total``, ``most`` and ``open`` count connections: all, at once, and now.

    ``late`` is 1 where it was cut off while it spoke. Times are monotonic.
    """

    def __init__(self, steps: Sequence[Step], address: str) -> None:
        self._steps = steps
        self.socket = socket.create_server((address, 0), backlog=64)
        self.socket.setblocking(False)
        self.address, self.port = self.socket.getsockname()[:2]
        self.total = self.most = self.open = 0
        self.late = 0
        self.longest = 0.0
        self.first: Optional[float] = None
        self.last = 0.0
        self.errors: list[BaseException] = []

    async def serve(self) -> None:
        """Accepts until it is cancelled, and ends what is then still there."""
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                sock, _ = await asyncio.get_running_loop().sock_accept(self.socket)
                task = asyncio.create_task(self._handle(sock))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.socket.close()

    async def _handle(self, sock: socket.socket) -> None:
        began = time.monotonic()
        self.first = self.first if self.first is not None else began
        self.total += 1
        self.open += 1
        self.most = max(self.most, self.open)
        # Kept open beside it, so that the client sees the end only when it is counted.
        kept, peer = sock.dup(), Peer(sock)
        try:
            for step in self._steps:
                await step(peer)
        except Left:
            pass
        except OSError:  # an error of TLS is one, too; who speaks on notices the end late
            self.late = 1
        except Exception as error:
            self.errors.append(error)
        finally:
            self.last = time.monotonic()
            self.longest = max(self.longest, self.last - began)
            self.open -= 1
            sock.close()
            kept.close()


@contextlib.contextmanager
def servers(behaviours: Sequence[Sequence[Step]]) -> Iterator[list[Server]]:
    """A server for each of the behaviours, for the time of the context."""
    made = [
        Server(steps, f"127.77.{number // 250}.{number % 250 + 1}")
        for number, steps in enumerate(behaviours)
    ]
    over, ready = threading.Event(), threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(_serve(made, ready, over),), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield made
    finally:
        over.set()
        thread.join(10)


async def _serve(made: Sequence[Server], ready: threading.Event, over: threading.Event) -> None:
    tasks = [asyncio.create_task(server.serve()) for server in made]
    ready.set()
    while not over.is_set():
        await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
