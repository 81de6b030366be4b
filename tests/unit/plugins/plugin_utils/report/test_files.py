# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a report: all of one run, or as they were."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.plugin_utils.report import files
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.formats import Made

OLD = (Made("a", "old a\n", 0o600), Made("b", "old b\n", 0o600))
NEW = (Made("a", "né\r\n", 0o600), Made("b", "new b\n", 0o644), Made("c", "new c\n", 0o600))


def held(directory: Path) -> dict[str, str]:
    return {path.name: path.read_bytes().decode() for path in directory.iterdir()}


def test_all_are_written_as_they_are(tmp_path: Path) -> None:
    there = tmp_path / "made" / "for it"
    paths = files.write(str(there), NEW)
    assert paths == [str(there / made.name) for made in NEW]
    assert held(there) == {made.name: made.text for made in NEW}
    assert [os.stat(path).st_mode & 0o777 for path in paths] == [0o600, 0o644, 0o600]


def test_a_link_is_replaced_and_what_it_leads_to_is_not(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    there = tmp_path / "there"
    there.mkdir()
    (there / "a").symlink_to(other)
    files.write(str(there), NEW)
    assert other.read_text() == "mine"
    assert not (there / "a").is_symlink()


def test_one_that_cannot_be_written_leaves_all(tmp_path: Path) -> None:
    files.write(str(tmp_path), OLD)
    bad = Made("c", "\udc80", 0o600)
    with pytest.raises(UnicodeEncodeError):
        files.write(str(tmp_path), (*NEW[:2], bad))
    assert held(tmp_path) == {made.name: made.text for made in OLD}


@pytest.mark.parametrize("links", [True, False])
def test_one_that_cannot_be_renamed_takes_the_others_back(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(str(tmp_path), OLD[1:])
    (tmp_path / "c").mkdir()
    if not links:

        def refuse(*_names: object, **_options: object) -> None:
            raise PermissionError("no links here")

        monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match="c'"):
        files.write(str(tmp_path), NEW)
    (tmp_path / "c").rmdir()
    assert held(tmp_path) == {"b": "old b\n"}


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        files.write(str(tmp_path / "file"), NEW)
