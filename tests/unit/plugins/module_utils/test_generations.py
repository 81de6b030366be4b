# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of before each change, and which of it makes the host as it was then."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import transaction
from ansible_collections.postmaster.tls.plugins.module_utils.generations import (
    before,
    generations,
    keep,
    load,
    prune,
    sweep,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.plain import to_plain
from ansible_collections.postmaster.tls.plugins.module_utils.transaction import (
    FileState,
    Refused,
    capture,
    install,
    restore,
)

NEW = b"ssl = required\n\xff\x00"


@pytest.fixture(autouse=True)
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Generations below tmp_path; kept files are root's, so chown is left out for others."""
    monkeypatch.setattr(transaction, "STATE_DIR", str(tmp_path / "state"))
    if os.geteuid():
        monkeypatch.setattr(os, "fchown", lambda *_: None)
    return tmp_path / "state"


def mine(path: Path, content: Optional[bytes] = NEW, mode: int = 0o640) -> FileState:
    """A new state of a file that belongs to whoever runs the tests."""
    return FileState(str(path), content, mode, os.geteuid(), os.getegid())


def test_what_is_kept_is_what_is_loaded(tmp_path: Path) -> None:
    states = (
        FileState("/etc/a", NEW, 0o640, 5, 6, (("user.x", b"\x00\xff"),)),
        FileState("/etc/none"),
        FileState("/etc/key", None, 0o600, 1, 2, (), True),
        FileState("/etc/empty", b""),
    )
    directory = keep(states, "20260101T000000Z-0001", {"product": "dovecot"})
    assert load(directory) == states
    assert generations() == [directory]
    note = json.loads((Path(directory) / "manifest.json").read_text())["note"]
    assert note == {"product": "dovecot"}


def test_directories_to_take_away_are_kept_as_well(tmp_path: Path) -> None:
    path = tmp_path / "private" / "key"
    directory = keep([capture(str(path))], "1", {})
    install(mine(path))
    restore(load(directory))
    assert not (tmp_path / "private").exists()


def test_generations_are_for_root_alone() -> None:
    directory = Path(keep([FileState("/etc/a", b"secret")], "1", {}))
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(directory.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(p.stat().st_mode) for p in directory.iterdir()} == {0o600}


def test_three_generations_are_kept() -> None:
    kept = [keep([FileState("/etc/a", b"x")], f"2026010{n}T000000Z-0000", {}) for n in range(1, 6)]
    prune()
    assert generations() == kept[2:]


@pytest.mark.parametrize("number", ["1", "2"])
def test_generations_keep_their_order_when_the_clock_goes_back(number: str) -> None:
    future = [keep([FileState("/etc/a", b"x")], f"2036010{n}T000000Z-0000", {}) for n in (1, 2, 3)]
    now = keep([FileState("/etc/a", b"now")], "20260101T000000Z-0000", {})
    later = keep([FileState("/etc/a", b"later")], "20260101T000001Z-0000", {})
    prune()
    assert generations() == [future[2], now, later]
    assert before(number)[0][0].content == {"1": b"later", "2": b"now"}[number]


def test_generations_without_a_number_are_older_than_those_with_one(tmp_path: Path) -> None:
    """As releases before wrote them: by their names."""
    old = [keep([FileState("/etc/a", b"x")], f"2036010{n}T000000Z-0000", {}) for n in (1, 2)]
    for directory in old:
        manifest = Path(directory, "manifest.json")
        text = {k: v for k, v in json.loads(manifest.read_text()).items() if k != "number"}
        manifest.write_text(json.dumps(text))
    now = keep([FileState("/etc/a", b"now")], "20260101T000000Z-0000", {})
    assert generations() == [*old, now]


def test_one_whose_writer_died_is_never_seen(state_dir: Path) -> None:
    kept = keep([FileState("/etc/a", b"x")], "1", {})
    half = state_dir / "generations" / ".2"
    half.mkdir()
    (half / "0").write_bytes(b"half")
    assert generations() == [kept]
    sweep()
    assert not half.exists()


# ---------------------------------------------------------------------------------------------
# Which files make the host as it was

PORT = Endpoint("127.0.0.1", 993, Service.IMAP, TlsMode.IMPLICIT)


def history() -> list[str]:
    """Three changes: a, then a and b, then c; the first of Dovecot, the others of both."""
    changes = (
        ([FileState("/a", b"a1")], ["dovecot"], [PORT]),
        ([FileState("/a", b"a2"), FileState("/b", b"b1")], ["courier"], []),
        ([FileState("/c", b"c1")], ["courier", "dovecot"], []),
    )
    return [
        keep(states, f"g{n}", {"products": products, "served": to_plain(served)})
        for n, (states, products, served) in enumerate(changes, 1)
    ]


@pytest.mark.parametrize(
    ("wanted", "files", "products", "served"),
    [
        ("1", {"/c": b"c1"}, {"courier", "dovecot"}, ()),
        ("2", {"/c": b"c1", "/a": b"a2", "/b": b"b1"}, {"courier", "dovecot"}, ()),
        ("3", {"/c": b"c1", "/a": b"a1", "/b": b"b1"}, {"courier", "dovecot"}, (PORT,)),
        ("g3", {"/c": b"c1"}, {"courier", "dovecot"}, ()),
        ("/var/lib/postmaster-tls/generations/g3", {"/c": b"c1"}, {"courier", "dovecot"}, ()),
    ],
)
def test_later_changes_are_taken_back_as_well(
    wanted: str, files: dict[str, bytes], products: set[str], served: tuple[Endpoint, ...]
) -> None:
    history()
    states, concerned, ports = before(wanted)
    assert {state.path: state.content for state in states} == files
    assert set(concerned) == products
    assert ports == served


@pytest.mark.parametrize("wanted", ["0", "4", "g4", "../g1/..", "", ".g1"])
def test_one_that_is_not_kept_is_refused_with_those_that_are(wanted: str) -> None:
    history()
    with pytest.raises(Refused, match=r"is not kept .* 1 \(g3\), 2 \(g2\), 3 \(g1\)$"):
        before(wanted)


def test_no_generation_is_kept_where_one_of_that_name_is() -> None:
    directory = keep([FileState("/etc/a", b"x")], "1", {})
    with pytest.raises(FileExistsError):
        keep([FileState("/etc/a", b"y")], "1", {})
    assert load(directory)[0].content == b"x"


def test_without_generations_there_are_none() -> None:
    assert generations() == []


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        b'{"files": 3}',
        b'{"files": [{}]}',
        b'{"files": ["a"]}',
        b'{"files": [{"path": "/a", "file": "0"}]}',
        b'{"files": [{"path": "/a", "file": null, "mode": 1, "uid": 0, "gid": 0, "xattrs": 1}]}',
    ],
)
def test_a_manifest_of_another_shape_is_a_value_error(manifest: bytes, tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(b"")
    (tmp_path / "manifest.json").write_bytes(manifest)
    with pytest.raises(ValueError):  # noqa: PT011  # JSON's own words, or ours
        load(str(tmp_path))


def test_a_generation_that_is_gone_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        load(str(tmp_path / "gone"))
