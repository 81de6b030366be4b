# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lab.py makes of a lab whose processes were killed without notice; podman is a stand-in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Callable

import pytest

LAB = Path(__file__).resolve().parents[2] / "lab"
PARTS = ("shell", "hosts", "builder", "network", "containers", "namespace", "lab")
GONE = 2**22 + 1  # above the highest process id that Linux gives

Podman = Callable[..., str]


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The modules of lab.py, which name each other as scripts do."""
    monkeypatch.syspath_prepend(str(LAB))
    monkeypatch.delenv("LAB_PREFIX", raising=False)
    kept = {name: sys.modules.pop(name) for name in PARTS if name in sys.modules}
    yield {name: import_module(name) for name in PARTS}
    for name in PARTS:
        sys.modules.pop(name)
    sys.modules.update(kept)


@pytest.mark.parametrize(
    ("said", "pid", "state"),
    [
        ("running", GONE, "killed"),
        # the number went to another process
        pytest.param("running", os.getpid(), "killed", id="running-reused-killed"),
        ("exited", 0, "exited"),
        ("created", 0, "created"),
    ],
)
def test_running_only_with_a_process(
    parts: dict[str, ModuleType], said: str, pid: int, state: str
) -> None:
    assert parts["containers"].state(said, pid) == state


@pytest.mark.parametrize(
    ("prefix", "own"),
    [
        ("", ["postmaster-tls-lab", "postmaster-tls-lab.0a1b2c"]),
        ("10.203.8", ["postmaster-tls-lab-10-203-8.33ffee"]),
        ("10.203.9", []),
    ],
)
def test_a_lab_has_its_own_networks_only(
    parts: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, prefix: str, own: list[str]
) -> None:
    listed = (
        "podman\npostmaster-tls-lab\npostmaster-tls-lab.0a1b2c\n"
        "postmaster-tls-lab-10-203-8.33ffee\n"
    )
    monkeypatch.setenv("LAB_PREFIX", prefix)
    monkeypatch.setattr(parts["network"], "run", lambda *argv, **_: listed)
    assert parts["network"].names() == own


def test_only_podmans_bridges_at_the_gateway_go(
    parts: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, ...]] = []

    def run(*argv: str, **_: object) -> str:
        calls.append(argv)
        return '[{}, {"ifname": "podman7"}, {"ifname": "eth0"}, {"ifname": "podmanx"}]'

    monkeypatch.setattr(parts["network"], "run", run)
    parts["network"].remove_bridges()
    assert calls[0][-1] == "10.203.7.1"
    assert calls[1:] == [("ip", "link", "delete", "podman7")]


@pytest.mark.parametrize(
    ("complaint", "unmounted"),
    [
        ("unlinkat /var/lib/x/userdata/shm: device or resource busy", ["/var/lib/x/userdata/shm"]),
        ("conmon exited prematurely, exit code could not be retrieved", []),
    ],
)
def test_a_killed_container_goes_at_the_second_call(
    parts: dict[str, ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    complaint: str,
    unmounted: list[str],
) -> None:
    removed: list[str] = []
    freed: list[str] = []

    def run(*argv: str, **_: object) -> str:
        removed.append(argv[-1])
        if len(removed) == 1:
            raise parts["shell"].LabError(complaint)
        return ""

    def succeeds(*argv: str) -> bool:
        freed.append(argv[-1])
        return True

    monkeypatch.setattr(parts["containers"], "run", run)
    monkeypatch.setattr(parts["containers"], "succeeds", succeeds)
    parts["containers"].remove(parts["hosts"].HOSTS["nomail"])
    assert removed == ["postmaster-tls-lab-nomail"] * 2
    assert freed == unmounted


@pytest.mark.parametrize("complaint", ["address is already allocated to container", "no space"])
def test_addresses_of_the_gone_cost_all_hosts_a_restart(
    parts: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch, complaint: str
) -> None:
    lab, hosts = parts["lab"], parts["hosts"].HOSTS
    networks = iter(["old", "new"])
    started: list[tuple[str, str]] = []
    gone: list[str] = []

    def start(host: object, network: str) -> None:
        if network == "old":
            raise parts["shell"].LabError(complaint)
        started.append((getattr(host, "name", ""), network))

    other = parts["containers"].Container("running", "0", "1")
    for name, stand_in in {
        "start": start,
        "network": lambda: next(networks),
        "remove_network": lambda: gone.append("old"),
        "actual": lambda: {"postmaster-tls-lab-courier-sid": other},
        "make_room": lambda: None,
        "make_key": lambda: "",
    }.items():
        monkeypatch.setattr(lab, name, stand_in)
    if complaint == "no space":
        with pytest.raises(parts["shell"].LabError, match="no space"):
            lab.start_all([hosts["nomail"]])
        assert (started, gone) == ([], [])
    else:
        lab.start_all([hosts["nomail"]])
        assert sorted(started) == [("courier-sid", "new"), ("nomail", "new")]
        assert gone == ["old"]


def test_only_images_that_no_host_names_go(
    parts: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = parts["builder"]
    host = parts["hosts"].HOSTS["nomail"]
    kept = [builder.image(host), builder.base_image(host.suite)]
    old = "localhost/postmaster-tls-lab/nomail:000000000000"
    gone: list[str] = []
    monkeypatch.setattr(builder, "run", lambda *argv, **_: "\n".join([*kept, old, kept[0]]))
    monkeypatch.setattr(builder, "succeeds", lambda *argv: gone.append(argv[-1]))
    builder.prune()
    assert gone == [old]
