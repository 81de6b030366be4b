# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server in a process of its own: deaf to who comes, and it goes on with who is there."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import drain, host

PATIENCE = 20.0
# Two listening sockets and one that is none; whoever comes is greeted, and echoed until he leaves.
SERVER = """
import asyncio, socket, sys
async def serve(reader, writer):
    writer.write(b"hello ")
    while data := await reader.read(100):
        writer.write(data)
    writer.close()
async def main():
    other = socket.socketpair()
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        server = await asyncio.start_server(serve, address, 0)
        print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[tuple[str, int], ...]]:
    """Where a server of the unit listens: its only process began long ago."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        four, six = (int(server.stdout.readline()) for _ in range(2))
        monkeypatch.setattr(drain, "_group", lambda unit: {"mail.service": "/mail"}[unit])
        monkeypatch.setattr(drain, "_processes", lambda _group: [server.pid])
        monkeypatch.setattr(drain, "_began", lambda _pid: 0.0)
        yield (("127.0.0.1", four), ("::1", six))
        server.kill()


def greeted(address: tuple[str, int], seconds: float) -> bool:
    """Whether somebody who comes now is heard within so many seconds."""
    try:
        with socket.create_connection(address, seconds) as caller:
            return caller.recv(100) == b"hello "
    except socket.timeout:
        return False


def heard(ports: tuple[tuple[str, int], ...]) -> list[bool]:
    return [greeted(port, PATIENCE) for port in ports]


def unheard(ports: tuple[tuple[str, int], ...]) -> list[bool]:
    """A SYN without an answer is sent again after a second, so this ends before."""
    return [not greeted(port, 0.5) for port in ports]


def test_nobody_new_is_let_in_and_who_is_there_goes_on(
    ports: tuple[tuple[str, int], ...],
) -> None:
    with contextlib.ExitStack() as stack:
        there = [stack.enter_context(socket.create_connection(port, PATIENCE)) for port in ports]
        drain.finish("mail.service")
        assert unheard(ports) == [True, True]
        for caller in there:
            caller.sendall(b"still here")
            assert caller.recv(6) == b"hello "
            assert caller.recv(100) == b"still here"
    drain.hear_again("mail.service")
    assert heard(ports) == [True, True]


def test_who_came_when_it_was_deaf_is_heard_afterwards(ports: tuple[tuple[str, int], ...]) -> None:
    drain.finish("mail.service")
    with socket.socket() as caller:
        caller.setblocking(False)
        caller.connect_ex(ports[0])
        drain.hear_again("mail.service")
        caller.settimeout(PATIENCE)
        assert caller.recv(100) == b"hello "


def test_it_waits_for_who_came_just_now_and_not_for_ever(
    ports: tuple[tuple[str, int], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.clock_gettime(time.CLOCK_BOOTTIME)
    monkeypatch.setattr(drain, "_began", lambda _pid: began)
    drain.finish("mail.service")
    assert time.clock_gettime(time.CLOCK_BOOTTIME) - began >= drain.YOUNG
    monkeypatch.setattr(drain, "_began", lambda _pid: float("inf"))
    monkeypatch.setattr(drain, "LONGEST", 0.2)
    began = time.monotonic()
    drain.finish("mail.service")
    assert time.monotonic() - began >= drain.LONGEST


def test_a_queue_that_nobody_empties_is_somebody_waiting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert drain._waiting(server) == 0
        with socket.create_connection(server.getsockname()):
            assert drain._waiting(server) == 1


def test_no_socket_is_held_afterwards(ports: tuple[tuple[str, int], ...]) -> None:
    """Who holds a listening socket keeps its port: the new server could not bind it."""
    drain.finish("mail.service")
    assert drain._listening([os.getpid()]) == []


def test_where_it_is_not_allowed_nothing_is_done(
    ports: tuple[tuple[str, int], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Libc:
        @staticmethod
        def syscall(*_arguments: int) -> int:
            return -1

    monkeypatch.setattr(drain, "_LIBC", Libc)
    drain.finish("mail.service")
    assert heard(ports) == [True, True]


@pytest.mark.parametrize(
    ("said", "group"),
    [
        ("ControlGroup=/system.slice/a.service\nTriggeredBy=\n", "/system.slice/a.service"),
        ("ControlGroup=/system.slice/a.service\nTriggeredBy=a.timer a.socket\n", ""),
        ("ControlGroup=\nTriggeredBy=\n", ""),
        ("", ""),
    ],
)
def test_a_socket_that_outlives_the_restart_is_left_alone(
    said: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain.host, "run", lambda _argv: host.Result(0, said, ""))
    assert drain._group("a.service") == group


def test_a_unit_that_has_no_process_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "_group", lambda _unit: "")
    monkeypatch.setattr(drain, "_processes", lambda _group: pytest.fail("of no group"))
    drain.finish("mail.service")
    drain.hear_again("mail.service")
