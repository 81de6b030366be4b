# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files change all together or not at all: capture, install, keep a generation, restore.

Knows files and nothing of mail servers. A :class:`FileState` is a whole file as a value (bytes,
mode, owner, extended attributes) or its absence; changing a host is installing new states over
captured ones, restoring is installing the captured ones again. Each file is replaced by one
``rename(2)`` of a sibling that had its owner and mode before its content, and is on disk (fsync)
before the rename. Symbolic links are followed only through directories that only root can write.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

STATE_DIR = "/var/lib/postmaster-tls"
LOCK_FILE = "/run/postmaster-tls.lock"
KEPT_GENERATIONS = 3
_LINKS = 40  # as many as Linux follows: path_resolution(7)
_MANIFEST = "manifest.json"


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


def install(state: FileState) -> None:
    """Make the file at ``state.path`` equal ``state``, in one step; OSError when it cannot be."""
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
        temporary = f"{directory}/.{os.path.basename(real)}.{secrets.token_hex(6)}"
        try:
            _write_new(temporary, state)
            os.replace(temporary, real)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    if os.path.isdir(directory):
        _sync_directory(directory)


def _set_attributes(path: str, state: FileState) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchown(fd, state.uid, state.gid)
        os.fchmod(fd, state.mode)
    finally:
        os.close(fd)


def _write_new(path: str, state: FileState) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as handle:
        os.fchown(fd, state.uid, state.gid)
        os.fchmod(fd, state.mode)
        for name, value in state.xattrs:
            os.setxattr(fd, name, value)
        handle.write(state.content or b"")
        handle.flush()
        os.fsync(fd)


def _sync_directory(directory: str) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def swap(new: Sequence[FileState]) -> None:
    """Install all of ``new``; when one cannot be, put back those already done and raise OSError."""
    old = [capture(state.path, state.only_attributes) for state in new]
    done: list[FileState] = []
    try:
        for state, before in zip(new, old):
            done.append(before)
            install(state)
    except BaseException:
        restore(done)
        raise


def restore(old: Iterable[FileState]) -> None:
    """Install captured states again, the last changed first.

    One that cannot be put back keeps none of the others from it; its error is raised at the end.
    """
    problem: Optional[Exception] = None
    for state in reversed(list(old)):
        try:
            if capture(state.path, state.only_attributes) != state or state.missing:
                install(state)
        except (OSError, Refused) as error:
            problem = problem or error
    if problem:
        raise problem


# ---------------------------------------------------------------------------------------------
# Generations: what was there before, kept on the host


def keep(old: Sequence[FileState], name: str, note: Mapping[str, str]) -> str:
    """Write captured states below STATE_DIR as generation ``name``; returns its directory.

    The directory is readable by root alone; the oldest generations beyond KEPT_GENERATIONS go.
    """
    parent = os.path.join(STATE_DIR, "generations")
    os.makedirs(parent, mode=0o700, exist_ok=True)
    directory = os.path.join(parent, name)
    os.mkdir(directory, 0o700)
    entries = []
    for index, state in enumerate(old):
        blob = str(index)
        if state.content is not None:
            _write_new(os.path.join(directory, blob), FileState(blob, state.content, 0o600))
        entries.append(
            {
                "path": state.path,
                "file": None if state.content is None else blob,
                "mode": state.mode,
                "uid": state.uid,
                "gid": state.gid,
                "xattrs": [[n, v.hex()] for n, v in state.xattrs],
                "only_attributes": state.only_attributes,
                "missing": list(state.missing),
            }
        )
    manifest = json.dumps({"note": dict(note), "files": entries}, indent=2).encode() + b"\n"
    _write_new(os.path.join(directory, _MANIFEST), FileState(_MANIFEST, manifest, 0o600))
    _sync_directory(directory)
    _prune(parent, name)
    return directory


def load(directory: str) -> tuple[FileState, ...]:
    """The states that :func:`keep` wrote; OSError or ValueError when they cannot be read."""
    with open(os.path.join(directory, _MANIFEST), encoding="utf-8") as handle:
        manifest = json.load(handle)
    try:
        return tuple(_entry(directory, entry) for entry in manifest["files"])
    except (KeyError, TypeError):
        raise ValueError(f"{directory}/{_MANIFEST} is of another shape than expected") from None


def _entry(directory: str, entry: Mapping[str, Any]) -> FileState:
    content = None
    if entry["file"] is not None:
        with open(os.path.join(directory, str(entry["file"])), "rb") as handle:
            content = handle.read()
    xattrs = tuple((n, bytes.fromhex(v)) for n, v in entry["xattrs"])
    return FileState(
        path=str(entry["path"]),
        content=content,
        mode=entry["mode"],
        uid=entry["uid"],
        gid=entry["gid"],
        xattrs=xattrs,
        only_attributes=entry["only_attributes"],
        missing=tuple(entry.get("missing", ())),
    )


def generations() -> list[str]:
    """Directories of the kept generations, oldest first."""
    parent = os.path.join(STATE_DIR, "generations")
    names = sorted(os.listdir(parent)) if os.path.isdir(parent) else []
    return [os.path.join(parent, name) for name in names]


def _prune(parent: str, latest: str) -> None:
    """Take the oldest away, never ``latest``: the clock may have gone back."""
    others = sorted(name for name in os.listdir(parent) if name != latest)
    for name in others[: max(0, len(others) + 1 - KEPT_GENERATIONS)]:
        directory = os.path.join(parent, name)
        for entry in os.listdir(directory):
            os.unlink(os.path.join(directory, entry))
        os.rmdir(directory)


@contextlib.contextmanager
def lock(path: str = LOCK_FILE) -> Iterator[None]:
    """Hold the host's one lock; :class:`Refused` when another run has it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                f"another run is changing this host (it holds {path}); wait for it to end"
            ) from None
        yield
    finally:
        os.close(fd)
