# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the dead man's switch does when nobody confirms a change: it is taken back.

Run by the program on the host (program.py), which switch.py arms. A restore that fails (a disk that
is read-only for now) is tried again until it succeeds. It goes before what else the host is busy
with: it has a time to keep, and mail is down until then.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import Callable, Optional, TextIO

from . import ledger, settle, transaction
from .ledger import State

RETRY = 2.0
TRIES = 900
LOCK_WAIT = 300.0
WATCH = 0.25
HASTE = -15  # nice(1); the highest is -20


def fire(state_dir: str, lock_file: str, name: str) -> int:
    """Take the change of that name back, if it is the open one and was not confirmed."""
    _at(state_dir, lock_file)
    return _insist(lambda: _take_back(name))


def wait(state_dir: str, lock_file: str, name: str, seconds: str) -> int:
    """The same after so many seconds, in a process of its own; it ends when the change does."""
    if os.fork():
        return 0
    _at(state_dir, lock_file)
    deadline = time.monotonic() + float(seconds)
    while time.monotonic() < deadline:
        if not _open(name):
            return 0
        time.sleep(WATCH)
    return fire(state_dir, lock_file, name)


def boot(state_dir: str, lock_file: str) -> int:
    """End whatever change is open, before the servers start."""
    _at(state_dir, lock_file)
    return _insist(_resolve_at_boot)


def ready() -> int:
    """Nothing: all that takes a change back is there and was loaded."""
    return 0


def _at(state_dir: str, lock_file: str) -> None:
    transaction.STATE_DIR, transaction.LOCK_FILE = state_dir, lock_file


def _open(name: str) -> bool:
    """Whether the change is still the open one; one that is being armed is not written yet."""
    with contextlib.suppress(ledger.Broken):
        record = ledger.read()
        return record is not None and record.id == name
    return True


def _take_back(name: str) -> None:
    with transaction.lock(LOCK_WAIT):
        record = ledger.read()
        if record is None or record.id != name:
            return
        if record.state is State.CONFIRMED:
            settle.clear(record)
            return
        _say(settle.revert(record, "nobody confirmed it in time"))


def _resolve_at_boot() -> None:
    with transaction.lock(LOCK_WAIT):
        record = ledger.read()
        if record is not None:
            _say(settle.resolve(record, start=False))


def _say(words: str, where: Optional[TextIO] = None) -> None:
    """To whoever called: systemd keeps it in the journal of the unit."""
    where = where or sys.stdout
    where.write(f"{words}\n")
    where.flush()


def _insist(task: Callable[[], None]) -> int:
    with contextlib.suppress(OSError):  # a container may not
        os.nice(HASTE)
    for _try in range(TRIES):
        try:
            task()
            return 0
        except ledger.Broken as error:  # nothing that time mends
            _say(str(error), sys.stderr)
            return 1
        except (OSError, ValueError, transaction.Refused) as error:
            _say(f"{type(error).__name__}: {error}", sys.stderr)
            time.sleep(RETRY)
    return 1
