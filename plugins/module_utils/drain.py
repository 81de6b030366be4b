# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before a restart: nobody new is let in, and who has just come finishes the handshake.

A server that is restarted drops the connections that it has not accepted yet and kills those in the
middle of a handshake. So its listening sockets are made deaf first: a filter on them drops each SYN
(a client that gets no answer sends it again after a second, RFC 6298 section 2), and the restart
waits for a moment. The filter is a classic BPF program (socket(7), SO_ATTACH_FILTER) and belongs to
the socket: it ends with it, and nothing of the host's firewall is touched. The sockets are reached
by pidfd_getfd(2), since Linux 5.6; where that is not to be had or not allowed, nothing is done and
the restart is what it would be anyway.

Who is killed between the two leaves a server that hears nobody, so this is for a change that is
armed: its switch restarts the server.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import time
from collections.abc import Container, Iterable

from . import host

YOUNG = 1.0
"""Seconds after which a process is not in the middle of a handshake any more."""
LONGEST = 1.5
"""Seconds that are waited at most."""
PAUSE = 0.05
_PIDFD_GETFD = 438  # the number of the call on every architecture but alpha
_ATTACH, _DETACH = 26, 27  # SO_ATTACH_FILTER, SO_DETACH_FILTER: asm-generic/socket.h
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIMIT = 64 * 1024
_TICKS = os.sysconf("SC_CLK_TCK")
# linux/filter.h. A socket's filter sees the TCP header: its byte 13 has the flags (RFC 9293
# section 3.1). SYN without ACK is dropped, all else passes.
_NO_SYN = (
    (0x30, 0, 0, 13),  # A = flags
    (0x54, 0, 0, 0x12),  # A &= SYN | ACK
    (0x15, 0, 1, 0x02),  # A == SYN?
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # take
)


def finish(unit: str) -> None:
    """Let nobody new in to a unit of systemd, and wait until who has just come is through."""
    group = _group(unit)
    sockets = _listening(_processes(group)) if group else []
    try:
        deaf = [each for each in sockets if _attach(each)]
        deadline = time.monotonic() + LONGEST
        while deaf and _busy(group, deaf) and time.monotonic() < deadline:
            time.sleep(PAUSE)
    finally:  # who holds them keeps their ports
        for each in sockets:
            each.close()


def hear_again(unit: str) -> None:
    """Take the filter away, where the restart did not come about."""
    group = _group(unit)
    for each in _listening(_processes(group)) if group else ():
        with contextlib.suppress(OSError):  # it has none: a new socket
            each.setsockopt(socket.SOL_SOCKET, _DETACH, 0)
        each.close()


def _attach(listening: socket.socket) -> bool:
    """Drop SYNs from now on; whether that is allowed."""
    code = b"".join(struct.pack("=HBBI", *each) for each in _NO_SYN)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(_NO_SYN), ctypes.addressof(buffer))  # struct sock_fprog
    try:
        listening.setsockopt(socket.SOL_SOCKET, _ATTACH, program)
    except OSError:
        return False
    return True


def _busy(group: str, sockets: Iterable[socket.socket]) -> bool:
    """Whether somebody waits to be accepted, or came just now."""
    if any(_waiting(each) for each in sockets):
        return True
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    return any(now - _began(pid) < YOUNG for pid in _processes(group))


def _waiting(listening: socket.socket) -> int:
    """Connections that are not accepted yet: tcpi_unacked of a listening socket (tcp(7))."""
    info = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)
    return int(struct.unpack_from("=I", info, 24)[0])


def _processes(group: str) -> list[int]:
    """The processes of a control group: proc_pid_cgroup(5)."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        lines = (host.read_text(f"/proc/{name}/cgroup", _LIMIT) or "").splitlines()
        if any(line.split(":", 2)[-1] == group for line in lines):
            found.append(int(name))
    return found


def _group(unit: str) -> str:
    """The control group of a unit; ``""`` where it has none, or its sockets are another's.

    A unit in a container may have the same name, but not the same group. A socket that systemd
    itself holds for the unit (systemd.socket(5)) would outlive the restart, and so the filter.
    """
    asked = ["systemctl", "show", "--property=ControlGroup", "--property=TriggeredBy", unit]
    told = dict(line.partition("=")[::2] for line in host.run(asked).stdout.splitlines())
    by_socket = ".socket" in told.get("TriggeredBy", "")
    return "" if by_socket else told.get("ControlGroup", "")


def _began(pid: int) -> float:
    """Seconds from the boot to the start of a process: proc_pid_stat(5), the 22nd field."""
    stat = host.read_text(f"/proc/{pid}/stat", _LIMIT) or ""
    fields = stat.rpartition(")")[2].split()
    return int(fields[19]) / _TICKS if len(fields) > 19 else 0.0


def _listening(pids: Iterable[int]) -> list[socket.socket]:
    """The sockets on which these processes listen, each once; none where that is not allowed."""
    found: dict[str, socket.socket] = {}
    with contextlib.suppress(AttributeError):  # os.pidfd_open came with Linux 5.3
        for pid in pids:
            with contextlib.suppress(OSError):
                found.update(_held(pid, found))
    return list(found.values())


def _held(pid: int, known: Container[str]) -> dict[str, socket.socket]:
    found: dict[str, socket.socket] = {}
    process = os.pidfd_open(pid)
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            name = os.readlink(f"/proc/{pid}/fd/{number}")
            if not name.startswith("socket:") or name in known or name in found:
                continue
            mine = _LIBC.syscall(_PIDFD_GETFD, process, int(number), 0)
            if mine < 0:
                continue
            each = socket.socket(fileno=mine)
            if _listens(each):
                found[name] = each
            else:
                each.close()
    finally:
        os.close(process)
    return found


def _listens(each: socket.socket) -> bool:
    if each.family not in (socket.AF_INET, socket.AF_INET6) or each.type != socket.SOCK_STREAM:
        return False
    return bool(each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
