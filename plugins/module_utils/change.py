# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One change of one server, the same way for all: check, keep, swap, activate, prove, or go back.

Knows the order of the steps and what happens when one fails; what a check or an activation is, the
server's own file says (dovecot_change.py, courier_change.py). A reload that reports success proves
nothing (Dovecot's exits 0 with a key that ends every handshake), so nothing is believed but a
handshake on each port; when there is none, every byte goes back to what it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Callable, Optional

from . import transaction
from .transaction import FileState, Refused

__all__ = ["Change", "Outcome", "Refused", "Step", "apply", "difference", "go_back"]

# Answers None when all is well, else one sentence that says what is wrong.
Step = Callable[[], Optional[str]]

# What follows such a word is nobody's business in a diff: ssl_key_password, doveadm_api_key …
_SECRET = re.compile(
    r"(\w*(?:password|passwd|passphrase|pass|secret|api_key|nonce|token)[ \t]*=[ \t]*)\S.*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Change:
    """The new states of some files, and how the server is checked, activated and proven.

    ``hidden`` maps the paths whose content never appears in a diff (a key, or what is made anew at
    each run) to the words that stand for it; ``check`` looks at the
    candidate before anything is touched; ``before`` notes which ports are open; ``activate`` makes
    the server read the candidate; ``prove`` shakes hands on each port.
    """

    files: tuple[FileState, ...]
    check: Step
    before: Callable[[], None]
    activate: Step
    prove: Step
    hidden: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What happened: ``paths`` that changed, the diff, and the generation kept before."""

    paths: tuple[str, ...] = ()
    diff: tuple[dict[str, str], ...] = ()
    generation: Optional[str] = None

    @property
    def changed(self) -> bool:
        """Whether any file differs from before."""
        return bool(self.paths)


def apply(change: Change, generation: str, note: dict[str, str], check_mode: bool) -> Outcome:
    """Carry out ``change``; in check mode say exactly what that would do and touch nothing.

    ``generation`` names the copy of the old states kept on the host, ``note`` goes with it.
    Raises :class:`Refused` when the candidate is not fit or the server did not take it; every file
    is then as it was, and a server that had been told to read the new ones reads the old again.
    """
    with transaction.lock():
        before = [transaction.capture(s.path, s.only_attributes) for s in change.files]
        moved = [(o, replace(n, path=o.path)) for o, n in zip(before, change.files)]
        moved = [(old, new) for old, new in moved if old != new]
        if not moved:
            return Outcome()
        _require(change.check)
        paths = tuple(new.path for _old, new in moved)
        hidden = {transaction.resolve(path): words for path, words in change.hidden.items()}
        diff = tuple(difference(old, new, hidden.get(new.path)) for old, new in moved)
        if check_mode:
            return Outcome(paths, diff)
        old = [o for o, _new in moved]
        change.before()
        kept = transaction.keep(old, generation, note)
        transaction.swap([new for _old, new in moved])
        try:
            problem = change.activate() or change.prove()
        except BaseException:
            _return(old, change, kept)
            raise
        if problem:
            raise Refused(f"{problem}. {_return(old, change, kept)}")
        return Outcome(paths, diff, kept)


def go_back(directory: str, activate: Step, prove: Step, check_mode: bool = False) -> Outcome:
    """Restore the generation kept in ``directory`` and make the server read it.

    In check mode says which files that would change, and touches nothing. Raises
    :class:`Refused` when the server does not come back as it was.
    """
    with transaction.lock():
        old = transaction.load(directory)
        now = [transaction.capture(s.path, s.only_attributes) for s in old]
        outcome = Outcome(tuple(n.path for n, o in zip(now, old) if n != o))
        if check_mode:
            return outcome
        transaction.restore(old)
        problem = activate() or prove()
        if problem:
            raise Refused(f"the files of {directory} are restored, but {problem}")
        return outcome


def _return(old: Sequence[FileState], change: Change, kept: str) -> str:
    try:
        transaction.restore(old)
    except (OSError, Refused) as error:
        return f"Not every file could be put back ({error}); the old ones are kept in {kept}"
    problem = change.activate()
    if problem:
        return f"Every file is as it was before, but {problem}; look at the server now"
    return "Every file is as it was before and the server has read it again"


def _require(check: Step) -> None:
    problem = check()
    if problem:
        raise Refused(problem)


def difference(old: FileState, new: FileState, words: Optional[str]) -> dict[str, str]:
    """One entry of Ansible's diff, with a line about mode and owner where they change.

    ``words`` stand for a content that is not to be shown; passwords are never shown.
    """
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
