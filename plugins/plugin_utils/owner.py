# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which run began a change: a name for people, and a token by which to tell whether it still lives.

An open change is either waited for or taken back. From the same controller it can be known which:
the run is a process, named by its number and its start (proc(5), field 22 of stat). Of a run on
another controller nothing is known, so it is waited for, as long as its switch gives it.
"""

from __future__ import annotations

import getpass
import os
import platform


def who() -> str:
    """The user and the controller."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{platform.node()}"


def token() -> str:
    """This run. Actions are run by workers, so it is the process above."""
    return _token(os.getppid())


def is_gone(other: str) -> bool:
    """Whether the run that a token names was one of this controller and is over."""
    node, _slash, rest = other.partition("/")
    number, _colon, started = rest.partition(":")
    if node != platform.node() or not number.isdigit() or not started:
        return False
    return _started(int(number)) != started


def _token(pid: int) -> str:
    return f"{platform.node()}/{pid}:{_started(pid)}"


def _started(pid: int) -> str:
    """When a process started, with the boot it belongs to; empty where that cannot be known."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
            return f"{fields[19]}@{boot.read().strip()}"
    except (OSError, IndexError):
        return ""
