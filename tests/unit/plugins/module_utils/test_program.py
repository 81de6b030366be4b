# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that stays on the host: whole, the same each time, and it takes changes back.

It is run as the switch runs it, in a process of its own that has nothing of this one.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
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
    dead_man,
    ledger,
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


def installed() -> os.stat_result:
    bundle.install()
    return os.stat(bundle.path())


def test_one_that_is_made_of_the_same_stays(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = installed()
    monkeypatch.setattr(bundle, "content", lambda: pytest.fail("it is made again"))
    assert installed().st_ino == first.st_ino


@pytest.mark.parametrize("what", ["a byte of it", "its end", "its mode", "its sources"])
def test_one_that_is_not_the_same_is_made_anew(
    what: str, conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, path = installed(), Path(bundle.path())
    good = path.read_bytes()
    if what == "its mode":
        path.chmod(0o644)
    elif what == "its sources":
        monkeypatch.setattr(bundle, "_made_of", lambda: b"0" * 64)
    else:
        place = len(good) // 2 if what == "a byte of it" else len(good) - 1
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
    again = installed()
    assert again.st_ino != first.st_ino
    assert again.st_mode & 0o777 == 0o600
    assert (path.read_bytes() == good) == (what != "its sources")


def test_another_python_takes_the_source(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "MAGIC_NUMBER", b"\0\0\r\n")
    bundle._made_of.cache_clear()
    bundle.install()
    bundle._made_of.cache_clear()
    done = called("ready")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_compiled_is_taken_as_it_is(conf: Path) -> None:
    """No time is spent on sources: ones that no Python could read are not looked at."""
    bundle.install()
    with zipfile.ZipFile(bundle.path()) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(bundle.path(), "w") as archive:
        for name, data in files.items():
            spoilt = name.endswith(".py") and f"{name}c" in files
            archive.writestr(name, b"?" if spoilt else data)
    done = called("ready")
    assert (done.returncode, done.stderr) == (0, "")


def test_it_holds_nothing_but_this_collection(conf: Path) -> None:
    bundle.install()
    with zipfile.ZipFile(bundle.path()) as archive:
        names = archive.namelist()
    base = "ansible_collections/postmaster/tls/plugins/module_utils/"
    assert {f"{base}{name}" for name in ("program.py", "settle.pyc", "config/__init__.py")} <= {
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


def test_whatever_it_imports_is_in_it() -> None:
    program = PLUGINS / "module_utils" / "program.py"
    parts = {Path(name).relative_to(PLUGINS) for name in brought(program, {str(program)})}
    base = "ansible_collections.postmaster.tls.plugins."
    names = {f"{base}{'.'.join(part.with_suffix('').parts)}" for part in parts}
    assert names == set(bundle.sources())


def test_who_writes_the_program_brings_it() -> None:
    program = str(PLUGINS / "module_utils" / "program.py")
    modules = (PLUGINS / "modules").glob("*.py")
    assert {path.name for path in modules if program in brought(path, set())} == {
        "server_config.py",
        "server_certificate.py",
    }


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
    assert dead_man._insist(lambda: None) == 0
    assert asked == [dead_man.HASTE]
