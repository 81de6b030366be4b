# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The candidate in a private instance of the real server, on loopback and high ports.

A server's own checker takes what then ends every handshake; only a server that shakes hands proves
a configuration. The instance has a directory of its own below /run and is held by a process that
ends with this one, also when this one is killed: it sees its standard input end, kills whatever
descends from it (also what made itself a daemon: prctl(2) PR_SET_CHILD_SUBREAPER), and removes
the directory. What a kill of both leaves, the next run sweeps (scratch.py).

When the candidate fails, the configuration of now is rehearsed the same way. If that fails too,
the fault is the rehearsal's (a security module, a missing program) or no new one, and is told as
such: a server is refused for what the candidate breaks and for nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from . import bundle, host, local_proof, names, scratch
from .model.observed import Endpoint, Service, TlsMode
from .text import clean

PATIENCE = 10.0
"""Seconds from the start of an instance to a handshake on each of its ports."""
LINGER = 1.0
"""Seconds for which its open ports may fail: it has no processes from before a change."""
END = 3.0
"""Seconds an instance may take to end when it is asked to, before it is killed."""
LONGEST = 120
_LOG_LIMIT = 64 * 1024
_PR_SET_CHILD_SUBREAPER = 36

Kind = tuple[Service, TlsMode]
"""What is rehearsed: one port for each protocol and way to begin TLS."""


@dataclass(frozen=True)
class Rehearsal:
    """``done`` is whether the candidate was tried; else ``reason`` says why it could not be."""

    done: bool
    reason: str = ""
    ports: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Instance:
    """How a server is started in ``directory``: each command runs until it is killed or detaches.

    ``ports`` maps what it serves to its port on loopback; ``log`` is the file with its complaints.
    """

    commands: tuple[tuple[str, ...], ...]
    ports: Mapping[Kind, int]
    log: str


class Impossible(Exception):
    """A rehearsal cannot be made here; the message says why."""


Prepare = Callable[[str, Mapping[Kind, int]], Instance]
"""Writes what an instance needs into a directory. Raises :class:`Impossible` or OSError."""


def rehearse(
    candidate: Prepare, present: Prepare, kinds: Sequence[Kind]
) -> tuple[Rehearsal, Optional[str]]:
    """The rehearsal, and what the candidate breaks, as a sentence."""
    began = time.monotonic()
    if not kinds:
        return Rehearsal(False, "no port of the server is open"), None
    try:
        problem = play(candidate, kinds)
        now = play(present, kinds) if problem else None
        if problem and now:  # some ports may fail now, and the candidate break others
            fit = tuple(kind for kind in kinds if not play(present, (kind,)))
            kinds, problem = fit, play(candidate, fit) if fit else problem
    except (Impossible, OSError) as error:
        return Rehearsal(False, clean(str(error), 300)), None
    seconds = round(time.monotonic() - began, 2)
    if now and not kinds:
        return Rehearsal(False, f"the configuration of now fails in it as well: {now}"), None
    names = tuple(f"{service.value} {mode.value}" for service, mode in kinds)
    return Rehearsal(True, ports=names, seconds=seconds), problem


def play(prepare: Prepare, kinds: Sequence[Kind]) -> Optional[str]:
    """Start an instance, shake hands on each port, end it. What was wrong, or ``None``."""
    with scratch.folder("rehearsal") as directory:
        os.chmod(directory, 0o711)  # noqa: S103 - the server's own users have to get through
        numbers = dict(zip(kinds, names.free_ports(len(kinds))))
        instance = prepare(directory, numbers)
        endpoints = [Endpoint("127.0.0.1", port, *kind) for kind, port in instance.ports.items()]
        with _held(directory, instance.commands):
            problem = local_proof.await_handshakes(endpoints, PATIENCE, LINGER)
            return f"{problem}{_complaint(instance.log)}" if problem else None


def _complaint(log: str) -> str:
    """The last thing the server itself complained of."""
    lines = (host.read_text(log, _LOG_LIMIT) or "").splitlines()
    marks = ("Fatal", "Error", "error", "failed", "refused", "Unable", "Invalid", "invalid")
    words = [line for line in lines if any(mark in line for mark in marks)]
    words = [line for line in words if "setrlimit" not in line]
    return f"; the server says: {clean(words[-1], 300)}" if words else ""


@contextlib.contextmanager
def _held(directory: str, commands: Sequence[Sequence[str]]) -> Iterator[None]:
    """The commands, held by a process that ends with this one."""
    program = os.path.join(directory, "hold.pyz")
    with open(program, "wb") as handle:
        handle.write(bundle.content())
    argv = [sys.executable, "-I", program, "hold", directory]
    for command in commands:
        argv += ["--", *command]
    # Not run_command: it runs beside this process.
    holder = subprocess.Popen(  # pylint: disable=ansible-bad-function
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
    try:
        yield
    finally:
        if holder.stdin:
            holder.stdin.close()
        try:
            holder.wait(END + 5.0)
        except subprocess.TimeoutExpired:
            holder.kill()
            holder.wait()


# ---------------------------------------------------------------------------------------------
# In the holding process


def hold(directory: str, arguments: Sequence[str]) -> int:
    """Run the commands (each after a ``--``) until standard input ends, then leave nothing."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, _leave)
    signal.alarm(LONGEST)
    try:
        for command in _split(arguments):
            _start(command, os.path.join(directory, "log"))
        sys.stdin.buffer.read()
    finally:
        signal.alarm(0)
        _end_all()
        shutil.rmtree(directory, ignore_errors=True)
    return 0


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit(0)


def _split(arguments: Sequence[str]) -> list[list[str]]:
    commands: list[list[str]] = []
    for argument in arguments:
        if argument == "--":
            commands.append([])
        else:
            commands[-1].append(argument)
    return commands


def _start(command: Sequence[str], log: str) -> None:
    with open(log, "ab") as output:
        subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
        )


def _end_all() -> None:
    """Ask every descendant to end, then kill what is left: daemons too, they came back to us."""
    for number, seconds in ((signal.SIGTERM, END), (signal.SIGKILL, END)):
        deadline = time.monotonic() + seconds
        asked: set[int] = set()
        while time.monotonic() < deadline:
            _reap()
            left = descendants(os.getpid())
            if not left:
                return
            for pid in left:
                if pid not in asked:
                    asked.add(pid)
                    with contextlib.suppress(OSError):
                        os.kill(pid, number)
            time.sleep(0.02)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def descendants(root: int) -> list[int]:
    """Every process below ``root``, by /proc (proc(5), the fourth field of stat)."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = host.read_text(f"/proc/{name}/stat", 4096) or ""
            fields = stat.rpartition(")")[2].split()
            if len(fields) > 1:
                parents[int(name)] = int(fields[1])
    found: list[int] = []
    todo = [root]
    while todo:
        above = todo.pop()
        below = [pid for pid, parent in parents.items() if parent == above]
        found += below
        todo += below
    return found
