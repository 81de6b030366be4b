# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only file with sockets: connections under limits, plain or with TLS.

Whatever the peer does, a connection ends at its deadline or at its byte budget, and everything
that goes wrong is a :class:`Broken` that carries a model.Failure. Sockets are non-blocking and
each wait is bounded by the event loop's clock, so that one process serves many endpoints.
TLS is a state machine between two buffers (local_tls.py), whose bytes are carried here.

Refuses to know mail protocols. Source: the ``asyncio`` and ``socket`` chapters of the Python
library, 3.9 to 3.14.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import resource
import socket
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator
from functools import partial
from typing import Any, Optional, Protocol

from .limits import Budget, Limits, Pace
from .local_tls import CHUNK, LocalTls, Session, Ticket, TlsFailed
from .model.observed import Failure
from .names import one_spelling
from .readiness import Readiness
from .tasks import Places
from .text import clean

LINGER = 0.25
"""Seconds that the peer is given to end its side: its process is then gone, and not counted.

A connection that we have ended takes no place any more, since the peer hears of its end before it
hears of the next one. But as many as may be open at a port may linger there, and no more: Courier
serves four processes to an address (MAXPERIP of pop3d) and turns away the fifth.
"""


class Broken(Exception):
    """A connection that cannot be used further, and why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.stage}: {failure.cause} {failure.detail}".rstrip())
        self.failure = failure


class Stream(Protocol):
    """One connection. ``stage`` is set by who uses it and goes into every failure."""

    stage: str

    async def send(self, data: bytes) -> None:
        """Sends all of it; raises Broken."""

    async def receive(self) -> bytes:
        """What has come, at least a byte; b"" where the peer ended cleanly. Raises Broken."""

    async def start_tls(
        self,
        server_name: Optional[str],
        early: bytes = b"",
        alpn: str = "",
        ticket: Optional[Ticket] = None,
    ) -> Session:
        """Completes a handshake; ``early`` was received already. Raises Broken."""

    def ticket(self) -> Optional[Ticket]:
        """What a session on this stream can be resumed with."""


class Network(Protocol):
    """Opens streams."""

    def connect(
        self, address: str, port: int, rank: int = 0
    ) -> contextlib.AbstractAsyncContextManager[Stream]:
        """A stream that is closed at the end of the context. Raises Broken.

        Of those who wait for a place at this port, the lowest ``rank`` comes first.
        """

    def connections(self, address: str, port: int) -> int:
        """How many connections were tried to this port so far."""


class SocketNetwork:
    """The real network, under limits. To be made inside a running event loop."""

    def __init__(self, limits: Limits, longest: Collection[tuple[str, int]] = ()) -> None:
        """``longest`` are ports whose connections take longer than those of others."""
        self._limits = limits
        self._longest = frozenset((one_spelling(host), port) for host, port in longest)
        self._all = asyncio.Semaphore(min(limits.parallel, _descriptors()))
        self._addresses: dict[str, Places] = {}
        self._ports: dict[tuple[str, int], Places] = {}
        self._lingering: dict[tuple[str, int], asyncio.Semaphore] = {}
        self._all_lingering = asyncio.Semaphore(_descriptors())
        self._ending: set[asyncio.Task[None]] = set()
        self._budgets: dict[str, Budget] = {}
        self._turns: dict[str, _Turns] = {}
        self._turns_of_all = _Turns(limits.rate)
        self._tried: Counter[tuple[str, int]] = Counter()

    def connections(self, address: str, port: int) -> int:
        """How many connections were tried to this port so far."""
        return self._tried[one_spelling(address), port]

    @contextlib.asynccontextmanager
    async def connect(self, address: str, port: int, rank: int = 0) -> AsyncIterator[Stream]:
        """Waits for a free place and its turn, connects, and closes in the end. Raises Broken."""
        limits, host = self._limits, one_spelling(address)
        per_port = self._ports.setdefault((host, port), Places(limits.per_port))
        per_address = self._addresses.setdefault(host, Places(limits.per_address, limits.pause))
        # Always in this order: who holds the last one waits for nothing but the peer and its turn.
        # The ports of an address come to their ends together if the longest come first, and of the
        # others who has had the fewest connections.
        length = 0 if (host, port) in self._longest else 1
        at_address = per_address.place((length, self._tried[host, port]))
        async with per_port.place((rank,)), at_address, self._all:
            self._end_of(host)
            await self._turn(host)
            with self._spending(host) as end:
                self._tried[host, port] += 1
                stream = SocketStream(limits, min(_now() + limits.total, end))
                try:
                    await stream.open(address, port)
                    yield stream
                except Broken:
                    stream.abort()
                    raise
                finally:
                    await self._ended(stream, host, port)

    async def _ended(self, stream: SocketStream, host: str, port: int) -> None:
        """Ends the connection; waits where too many linger, else gives the place up at once.

        On a host that somebody else runs the place is kept until the peer has ended its side too.
        """
        if not stream.finish():
            return
        if self._limits.address_rate is not None:
            await stream.linger()
            return
        of_port = self._lingering.setdefault((host, port), asyncio.Semaphore(self._limits.per_port))
        for lingering in (of_port, self._all_lingering):
            await lingering.acquire()
        task = asyncio.get_running_loop().create_task(stream.linger())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        for lingering in (of_port, self._all_lingering):
            task.add_done_callback(partial(_release, lingering))

    async def _turn(self, host: str) -> None:
        """Waits until one more connection may begin."""
        turns = self._turns.setdefault(host, _Turns(self._limits.address_rate))
        async with turns, self._turns_of_all:
            pass

    @contextlib.contextmanager
    def _spending(self, host: str) -> Iterator[float]:
        """Spends the time for a host; the instant at which it is used up. Raises Broken."""
        end, budget = self._end_of(host), self._budgets[host]
        budget.begin(_now())
        try:
            yield end
        finally:
            budget.finish(_now())

    def _end_of(self, host: str) -> float:
        """When the time for a host is used up; raises Broken where it is."""
        end = self._budgets.setdefault(host, Budget(self._limits.host)).end(_now())
        if _now() >= end:
            raise Broken(Failure("connect", "timeout", "the time for this host is used up"))
        return end


class _Turns:
    """Lets connections begin one after the other, at a pace, in the order in which they came.

    The context is entered when it is one's turn, and left when the connection begins.
    """

    def __init__(self, per_second: Optional[float]) -> None:
        self._pace = Pace(per_second)
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        while (seconds := self._pace.wait(_now())) > 0:
            await asyncio.sleep(seconds)

    async def __aexit__(self, *_: object) -> None:
        self._pace.begin(_now())
        self._lock.release()


def _release(place: asyncio.Semaphore, _task: object) -> None:
    place.release()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _descriptors() -> int:
    """A quarter of the files that this process may open: as many may be open, and may linger."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, soft // 4) if soft != resource.RLIM_INFINITY else 1 << 20


