#!/usr/bin/env python3
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least that a question to five ports can cost: bare loops that conclude nothing.

    benchmarks/bare.py {handshake,policy,inventory} ADDRESS

They know the ports, look at no failure, repeat nothing, bound nothing and attempt no login.
handshake: greeting, capabilities, STARTTLS and one TLS handshake a port, all ports side by side.
policy: that, and five hellos a port: TLS 1.3, TLS 1.2, old versions, suites that no profile allows,
a foreign protocol's name in ALPN; two connections at a time to a port, six in all.
inventory: the handshake, all versions, the suites of each, the groups of TLS 1.3 and TLS 1.2, each
list by hellos that offer what is left until that is refused; two connections at a time to a port.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import ssl
import sys
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Callable, Optional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "collections"))

from ansible_collections.postmaster.tls.plugins.module_utils.wire.flight import (
    Alert,
    ServerFlight,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
)
from ansible_collections.postmaster.tls.plugins.module_utils.wire.hello import ClientHello
from ansible_collections.postmaster.tls.plugins.module_utils.wire.offers import HELLOS
from ansible_collections.postmaster.tls.plugins.module_utils.wire.reader import NeedMore

STARTTLS = {143: b"a STARTTLS\r\n", 993: b"", 110: b"STLS\r\n", 995: b"", 4190: b"STARTTLS\r\n"}
CAPABILITY = {143: b"b CAPABILITY\r\n", 110: b"CAPA\r\n", 4190: b"CAPABILITY\r\n"}
VERDICT = ("tls1.3", "tls1.2", "deprecated", "forbidden", "alpn")
LISTED = ("tls1.3", "tls1.2", "tls1.1", "tls1.0", "ssl3")
CHUNK = 16384

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Chosen = tuple[Optional[int], Optional[int]]


class Port:
    """One port; ``places`` are its connections at a time."""

    def __init__(self, address: str, port: int, places: int = 2) -> None:
        self.address = address
        self.port = port
        self.places = asyncio.Semaphore(places)

    async def begun(self, capability: bytes = b"") -> Pair:
        """A connection at the point where TLS begins."""
        reader, writer = await asyncio.open_connection(self.address, self.port)
        if STARTTLS[self.port]:
            await reader.read(CHUNK)
            for command in (capability, STARTTLS[self.port]):
                if command:
                    writer.write(command)
                    await reader.read(CHUNK)
        return reader, writer

    async def handshake(self, context: ssl.SSLContext) -> None:
        """A completed handshake, and the capabilities before it."""
        async with self.places:
            _, writer = await self.begun(CAPABILITY.get(self.port, b""))
            transport = writer.transport
            loop = asyncio.get_running_loop()
            inside = await loop.start_tls(transport, transport.get_protocol(), context)
            if inside is not None:
                inside.close()

    async def hello(self, hello: ClientHello) -> Chosen:
        """The suite and the group that a hello gets."""
        async with self.places:
            reader, writer = await self.begun()
            writer.write(hello.encode(os.urandom(32)))
            try:
                return await read_flight(reader)
            finally:
                writer.close()


async def read_flight(reader: asyncio.StreamReader) -> Chosen:
    """Reads until the server's first flight is over."""
    flight, suite, group = ServerFlight(), None, None
    while True:
        event = flight.next_event()
        if isinstance(event, NeedMore):
            data = await reader.read(CHUNK)
            if not data:
                return suite, group
            flight.receive(data)
        elif isinstance(event, ServerHello):
            suite, group = event.suite, event.group
            if event.version >= 0x0304:
                return suite, group
        elif isinstance(event, ServerKeyExchange):
            group = event.group
        elif isinstance(event, (Alert, ServerHelloDone)):
            return (None, None) if isinstance(event, Alert) else (suite, group)


async def suites(port: Port, name: str) -> None:
    """All suites of a version."""
    left = list(HELLOS[name].suites)
    while left:
        suite, _ = await port.hello(replace(HELLOS[name], suites=tuple(left)))
        if suite not in left:
            return
        left.remove(suite)


async def groups(port: Port, name: str) -> None:
    """All groups of a version."""
    left = list(HELLOS[name].groups)
    while left:
        _, group = await port.hello(replace(HELLOS[name], groups=tuple(left)))
        if group not in left:
            return
        left.remove(group)


async def handshake(address: str, port: int, context: ssl.SSLContext) -> None:
    """The least."""
    await Port(address, port).handshake(context)


async def policy(address: str, port: int, context: ssl.SSLContext) -> None:
    """What a verdict needs."""
    one = Port(address, port)
    await side_by_side([one.handshake(context), *(one.hello(HELLOS[n]) for n in VERDICT)])


async def inventory(address: str, port: int, context: ssl.SSLContext) -> None:
    """What there is."""
    one = Port(address, port)
    lists = [*(suites(one, n) for n in LISTED), *(groups(one, n) for n in LISTED[:2])]
    await side_by_side([one.handshake(context), *lists])


async def side_by_side(tasks: list[Awaitable[object]]) -> None:
    """All of them; what fails is not looked at."""
    await asyncio.gather(*tasks, return_exceptions=True)


LOOPS: dict[str, Callable[[str, int, ssl.SSLContext], Awaitable[None]]] = {
    "handshake": handshake,
    "policy": policy,
    "inventory": inventory,
}


async def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="The least that five ports can cost.")
    parser.add_argument("loop", choices=LOOPS)
    parser.add_argument("address")
    arguments = parser.parse_args()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    look = LOOPS[arguments.loop]
    await side_by_side([look(arguments.address, port, context) for port in STARTTLS])


if __name__ == "__main__":
    asyncio.run(main())
