# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switch: which commands set it and take it away, and what it leaves on the host."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import host, switch, transaction


class Node:
    """A host with or without systemd, in a folder."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.commands: list[list[str]] = []
        self.failing: set[str] = set()
        self.processes: list[tuple[str, float]] = []
        monkeypatch.setattr(transaction, "STATE_DIR", str(root / "state"))
        monkeypatch.setattr(switch, "BOOTED", str(root))
        monkeypatch.setattr(switch, "UNIT_DIR", str(root / "system"))
        monkeypatch.setattr(switch.bundle, "install", lambda: None)
        monkeypatch.setattr(switch.host, "run", self.run)
        monkeypatch.setattr(switch, "_wait_in_a_process", self.wait)
        if os.geteuid():
            monkeypatch.setattr(os, "fchown", lambda *_: None)

    def run(self, argv: Sequence[str], timeout: float = 30.0) -> host.Result:
        self.commands.append(list(argv))
        word = "ready" if "ready" in argv else argv[0]
        return host.Result(int(word in self.failing), "", "no\x1b module")

    def wait(self, name: str, seconds: float) -> None:
        self.processes.append((name, seconds))

    def units(self) -> list[str]:
        found = (self.root / "system").rglob("*")
        return sorted(str(p.relative_to(self.root / "system")) for p in found)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(tmp_path, monkeypatch)


BOOT = "postmaster-tls-restore.service"


def test_a_timer_that_counts_monotonic_time(node: Node) -> None:
    assert switch.arm("T", 90.0) == "systemd"
    timer = node.commands[-1]
    assert timer[:4] == ["systemd-run", "--quiet", "--collect", "--unit=postmaster-tls-T"]
    assert "--on-active=90.0s" in timer
    assert timer[timer.index("--") + 1 :] == switch.command("fire", "T")
    assert node.processes == []


def test_a_unit_for_the_case_that_the_host_restarts(node: Node) -> None:
    switch.arm("T", 90.0)
    assert node.units() == ["multi-user.target.wants", f"multi-user.target.wants/{BOOT}", BOOT]
    text = (node.root / "system" / BOOT).read_text()
    assert f"\nConditionPathExists={node.root}/state/transaction.json\n" in text
    assert "\nBefore=dovecot.service " in text
    assert f"\nExecStart={' '.join(switch.command('boot'))}\n" in text
    assert "\nTimeoutStartSec=90\n" in text
    switch.arm("U", 90.0)
    switch.disarm("U")
    assert node.units() == ["multi-user.target.wants"]
    assert node.commands[-1] == ["systemctl", "stop", "postmaster-tls-U.timer"]
    switch.disarm("U")


@pytest.mark.parametrize("why", ["no systemd", "no timer"])
def test_where_there_is_no_timer_a_process_waits(
    why: str, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.failing = {"systemd-run"}
    if why == "no systemd":
        monkeypatch.setattr(switch, "BOOTED", str(node.root / "nowhere"))
    assert switch.arm("T", 7.0) == "process"
    assert node.processes == [("T", 7.0)]


def test_a_program_that_another_run_is_just_replacing_is_tried_again(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[str] = []

    def install() -> None:
        node.failing = {"ready"} if not installed else set()
        installed.append("again")

    monkeypatch.setattr(switch.bundle, "install", install)
    assert switch.arm("T", 90.0) == "systemd"
    assert len(installed) == 2


def test_a_program_that_does_not_run_is_no_switch(node: Node) -> None:
    node.failing = {"ready"}
    with pytest.raises(OSError, match=r"postmaster-tls\.pyz does not run: no\\x1b module"):
        switch.arm("T", 7.0)
    assert (node.processes, node.units()) == ([], [])