class SocketStream:
    """A TCP connection, plain or with TLS, under a deadline and a byte budget."""

    def __init__(self, limits: Limits, deadline: float) -> None:
        self.stage = "connect"
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._deadline = deadline
        self._socket: Optional[socket.socket] = None
        self._ready: Optional[Readiness] = None
        self._received = 0
        self._send_error: Optional[OSError] = None
        self._tls: Optional[LocalTls] = None

    async def open(self, address: str, port: int) -> None:
        """Connects to a numeric address; raises Broken at stage ``connect``."""
        total, self._deadline = self._deadline, self._sooner(self._limits.connect)
        try:
            family, kind, proto, _name, place = _numeric(address, port)
            self._socket = socket.socket(family, kind, proto)
            self._socket.setblocking(False)
            self._ready = Readiness(self._loop, self._socket)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = self._socket.connect_ex(place)
            if code in (errno.EINPROGRESS, errno.EWOULDBLOCK):
                await self._writable()
                code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code == errno.ECONNRESET:  # it was connected: for the next stage to tell
                self._send_error = ConnectionResetError(code, os.strerror(code))
            elif code:
                raise OSError(code, os.strerror(code))
        except OSError as error:
            raise self._broken(error) from None
        self._deadline = total

    async def send(self, data: bytes) -> None:
        """Sends all of it. That the peer is gone is told by the next ``receive``."""
        if self._tls is not None:
            try:
                data = self._tls.encrypt(data)
            except TlsFailed as failed:
                raise self._tls_broken(failed) from None
        await self._send_raw(data)

    async def receive(self) -> bytes:
        """What has come, at least a byte; b"" where the peer ended cleanly."""
        if self._tls is None:
            return await self._receive_raw()
        while True:
            try:
                data = self._tls.read()
            except TlsFailed as failed:
                raise self._tls_broken(failed) from None
            await self._send_raw(self._tls.outgoing.read())
            if data is not None:
                return data
            raw = await self._receive_raw()
            if not raw:
                return b""
            self._tls.incoming.write(raw)

    def ticket(self) -> Optional[Ticket]:
        """What a session on this stream can be resumed with."""
        return self._tls.ticket() if self._tls is not None else None

    async def start_tls(
        self,
        server_name: Optional[str],
        early: bytes = b"",
        alpn: str = "",
        ticket: Optional[Ticket] = None,
    ) -> Session:
        """Completes a handshake by the local TLS library, trusting everything.

        Its last message leaves with what is said next, or when the next is waited for.
        """
        tls = LocalTls(server_name, alpn, ticket)
        tls.receive(early)
        try:
            while not tls.handshake():
                await self._send_raw(tls.outgoing.read())
                raw = await self._receive_raw()
                if not raw:
                    raise Broken(Failure(self.stage, "closed"))
                tls.receive(raw)
        except TlsFailed as failed:
            # What the library wants to say (an alert) is still said.
            await self._send_raw(tls.outgoing.read())
            raise self._tls_broken(failed) from None
        self._tls = tls
        return tls.session()

    def finish(self) -> bool:
        """Ends our side; whether the peer's is still to end."""
        if self._socket is None:
            return False
        self._deadline = self._sooner(LINGER)
        try:
            self._socket.send(self._tls.farewell() if self._tls is not None else b"")
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.abort()
        return self._socket is not None

    async def linger(self) -> None:
        """Waits a moment for the peer to end its side too."""
        try:
            while await self._receive_raw():
                pass
        except Broken:
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Ends the connection at once."""
        if self._socket is not None and self._ready is not None:
            self._ready.close()
            self._socket.close()
        self._socket = self._ready = None

    async def _send_raw(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest and self._socket is not None and self._send_error is None:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                await self._writable()
            except OSError as error:
                self._send_error = error

    async def _receive_raw(self) -> bytes:
        if self._ready is None:
            return b""
        # One byte more than is left of the budget tells too much from just enough.
        room = self._limits.received - self._received + 1
        try:
            data = await self._ready.receive(min(CHUNK, room), self._deadline)
        except OSError as error:
            raise self._broken(error) from None
        if data is None:
            raise Broken(Failure(self.stage, "timeout"))
        if not data and self._send_error is not None:
            raise self._broken(self._send_error)
        self._received += len(data)
        if self._received > self._limits.received:
            detail = f"more than {self._limits.received} bytes"
            raise Broken(Failure(self.stage, "too_much", detail))
        return data

    async def _writable(self) -> None:
        """Waits until the socket can be written; raises Broken at the deadline."""
        if self._ready is not None and not await self._ready.writable(self._deadline):
            raise Broken(Failure(self.stage, "timeout"))

    def _sooner(self, seconds: float) -> float:
        return min(self._deadline, self._loop.time() + seconds)

    def _broken(self, error: OSError) -> Broken:
        cause = next((c for kind, c in _CAUSES if isinstance(error, kind)), None)
        cause = cause or ("unreachable" if self.stage == "connect" else "unexpected")
        return Broken(Failure(self.stage, cause, clean(error.strerror or str(error), 128)))

    def _tls_broken(self, failed: TlsFailed) -> Broken:
        return Broken(Failure(self.stage, failed.cause, failed.detail, failed.alert))


_DOTTED = re.compile(r"(\d{1,3}\.){3}\d{1,3}\Z", re.A)
_CAUSES: tuple[tuple[type[OSError], str], ...] = (
    (ConnectionRefusedError, "refused"),
    (ConnectionError, "reset"),
    (TimeoutError, "timeout"),
)


def _numeric(address: str, port: int) -> tuple[Any, ...]:
    if _DOTTED.match(address):
        return socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port)
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=flags)[0]
