#!/usr/bin/env python3
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looking at the five ports of a host costs: wall time, CPU time and TCP connections.

    benchmarks/probe.py [--runs N] [--rtt MS] HOST [HOST...]     HOST: an IPv4 address

Each tool is a process of its own, start included, and works through a relay on loopback that
counts connections: once as it is, and once with MS milliseconds (default 50) for a round trip, the
one that a real network needs to connect included. Figures are medians over N runs (default 5).

bare: an asyncio loop of greeting, capabilities, STARTTLS and one handshake a port, nothing else.
judge, full: endpoint_info's two depths. nmap (ssl-enum-ciphers) and sslscan (ports side by side)
where they are installed; neither knows ManageSieve, so theirs are four ports.
The relay shares this machine's cores with the tools: at 0 ms it is part of the wall time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import shutil
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parent.parent
RELAY, COUNTER = "127.77.0.1", 7777
PORTS = {143: b"a STARTTLS\r\n", 993: b"", 110: b"STLS\r\n", 995: b"", 4190: b"STARTTLS\r\n"}
CAPABILITY = {143: b"b CAPABILITY\r\n", 110: b"CAPA\r\n", 4190: b"CAPABILITY\r\n"}


@dataclass(frozen=True)
class Cost:
    """What one run took: seconds of wall and CPU, and TCP connections."""

    wall: float
    cpu: float
    connections: int


# ---------------------------------------------------------------------------------------------
# The relay


class Half(asyncio.Protocol):
    """One side of a relayed connection; what it hears, the other side says ``delay`` later."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.transport: Optional[asyncio.Transport] = None
        self.other: Optional[Half] = None
        self.early: list[str | bytes] = []
        self.heard_all = self.said_all = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Says what was heard before this side was there."""
        self.transport = transport  # type: ignore[assignment]
        for what in self.early:
            self.say(what)

    def data_received(self, data: bytes) -> None:
        """Passes data on."""
        self.tell(data)

    def eof_received(self) -> bool:
        """Passes the end on, and goes on to say what the other side hears."""
        self.heard_all = True
        self.tell("eof")
        return not self.said_all

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """Passes on that all is over."""
        self.tell("reset" if exc else "close")

    def tell(self, what: str | bytes) -> None:
        """To the other side, later."""
        if self.other is not None:
            asyncio.get_running_loop().call_later(self.delay, self.other.say, what)

    def say(self, what: str | bytes) -> None:
        """Now, if it can still be said."""
        if self.transport is None:
            self.early.append(what)
        elif isinstance(what, bytes):
            self.transport.write(what)
        elif what == "reset":
            self.transport.abort()
        elif what == "eof" and not self.heard_all and not self.transport.is_closing():
            self.said_all = True
            with suppress(OSError):
                self.transport.write_eof()
        else:
            self.transport.close()


