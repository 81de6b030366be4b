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
import ipaddress
import os
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Protocol, TypeVar

from .local_tls import CHUNK, LocalTls, Session, Ticket, TlsFailed
from .model import Failure
from .text import clean

T = TypeVar("T")
U = TypeVar("U")

LINGER = 0.25
"""Seconds that the peer is given to end its side: its process is then gone, and not counted."""
RESOLVE_SECONDS = 10.0
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Limits:
    """What one run may cost, in seconds, bytes and connections.

    ``host`` begins with the first connection to an address and ends all of them. ``per_address``
    and ``per_port`` count connections at the same time, ``parallel`` those to all addresses.
    """

    connect: float = 5.0
    total: float = 10.0
    host: float = 60.0
    received: int = 256 * 1024
    per_address: int = 8
    per_port: int = 2
    parallel: int = 64


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

    def connect(self, address: str, port: int) -> contextlib.AbstractAsyncContextManager[Stream]:
        """A stream that is closed at the end of the context. Raises Broken."""

    def connections(self, address: str, port: int) -> int:
        """How many connections were tried to this port so far."""


class SocketNetwork:
    """The real network, under limits. To be made inside a running event loop."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._all = asyncio.Semaphore(limits.parallel)
        self._addresses: dict[str, asyncio.Semaphore] = {}
        self._ports: dict[tuple[str, int], asyncio.Semaphore] = {}
        self._ends: dict[str, float] = {}
        self._tried: Counter[tuple[str, int]] = Counter()

    def connections(self, address: str, port: int) -> int:
        """How many connections were tried to this port so far."""
        return self._tried[address, port]

    @contextlib.asynccontextmanager
    async def connect(self, address: str, port: int) -> AsyncIterator[Stream]:
        """Waits for a free place, connects, and closes in the end. Raises Broken."""
        limits = self._limits
        per_port = self._ports.setdefault((address, port), asyncio.Semaphore(limits.per_port))
        per_address = self._addresses.setdefault(address, asyncio.Semaphore(limits.per_address))
        # Always in this order: who holds the last one waits for nothing but the peer.
        async with per_port, per_address, self._all:
            now = asyncio.get_running_loop().time()
            end = self._ends.setdefault(address, now + limits.host)
            if now >= end:
                raise Broken(Failure("connect", "timeout", "the time for this host is used up"))
            self._tried[address, port] += 1
            stream = SocketStream(limits, min(now + limits.total, end))
            try:
                await stream.open(address, port)
                yield stream
            except Broken:
                stream.abort()
                raise
            finally:
                await stream.close()


class SocketStream:
    """A TCP connection, plain or with TLS, under a deadline and a byte budget."""

    def __init__(self, limits: Limits, deadline: float) -> None:
        self.stage = "connect"
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._deadline = deadline
        self._socket: Optional[socket.socket] = None
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
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = self._socket.connect_ex(place)
            if code in (errno.EINPROGRESS, errno.EWOULDBLOCK):
                await self._ready(write=True)
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
        """Completes a handshake by the local TLS library, trusting everything."""
        tls = LocalTls(server_name, alpn, ticket)
        tls.incoming.write(early)
        try:
            while not tls.handshake():
                await self._send_raw(tls.outgoing.read())
                raw = await self._receive_raw()
                if not raw:
                    raise Broken(Failure(self.stage, "closed"))
                tls.incoming.write(raw)
        except TlsFailed as failed:
            # What the library wants to say (an alert) is still said.
            await self._send_raw(tls.outgoing.read())
            raise self._tls_broken(failed) from None
        await self._send_raw(tls.outgoing.read())
        self._tls = tls
        return tls.session()

    async def close(self) -> None:
        """Ends the connection; waits a moment for the peer to do so too."""
        if self._socket is None:
            return
        try:
            self._socket.shutdown(socket.SHUT_WR)
            self._deadline = self._sooner(LINGER)
            while await self._receive_raw():
                pass
        except (OSError, Broken):
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Ends the connection at once."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _send_raw(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest and self._socket is not None and self._send_error is None:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                await self._ready(write=True)
            except OSError as error:
                self._send_error = error

    async def _receive_raw(self) -> bytes:
        while self._socket is not None:
            # One byte more than is left of the budget tells too much from just enough.
            room = self._limits.received - self._received + 1
            try:
                data = self._socket.recv(min(CHUNK, room))
            except BlockingIOError:
                await self._ready(write=False)
                continue
            except OSError as error:
                raise self._broken(error) from None
            if not data and self._send_error is not None:
                raise self._broken(self._send_error)
            self._received += len(data)
            if self._received > self._limits.received:
                detail = f"more than {self._limits.received} bytes"
                raise Broken(Failure(self.stage, "too_much", detail))
            return data
        return b""

    async def _ready(self, write: bool) -> None:
        """Waits until the socket can be written or read; raises Broken at the deadline."""
        if self._socket is None:
            return
        add = self._loop.add_writer if write else self._loop.add_reader
        remove = self._loop.remove_writer if write else self._loop.remove_reader
        number, ready = self._socket.fileno(), self._loop.create_future()
        timer = self._loop.call_at(self._deadline, _resolve, ready, False)
        add(number, _resolve, ready, True)
        try:
            in_time = await ready
        finally:
            timer.cancel()
            remove(number)
        if not in_time:
            raise self._timeout()

    def _sooner(self, seconds: float) -> float:
        return min(self._deadline, self._loop.time() + seconds)

    def _timeout(self) -> Broken:
        return Broken(Failure(self.stage, "timeout"))

    def _broken(self, error: OSError) -> Broken:
        cause = next((c for kind, c in _CAUSES if isinstance(error, kind)), None)
        cause = cause or ("unreachable" if self.stage == "connect" else "unexpected")
        return Broken(Failure(self.stage, cause, clean(error.strerror or str(error), 128)))

    def _tls_broken(self, failed: TlsFailed) -> Broken:
        return Broken(Failure(self.stage, failed.cause, failed.detail, failed.alert))


_CAUSES: tuple[tuple[type[OSError], str], ...] = (
    (ConnectionRefusedError, "refused"),
    (ConnectionError, "reset"),
    (TimeoutError, "timeout"),
)


def _resolve(future: asyncio.Future[bool], value: bool) -> None:
    if not future.done():
        future.set_result(value)


def _numeric(address: str, port: int) -> tuple[Any, ...]:
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=flags)[0]


# ---------------------------------------------------------------------------------------------
# Names, and the event loop for those who may not import it


def is_own(address: str) -> bool:
    """Whether ``address`` belongs to this machine, so that a probe from here is a local one."""
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as own:
            own.bind((address, 0))
    except (OSError, ValueError, TypeError):  # TypeError: a NUL in a name
        return False
    return True


def is_address(host: str) -> bool:
    """Whether a host is given as an IPv4 or IPv6 address (with or without a zone)."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def resolve(hosts: Sequence[str], seconds: float = RESOLVE_SECONDS) -> dict[str, tuple[str, ...]]:
    """The addresses of each host, IPv4 and IPv6, in the system's order; none where unknown.

    All names are looked up side by side; one that takes longer than ``seconds`` is unknown.
    """
    found: dict[str, tuple[str, ...]] = {h: (h,) for h in hosts if is_address(h)}
    names = sorted(set(hosts) - set(found))
    # Daemon threads: a resolver cannot be interrupted, and must not hold up the process's end.
    threads = [threading.Thread(target=_look_up, args=(n, found), daemon=True) for n in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
    return {host: found.get(host, ()) for host in hosts}


def _look_up(name: str, found: dict[str, tuple[str, ...]]) -> None:
    try:
        answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    found[name] = tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))


def run(task: Coroutine[Any, Any, T]) -> T:
    """Runs a task to its end in an event loop of its own."""
    return asyncio.run(task)


async def both(one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """Runs two tasks of different kinds at the same time."""
    first, second = await asyncio.gather(one, other)
    return first, second


async def side_by_side(tasks: Sequence[Coroutine[Any, Any, T]]) -> tuple[T, ...]:
    """Runs tasks at the same time; their results in the same order."""
    return tuple(await asyncio.gather(*tasks))


def free_ports(count: int) -> tuple[int, ...]:
    """Ports on 127.0.0.1 that nobody listens on now; another may take one before it is used."""
    with contextlib.ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _number in range(count)]
        for each in found:
            each.bind((_LOOPBACK, 0))
        return tuple(each.getsockname()[1] for each in found)
