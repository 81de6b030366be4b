# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The candidate in a private instance of the real server, on loopback and high ports.

A server's own checker takes what then ends every handshake; only a server that shakes hands proves
a configuration. The instance has a directory of its own below /run and is held by a process that
ends it with this one, also when this one is killed (holder.py). What a kill of both leaves, the
next run sweeps (scratch.py).

When the candidate fails, the configuration of now is rehearsed the same way. If that fails too,
the fault is the rehearsal's (a security module, a missing program) or no new one, and is told as
such: a server is refused for what the candidate breaks and for nothing else.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from . import bundle, holder, host, local_proof, names, scratch
from .model.observed import Endpoint, Service, TlsMode
from .text import clean

PATIENCE = 10.0
"""Seconds from the start of an instance to a handshake on each of its ports."""
LINGER = 1.0
"""Seconds for which its open ports may fail: it has no processes from before a change."""
_LOG_LIMIT = 64 * 1024

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
    program = os.path.join(directory, "holder.py")
    with open(program, "w", encoding="utf-8") as handle:
        handle.write(bundle.sources()[holder.__name__])
    argv = [sys.executable, "-I", program, directory]
    for command in commands:
        argv += ["--", *command]
    # Not run_command: it runs beside this process.
    holding = subprocess.Popen(  # pylint: disable=ansible-bad-function
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
        if holding.stdin:
            holding.stdin.close()
        try:
            holding.wait(holder.END + 5.0)
        except subprocess.TimeoutExpired:
            holding.kill()
            holding.wait()
