# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change that is killed, anywhere, is found by the next one, which leaves no half state.

A child process carries out a change of six files and gets SIGKILL: before each single call that
changes the file system, and at random moments. Whoever comes next (another run, the switch, a
boot) may be killed as well. In the end every file is as before or every file is new, and nothing
else is left. KILLS in the environment is the number of random kills; 100 by default.
"""

from __future__ import annotations

import os
import random
import signal
import stat
import time
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import (
    change,
    courier_change,
    dead_man,
    generations,
    ledger,
    settle,
    transaction,
)
from ansible_collections.postmaster.tls.plugins.module_utils.change import Change, Order
from ansible_collections.postmaster.tls.plugins.module_utils.rehearsal import Rehearsal
from ansible_collections.postmaster.tls.plugins.module_utils.transaction import FileState

KILLS = int(os.environ.get("KILLS", "100"))
SEED = int(os.environ.get("KILL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
NAME = "20260101T000000Z-0001"
# Every call that changes what a restart would find.
CALLS = ("fsync", "fchown", "fchmod", "replace", "rename", "link", "unlink", "mkdir", "rmdir")
Tree = dict[str, tuple[int, int, int, bytes]]
Resolver = Callable[[], object]


class Etc:
    """A folder of configuration, changed and resolved in children that may be killed."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        monkeypatch.setattr(transaction, "STATE_DIR", str(root / "state"))
        monkeypatch.setattr(transaction, "LOCK_FILE", str(root / "lock"))
        monkeypatch.setattr(change.switch, "arm", lambda _name, _seconds: "test")
        monkeypatch.setattr(change.switch, "disarm", lambda _name: None)
        monkeypatch.setattr(courier_change, "running", lambda: ())
        monkeypatch.setattr(settle.scratch, "sweep", lambda: None)
        monkeypatch.setattr(dead_man, "_at", lambda *_: None)
        monkeypatch.setattr(os, "nice", lambda _step: 0)
        (root / "etc").mkdir()
        for name in ("a", "b", "c", "d"):
            self._write(name, f"old {name}\n" * 50, 0o640)
        self.before = self.tree()

    def _write(self, name: str, text: str, mode: int) -> None:
        path = self.root / "etc" / name
        path.write_text(text)
        path.chmod(mode)

    def tree(self) -> Tree:
        """Every file and folder there is, hidden ones included."""
        found: Tree = {}
        for path in sorted((self.root / "etc").rglob("*")):
            info = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(info.st_mode) else b""
            name = str(path.relative_to(self.root / "etc"))
            found[name] = (info.st_mode, info.st_uid, info.st_gid, content)
        return found

    def files(self) -> tuple[FileState, ...]:
        """Three that change, one that is taken away, one in a new folder, one with a new mode."""
        own = (os.geteuid(), os.getegid())

        def at(name: str) -> str:
            return str(self.root / "etc" / name)

        return (
            *(FileState(at(name), f"new {name}\n".encode() * 60, 0o644, *own) for name in "ab"),
            FileState(at("c")),
            FileState(at("private/key"), b"new key\n", 0o400, *own),
            FileState(at("d"), None, 0o600, *own, (), True),
        )

    def change(self) -> None:
        """The whole change, confirmed."""
        wanted = Change(
            products=("courier",),
            files=self.files(),
            check=lambda: None,
            rehearse=lambda _ports: (Rehearsal(True), None),
        )
        change.apply(wanted, Order(NAME), check_mode=False)

    def next_run(self) -> None:
        with settle.turn(0.0):
            pass

    def left(self) -> list[str]:
        """What must not be there when a change is over."""
        state = self.root / "state"
        half = list((state / "generations").glob(".*")) if state.exists() else []
        record = [ledger.record_path()] if os.path.lexists(ledger.record_path()) else []
        return [str(path) for path in half] + record


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Etc:
    if os.geteuid():
        monkeypatch.setattr(os, "fchown", lambda *_: None)
    return Etc(tmp_path, monkeypatch)


