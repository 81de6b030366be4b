#!/usr/bin/env python3
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sweep costs: endpoints per second, CPU time and TCP connections, beside a bare loop.

    benchmarks/sweep.py [--runs N] [--endpoints N] [--parallel N] [--rtt MS] [--profile FILE]

N endpoints (default 2000), each with an address and port of its own on loopback, IMAP and POP3 by
turns, are real TLS servers in a process of their own: greeting, capabilities, STARTTLS, handshake,
and capabilities inside TLS. With MS they answer that much later, as on a network.

bare: an asyncio loop of greeting, capabilities, STARTTLS and one handshake, and nothing else.
sweep: endpoint_info's depth of that name, which also tries an inert login and asks for the
capabilities inside TLS; its politeness is switched off, so that its own pace is what is seen.

Each is a process, start included, with N connections at a time (default 64). The tools take
turns; figures are medians over N runs (default 5). ``seen`` counts the endpoints whose handshake
was completed, sweep's only where all else was seen too. The servers share this machine's cores
with the tool, so CPU time, which is the tool's alone, is the harder comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import resource
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Optional, cast

ROOT = Path(__file__).resolve().parent.parent
PEM = ROOT / "tests" / "fixtures" / "certificates" / "loopback-server.pem"
COUNTER = ("127.77.0.2", 7777)
Place = tuple[str, int, str]


def places(number: int) -> list[Place]:
    """Address, port and service of each endpoint."""
    services = ((1143, "imap"), (1110, "pop3"))
    return [(f"127.78.{n // 250}.{n % 250 + 1}", *services[n % 2]) for n in range(number)]


# ---------------------------------------------------------------------------------------------
# The servers

GREETING = {"imap": b"* OK ready\r\n", "pop3": b"+OK ready\r\n"}
ANSWERS = {
    "imap": {
        b"CAPABILITY": b"* CAPABILITY IMAP4rev1 ID IDLE LITERAL+ %s\r\n%s OK done\r\n",
        b"LOGIN": b"%.0s%s NO [PRIVACYREQUIRED] not without TLS\r\n",
        b"STARTTLS": b"%.0s%s OK begin\r\n",
        b"LOGOUT": b"%.0s* BYE\r\n%s OK done\r\n",
    },
    "pop3": {
        b"CAPA": b"+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nPIPELINING\r\n%s\r\n.\r\n%.0s",
        b"USER": b"%.0s%.0s-ERR [AUTH] not without TLS\r\n",
        b"STLS": b"%.0s%.0s+OK begin\r\n",
        b"QUIT": b"%.0s%.0s+OK bye\r\n",
    },
}
BEFORE = {"imap": b"STARTTLS LOGINDISABLED", "pop3": b"STLS"}
INSIDE = {"imap": b"AUTH=PLAIN", "pop3": b"SASL PLAIN"}


class Mail(asyncio.Protocol):
    """One connection to a server that lets nobody in without TLS."""

    def __init__(self, service: str, delay: float, tls: ssl.SSLContext) -> None:
        self.service, self.delay, self.tls = service, delay, tls
        self.listed = BEFORE[service]
        self.early: list[bytes] = []
        self.task: Optional[asyncio.Task[None]] = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greets."""
        self.transport = cast(asyncio.Transport, transport)
        self.later(self.transport.write, GREETING[self.service])

    def data_received(self, data: bytes) -> None:
        """Answers one command, which never comes in pieces here."""
        if self.task is not None and not self.task.done():
            self.early.append(data)  # the first words inside TLS are here before start_tls returns
            return
        words = data.split()
        tag, command = words[:2] if self.service == "imap" else (b"", words[0])
        answer = ANSWERS[self.service][command] % (self.listed, tag)
        if command in (b"STARTTLS", b"STLS"):
            self.transport.pause_reading()
            self.later(self.begin, answer)
        else:
            self.later(self.transport.write, answer)
        if command in (b"LOGOUT", b"QUIT"):
            self.later(self.transport.close)

    def begin(self, answer: bytes) -> None:
        """Agrees to begin TLS, and does."""
        self.transport.write(answer)
        self.listed = INSIDE[self.service]
        self.task = asyncio.get_running_loop().create_task(self.secure())

    async def secure(self) -> None:
        """The handshake."""
        loop = asyncio.get_running_loop()
        try:
            inside = await loop.start_tls(self.transport, self, self.tls, server_side=True)
        except OSError:
            return
        if inside is not None:
            self.transport = inside
            for data in self.early:
                loop.call_soon(self.data_received, data)  # when this task is done

    def later(self, what: Callable[..., object], *arguments: object) -> None:
        """Now, or after the delay."""
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, what, *arguments)
        else:
            what(*arguments)


async def serve(number: int, delay: float) -> None:
    """All endpoints; tells who connects to COUNTER how many connections there were."""
    loop, tls, accepted = asyncio.get_running_loop(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), 0
    tls.load_cert_chain(PEM)

    def connection(service: str) -> Mail:
        nonlocal accepted
        accepted += 1
        return Mail(service, delay, tls)

    async def tell(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(str(accepted).encode())
        writer.close()

    for address, port, service in places(number):
        await loop.create_server(partial(connection, service), address, port)
    await asyncio.start_server(tell, *COUNTER)
    print("ready", flush=True)
    await asyncio.Event().wait()


@contextmanager
def serving(number: int, rtt: float) -> Iterator[None]:
    """The servers in a process of their own."""
    argv = [sys.executable, __file__, "--as", "serve", "--endpoints", str(number)]
    with subprocess.Popen([*argv, "--rtt", str(rtt * 1000)], stdout=subprocess.PIPE) as process:
        try:
            if process.stdout is None or not process.stdout.readline():
                sys.exit("the servers did not start: is the limit of open files high enough?")
            yield
        finally:
            process.kill()


async def counted() -> int:
    """How many connections the servers have taken."""
    reader, writer = await asyncio.open_connection(*COUNTER)
    number = int(await reader.read())
    writer.close()
    return number


# ---------------------------------------------------------------------------------------------
# The tools

ASK = {"imap": (b"a CAPABILITY\r\n", b"b STARTTLS\r\n"), "pop3": (b"CAPA\r\n", b"STLS\r\n")}


async def bare(number: int, parallel: int) -> int:
    """The least that a sweep can do; how many handshakes were completed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without a store of CAs
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    loop, waiting, seen = asyncio.get_running_loop(), iter(places(number)), count()

    async def one(address: str, port: int, service: str) -> None:
        reader, writer = await asyncio.open_connection(address, port)
        try:
            await reader.read(4096)
            for command in ASK[service]:
                writer.write(command)
                await reader.read(4096)
            transport = writer.transport
            await loop.start_tls(transport, transport.get_protocol(), context)
            next(seen)
        finally:
            writer.transport.abort()

    async def worker() -> None:
        for place in waiting:
            try:
                await one(*place)
            except OSError:
                continue

    await asyncio.gather(*(worker() for _ in range(parallel)))
    return next(seen)


