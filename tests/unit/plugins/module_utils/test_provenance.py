# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who wrote a file: the package's own state, our journal, and no sum of a private key."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import host, provenance, transaction
from ansible_collections.postmaster.tls.plugins.module_utils.provenance import (
    LIBRARY_POLICIES,
    Written,
    look,
    parse_conffiles,
)

SHIPPED = b"as it came\n"
MD5 = hashlib.md5(SHIPPED, usedforsecurity=False).hexdigest()
AT = 1_700_000_000  # 2023-11-14T22:13:20Z


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(transaction, "STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "state").mkdir()
    for name, content in (("kept", SHIPPED), ("edited", b"by hand"), ("byucf", SHIPPED)):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "key").write_bytes(b"-----BEGIN PRIVATE KEY-----\nMII\n")
    asked = (
        f"courier-imap\t {tmp_path}/kept {MD5}\n {tmp_path}/edited {MD5}\n {tmp_path}/gone {MD5}\n"
    )
    monkeypatch.setattr(host, "run", lambda *_: host.Result(0, asked, ""))
    (tmp_path / "hashfile").write_text(f"{MD5}  {tmp_path}/byucf\n")
    monkeypatch.setattr(provenance, "_UCF", str(tmp_path / "hashfile"))
    return tmp_path


def journal(folder: Path, *entries: object) -> None:
    lines = [e if isinstance(e, str) else json.dumps(e) for e in entries]
    (folder / "state" / "journal.jsonl").write_text("\n".join(lines) + "\n")


def one(folder: Path, name: str) -> Written:
    return next(w for w in look([str(folder / name)]) if w.path == str(folder / name))


def test_what_a_package_brought_is_told_from_what_was_made_of_it(folder: Path) -> None:
    assert (one(folder, "kept").package, one(folder, "kept").shipped) == ("courier-imap", True)
    assert (one(folder, "edited").package, one(folder, "edited").shipped) == ("courier-imap", False)
    assert (one(folder, "byucf").package, one(folder, "byucf").shipped) == (
        "its package (by ucf)",
        True,
    )
    gone = one(folder, "gone")
    assert (gone.exists, gone.package, gone.shipped, gone.sha256) == (
        False,
        "courier-imap",
        None,
        None,
    )


def test_owner_time_and_sum(folder: Path) -> None:
    os.utime(folder / "edited", (AT, AT))
    seen = one(folder, "edited")
    assert seen.modified == "2023-11-14T22:13:20Z"
    assert seen.sha256 == hashlib.sha256(b"by hand").hexdigest()
    assert seen.owner


def test_of_a_private_key_there_is_no_sum(folder: Path) -> None:
    seen = one(folder, "key")
    assert (seen.exists, seen.sha256) == (True, None)
    assert seen.modified


@pytest.mark.parametrize(("written", "ours"), [(AT - 60, True), (AT + 1, True), (AT + 60, False)])
def test_a_change_of_ours_is_told_until_somebody_else_writes(
    folder: Path, written: int, ours: bool
) -> None:
    path = str(folder / "edited")
    entry = {"at": "2023-11-14T22:13:20Z", "id": "T1", "who": "me@laptop", "paths": [path]}
    journal(folder, "no json", [1], {"paths": 3}, {**entry, "id": "T0"}, entry)
    os.utime(path, (written, written))
    seen = one(folder, "edited")
    assert (seen.change, seen.by) == (("T1", "me@laptop") if ours else (None, None))


def test_the_policies_of_the_libraries_are_always_looked_at(folder: Path) -> None:
    seen = {w.path for w in look(["relative", "\0"])}
    assert seen == set(LIBRARY_POLICIES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("p\t\n", {}),
        ("p\t /a 1\n /b 2\nq\t /c 3\n", {"/a": ("p", "1"), "/b": ("p", "2"), "/c": ("q", "3")}),
        ("p\t /a 1 obsolete\n /b newconffile\n", {"/b": ("p", "newconffile")}),
        ("dpkg-query: no packages found\n", {}),
    ],
)
def test_what_dpkg_says(text: str, expected: dict[str, tuple[str, str]]) -> None:
    assert parse_conffiles(text) == expected