async def relay(host: str, rtt: float) -> None:
    """Passes the five ports on to a host, half of the round trip late in each direction."""
    loop, count, tasks = asyncio.get_running_loop(), 0, set()

    async def connect(near: Half, port: int) -> None:
        far = Half(rtt / 2)
        near.other, far.other = far, near
        await asyncio.sleep(rtt * 1.5)  # SYN, its answer, and the ACK that lets the server speak
        try:
            await loop.create_connection(lambda: far, host, port)
        except OSError:
            near.say("reset")

    def accepted(port: int) -> Half:
        nonlocal count
        count += 1
        near = Half(rtt / 2)
        task = loop.create_task(connect(near, port))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return near

    async def tell(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(str(count).encode())
        writer.close()

    for port in PORTS:
        await loop.create_server(partial(accepted, port), RELAY, port, backlog=256)
    await asyncio.start_server(tell, RELAY, COUNTER)
    print("ready", flush=True)
    await asyncio.Event().wait()


@contextmanager
def relaying(host: str, rtt: float) -> Iterator[None]:
    """The relay in a process of its own."""
    argv = [sys.executable, __file__, "--relay", host, "--rtt", str(rtt * 1000)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        try:
            if process.stdout is None or not process.stdout.readline():
                sys.exit("the relay did not start: ports 143, 993 … of 127.77.0.1 need root")
            yield
        finally:
            process.kill()


async def counted() -> int:
    """How many connections the relay has taken."""
    reader, writer = await asyncio.open_connection(RELAY, COUNTER)
    number = int(await reader.read())
    writer.close()
    return number


# ---------------------------------------------------------------------------------------------
# The tools


async def bare() -> None:
    """The least that a verdict on five ports can take."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT:@SECLEVEL=0")

    async def one(port: int) -> None:
        try:
            reader, writer = await asyncio.open_connection(RELAY, port)
            if PORTS[port]:
                await reader.read(4096)
                writer.write(CAPABILITY[port])
                await reader.read(4096)
                writer.write(PORTS[port])
                await reader.read(4096)
            loop, transport = asyncio.get_running_loop(), writer.transport
            await loop.start_tls(transport, transport.get_protocol(), context)
        except (OSError, ssl.SSLError):
            return

    await asyncio.gather(*(one(port) for port in PORTS))


def look(full: bool) -> None:
    """The probe itself."""
    sys.path.insert(0, str(ROOT / "collections"))
    from ansible_collections.postmaster.tls.plugins.module_utils.probe import (
        default_endpoints,
        probe,
    )

    probe(default_endpoints([RELAY]), full=full)


def tools() -> dict[str, list[list[str]]]:
    """The processes of each tool; those of one tool run side by side."""
    mine = [sys.executable, __file__, "--as"]
    found = {name: [[*mine, name]] for name in ("bare", "judge", "full")}
    if shutil.which("nmap"):
        ports = "143,993,110,995"
        found["nmap"] = [["nmap", "-Pn", "-n", "-p", ports, "--script", "ssl-enum-ciphers", RELAY]]
    if shutil.which("sslscan"):
        how = {143: ["--starttls-imap"], 993: [], 110: ["--starttls-pop3"], 995: []}
        found["sslscan"] = [["sslscan", *words, f"{RELAY}:{port}"] for port, words in how.items()]
    return found


def cost(commands: list[list[str]]) -> Cost:
    """Runs the processes of a tool side by side, to the end of the last."""
    before, connections = resource.getrusage(resource.RUSAGE_CHILDREN), asyncio.run(counted())
    began = time.monotonic()
    null = subprocess.DEVNULL
    running = [subprocess.Popen(argv, stdout=null, stderr=null) for argv in commands]
    for process in running:
        process.wait()
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, asyncio.run(counted()) - connections)


def measure(host: str, rtt: float, runs: int) -> None:
    """Prints one table row for each tool."""
    with relaying(host, rtt):
        for name, commands in tools().items():
            costs = [cost(commands) for _ in range(runs)]
            wall = statistics.median(c.wall for c in costs)
            cpu = statistics.median(c.cpu for c in costs)
            connections = statistics.median(c.connections for c in costs)
            row = f"{host:16}{rtt * 1000:5.0f}  {name:9}{wall:8.2f}{cpu:8.2f}{connections:8.0f}"
            print(row, flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Costs of looking at a host's five ports.")
    parser.add_argument("hosts", nargs="*")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rtt", type=float, default=50.0, help="milliseconds")
    parser.add_argument("--relay", help=argparse.SUPPRESS)
    parser.add_argument("--as", dest="tool", choices=["bare", "judge", "full"],
                        help=argparse.SUPPRESS)  # fmt: skip
    arguments = parser.parse_args()
    if arguments.relay:
        asyncio.run(relay(arguments.relay, arguments.rtt / 1000))
    elif arguments.tool:
        asyncio.run(bare()) if arguments.tool == "bare" else look(arguments.tool == "full")
    else:
        print(f"{'host':16}{'rtt':>5}  {'tool':9}{'wall s':>8}{'CPU s':>8}{'conn.':>8}")
        for host in arguments.hosts:
            for rtt in (0.0, arguments.rtt / 1000):
                measure(host, rtt, arguments.runs)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main()
