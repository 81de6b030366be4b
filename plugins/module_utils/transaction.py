# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files change all together or not at all: capture, stage, install, restore.

Knows files and nothing of mail servers. A :class:`FileState` is a whole file as a value (bytes,
mode, owner, extended attributes) or its absence; changing a host is installing new states over
captured ones, restoring is installing the captured ones again. Each file is replaced by one
``rename(2)`` of a sibling that had its owner and mode before its content, and is on disk (fsync)
before the rename: staged, all siblings of a change are there before the first rename. Symbolic
links are followed only through directories that only root can write.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Optional

STATE_DIR = "/var/lib/postmaster-tls"
LOCK_FILE = "/run/postmaster-tls.lock"
_LINKS = 40  # as many as Linux follows: path_resolution(7)
_LOCK_PAUSE = 0.1


class Refused(Exception):
    """A file is not one we may change; the message is a sentence for people."""


@dataclass(frozen=True)
class FileState:
    """A file as a value; ``content`` is ``None`` where there is no file.

    With ``only_attributes`` the content (a private key's) is not part of the value: it is neither
    read nor kept nor written, owner and mode are set in place. ``missing`` are directories that
    were not there either, innermost first: putting the absence back takes them away again.
    """

    path: str
    content: Optional[bytes] = None
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    xattrs: tuple[tuple[str, bytes], ...] = ()
    only_attributes: bool = False
    missing: tuple[str, ...] = field(default=(), compare=False)


def resolve(path: str) -> str:
    """The real path behind ``path``, safe to replace.

    Raises :class:`Refused` where it is not a regular file or where somebody but root could swap
    it, or a directory above it, under our hands.
    """
    real, links = "/", 0
    todo = os.path.join(os.getcwd(), path).split("/")[::-1]
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        step = os.path.dirname(real) if part == ".." else os.path.join(real, part)
        if not os.path.islink(step):
            real = step
            continue
        links += 1
        _require_trusted_link(step, links)
        target = os.readlink(step)
        real = "/" if target.startswith("/") else real
        todo += target.split("/")[::-1]
    _require_trusted(os.path.dirname(real))
    if os.path.lexists(real) and not stat.S_ISREG(os.lstat(real).st_mode):
        raise Refused(f"{real} is not a regular file; move it away and run again")
    return real


def _require_trusted_link(path: str, number: int) -> None:
    """A link must stand where only root can put one; in a sticky directory it must be root's."""
    _require_trusted(os.path.dirname(path))
    if number > _LINKS or os.lstat(path).st_uid not in (0, os.geteuid()):
        raise Refused(f"{path} is a link that cannot be followed safely; replace it and run again")


def _require_trusted(directory: str) -> None:
    """Every existing directory from the root to here must be writable by root alone."""
    current = directory
    while True:
        if os.path.isdir(current):
            info = os.stat(current)
            others = stat.S_IMODE(info.st_mode) & 0o022
            if info.st_uid not in (0, os.geteuid()) or (others and not info.st_mode & stat.S_ISVTX):
                raise Refused(
                    f"{current} can be written by others than root, so files in it can be swapped "
                    "for links; give it to root with mode 0755 and run again"
                )
        if current == os.path.dirname(current):
            return
        current = os.path.dirname(current)


def capture(path: str, only_attributes: bool = False) -> FileState:
    """The state of ``path`` now. Raises :class:`Refused` as :func:`resolve` does."""
    real = resolve(path)
    try:
        fd = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return FileState(real, missing=_missing(real))
    with os.fdopen(fd, "rb") as handle:
        info = os.fstat(fd)
        xattrs = tuple((n, os.getxattr(fd, n)) for n in _listxattr(fd))
        mode = stat.S_IMODE(info.st_mode)
        if only_attributes:
            return FileState(real, None, mode, info.st_uid, info.st_gid, (), True)
        return FileState(real, handle.read(), mode, info.st_uid, info.st_gid, xattrs)


def _missing(path: str) -> tuple[str, ...]:
    """The directories above ``path`` that do not exist, innermost first."""
    found: list[str] = []
    directory = os.path.dirname(path)
    while not os.path.lexists(directory):
        found.append(directory)
        directory = os.path.dirname(directory)
    return tuple(found)


def rewritten(texts: Mapping[str, str]) -> tuple[FileState, ...]:
    """Files with new texts: owner, mode and attributes stay, a new file is root's with 0644.

    Texts carry bytes that are no UTF-8 as surrogates, as host.read_text gives them.
    """
    return tuple(
        replace(capture(path), content=text.encode("utf-8", "surrogateescape"))
        for path, text in texts.items()
    )


