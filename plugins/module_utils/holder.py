# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds the servers of a rehearsal, as a program of its own: this file, run by itself.

    holder.py DIRECTORY -- COMMAND ... [-- COMMAND ...]

It starts the commands and waits for its standard input to end, which it does when whoever started
it is gone, however that came about. Then it kills whatever descends from it (also what made itself
a daemon: prctl(2) PR_SET_CHILD_SUBREAPER) and removes the directory. It knows nothing else of this
collection, so that it is there at once.
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
from collections.abc import Sequence

END = 3.0
"""Seconds an instance may take to end when it is asked to, before it is killed."""
LONGEST = 120
_PR_SET_CHILD_SUBREAPER = 36


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
            fields = _stat(name).rpartition(")")[2].split()
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


def _stat(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:  # it has ended
        return ""


if __name__ == "__main__":
    raise SystemExit(hold(sys.argv[1], sys.argv[2:]))
