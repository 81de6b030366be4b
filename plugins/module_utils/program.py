# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program on the host does when it is called (bundle.py puts it there).

    fire STATE LOCK ID          take the change ID back if it is still open; called by the timer
    wait STATE LOCK ID SECONDS  the same after so many seconds, where there is no systemd
    boot STATE LOCK             end whatever change is open, before the servers start
    ready STATE LOCK            nothing: it runs, that is all
    hold DIRECTORY COMMAND …    a rehearsal's server: until standard input ends (rehearsal.py)
    deploy OPTION …             put a certificate in force (deploy_command.py)
    renew OPTION …              have it renewed, or put in force what was (renew_command.py)

A restore that fails (a disk that is read-only for now) is tried again until it succeeds. It goes
before what else the host is busy with: it has a time to keep, and mail is down until then.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from typing import Callable, Optional, TextIO

from . import deploy_command, ledger, rehearsal, renew_command, settle, transaction
from .ledger import State

RETRY = 2.0
TRIES = 900
LOCK_WAIT = 300.0
WATCH = 0.25
HASTE = -15  # nice(1); the highest is -20


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Entry point of the archive."""
    verb, *arguments = (sys.argv[1:] if argv is None else argv) or [""]
    if verb not in _VERBS:
        _say("usage: postmaster-tls deploy --help, postmaster-tls renew --help", sys.stderr)
        raise SystemExit(2)
    raise SystemExit(_VERBS[verb](arguments))


def _fire(arguments: Sequence[str]) -> int:
    _at(arguments[0], arguments[1])
    return _insist(lambda: _take_back(arguments[2]))


def _wait(arguments: Sequence[str]) -> int:
    if os.fork():
        return 0
    _at(arguments[0], arguments[1])
    deadline = time.monotonic() + float(arguments[3])
    while time.monotonic() < deadline:
        if not _open(arguments[2]):
            return 0
        time.sleep(WATCH)
    return _fire(arguments[:3])


def _boot(arguments: Sequence[str]) -> int:
    _at(arguments[0], arguments[1])
    return _insist(_resolve_at_boot)


def _hold(arguments: Sequence[str]) -> int:
    return rehearsal.hold(arguments[0], arguments[1:])


def _deploy(arguments: Sequence[str]) -> int:
    return deploy_command.main(arguments)


def _renew(arguments: Sequence[str]) -> int:
    return renew_command.main(arguments)


def _ready(_arguments: Sequence[str]) -> int:
    return 0


_VERBS: dict[str, Callable[[Sequence[str]], int]] = {
    "fire": _fire,
    "wait": _wait,
    "boot": _boot,
    "deploy": _deploy,
    "hold": _hold,
    "ready": _ready,
    "renew": _renew,
}


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


if __name__ == "__main__":
    os.chdir("/")
    main()
