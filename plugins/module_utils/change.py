# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One change of one server, the same way for all: stage, rehearse, arm, swap, prove, or go back.

Knows the order of the steps and what happens when one fails; what a check or an activation is, the
server's own file says (dovecot_change.py, courier_change.py). A reload that reports success proves
nothing (Dovecot's exits 0 with a key that ends every handshake), so nothing is believed but a
handshake on each port; when there is none, every byte goes back to what it was.

Each step is written down before it is taken (ledger.py), and from the moment that live files may
change there is a switch that takes the change back (switch.py): a module that is killed, a
controller that dies and a network that is cut all end in the old state.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Callable, Optional

from . import generations, ledger, settle, switch, transaction
from .ledger import Record, State
from .local_proof import LocalProof
from .model.observed import Endpoint
from .plain import to_plain
from .rehearsal import Rehearsal
from .text import clean
from .transaction import FileState, Refused

__all__ = ["Change", "Order", "Outcome", "Refused", "Step", "apply", "difference", "go_back"]

# Answers None when all is well, else one sentence that says what is wrong.
Step = Callable[[], Optional[str]]
Rehearse = Callable[[Sequence[Endpoint]], "tuple[Rehearsal, Optional[str]]"]

ALONE = 120.0
"""Seconds of the switch where the module itself confirms: longer than its own steps take."""

# What follows such a word is nobody's business in a diff: ssl_key_password, doveadm_api_key …
_SECRET = re.compile(
    r"(\w*(?:password|passwd|passphrase|pass|secret|api_key|nonce|token)[ \t]*=[ \t]*)\S.*",
    re.IGNORECASE,
)
_PRIVATE = b"PRIVATE KEY-----"


@dataclass(frozen=True)
class Change:
    """The new states of some files, and how the candidate is checked before it goes live.

    ``hidden`` maps the paths whose content never appears in a diff (a key, or what is made anew at
    each run) to the words that stand for it; ``check`` looks at the candidate, ``rehearse`` tries
    it for the ports that are open; ``listeners`` are the ports of the server, of which those that
    are open have to shake hands, or with ``served_only`` those that do so before. ``prove`` asks
    for more than a handshake once the server has read the new files.
    """

    products: tuple[str, ...]
    files: tuple[FileState, ...]
    check: Step
    rehearse: Rehearse
    listeners: tuple[Endpoint, ...] = ()
    served_only: bool = False
    hidden: Mapping[str, str] = field(default_factory=dict)
    prove: Step = lambda: None


@dataclass(frozen=True)
class Order:
    """Who wants a change: ``name`` is the change's own.

    ``confirm_timeout`` is in seconds, 0 where the handshakes on the host itself confirm it.
    ``wait`` is how long another run's open change is waited for.
    """

    name: str
    who: str = ""
    owner: str = ""
    confirm_timeout: float = 0.0
    wait: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What happened: ``paths`` that changed, the diff, and the generation kept before.

    ``open`` is the name of the change where it waits for a confirmation; ``notes`` say what was
    found of a run before and ended.
    """

    paths: tuple[str, ...] = ()
    diff: tuple[dict[str, str], ...] = ()
    generation: Optional[str] = None
    rehearsal: Optional[Rehearsal] = None
    open: Optional[str] = None
    switch: Optional[str] = None
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether any file differs from before."""
        return bool(self.paths)


def apply(change: Change, order: Order, check_mode: bool) -> Outcome:
    """Carry out ``change``; in check mode say exactly what that would do and touch nothing.

    Raises :class:`Refused` when the candidate is not fit or the server did not take it; every file
    is then as it was, and a server that had been told to read the new ones reads the old again.
    """
    if check_mode:
        return replace(_predict(change)[0], notes=_open_now())
    notes: list[str] = []
    with settle.turn(order.wait, notes):
        outcome, old, new = _predict(change, rehearse=False)
        if not outcome.changed:
            return replace(outcome, notes=tuple(notes))
        record = ledger.begin(_record(change, order, old, new))
        try:
            record, done = _carry_out(change, order, record, old, new)
        except BaseException as error:
            _clean_up(order.name, error)
            raise
        done = replace(done, paths=outcome.paths, diff=outcome.diff, notes=tuple(notes))
        if order.confirm_timeout <= 0:
            settle.keep(record)
            return replace(done, open=None)
        ledger.hand_over(record)
        return done


def _open_now() -> tuple[str, ...]:
    record = ledger.read()
    return () if record is None else (f"the change {record.id} by {record.who} is open",)


def _predict(
    change: Change, rehearse: bool = True
) -> tuple[Outcome, list[FileState], list[FileState]]:
    """What the change would do, with the old and the new states of the files that differ."""
    before = [transaction.capture(s.path, s.only_attributes) for s in change.files]
    moved = [(o, replace(n, path=o.path)) for o, n in zip(before, change.files)]
    moved = [(old, new) for old, new in moved if old != new]
    old, new = [o for o, _new in moved], [n for _old, n in moved]
    if not moved:
        return Outcome(), old, new
    _require(change.check())
    hidden = {transaction.resolve(path): words for path, words in change.hidden.items()}
    diff = tuple(difference(o, n, hidden.get(n.path)) for o, n in moved)
    outcome = Outcome(tuple(n.path for n in new), diff)
    if rehearse:
        outcome = replace(outcome, rehearsal=_rehearsed(change, _looked_at(change).endpoints))
    return outcome, old, new


def _looked_at(change: Change) -> LocalProof:
    proof = LocalProof(change.listeners, change.served_only)
    proof.remember()
    return proof


def _rehearsed(change: Change, endpoints: Sequence[Endpoint]) -> Rehearsal:
    rehearsal, problem = change.rehearse(endpoints)
    _require(problem and f"a rehearsal of the candidate failed: {problem}")
    return rehearsal


def _record(
    change: Change, order: Order, old: Sequence[FileState], new: Sequence[FileState]
) -> Record:
    return Record(
        id=order.name,
        state=State.STAGED,
        products=change.products,
        at=ledger.now(),
        who=order.who,
        owner=order.owner,
        generation=generations.place(order.name),
        paths=tuple(state.path for state in new),
        siblings=ledger.siblings(new, order.name),
        made=tuple(directory for state in old for directory in state.missing),
    )


def _carry_out(
    change: Change,
    order: Order,
    record: Record,
    old: Sequence[FileState],
    new: Sequence[FileState],
) -> tuple[Record, Outcome]:
    """Every step up to the proof on the host."""
    transaction.stage(new, order.name)
    proof = _looked_at(change)
    rehearsal = _rehearsed(change, proof.endpoints)
    record = ledger.advance(record, State.REHEARSED)
    record = _arm(change, order, record, old, proof)
    transaction.swap(new, order.name, staged=True)
    record = ledger.advance(record, State.SWAPPED)
    problem = settle.activate(record) or proof.judge() or change.prove()
    if problem:
        raise Refused(f"{problem}. {_returned(record, problem)}")
    return record, Outcome(
        generation=record.generation,
        rehearsal=rehearsal,
        open=record.id,
        switch=record.switch,
    )


def _arm(
    change: Change, order: Order, record: Record, old: Sequence[FileState], proof: LocalProof
) -> Record:
    """Keep the old files and set the switch; from here on live files may change."""
    seconds = order.confirm_timeout if order.confirm_timeout > 0 else ALONE
    note = {
        "products": list(change.products),
        "at": record.at,
        "who": record.who,
        "served": to_plain(proof.served),
    }
    generations.keep(old, order.name, note)
    kind = switch.arm(order.name, seconds)
    return ledger.advance(
        record,
        State.ARMED,
        units=settle.running(change.products),
        served=proof.served,
        boot=ledger.boot_id(),
        deadline=time.monotonic() + seconds,
        switch=kind,
    )


def _clean_up(name: str, error: BaseException) -> None:
    """Take back what is still open after a fault; what cannot be is left to the switch."""
    with contextlib.suppress(OSError, ValueError, Refused, ledger.Broken):
        record = ledger.read()
        if record is not None and record.id == name:
            settle.revert(record, clean(str(error) or type(error).__name__, 300))


def _returned(record: Record, reason: str) -> str:
    try:
        return settle.revert(record, reason)
    except (OSError, Refused) as error:
        return (
            f"Not every file could be put back ({error}); the old ones are kept in "
            f"{record.generation}, and the switch tries again"
        )


def go_back(wanted: str, order: Order, check_mode: bool) -> Outcome:
    """Have every file as it was before the kept change ``wanted`` and let the servers read them.

    It is a change like others: kept, armed, and taken back where a port does not shake hands that
    did at that time. Raises :class:`Refused` for a change that is not kept.
    """
    states, products, listeners = generations.before(wanted)
    change = Change(
        products=products,
        files=states,
        check=lambda: None,
        rehearse=lambda _endpoints: (Rehearsal(False, "the files were in force before"), None),
        listeners=listeners,
    )
    return apply(change, replace(order, confirm_timeout=0.0), check_mode)


def _require(problem: Optional[str]) -> None:
    if problem:
        raise Refused(problem)


def difference(old: FileState, new: FileState, words: Optional[str]) -> dict[str, str]:
    """One entry of Ansible's diff, with a line about mode and owner where they change.

    ``words`` stand for a content that is not to be shown; keys and passwords are never shown.
    """
    if words is None and any(_PRIVATE in (state.content or b"") for state in (old, new)):
        words = "a private key, not shown"
    return {
        "before_header": old.path,
        "after_header": new.path,
        "before": _shown(old, new, words and f"{words}: the old one"),
        "after": _shown(new, old, words),
    }


def _shown(state: FileState, other: FileState, words: Optional[str]) -> str:
    if state.content is None and not state.only_attributes:
        return ""
    attributes = (state.mode, state.uid, state.gid)
    exists = other.content is not None or other.only_attributes
    same = exists and attributes == (other.mode, other.uid, other.gid)
    head = "" if same else f"(mode {state.mode:04o}, uid {state.uid}, gid {state.gid})\n"
    if words:
        return head + ("" if state.content == other.content else f"({words})\n")
    text = (state.content or b"").decode("utf-8", "backslashreplace")
    return head + _SECRET.sub(r"\1(not shown)", text)
