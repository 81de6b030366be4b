# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real network against a server on loopback that misbehaves: limits, causes, and TLS."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import queue
import resource
import socket
import threading
import time
from collections.abc import Awaitable, Sequence
from typing import Callable, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import transport
from ansible_collections.postmaster.tls.plugins.module_utils.limits import OWN, SWEEP, Limits
from ansible_collections.postmaster.tls.plugins.module_utils.local_tls import Session
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Failure
from ansible_collections.postmaster.tls.plugins.module_utils.tasks import run, side_by_side
from ansible_collections.postmaster.tls.plugins.module_utils.transport import (
    LINGER,
    Broken,
    SocketNetwork,
    SocketStream,
    Stream,
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
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.stopwatch import stopwatch
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.virtual_time import (
    run_virtually,
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
        with stopwatch() as watch:
            failure = use(server.port, what)
        assert watch.seconds < QUICK.total * 1.1 + 0.05
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
        with stopwatch() as watch:
            failure = use(port, read_all, limits)
        assert watch.seconds < 0.2 * 1.1 + 0.05
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


def test_tls_ends_with_a_word() -> None:
    """A server that hears the end of TCP alone has to think that somebody cut the connection."""
    heard: queue.Queue[bytes] = queue.Queue()

    def server(sock: socket.socket) -> None:
        with context().wrap_socket(sock, server_side=True, suppress_ragged_eofs=False) as tls:
            heard.put(tls.recv(100))

    async def shake_hands(stream: Stream) -> None:
        await stream.start_tls(None)

    with evil(server) as there:
        assert use(there.port, shake_hands) is None
    assert heard.get(timeout=10) == b""


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
        with stopwatch() as watch:
            failures = run(go(server.port))
        assert watch.seconds < 0.4 * 1.1 + 0.05
        assert server.total == 2
    assert {failure.cause for failure in failures} == {"timeout"}
    assert failures[-1].detail == "the time for this host is used up"


# ---------------------------------------------------------------------------------------------
# Pace and time, by a virtual clock

Span = tuple[str, float, float]


def lasting(found: list[Span], lingers: Optional[list[Span]] = None) -> type[SocketStream]:
    """Streams without a socket; their lives are written down."""

    class Lasting(SocketStream):
        async def open(self, address: str, port: int) -> None:
            self.begun = (address, asyncio.get_running_loop().time())

        def finish(self) -> bool:
            found.append((*self.begun, asyncio.get_running_loop().time()))
            return lingers is not None

        async def linger(self) -> None:
            assert lingers is not None
            begin = asyncio.get_running_loop().time()
            await asyncio.sleep(LINGER)
            lingers.append((self.begun[0], begin, asyncio.get_running_loop().time()))

    return Lasting


def spans(
    monkeypatch: pytest.MonkeyPatch,
    limits: Limits,
    addresses: Sequence[str],
    seconds: float,
    lingers: Optional[list[Span]] = None,
) -> tuple[list[Span], list[tuple[float, Failure]]]:
    """When connections that last so many seconds began and ended, and when others were refused.

    Where there is a list for it, the peer does not end its side; the list gets those times.
    """
    found: list[Span] = []
    failures: list[tuple[float, Failure]] = []

    async def one(network: SocketNetwork, number: int) -> None:
        try:
            async with network.connect(addresses[number], number):
                await asyncio.sleep(seconds)
        except Broken as broken:
            failures.append((asyncio.get_running_loop().time(), broken.failure))

    async def go() -> None:
        network = SocketNetwork(limits)
        await side_by_side([one(network, number) for number in range(len(addresses))])
        await asyncio.sleep(2 * LINGER)

    monkeypatch.setattr(transport, "SocketStream", lasting(found, lingers))
    run_virtually(go())
    return found, failures


def begun(found: Sequence[Span]) -> list[float]:
    return sorted(round(begin, 6) for _address, begin, _end in found)


def at_once(found: Sequence[Span]) -> int:
    """The most that were open together."""
    events = sorted((t, d) for _a, begin, end in found for t, d in ((begin, 1), (end, -1)))
    return max(itertools.accumulate(change for _instant, change in events))


ONE = ["192.0.2.1"]
MANY = [f"192.0.2.{number}" for number in range(100)]


@pytest.mark.parametrize(
    ("addresses", "seconds", "expected"),
    [
        (ONE * 5, 0.01, [0, 0.2, 0.4, 0.6, 0.8]),  # 5 per second to an address
        (ONE * 5, 1.0, [0, 0.2, 1.0, 1.2, 2.0]),  # and 2 at a time
        (MANY[:5], 1.0, [0, 0.02, 0.04, 0.06, 0.08]),  # 50 per second to all
        (["2001:db8::1", "2001:DB8:0::1"], 0.01, [0, 0.2]),
    ],
)
def test_instants_of_a_sweep(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], seconds: float, expected: list[float]
) -> None:
    found, failures = spans(monkeypatch, SWEEP, addresses, seconds)
    assert begun(found) == expected
    assert failures == []


@pytest.mark.parametrize("seconds", [0.001, 0.3, 4.0])
def test_a_sweep_keeps_all_limits_together(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Also where one address has many ports and the others wait behind them."""
    addresses = [*ONE * 20, *MANY * 3, "192.0.2.2"]
    found, failures = spans(monkeypatch, SWEEP, addresses, seconds)
    assert (len(found), failures) == (len(addresses), [])
    assert SWEEP.rate is not None
    assert SWEEP.address_rate is not None
    for address, rate in [("", SWEEP.rate), *((address, SWEEP.address_rate) for address in MANY)]:
        mine = [span for span in found if address in ("", span[0])]
        instants = begun(mine)
        gaps = [late - early for early, late in zip(instants, instants[1:])]
        assert min(gaps) >= 1 / rate - 1e-5
        assert at_once(mine) <= (SWEEP.parallel if address == "" else SWEEP.per_address)


def test_in_a_sweep_a_peer_that_lingers_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    lingers: list[Span] = []
    found, _failures = spans(monkeypatch, SWEEP, ONE * 4, 1.0, lingers)
    assert begun(found) == [0.0, 0.2, 1.0 + LINGER, 1.2 + LINGER]
    assert len(lingers) == 4


def test_own_hosts_have_no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _failures = spans(monkeypatch, OWN, ONE * 20, 1.0)
    late = OWN.pause
    assert begun(found) == [0.0] * 8 + [1 + late] * 8 + [2 + 2 * late] * 4
    assert at_once(found) == 8


def test_a_port_that_asks_on_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its next question comes when it has heard the answer, and another port waits already."""
    monkeypatch.setattr(transport, "SocketStream", lasting([]))
    order: list[tuple[int, float]] = []

    async def go() -> None:
        network = SocketNetwork(Limits(per_address=1), [("192.0.2.1", 143)])

        async def asks(port: int, times: int) -> None:
            for _turn in range(times):
                async with network.connect("192.0.2.1", port):
                    order.append((port, asyncio.get_running_loop().time()))
                    await asyncio.sleep(1.0)

        await side_by_side([asks(143, 2), asks(993, 1)])
        await asyncio.sleep(2 * LINGER)

    run_virtually(go())
    assert [port for port, _instant in order] == [143, 143, 993]
    assert order[-1][1] < 2.1


def test_who_waits_for_a_turn_spends_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """100 seconds of waiting between two connections of a second each, and 3 seconds to spend."""
    limits = Limits(host=3.0, per_address=1, address_rate=0.01)
    found, failures = spans(monkeypatch, limits, ONE * 5, 1.0)
    assert begun(found) == [0.0, 100.0, 200.0]
    said = [failure.detail for _instant, failure in failures]
    assert said == ["the time for this host is used up"] * 2


def test_who_has_no_time_left_does_not_wait_for_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(host=1.0, per_address=1, address_rate=0.01, rate=0.5, pause=0.0)
    found, failures = spans(monkeypatch, limits, [*ONE * 1000, "192.0.2.9"], 1.0)
    assert begun(found) == [0.0, 2.0]
    assert [instant for instant, _failure in failures] == [1.0] * 999


@pytest.mark.parametrize(("soft", "most"), [(80, 20), (1024, 64), (resource.RLIM_INFINITY, 64)])
def test_the_files_of_the_process_suffice(
    monkeypatch: pytest.MonkeyPatch, soft: int, most: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))
    lingers: list[Span] = []
    limits, addresses = Limits(parallel=64, per_address=8, per_port=8), MANY * 8
    found, _failures = spans(monkeypatch, limits, addresses, 0.01, lingers)
    assert len(found) == len(lingers) == len(addresses)
    assert at_once(found) == most
    assert at_once(lingers) <= (soft // 4 if soft > 0 else len(addresses))