def sweep(number: int, parallel: int) -> int:
    """The probe itself; how many endpoints were seen whole."""
    sys.path.insert(0, str(ROOT / "collections"))
    from ansible_collections.postmaster.tls.plugins.module_utils.limits import SWEEP
    from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
        Endpoint,
        EndpointObservation,
        Service,
        TlsMode,
    )
    from ansible_collections.postmaster.tls.plugins.module_utils.probe import probe
    from ansible_collections.postmaster.tls.plugins.module_utils.talk import Depth

    def whole(seen: EndpointObservation) -> bool:
        told = (seen.greeting, seen.capabilities, seen.capabilities_tls, seen.chain, seen.attempts)
        agreed = seen.handshake is not None and seen.handshake.group is not None
        return agreed and all(told) and seen.starttls is True and not seen.failures

    limits = replace(SWEEP, rate=1e6, address_rate=1e6, parallel=parallel)
    endpoints = [Endpoint(a, p, Service(s), TlsMode.STARTTLS) for a, p, s in places(number)]
    return sum(whole(seen) for seen in probe(endpoints, limits, depth=Depth.SWEEP))


def work(tool: str, number: int, parallel: int) -> int:
    """One of the tools, in this process."""
    if tool == "bare":
        return asyncio.run(bare(number, parallel))
    return sweep(number, parallel)


@dataclass(frozen=True)
class Cost:
    """What one run took: seconds of wall and CPU, MiB, TCP connections; and what was seen."""

    wall: float
    cpu: float
    memory: float
    connections: int
    seen: int


def run(argv: list[str]) -> Cost:
    """Runs a tool."""
    before, connections = resource.getrusage(resource.RUSAGE_CHILDREN), asyncio.run(counted())
    began = time.monotonic()
    output = subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    said = json.loads(output)
    tried = asyncio.run(counted()) - connections
    return Cost(wall, cpu, said["memory"], tried, said["seen"])


def middle(costs: list[Cost]) -> Cost:
    """The median of each figure."""
    names = Cost.__dataclass_fields__
    return Cost(**{n: statistics.median(getattr(c, n) for c in costs) for n in names})


def measure(arguments: argparse.Namespace) -> None:
    """Prints a row for each tool, and the ratios."""
    number = arguments.endpoints
    mine = [sys.executable, __file__, "--endpoints", str(number)]
    mine += ["--parallel", str(arguments.parallel)]
    tools = ("bare", "sweep")
    costs: dict[str, list[Cost]] = {tool: [] for tool in tools}
    with serving(number, arguments.rtt / 1000):
        for _round in range(arguments.runs):
            for tool in tools:
                costs[tool].append(run([*mine, "--as", tool]))
    print(f"{'tool':8}{'seen':>6}{'wall s':>8}{'per s':>8}{'CPU s':>8}{'MiB':>6}{'conn.':>8}")
    found = {tool: middle(costs[tool]) for tool in tools}
    for tool, cost in found.items():
        print(
            f"{tool:8}{cost.seen:6.0f}{cost.wall:8.2f}{number / cost.wall:8.0f}"
            f"{cost.cpu:8.2f}{cost.memory:6.0f}{cost.connections:8.0f}"
        )
    ours, least = found["sweep"], found["bare"]
    print(
        f"endpoints per second: {least.wall / ours.wall:.2f} of the bare loop's; "
        f"per second of CPU: {least.cpu / ours.cpu:.2f}"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Costs of a sweep, beside a bare loop.")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--endpoints", type=int, default=2000)
    parser.add_argument("--parallel", type=int, default=64)
    parser.add_argument("--rtt", type=float, default=0.0, help="milliseconds")
    parser.add_argument("--profile", help="writes a cProfile of --as to this file")
    parser.add_argument("--as", dest="tool", choices=["bare", "sweep", "serve"],
                        help=argparse.SUPPRESS)  # fmt: skip
    arguments = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if arguments.tool == "serve":
        asyncio.run(serve(arguments.endpoints, arguments.rtt / 1000))
    elif arguments.tool:
        profile = cProfile.Profile()
        if arguments.profile:
            profile.enable()
        seen = work(arguments.tool, arguments.endpoints, arguments.parallel)
        if arguments.profile:
            profile.dump_stats(arguments.profile)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seen": seen, "memory": memory}))
    else:
        measure(arguments)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main()
