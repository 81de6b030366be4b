# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the labelled servers, and lets TLS begin by STARTTLS where they know nothing of mail."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service, TlsMode
from ansible_collections.postmaster.tls.tests.ground_truth.labels import Label
from ansible_collections.postmaster.tls.tests.hostile.server import Peer, Step
from ansible_collections.postmaster.tls.tests.hostile.steps import Decent

COMMANDS = {
    "openssl": "openssl s_server -accept 127.0.0.1:{port} -key {pem} -cert {pem}",
    "gnutls-serv": "gnutls-serv --echo -p {port} --x509keyfile {pem} --x509certfile {pem}",
    "tlslite-ng": f"{sys.executable} {Path(__file__).parent}/tlslite_server.py {{port}} {{pem}}",
}
MANY_AT_ONCE = frozenset({"tlslite-ng"})
STARTED = 20.0


def version(program: str) -> tuple[int, ...]:
    """The version of an installed program, of those whose labels differ between versions."""
    if program != "openssl":
        return ()
    said = subprocess.run([program, "version"], capture_output=True, text=True, check=True)
    return tuple(int(number) for number in said.stdout.split()[1].split(".")[:2])


@contextlib.contextmanager
def started(program: str, labels: Sequence[Label], folder: Path) -> Iterator[list[int]]:
    """A server for each label on loopback; their ports. Raises AssertionError where one fails."""
    ports = _free_ports(len(labels))
    commands = [_command(program, *each, folder) for each in zip(labels, ports)]
    if program in MANY_AT_ONCE:
        arguments = [word for command in commands for word in (*command[2:], "--")]
        commands = [[*commands[0][:2], *arguments[:-1]]]
    with contextlib.ExitStack() as stack:
        there = [stack.enter_context(_process(command)) for command in commands]
        for label, port in zip(labels, ports):
            assert _listens(port, there), f"{program} does not start: {label.name}"
        yield ports


def _command(program: str, label: Label, port: int, folder: Path) -> list[str]:
    pem = folder / f"{label.certificate}.pem"
    words = (*COMMANDS[program].split(), *label.options.split())
    return [word.format(port=port, pem=pem, folder=folder) for word in words]


@contextlib.contextmanager
def _process(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command,
        # Kept open: at its end s_server would hang up.
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OPENSSL_CONF": "/dev/null", "GNUTLS_SYSTEM_PRIORITY_FILE": "/dev/null"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@functools.cache
def _ports() -> tuple[socket.socket, Iterator[int]]:
    """Ports of this process alone, and what holds them; Linux gives those from 32768 on to any
    connection of any test."""
    for block in range(20000, 32000, 1000):
        held = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError):
            held.bind(f"\0postmaster-tls-ports-{block}")
            return held, itertools.cycle(range(block, block + 1000))
        held.close()
    raise AssertionError("twelve runs of these tests go on already")


def _free_ports(count: int) -> list[int]:
    _held, ports = _ports()
    found: list[int] = []
    while len(found) < count:
        port = next(ports)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            found.append(port)
    return found


def _listens(port: int, processes: Sequence[subprocess.Popen[bytes]]) -> bool:
    end = time.monotonic() + STARTED
    while time.monotonic() < end and all(process.poll() is None for process in processes):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.02)
    return False


# ---------------------------------------------------------------------------------------------
# Mail in front of them


def behind_starttls(service: Service, port: int) -> tuple[Step, ...]:
    """A mail server that lets nobody in, and after STARTTLS passes all on to this port."""

    async def pass_on(peer: Peer) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as server:
            server.setblocking(False)
            await loop.sock_connect(server, ("127.0.0.1", port))
            tasks = (_forth(peer, server), _back(peer, server))
            await asyncio.gather(*tasks, return_exceptions=True)

    return (Decent(service, TlsMode.STARTTLS, "handshake", (pass_on,)),)


async def _forth(peer: Peer, server: socket.socket) -> None:
    try:
        while True:
            data = await peer.receive_raw()
            await asyncio.get_running_loop().sock_sendall(server, data)
    finally:
        server.shutdown(socket.SHUT_WR)


async def _back(peer: Peer, server: socket.socket) -> None:
    while data := await asyncio.get_running_loop().sock_recv(server, 65536):
        await peer.send_raw(data)
    peer.end()