def in_child(task: Callable[[], object]) -> int:
    """Run in a forked child; returns its number. A fault in it is exit code 1."""
    pid = os.fork()
    if pid == 0:
        try:
            task()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return pid


def killed_before_call(number: int, task: Callable[[], object]) -> bool:
    """Run ``task`` in a child that is killed before its call of that number; whether it was."""

    def doomed() -> None:
        count = 0

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **options: Any) -> Any:
                nonlocal count
                count += 1
                if count == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **options)

            return call

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        task()

    _pid, status = os.waitpid(in_child(doomed), 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def killed_after(seconds: float, task: Callable[[], object]) -> None:
    """Run ``task`` in a child that is killed after so long."""
    pid = in_child(task)
    time.sleep(seconds)  # the moment of the kill is what is tested, there is nothing to wait for
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def resolvers(etc: Etc) -> tuple[Resolver, ...]:
    """Those who may find what was left: the switch finds only what is still its own."""
    return (
        etc.next_run,
        lambda: (dead_man.fire("state", "lock", NAME), etc.next_run()),
        lambda: (dead_man.boot("state", "lock"), etc.next_run()),
    )


def whole(etc: Etc, after: Optional[Tree] = None) -> str:
    """``old`` or ``new``; fails for anything in between, and for leftovers."""
    tree = etc.tree()
    assert etc.left() == []
    assert tree in (etc.before, after)
    return "old" if tree == etc.before else "new"


def again(etc: Etc) -> None:
    """The state of before, by the way that users have."""
    if etc.tree() != etc.before:
        change.go_back("1", Order("back"), check_mode=False)
    assert etc.tree() == etc.before
    for directory in generations.generations():
        generations.drop(directory)


def test_a_kill_before_any_step_leaves_no_half_state(etc: Etc) -> None:
    etc.change()
    after = etc.tree()
    again(etc)
    outcomes, number = [], 1
    while killed_before_call(number, etc.change):
        resolvers(etc)[number % 3]()
        outcomes.append(whole(etc, after))
        again(etc)
        number += 1
    # It was seen from both sides of the commit, which comes once and late.
    assert outcomes == sorted(outcomes, reverse=True)
    assert {"old", "new"} == set(outcomes)
    assert number > 40


def test_a_kill_of_whoever_takes_it_back_leaves_no_half_state(etc: Etc) -> None:
    first = 1
    while killed_before_call(first, etc.change):
        # The last call that still leaves something to take back.
        with_record = os.path.lexists(ledger.record_path())
        if with_record and any(n.endswith(".old") for n in etc.tree()):
            break
        etc.next_run()
        first += 1
    etc.next_run()
    again(etc)
    second = 1
    while True:
        assert killed_before_call(first, etc.change)
        over = not killed_before_call(second, resolvers(etc)[second % 3])
        etc.next_run()
        assert whole(etc) == "old"
        if over:
            break
        second += 1
    assert second > 5


def test_random_kills_leave_no_half_state(etc: Etc) -> None:
    began = time.perf_counter()
    etc.change()
    longest = (time.perf_counter() - began) * 1.5
    after = etc.tree()
    again(etc)
    chance = random.Random(SEED)  # noqa: S311 - a repeatable series is wanted
    outcomes = []
    for _kill in range(KILLS):
        killed_after(chance.uniform(0.0, longest), etc.change)
        if chance.random() < 0.5:
            killed_after(chance.uniform(0.0, longest), chance.choice(resolvers(etc)))
        chance.choice(resolvers(etc))()
        try:
            outcomes.append(whole(etc, after))
        except AssertionError as error:
            raise AssertionError(f"a half state with KILL_SEED={SEED}") from error
        again(etc)
    print(
        f"{KILLS} kills (KILL_SEED={SEED}): {outcomes.count('old')} old, "
        f"{outcomes.count('new')} new"
    )
    assert len(outcomes) == KILLS
