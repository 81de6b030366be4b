# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as a collection that is there and new enough."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.postmaster.tls.plugins.test.collection import TestModule as Plugin

collection = Plugin().tests()["collection"]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """lab.other, in a folder without its manifest."""
    for name in ("lab", "lab.other"):
        package = ModuleType(f"ansible_collections.{name}")
        package.__path__ = [str(tmp_path)]
        monkeypatch.setitem(sys.modules, package.__name__, package)
    return tmp_path


@pytest.mark.parametrize(
    ("version", "enough"),
    [(None, True), ("2.23.9", True), ("2.24.0", True), ("2.24.1", False), ("10.0.0", False)],
)
def test_by_its_version(installed: Path, version: Any, enough: bool) -> None:
    manifest = {"collection_info": {"version": "2.24.0"}}
    (installed / "MANIFEST.json").write_text(json.dumps(manifest))
    assert collection("lab.other", version) is enough


@pytest.mark.parametrize("manifest", [None, "no JSON", "{}"])
def test_one_that_does_not_say_its_version_will_do(installed: Path, manifest: Any) -> None:
    if manifest:
        (installed / "MANIFEST.json").write_text(manifest)
    assert collection("lab.other", "99")


def test_one_that_is_not_there() -> None:
    assert not collection("lab.nowhere")


def test_what_is_no_name() -> None:
    with pytest.raises(AnsibleFilterError, match="'crypto' is no name of a collection"):
        collection("crypto")
