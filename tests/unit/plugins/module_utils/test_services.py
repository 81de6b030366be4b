# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units that ran before a change run after it; systemd is a stand-in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import host, services
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import Unit

A, B = "a.service", "b.service"


class Systemd:
    """Units that run, and commands that fail; ``dies`` ends a unit that is told to reload."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.active = {A, B}
        self.failing: set[str] = set()
        self.dies: set[str] = set()
        self.commands: list[str] = []
        monkeypatch.setattr(services.host, "units", self.units)
        monkeypatch.setattr(services.host, "run", self.run)
        for name in ("finish", "hear_again"):
            monkeypatch.setattr(services.drain, name, self.noted(name))

    def noted(self, what: str) -> Callable[[str], None]:
        return lambda unit: self.commands.append(f"{what} {unit}")

    def units(self, names: Sequence[str]) -> tuple[Unit, ...]:
        return tuple(Unit(name, True, name in self.active) for name in names)

    def run(self, argv: Sequence[str], _timeout: float = 30.0) -> host.Result:
        _systemctl, verb, *names = argv
        self.commands.append(" ".join((verb, *names)))
        if verb in self.failing:
            self.active -= self.dies
            return host.Result(1, "", f"Job for {names[0]} failed\n\x1b")
        if verb == "start":
            self.active |= set(names)
        return host.Result(0, "", "")


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Systemd:
    return Systemd(monkeypatch)


@pytest.mark.parametrize(
    ("verb", "commands"),
    [
        ("reload", [f"reload {A} {B}"]),
        (
            "restart",
            [
                f"reset-failed {A} {B}",  # past the limit of starts
                *(f"finish {A}", f"restart {A}"),
                *(f"finish {B}", f"restart {B}"),
            ],
        ),
    ],
)
def test_what_runs_reads_its_configuration(
    verb: str, commands: list[str], systemd: Systemd
) -> None:
    assert services.bring((A, B), verb) is None
    assert systemd.commands == commands


def test_a_restart_that_fails_keeps_the_sessions_of_the_next(systemd: Systemd) -> None:
    systemd.failing, systemd.dies = {"restart"}, {A}
    said = services.bring((A, B), "restart")
    assert said is not None
    assert systemd.commands == [
        f"reset-failed {A} {B}",
        *(f"finish {A}", f"restart {A}", f"hear_again {A}"),
        *(f"reset-failed {A}", f"start {A}"),
    ]


def test_no_units_no_commands(systemd: Systemd) -> None:
    assert services.bring((), "restart") is None
    assert systemd.commands == []


def test_one_that_died_is_started_past_the_limit_of_starts(systemd: Systemd) -> None:
    systemd.active = {B}
    assert services.bring((A, B), "reload") is None
    assert systemd.commands == [f"reload {B}", f"reset-failed {A}", f"start {A}"]


def test_one_that_dies_meanwhile_is_started(systemd: Systemd) -> None:
    systemd.failing, systemd.dies, systemd.active = {"reload"}, {A}, {A}
    assert services.bring((A,), "reload") is None
    assert systemd.commands == [f"reload {A}", f"reset-failed {A}", f"start {A}"]


def test_a_failure_is_one_clean_sentence(systemd: Systemd) -> None:
    systemd.failing = {"reload"}
    said = services.bring((A, B), "reload")
    assert said == f"systemctl reload {A} {B} failed: Job for {A} failed\\x0a\\x1b"
    systemd.failing = {"start"}
    systemd.active = set()
    said = services.bring((A,), "restart")
    assert said is not None
    assert said.startswith(f"systemctl start {A} failed")


def test_what_is_not_concerned_is_left_alone_unless_it_died(systemd: Systemd) -> None:
    assert services.bring((A, B), "restart", (A,)) is None
    assert systemd.commands == [f"reset-failed {A}", f"finish {A}", f"restart {A}"]
    systemd.active, systemd.commands = {A}, []
    assert services.bring((A, B), "restart", ()) is None
    assert systemd.commands == [f"reset-failed {B}", f"start {B}"]
