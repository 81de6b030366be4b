#!/usr/bin/env python3
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A relay that makes a host far away, and counts who goes there.

It listens on the five ports of a loopback address and passes bytes on, half of a round trip late
in each direction. It accepts at once, so it is the first byte that comes late: by one and a half
round trips (SYN, its answer, and the ACK with which the server hears of the connection) and then
by half of one, as it would from afar. It is what a kernel without netem has instead.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Optional, cast

RELAY, COUNTER = "127.77.0.1", 7777
PORTS = (143, 993, 110, 995, 4190)


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
        self.transport = cast(asyncio.Transport, transport)
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
    argv = [sys.executable, __file__, host, str(rtt)]
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


def main() -> None:
    """Command line; it is :func:`relaying` that calls it."""
    parser = argparse.ArgumentParser(description="Passes the five ports of a host on, late.")
    parser.add_argument("host")
    parser.add_argument("rtt", type=float, help="seconds")
    arguments = parser.parse_args()
    asyncio.run(relay(arguments.host, arguments.rtt))


if __name__ == "__main__":
    main()
