# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real network against a server on loopback that misbehaves: limits, causes, and TLS."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Awaitable
from typing import Callable, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.local_tls import Session
from ansible_collections.postmaster.tls.plugins.module_utils.model import Failure
from ansible_collections.postmaster.tls.plugins.module_utils.tasks import run, side_by_side
from ansible_collections.postmaster.tls.plugins.module_utils.transport import (
    Broken,
    Limits,
    SocketNetwork,
    Stream,
    is_address,
    is_own,
    resolve,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.evil_server import (
    Behaviour,
    context,
    endlessly,
    evil,
    reset,
    says,
    silent,
    then,
)

QUICK = Limits(connect=0.5, total=0.4, host=3.0, received=20_000)
Use = Callable[[Stream], Awaitable[None]]


def use(port: int, what: Use, limits: Limits = QUICK) -> Optional[Failure]:
    """Connects to the port and does something; how it failed."""

    async def go() -> None:
        async with SocketNetwork(limits).connect("127.0.0.1", port) as stream:
            stream.stage = "greeting"
            await what(stream)

    try:
        run(go())
    except Broken as broken:
        return broken.failure
    return None


async def read_all(stream: Stream) -> None:
    while await stream.receive():
        pass


async def handshake(stream: Stream) -> None:
    await stream.start_tls("mail.example.org")


async def send_late(stream: Stream) -> None:
    time.sleep(0.1)  # until the reset is there
    await stream.send(b"x")
    await stream.send(b"x")
    await read_all(stream)


def tls_server(sock: socket.socket) -> None:
    with context().wrap_socket(sock, server_side=True) as tls:
        tls.sendall(b"inside")
        assert tls.recv(100) == b"said"
        tls.sendall(b"heard")


@pytest.mark.parametrize(
    ("behaviour", "what", "cause"),
    [
        (silent, read_all, "timeout"),
        (endlessly(b"x", 0.02), read_all, "timeout"),
        (endlessly(b"x" * 4096), read_all, "too_much"),
        (endlessly(b"\r\n" * 999), read_all, "too_much"),
        (says(b"hello\r\n"), read_all, None),
        (then(says(b"hello\r\n"), reset), read_all, "reset"),
        (reset, read_all, "reset"),
        (reset, send_late, "reset"),
        (silent, handshake, "timeout"),
        (says(b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"), handshake, "not_tls"),
        (says(b"", b"\x15\x03\x03\x00\x02\x02\x28"), handshake, "alert"),
        (says(b"", b"\x15\x03\x03\x00\x02\x01\x00"), handshake, "closed"),
        (says(b"", b""), handshake, "closed"),
        (then(says(b"", b""), reset), handshake, "reset"),
        (says(b"", b"\x16\x03\x03\x00\x04\x02\xff\xff\xff"), handshake, "too_much"),
        (says(b"", b"\x16\x03\x03\x00\x04\x63\x00\x00\x00"), handshake, "unexpected"),
    ],
)
def test_whatever_the_peer_does_it_ends_in_time(
    behaviour: Behaviour, what: Use, cause: Optional[str]
) -> None:
    with evil(behaviour) as server:
        begun = time.monotonic()
        failure = use(server.port, what)
        assert time.monotonic() - begun < QUICK.total * 1.1 + 0.05
    assert (failure.cause if failure else None) == cause
    assert failure is None or failure.stage == "greeting"


def test_an_alert_has_its_number() -> None:
    with evil(says(b"", b"\x15\x03\x03\x00\x02\x02\x46")) as server:
        failure = use(server.port, handshake)
    assert failure == Failure("greeting", "alert", "tlsv1_alert_protocol_version", 70)


def test_a_closed_port_is_refused() -> None:
    with evil(silent) as server:
        port = server.port
    failure = use(port, read_all)
    assert failure == Failure("connect", "refused", "Connection refused")


def test_what_is_no_address_is_unreachable() -> None:
    async def go() -> None:
        async with SocketNetwork(QUICK).connect("no-address.invalid", 143):
            pass

    with pytest.raises(Broken) as caught:
        run(go())
    assert (caught.value.failure.stage, caught.value.failure.cause) == ("connect", "unreachable")


def test_a_port_that_does_not_answer_times_out() -> None:
    limits = Limits(connect=0.2, total=5.0)
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = full.getsockname()[1]
        for _ in range(2):  # nobody accepts, and the queue is full
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        begun = time.monotonic()
        failure = use(port, read_all, limits)
        assert time.monotonic() - begun < 0.2 * 1.1 + 0.05
    assert failure == Failure("connect", "timeout")


def test_a_handshake_and_what_is_said_inside() -> None:
    seen: list[Session] = []

    async def talk(stream: Stream) -> None:
        seen.append(await stream.start_tls("mail.example.org"))
        assert await stream.receive() == b"inside"
        await stream.send(b"said")
        assert await stream.receive() == b"heard"
        assert await stream.receive() == b""

    with evil(tls_server) as server:
        assert use(server.port, talk) is None
    assert seen[0].handshake.version == 0x0304
    assert seen[0].handshake.suite in (0x1301, 0x1302, 0x1303)
    assert [der[:2] for der in seen[0].chain] == [b"\x30\x82"]


def test_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")

    async def go(port: int) -> bytes:
        async with SocketNetwork(QUICK).connect("::1", port) as stream:
            return await stream.receive()

    try:
        with evil(says(b"hello"), "::1") as server:
            assert run(go(server.port)) == b"hello"
    except OSError:
        pytest.skip("no IPv6 on loopback")


@pytest.mark.parametrize(("per_address", "per_port"), [(2, 2), (1, 2), (4, 2)])
def test_never_more_connections_at_once_than_allowed(per_address: int, per_port: int) -> None:
    limits = Limits(total=2.0, per_address=per_address, per_port=per_port)

    async def one(network: SocketNetwork, port: int) -> None:
        async with network.connect("127.0.0.1", port) as stream:
            await stream.receive()

    async def go(ports: list[int]) -> None:
        network = SocketNetwork(limits)
        await side_by_side([one(network, port) for port in ports * 6])
        assert [network.connections("127.0.0.1", port) for port in ports] == [6] * len(ports)

    def slow(sock: socket.socket) -> None:
        time.sleep(0.02)
        sock.sendall(b"x")
        sock.recv(1)

    with evil(slow) as first, evil(slow) as second:
        run(go([first.port, second.port]))
        assert first.total == second.total == 6
        assert max(first.most, second.most) <= min(per_address, per_port)


def test_who_ends_late_holds_no_place_but_no_more_than_two_linger() -> None:
    """Courier's POP3 serves four at once (MAXPERIP): two that are open, and two that end."""
    limits, lock, seen = Limits(total=2.0, per_port=2), threading.Lock(), [0, 0]

    def late(sock: socket.socket) -> None:
        with lock:
            seen[0] += 1
            seen[1] = max(seen)
        sock.sendall(b"x")
        while sock.recv(1):
            pass
        time.sleep(0.05)
        with lock:
            seen[0] -= 1

    async def one(network: SocketNetwork, port: int) -> None:
        async with network.connect("127.0.0.1", port) as stream:
            await stream.receive()

    async def go(port: int) -> None:
        network = SocketNetwork(limits)
        await side_by_side([one(network, port) for _ in range(12)])

    with evil(late) as server:
        run(go(server.port))
        assert server.total == 12
    assert 2 < seen[1] <= 4


def test_all_connections_to_a_host_end_at_its_deadline() -> None:
    limits = Limits(total=5.0, host=0.4, per_address=2)

    async def one(network: SocketNetwork, port: int) -> Failure:
        try:
            async with network.connect("127.0.0.1", port) as stream:
                await stream.receive()
        except Broken as broken:
            return broken.failure
        raise AssertionError("a silent server said something")

    async def go(port: int) -> tuple[Failure, ...]:
        network = SocketNetwork(limits)
        return await side_by_side([one(network, port) for _ in range(6)])

    with evil(silent) as server:
        begun = time.monotonic()
        failures = run(go(server.port))
        assert time.monotonic() - begun < 0.4 * 1.1 + 0.05
        assert server.total == 2
    assert {failure.cause for failure in failures} == {"timeout"}
    assert failures[-1].detail == "the time for this host is used up"


@pytest.mark.parametrize(
    ("host", "expected"),
    [("192.0.2.1", True), ("2001:db8::1", True), ("fe80::1%eth0", True), ("mail", False)],
)
def test_addresses(host: str, expected: bool) -> None:
    assert is_address(host) is expected


def test_names_are_resolved_once_to_all_their_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(name: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(name)
        if name == "unknown":
            raise socket.gaierror("no")
        return [(0, 0, 0, "", (a, 0)) for a in ("192.0.2.1", "2001:db8::1", "192.0.2.1")]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert resolve(["mail", "192.0.2.9", "mail", "unknown"]) == {
        "mail": ("192.0.2.1", "2001:db8::1"),
        "192.0.2.9": ("192.0.2.9",),
        "unknown": (),
    }
    assert sorted(asked) == ["mail", "unknown"]


def test_a_slow_resolver_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> list[object]:
        time.sleep(0.6)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    begun = time.monotonic()
    assert resolve(["mail"], seconds=0.1) == {"mail": ()}
    assert time.monotonic() - begun < 0.5


@pytest.mark.parametrize(
    ("address", "own"),
    [("127.0.0.1", True), ("192.0.2.1", False), ("2001:db8::1", False), ("mail\0", False)],
)
def test_whether_an_address_is_ours(address: str, own: bool) -> None:
    assert is_own(address) is own