def _listxattr(fd: int) -> list[str]:
    try:
        return sorted(os.listxattr(fd))
    except OSError:  # a file system without extended attributes
        return []


def sibling(state: FileState, token: str) -> str:
    """Where ``state`` is staged: beside the live file, hidden, matched by no pattern of a server.

    ``token`` names the change, so that what a killed one left is known.
    """
    directory, name = os.path.split(resolve(state.path))
    return f"{directory}/.{name}.{token}"


def aside(state: FileState, token: str) -> str:
    """Where the live file itself waits while its change is open: the same inode, so that going
    back needs no room on the disk.
    """
    return f"{sibling(state, token)}.old"


def stage(new: Iterable[FileState], token: str) -> None:
    """Write every new content beside its live file; OSError when one cannot be (a full disk)."""
    for state in new:
        if state.content is not None:
            staged = sibling(state, token)
            os.makedirs(os.path.dirname(staged), mode=0o755, exist_ok=True)
            write_new(staged, state)


def unstage(paths: Iterable[str], made: Iterable[str] = ()) -> None:
    """Take away staged files, and the directories ``made`` for them where nothing is in there."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    for directory in made:
        with contextlib.suppress(OSError):
            os.rmdir(directory)


def install(state: FileState, token: str = "", staged: bool = False) -> None:
    """Make the file at ``state.path`` equal ``state``, in one step; OSError when it cannot be.

    ``token`` names the sibling that is renamed; where it is ``staged`` it has its content already.
    """
    real = resolve(state.path)
    directory = os.path.dirname(real)
    if state.only_attributes:
        _set_attributes(real, state)
    elif state.content is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(real)
        for made in state.missing:
            with contextlib.suppress(OSError):  # something else is in there by now
                os.rmdir(made)
    else:
        os.makedirs(directory, mode=0o755, exist_ok=True)
        temporary = sibling(state, token or secrets.token_hex(6))
        try:
            if staged:
                _set_aside(real, aside(state, token))
            else:
                unstage((temporary,) if token else ())
                write_new(temporary, state)
            os.replace(temporary, real)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    if os.path.isdir(directory):
        sync_directory(directory)


def _set_aside(path: str, name: str) -> None:
    """Another name for the live file; a file system without such links has the kept copy."""
    with contextlib.suppress(OSError):
        os.link(path, name, follow_symlinks=False)


def _set_attributes(path: str, state: FileState) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchown(fd, state.uid, state.gid)
        os.fchmod(fd, state.mode)
    finally:
        os.close(fd)


def write_new(path: str, state: FileState) -> None:
    """A new file that has its owner and mode before its content, and is on disk."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as handle:
        os.fchown(fd, state.uid, state.gid)
        os.fchmod(fd, state.mode)
        for name, value in state.xattrs:
            os.setxattr(fd, name, value)
        handle.write(state.content or b"")
        handle.flush()
        os.fsync(fd)


def sync_directory(directory: str) -> None:
    """Have the names in a directory on disk."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def swap(new: Sequence[FileState], token: str = "", staged: bool = False) -> None:
    """Install all of ``new``; when one cannot be, put back those already done and raise OSError."""
    old = [capture(state.path, state.only_attributes) for state in new]
    done: list[FileState] = []
    try:
        for state, before in zip(new, old):
            done.append(before)
            install(state, token, staged)
    except BaseException:
        restore(done, token)
        raise


def restore(old: Iterable[FileState], token: str = "") -> None:
    """Install captured states again, the last changed first.

    One that cannot be put back keeps none of the others from it; its error is raised at the end.
    """
    problem: Optional[Exception] = None
    for state in reversed(list(old)):
        try:
            if capture(state.path, state.only_attributes) != state or state.missing:
                _put_back(state, token)
        except (OSError, Refused) as error:
            problem = problem or error
    if problem:
        raise problem


def _put_back(state: FileState, token: str) -> None:
    kept = aside(state, token) if token and state.content is not None else ""
    if kept and os.path.lexists(kept) and replace(capture(kept), path=state.path) == state:
        real = resolve(state.path)
        os.replace(kept, real)
        sync_directory(os.path.dirname(real))
        return
    install(state, token)


@contextlib.contextmanager
def lock(wait: float = 0.0) -> Iterator[None]:
    """Hold the host's one lock; :class:`Refused` when another has it for ``wait`` seconds."""
    fd = os.open(LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + wait
    try:
        while not _locked(fd):
            if time.monotonic() >= deadline:
                raise Refused(
                    f"another run is changing this host (it holds {LOCK_FILE}); wait for it to end"
                )
            time.sleep(_LOCK_PAUSE)
        yield
    finally:
        os.close(fd)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
