# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and commands as streams: every packing, what is cut off or no file, and what ends early."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import streams

TEXT = b"".join(b"line %d of a log\n" % number for number in range(100_000))
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def written(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def read(path: str) -> bytes:
    return b"".join(streams.file_pieces(path))


@pytest.mark.parametrize("suffix", PACK)
def test_whole_and_never_in_one_piece(suffix: str, tmp_path: Path) -> None:
    path = written(tmp_path / f"mail.log{suffix}", PACK[suffix](TEXT))
    pieces = list(streams.file_pieces(path))
    assert b"".join(pieces) == TEXT
    assert max(len(piece) for piece in pieces) <= streams.PIECE
    assert len(pieces) > 1


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_members_one_after_the_other(suffix: str, tmp_path: Path) -> None:
    packed = PACK[suffix](TEXT) + PACK[suffix](b"more\n")
    assert read(written(tmp_path / f"x{suffix}", packed)) == TEXT + b"more\n"


def test_zeros_behind_a_member_are_padding(tmp_path: Path) -> None:
    assert read(written(tmp_path / "x.gz", gzip.compress(b"a\n") + b"\0" * 512)) == b"a\n"


def test_a_little_that_unpacks_to_much_is_given_in_pieces(tmp_path: Path) -> None:
    path = written(tmp_path / "x.gz", gzip.compress(bytes(16 << 20)))
    total = 0
    for piece in streams.file_pieces(path):
        assert len(piece) <= streams.PIECE
        total += len(piece)
    assert total == 16 << 20


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
@pytest.mark.parametrize("damage", ["cut", "not packed"])
def test_what_could_be_read_comes_before_the_complaint(
    suffix: str, damage: str, tmp_path: Path
) -> None:
    packed = PACK[suffix](TEXT)
    content = packed[: len(packed) * 7 // 8] if damage == "cut" else b"Nov 24 no archive at all\n"
    seen: list[bytes] = []
    path = written(tmp_path / f"x{suffix}", content)
    with pytest.raises(streams.Unreadable, match="cannot be read to its end"):
        seen.extend(streams.file_pieces(path))
    assert TEXT.startswith(b"".join(seen))
    assert bool(seen) is (damage == "cut")


def test_no_file_a_fifo_and_a_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path, words in (
        (tmp_path / "none", "No such file"),
        (tmp_path / "fifo", "not a regular file"),
        (tmp_path, "not a regular file"),
    ):
        with pytest.raises(streams.Unreadable, match=words):
            read(str(path))


def test_a_command_gives_what_it_writes() -> None:
    argv = [sys.executable, "-c", "print('x' * 3_000_000)"]
    assert b"".join(streams.command_pieces(argv)) == b"x" * 3_000_000 + b"\n"


def test_a_command_that_fails_says_why_after_what_it_wrote() -> None:
    argv = [sys.executable, "-c", "import sys; print('some'); sys.exit('because')"]
    found: list[bytes] = []
    with pytest.raises(streams.Unreadable, match="failed: because"):
        found.extend(streams.command_pieces(argv))
    assert b"".join(found) == b"some\n"


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(streams.Unreadable, match="could not be run"):
        list(streams.command_pieces(["/nonexistent/journalctl"]))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which commands are looked for."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(streams.host, "environment", lambda: {"PATH": str(folder)})
    return folder


def test_zst_is_unpacked_by_the_command_zstd(path: Path, tmp_path: Path) -> None:
    """Python has no decoder of its own before 3.14."""
    stub = path / "zstd"
    stub.write_text('#!/bin/sh\ntest "$1 $2" = "-dcq --" && exec /bin/cat "$3"\n')
    stub.chmod(0o755)
    assert read(written(tmp_path / "mail.log.2.zst", TEXT)) == TEXT


def test_zst_without_the_command_is_told(path: Path, tmp_path: Path) -> None:
    with pytest.raises(streams.Unreadable, match="zstd could not be run"):
        read(written(tmp_path / "mail.log.2.zst", TEXT))


def test_a_command_ends_with_who_reads_it() -> None:
    argv = [sys.executable, "-c", "import os\nwhile True: os.write(1, b'y' * 4096)"]
    stream = streams.command_pieces(argv)
    assert next(stream)
    stream.close()  # type: ignore[attr-defined]
    with pytest.raises(StopIteration):
        next(stream)
