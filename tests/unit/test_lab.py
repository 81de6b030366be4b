# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's table and its inventory name the same hosts with the same numbers."""

from __future__ import annotations

import sys
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def lab() -> ModuleType:
    spec = util.spec_from_file_location("lab_hosts_under_test", ROOT / "lab" / "hosts.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def inventory() -> dict[str, Any]:
    everything: dict[str, Any] = yaml.safe_load(
        (ROOT / "inventories" / "lab" / "hosts.yml").read_text("utf-8")
    )["all"]
    return everything


def hosts_of(group: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All hosts in a group and the groups below it, with their variables."""
    found: dict[str, dict[str, Any]] = {}
    below = [hosts_of(child) for child in (group.get("children") or {}).values()]
    for hosts in (*below, group.get("hosts") or {}):
        for name, variables in hosts.items():
            found.setdefault(name, {}).update(variables or {})
    return found


def group(name: str, within: dict[str, Any]) -> dict[str, Any]:
    for child_name, child in (within.get("children") or {}).items():
        found = child if child_name == name else group(name, child)
        if found:
            return found
    return {}


def test_hosts_and_numbers_are_the_same(lab: ModuleType) -> None:
    listed = {name: v.get("lab_number") for name, v in hosts_of(inventory()).items()}
    assert listed == {name: host.number for name, host in lab.HOSTS.items()}


def test_numbers_are_given_once(lab: ModuleType) -> None:
    numbers = [host.number for host in lab.HOSTS.values()]
    assert len(numbers) == len(set(numbers))
    assert all(1 < number < 255 for number in numbers)


@pytest.mark.parametrize("name", ["dovecot", "courier", "demo"])
def test_groups_hold_the_same_hosts(name: str, lab: ModuleType) -> None:
    assert set(hosts_of(group(name, inventory()))) == set(lab.GROUPS[name])


def test_every_host_has_its_configuration(lab: ModuleType) -> None:
    folders = {path.name for path in (ROOT / "lab" / "servers").iterdir() if path.is_dir()}
    assert folders == set(lab.HOSTS)
