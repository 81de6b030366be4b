# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that stays on the host: whole, the same each time, and it takes changes back.

It is run as the switch runs it, in a process of its own that has nothing of this one.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import (
    bundle,
    change,
    courier_change,
    ledger,
    program,
    settle,
    switch,
    transaction,
)
from ansible_collections.postmaster.tls.plugins.module_utils.change import Change, Order
from ansible_collections.postmaster.tls.plugins.module_utils.rehearsal import Rehearsal
from ansible_collections.postmaster.tls.plugins.module_utils.transaction import FileState

OLD, NEW = b"old\n", b"new\n"
PATIENCE = 30.0


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to change, on a host without systemd and without units that run."""
    monkeypatch.setattr(transaction, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(transaction, "LOCK_FILE", str(tmp_path / "lock"))
    monkeypatch.setattr(switch, "BOOTED", str(tmp_path / "no-systemd"))
    monkeypatch.setattr(courier_change, "running", lambda: ())
    if os.geteuid():
        monkeypatch.setattr(os, "fchown", lambda *_: None)
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc" / "imapd-ssl"
    path.write_bytes(OLD)
    return path


def changed(path: Path, name: str = "T", timeout: float = 60.0) -> None:
    state = FileState(str(path), NEW, 0o644, os.geteuid(), os.getegid())
    wanted = Change(
        products=("courier",),
        files=(state,),
        check=lambda: None,
        rehearse=lambda _ports: (Rehearsal(True), None),
    )
    change.apply(wanted, Order(name, who="me@here", confirm_timeout=timeout), check_mode=False)
    assert path.read_bytes() == (NEW)


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it becomes true while patience lasts."""
    deadline = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def called(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        switch.command(*arguments), capture_output=True, text=True, check=False, timeout=PATIENCE
    )


def test_it_is_the_same_bytes_each_time(conf: Path) -> None:
    bundle.install()
    first = os.stat(bundle.path())
    assert bundle.content() == Path(bundle.path()).read_bytes()
    bundle.install()
    assert os.stat(bundle.path()).st_ino == first.st_ino
    assert first.st_mode & 0o777 == 0o600


def test_it_holds_nothing_but_this_collection(conf: Path) -> None:
    bundle.install()
    with zipfile.ZipFile(bundle.path()) as archive:
        names = archive.namelist()
    base = "ansible_collections/postmaster/tls/plugins/module_utils/"
    assert {f"{base}{name}" for name in ("program.py", "settle.py", "config/__init__.py")} <= {
        *names
    }
    others = [n for n in names if not n.startswith(base) and not n.endswith("__init__.py")]
    assert others == ["__main__.py"]


def test_the_switch_takes_back_what_nobody_confirms(conf: Path) -> None:
    """Where there is no systemd it is a process of its own; it counts no clock that can be set."""
    changed(conf, timeout=0.6)
    assert eventually(lambda: not os.path.exists(ledger.record_path()))
    assert conf.read_bytes() == OLD
    entry = ledger.journal_entries()[-1]
    assert (entry["what"], entry["reason"]) == ("reverted", "nobody confirmed it in time")
    assert [path.name for path in conf.parent.iterdir()] == [conf.name]


def test_the_switch_leaves_what_was_confirmed(conf: Path) -> None:
    changed(conf, timeout=0.6)
    settle.confirm("T")
    assert called("fire", "T").returncode == 0
    assert conf.read_bytes() == NEW
    assert [entry["what"] for entry in ledger.journal_entries()] == ["confirmed"]


def waiting() -> list[str]:
    """The processes that wait with this host's program."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode("utf-8", "replace").split("\0")
            found += [path.parent.name] if bundle.path() in words and "wait" in words else []
    return found


def test_a_switch_that_is_not_needed_any_more_waits_no_longer(conf: Path) -> None:
    changed(conf, timeout=600.0)
    assert eventually(lambda: len(waiting()) == 1)
    settle.confirm("T")
    assert eventually(lambda: waiting() == [])


def test_a_switch_of_another_change_does_nothing(conf: Path) -> None:
    changed(conf)
    assert called("fire", "another").returncode == 0
    assert conf.read_bytes() == NEW
    settle.take_back("T", "over")


def test_at_boot_whatever_is_open_is_taken_back(conf: Path) -> None:
    changed(conf)
    done = called("boot")
    assert (done.returncode, done.stderr) == (0, "")
    assert "was left swapped by me@here: Every file is as it was before" in done.stdout
    assert conf.read_bytes() == OLD
    assert called("boot").returncode == 0


def test_a_boot_is_not_held_up_by_a_record_that_cannot_be_read(conf: Path) -> None:
    changed(conf)
    Path(ledger.record_path()).write_text("{", encoding="utf-8")
    done = called("boot")
    assert done.returncode == 1
    assert "cannot be read" in done.stderr
    ledger.close()


def test_a_restore_that_fails_is_tried_again(conf: Path) -> None:
    changed(conf, timeout=600.0)
    kept = Path(json.loads(Path(ledger.record_path()).read_text())["generation"])
    away = kept.with_name("away")
    kept.rename(away)
    with subprocess.Popen(
        switch.command("fire", "T"), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as fired:
        assert fired.stderr is not None
        assert "No such file" in fired.stderr.readline()
        away.rename(kept)
        assert fired.wait(PATIENCE) == 0
    assert conf.read_bytes() == OLD


def test_it_needs_nothing_of_its_environment(conf: Path) -> None:
    changed(conf)
    assert sys.executable in switch.command("boot")
    done = subprocess.run(
        switch.command("boot"), cwd="/", env={}, capture_output=True, check=False, timeout=PATIENCE
    )
    assert (done.returncode, conf.read_bytes()) == (0, OLD)


# ---------------------------------------------------------------------------------------------
# One program, whoever writes it

PLUGINS = Path(__file__).resolve().parents[4] / "plugins"


def brought(path: Path, seen: set[str]) -> set[str]:
    """The parts of module_utils that a file imports, and those that they import, by their paths."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        for found in [base, *(base / alias.name for alias in node.names)]:
            part = found.with_suffix(".py")
            if part.is_file() and str(part) not in seen:
                seen.add(str(part))
                brought(part, seen)
    return seen


def test_each_module_that_writes_the_program_writes_the_same() -> None:
    program = PLUGINS / "module_utils" / "program.py"
    whole = brought(program, {str(program)})
    bringing = {
        path.name: brought(path, set()) - whole
        for path in (PLUGINS / "modules").glob("*.py")
        if str(program) in brought(path, set())
    }
    assert bringing == {"server_config.py": set(), "server_certificate.py": set()}


@pytest.mark.parametrize("allowed", [True, False])
def test_what_takes_a_change_back_goes_first_where_it_may(
    allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def nice(step: int) -> None:
        asked.append(step)
        if not allowed:
            raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "nice", nice)
    assert program._insist(lambda: None) == 0
    assert asked == [program.HASTE]
