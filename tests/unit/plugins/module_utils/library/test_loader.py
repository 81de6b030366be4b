# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.library import loader


@pytest.mark.parametrize(
    ("path", "function"), [("/nowhere.so", "x"), (__file__, "x"), ("libc.so.6", "no_such_function")]
)
def test_what_cannot_be_loaded_is_none(path: str, function: str) -> None:
    assert loader.load(path, {function: (None, ())}) is None


def test_functions_come_by_name_without_prefix() -> None:
    libc = loader.load("libc.so.6", {"abs": (ctypes.c_int, (ctypes.c_int,))}, "l")
    assert libc is not None
    assert libc.abs(-3) == 3


def test_another_library_of_that_name_shadows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = tmp_path / "libssl.so.3"
    monkeypatch.setattr(loader, "_maps", lambda: ["7f-8f r-xp 0 08:01 1    /opt/other/libssl.so.3"])
    assert loader.shadowed(str(ours)) is True
    monkeypatch.setattr(loader, "_maps", lambda: [f"7f-8f r-xp 0 08:01 1    {ours}"])
    assert loader.shadowed(str(ours)) is False
    monkeypatch.setattr(loader, "_maps", lambda: ["7f-8f rw-p 0 00:00 0 "])
    assert loader.shadowed(str(ours)) is False


@pytest.mark.parametrize(
    ("position", "sentence"),
    [(None, "priority: no"), (0, "priority: no at character 1")],
)
def test_a_rejection_is_one_sentence(position: int, sentence: str) -> None:
    assert str(loader.Rejected("priority", "no", position)) == sentence
