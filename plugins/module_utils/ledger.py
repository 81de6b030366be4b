# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one change that is open on this host, and the journal of those that are over.

The record is one small file, replaced durably (fsync, rename, fsync) before each step, so whoever
finds it after a kill, a power cut or a reboot knows how far the change came and how to end it:
settle.py does. Deadlines are counted by the clock that nobody sets (CLOCK_MONOTONIC) and hold for
one boot, whose id is kept beside them.

    staged ─→ rehearsed ─→ armed ─→ swapped ─→ confirmed
       └──────────┴──────────┴─────────┴─────→ reverted
"""

from __future__ import annotations

import contextlib
import enum
import json
import math
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Optional

from . import host, transaction
from .model.observed import Endpoint
from .plain import from_plain, to_plain
from .transaction import FileState, sync_directory, write_new

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_RECORD_LIMIT = 1024 * 1024
JOURNAL_LIMIT = 1024 * 1024
"""Bytes after which the journal is begun anew; the one before is kept as ``journal.jsonl.1``."""


class State(enum.Enum):
    """How far a change came; each is written before what it names can leave a trace."""

    STAGED = "staged"  # files beside the live ones; nothing live is touched
    REHEARSED = "rehearsed"  # the candidate was tried, or could not be
    ARMED = "armed"  # the old files are kept, the switch is set; live files may be old or new
    SWAPPED = "swapped"  # every file is new; the server is told, and proof is awaited
    CONFIRMED = "confirmed"  # proven; what is left is to clear away
    REVERTED = "reverted"  # every file is as before; what is left is to clear away


NEXT: dict[Optional[State], tuple[State, ...]] = {
    None: (State.STAGED,),
    State.STAGED: (State.REHEARSED, State.REVERTED),
    State.REHEARSED: (State.ARMED, State.REVERTED),
    State.ARMED: (State.SWAPPED, State.REVERTED),
    State.SWAPPED: (State.CONFIRMED, State.REVERTED),
    State.CONFIRMED: (),
    State.REVERTED: (),
}
"""From a state to those that may follow it."""

TOUCHED = (State.ARMED, State.SWAPPED)
"""States in which live files may be new ones."""


@dataclass(frozen=True)
class Record:
    """An open change.

    ``units`` ran and ``served`` shook hands before it, so both must again. ``siblings`` and
    ``made`` are staged files and the directories made for them. ``deadline`` is in seconds of
    CLOCK_MONOTONIC in the boot ``boot``. ``who`` is for people, ``owner`` for the controller that
    has to tell whether the run that began this still lives. ``handed_over``: the module is done,
    and the controller is to prove and confirm it.
    """

    id: str
    state: State
    products: tuple[str, ...]
    at: str
    who: str = ""
    owner: str = ""
    generation: str = ""
    paths: tuple[str, ...] = ()
    siblings: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    served: tuple[Endpoint, ...] = ()
    boot: str = ""
    deadline: float = 0.0
    switch: str = ""
    handed_over: bool = False

    @property
    def seconds_left(self) -> float:
        """Until it goes back by itself; negative when that is over, also by a reboot."""
        return self.deadline - time.monotonic() if self.boot == boot_id() else -math.inf


class Broken(Exception):
    """The record cannot be read; the message says where it is."""


def boot_id() -> str:
    """The kernel's name for the time since it started."""
    return (host.read_text(_BOOT_ID, 64) or "").strip()


def now() -> str:
    """The time for people, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def record_path() -> str:
    """Where the open change is written down."""
    return os.path.join(transaction.STATE_DIR, "transaction.json")


def read() -> Optional[Record]:
    """The open change, ``None`` where there is none. Raises :class:`Broken`."""
    path = record_path()
    if not os.path.lexists(path):
        return None
    try:
        return from_plain(Record, json.loads(host.read_text(path, _RECORD_LIMIT) or ""))
    except ValueError as error:
        raise Broken(
            f"{path} cannot be read ({error}); the files of before are kept in "
            f"{transaction.STATE_DIR}/generations"
        ) from None


def begin(record: Record) -> Record:
    """Write down a new change. The host's lock is held by whoever calls this."""
    os.makedirs(transaction.STATE_DIR, mode=0o700, exist_ok=True)
    _write(record)
    return record


def advance(record: Record, state: State, **changes: Any) -> Record:
    """Write down that a change has come to ``state``; ValueError for a step that is not allowed."""
    if state not in NEXT[record.state]:
        raise ValueError(f"a change that is {record.state.value} cannot become {state.value}")
    new = replace(record, state=state, **changes)
    _write(new)
    return new


def hand_over(record: Record) -> Record:
    """Write down that from now on the controller is waited for."""
    new = replace(record, handed_over=True)
    _write(new)
    return new


def close() -> None:
    """Forget the open change: it is over, and nothing of it is left."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(record_path())
    sync_directory(transaction.STATE_DIR)


def _write(record: Record) -> None:
    path = record_path()
    new = f"{path}.new"
    transaction.unstage((new,))
    data = json.dumps(to_plain(record), indent=1).encode() + b"\n"
    write_new(new, FileState(new, data, 0o600, os.geteuid(), os.getegid()))
    os.replace(new, path)
    sync_directory(transaction.STATE_DIR)


# ---------------------------------------------------------------------------------------------
# The journal


def journal_path() -> str:
    """Where the outcomes are written, one JSON object a line."""
    return os.path.join(transaction.STATE_DIR, "journal.jsonl")


def journal(record: Record, reason: str = "") -> None:
    """Append the outcome of a change, durably. One that cannot be written keeps nothing back."""
    entry = {
        "at": now(),
        "id": record.id,
        "what": record.state.value,
        "began": record.at,
        "who": record.who,
        "products": list(record.products),
        "paths": list(record.paths),
        "generation": record.generation,
        "reason": reason,
    }
    with contextlib.suppress(OSError):
        _append(json.dumps(entry))


def journal_entries() -> list[dict[str, object]]:
    """The outcomes, oldest first; lines that are no JSON are left out."""
    found = []
    for line in (host.read_text(journal_path(), 2 * JOURNAL_LIMIT) or "").splitlines():
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict):
                found.append(entry)
    return found


def _append(line: str) -> None:
    path = journal_path()
    if os.path.exists(path) and os.path.getsize(path) > JOURNAL_LIMIT:
        os.replace(path, f"{path}.1")
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "a", encoding="utf-8") as handle:
        handle.write(line + "\n")
        handle.flush()
        os.fsync(handle.fileno())


def siblings(states: Iterable[FileState], token: str) -> tuple[str, ...]:
    """Every path beside a live file that a change of this name may write."""
    return tuple(
        path(state, token)
        for state in states
        if not state.only_attributes
        for path in (transaction.sibling, transaction.aside)
    )
