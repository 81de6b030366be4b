# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a change ends: confirmed, or taken back. The same for a module, the switch and a boot.

Whoever ends a change holds the host's lock and reads the record first, so two never do. Each step
can be done again: a kill in between leaves a record from which the next one goes on.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Optional, Protocol

from . import courier_change, dovecot_change, generations, ledger, scratch, switch, transaction
from .ledger import Record, State
from .local_proof import LocalProof
from .transaction import Refused

GRACE = 10.0
"""Seconds after the deadline in which the switch takes back what nobody confirmed."""
PAUSE = 0.5


class Hands(Protocol):
    """What differs between servers when a change ends; a module has it."""

    def running(self) -> tuple[str, ...]:
        """The units that run now."""

    def activate(self, units: Sequence[str], paths: Sequence[str]) -> Optional[str]:
        """Let units read the files that changed; a sentence about those that did not."""


HANDS: dict[str, Hands] = {"dovecot": dovecot_change, "courier": courier_change}


def running(products: Sequence[str]) -> tuple[str, ...]:
    """The units of these servers that run now."""
    return tuple(unit for product in products for unit in HANDS[product].running())


def activate(record: Record) -> Optional[str]:
    """Let the servers read what is on disk; sentences about those that did not."""
    found = []
    for product in record.products:
        own = [unit for unit in record.units if unit.startswith(product)]
        found.append(HANDS[product].activate(own, record.paths))
    return "; ".join(problem for problem in found if problem) or None


def revert(record: Record, reason: str, start: bool = True) -> str:
    """Take a change back; says what the host is like now, in one sentence.

    The caller holds the lock. With ``start`` off the servers are left alone: at boot they start
    later. Raises OSError or :class:`Refused` when a file cannot be put back; the record then stays
    and the next one tries again.
    """
    said = "Nothing was changed"
    if record.state in ledger.TOUCHED:
        transaction.restore(generations.load(record.generation), record.id)
        said = _restarted(record) if start else "Every file is as it was before"
    record = _written(record, reason)
    clear(record)
    return said


def _restarted(record: Record) -> str:
    problem = activate(record)
    problem = problem or LocalProof(record.served).judge()
    if problem:
        return f"Every file is as it was before, but {problem}; look at the server now"
    return "Every file is as it was before and the server has read it again"


def _written(record: Record, reason: str) -> Record:
    """The record as reverted. A full disk is no reason to stop: closing it needs no room."""
    if record.state is State.REVERTED:
        return record
    reverted = replace(record, state=State.REVERTED)
    with contextlib.suppress(OSError):
        ledger.advance(record, State.REVERTED)
        ledger.journal(reverted, reason)
    return reverted


def clear(record: Record) -> None:
    """What is left of a change that is over: switch, staged files, the record itself."""
    transaction.unstage(record.siblings, record.made)
    switch.disarm(record.id)
    generations.sweep()
    if record.state is State.CONFIRMED:
        generations.prune()
    elif record.generation:
        generations.drop(record.generation)
    scratch.sweep()
    ledger.close()


def confirm(name: str) -> None:
    """Keep a change for good. :class:`Refused` where it is not open any more."""
    with transaction.lock(GRACE):
        record = ledger.read()
        if record is None or record.id != name or record.state is not State.SWAPPED:
            raise Refused(f"the change {name} is not open any more: {_end_of(name)[1]}")
        keep(record)


def keep(record: Record) -> None:
    """Confirm an open change; the caller holds the lock."""
    confirmed = ledger.advance(record, State.CONFIRMED)
    ledger.journal(confirmed)
    clear(confirmed)


def take_back(name: str, reason: str) -> tuple[bool, str]:
    """Revert the change ``name`` now: whether that was to be done, and what the host is like.

    One that the switch took back already is as it should be; :class:`Refused` where it is confirmed
    or not known.
    """
    with transaction.lock(GRACE):
        record = ledger.read()
        if record is not None and record.id == name and record.state is not State.CONFIRMED:
            return True, revert(record, reason)
        what, words = _end_of(name)
        if what != State.REVERTED.value:
            raise Refused(f"the change {name} is not open any more: {words}")
        return False, f"Nothing was left to take back: {words}"


def _end_of(name: str) -> tuple[str, str]:
    """What became of a change, as one word and as a clause."""
    for entry in reversed(ledger.journal_entries()):
        if entry.get("id") == name:
            what = str(entry.get("what"))
            return what, f"it was {what} at {entry.get('at')} ({entry.get('reason') or '-'})"
    return "", "the journal does not name it"


# ---------------------------------------------------------------------------------------------
# Finding one that is open


def resolve(record: Record, start: bool = True) -> str:
    """End a change that nobody works on any more; says how. The caller holds the lock."""
    if record.state is State.CONFIRMED:
        clear(record)
        return f"the change {record.id} was confirmed; what was left of it is cleared away"
    reason = f"found {record.state.value} and left alone"
    said = revert(record, reason, start)
    return f"the change {record.id} was left {record.state.value} by {record.who or '?'}: {said}"


def abandoned(record: Record) -> bool:
    """Whether nobody is to be waited for. The caller holds the lock, so no module is at work.

    What was handed over waits for a controller, or for the switch.
    """
    handed_over = record.state is State.SWAPPED and record.handed_over
    return not handed_over or record.seconds_left < -GRACE


@contextlib.contextmanager
def turn(wait: float, notes: Optional[list[str]] = None) -> Iterator[None]:
    """Hold the lock while no change is open; waits up to ``wait`` seconds for one that is.

    Ends what a killed run left, and says so in ``notes``. :class:`Refused` where the wait is over.
    """
    deadline = time.monotonic() + wait
    while True:
        with transaction.lock(max(0.0, deadline - time.monotonic())):
            record = ledger.read()
            if record is not None and abandoned(record):
                said = resolve(record)
                if notes is not None:
                    notes.append(said)
                record = None
            if record is None:
                yield
                return
        if time.monotonic() >= deadline:
            raise Refused(_busy(record))
        time.sleep(PAUSE)


def _busy(record: Record) -> str:
    return (
        f"another run is changing this host: {record.who or 'somebody'} since {record.at}, and has "
        f"not confirmed yet; without that it goes back in {max(0, round(record.seconds_left))} "
        "seconds. Run again then"
    )
