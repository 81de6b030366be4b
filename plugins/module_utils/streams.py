# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rim for what is too long to hold: log files and the journal, piece by piece.

Files of any size and compression are read in pieces of about a megabyte, and never more than that
is unpacked at once. What cannot be read raises :class:`Unreadable` with a sentence, after what
could be.

Sources: zlib(3) ``inflateInit2`` (31 = gzip), journalctl(1), zstd(1).
"""

from __future__ import annotations

import bz2
import lzma
import os
import stat
import subprocess
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Callable, Optional

from . import host
from .text import clean

PIECE = 1 << 20
_PACKED = 1 << 18


class Unreadable(Exception):
    """A file or command that stopped giving; the message is a sentence."""


def file_pieces(path: str) -> Iterator[bytes]:
    """The unpacked content of a regular file; how it is packed is told by its name."""
    suffix = os.path.splitext(path)[1]
    if suffix == ".zst":
        yield from command_pieces(["zstd", "-dcq", "--", path])
        return
    descriptor = _open(path)
    try:
        yield from _unpacked(descriptor, _UNPACK.get(suffix))
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise Unreadable(f"{path} cannot be read to its end: {clean(str(error))}") from None
    finally:
        os.close(descriptor)


def _open(path: str) -> int:
    """Never waits on a FIFO or a device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path} cannot be read: {clean(str(error))}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unreadable(f"{path} cannot be read: it is not a regular file")
    return descriptor


class _Gzip:
    """zlib's decompressor with the interface that bz2 and lzma have."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


_UNPACK: dict[str, Callable[[], Any]] = {
    ".gz": _Gzip,
    ".bz2": bz2.BZ2Decompressor,
    ".xz": lzma.LZMADecompressor,
}


def _unpacked(descriptor: int, make: Optional[Callable[[], Any]]) -> Iterator[bytes]:
    if make is None:
        while True:
            piece = os.read(descriptor, PIECE)
            if not piece:
                return
            yield piece
    unpack, rest = make(), b""
    while True:
        data = rest or os.read(descriptor, _PACKED)
        rest = b""
        if not data:
            if not unpack.eof:
                raise EOFError("the file ends in the middle")
            return
        if unpack.eof:
            if not data.strip(b"\0"):  # padding
                return
            unpack = make()  # a further member: RFC 1952 section 2.2
        yield from _member(unpack, data)
        rest = unpack.unused_data if unpack.eof else b""


def _member(unpack: Any, data: bytes) -> Iterator[bytes]:
    """All that one read of packed data gives, in pieces."""
    while True:
        piece = unpack.decompress(data, PIECE)
        if piece:
            yield piece
        if unpack.eof or (unpack.needs_input and len(piece) < PIECE):
            return
        data = b""


def command_pieces(argv: Sequence[str]) -> Iterator[bytes]:
    """What a command writes, run without a shell and in the C locale; it ends with the iterator."""
    with tempfile.TemporaryFile() as errors:
        try:
            # Not run_command: this is streamed, and below AnsibleModule.
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=host.environment(),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise Unreadable(f"{argv[0]} could not be run: {clean(str(error))}") from None
        try:
            yield from _pieces(process)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            errors.seek(0)
            words = clean(errors.read(2048).strip()) or f"it ended with {process.returncode}"
            raise Unreadable(f"{argv[0]} failed: {words}")


def _pieces(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    if process.stdout is not None:
        with process.stdout as stream:
            while True:
                piece = os.read(stream.fileno(), PIECE)
                if not piece:
                    break
                yield piece
    process.wait()
