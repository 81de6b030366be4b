# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files change all together or not at all, whatever fails in between."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import transaction
from ansible_collections.postmaster.tls.plugins.module_utils.transaction import (
    FileState,
    Refused,
    capture,
    install,
    lock,
    resolve,
    restore,
    stage,
    swap,
    unstage,
)

OLD, NEW = b"ssl = yes\n", b"ssl = required\n\xff\x00"


def mine(path: Path, content: Optional[bytes] = NEW, mode: int = 0o640) -> FileState:
    """A new state of a file that belongs to whoever runs the tests."""
    return FileState(str(path), content, mode, os.geteuid(), os.getegid())


def made(path: Path, content: bytes = OLD, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def tree(top: Path) -> dict[str, Any]:
    """Everything below a directory: name → mode, owner and content."""
    found: dict[str, Any] = {}
    for path in sorted(top.rglob("*")):
        info = path.lstat()
        data = path.read_bytes() if stat.S_ISREG(info.st_mode) else None
        data = os.readlink(path).encode() if path.is_symlink() else data
        found[str(path.relative_to(top))] = (info.st_mode, info.st_uid, info.st_gid, data)
    return found


# ---------------------------------------------------------------------------------------------
# What may be changed at all


@pytest.mark.parametrize("kind", ["directory", "fifo", "dangling directory"])
def test_what_is_no_regular_file_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "thing"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        (tmp_path / "there").mkdir()
        path.symlink_to(tmp_path / "there")
    for action in (resolve, capture, lambda p: install(mine(Path(p)))):
        with pytest.raises(Refused, match="is not a regular file"):
            action(str(path))


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_a_directory_that_others_can_write_is_refused(mode: int, tmp_path: Path) -> None:
    (tmp_path / "open" / "below").mkdir(parents=True)
    (tmp_path / "open").chmod(mode)
    for place in ("open/file", "open/below/file", "open/not/yet/there"):
        with pytest.raises(Refused, match=f"{tmp_path}/open can be written by others"):
            resolve(str(tmp_path / place))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o755)
    os.chown(tmp_path / "theirs", 65534, 65534)
    with pytest.raises(Refused, match="theirs can be written by others"):
        resolve(str(tmp_path / "theirs" / "file"))


def test_a_sticky_directory_holds_files_but_no_links_of_others(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    plain = made(tmp_path / "tmp" / "plain")
    assert resolve(str(plain)) == str(plain)
    link = tmp_path / "tmp" / "link"
    link.symlink_to(plain)
    assert resolve(str(link)) == str(plain)
    if os.geteuid() == 0:
        os.chown(link, 65534, 65534, follow_symlinks=False)
        with pytest.raises(Refused, match="link is a link that"):
            resolve(str(link))


@pytest.mark.parametrize(
    "path",
    ["file link", "folder link/file", "trusted/to file link", "trusted/to folder link/file"],
)
def test_a_link_in_a_directory_that_others_can_write_is_refused(path: str, tmp_path: Path) -> None:
    """Also where the link is but one of several, or stands for a directory on the way."""
    loose, trusted = tmp_path / "loose", tmp_path / "trusted"
    for folder in (loose, trusted, trusted / "etc"):
        folder.mkdir()
    made(trusted / "etc" / "file")
    (loose / "file link").symlink_to(trusted / "etc" / "file")
    (loose / "folder link").symlink_to(trusted / "etc")
    (trusted / "to file link").symlink_to(loose / "file link")
    (trusted / "to folder link").symlink_to("../loose/folder link")
    whole = tmp_path / path if path.startswith("trusted") else loose / path
    assert resolve(str(whole)) == str(trusted / "etc" / "file")
    loose.chmod(0o777)
    with pytest.raises(Refused, match=f"{loose} can be written by others"):
        resolve(str(whole))


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(Refused, match="link"):
        resolve(str(tmp_path / "a"))


def test_a_link_in_a_trusted_directory_stays_a_link(tmp_path: Path) -> None:
    real = made(tmp_path / "real")
    link = tmp_path / "link"
    link.symlink_to("real")
    install(mine(link))
    assert link.is_symlink()
    assert real.read_bytes() == NEW


def test_dots_on_the_way_are_followed(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a/b")
    made(tmp_path / "a" / "file")
    assert resolve(f"{tmp_path}/./link/..//file") == f"{tmp_path}/a/file"


# ---------------------------------------------------------------------------------------------
# One file


def test_a_state_is_the_whole_file(tmp_path: Path) -> None:
    path = made(tmp_path / "file", NEW, 0o604)
    state = capture(str(path))
    assert state == FileState(str(path), NEW, 0o604, os.geteuid(), path.stat().st_gid, state.xattrs)
    assert capture(str(tmp_path / "none")) == FileState(str(tmp_path / "none"))


def test_installing_replaces_and_never_writes_into_the_old_file(tmp_path: Path) -> None:
    path = made(tmp_path / "file")
    os.link(path, tmp_path / "other name")
    before = path.stat().st_ino
    install(mine(path))
    assert path.stat().st_ino != before
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (NEW, 0o640)
    assert (tmp_path / "other name").read_bytes() == OLD
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "other name"]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_mode_is_the_wanted_one_under_any_umask(umask: int, tmp_path: Path) -> None:
    previous = os.umask(umask)
    try:
        install(mine(tmp_path / "file", mode=0o664))
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o664


@pytest.mark.parametrize("before", [None, OLD, b""])
@pytest.mark.parametrize("after", [None, NEW, b""])
def test_what_was_captured_can_be_put_back(
    before: Optional[bytes], after: Optional[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "file"
    if before is not None:
        made(path, before)
    shape, old = tree(tmp_path), capture(str(path))
    install(mine(path, after))
    assert (path.read_bytes() if path.exists() else None) == after
    restore([old])
    assert tree(tmp_path) == shape
    assert capture(str(path)) == old


def test_directories_made_for_a_new_file_go_with_it(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc" / "private" / "more" / "key"
    shape, old = tree(tmp_path), capture(str(path))
    swap([mine(path)])
    assert path.read_bytes() == NEW
    restore([old])
    assert tree(tmp_path) == shape


def test_directories_that_hold_something_else_by_now_stay(tmp_path: Path) -> None:
    path = tmp_path / "private" / "key"
    old = capture(str(path))
    install(mine(path))
    made(tmp_path / "private" / "other")
    restore([old])
    assert sorted(tree(tmp_path)) == ["private", "private/other"]


def test_extended_attributes_go_along(tmp_path: Path) -> None:
    path = made(tmp_path / "file")
    try:
        os.setxattr(path, "user.origin", b"admin")
    except OSError:
        pytest.skip("this file system has no user attributes")
    old = capture(str(path))
    assert ("user.origin", b"admin") in old.xattrs
    install(mine(path))
    assert "user.origin" not in os.listxattr(path)
    restore([old])
    assert os.getxattr(path, "user.origin") == b"admin"


def test_a_file_system_without_attributes_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_fd: int) -> list[str]:
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(os, "listxattr", refused)
    assert capture(str(made(tmp_path / "file"))).xattrs == ()


def test_owner_and_mode_come_before_the_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may not read the new file may not read it half written either."""
    seen: list[tuple[str, int, int]] = []

    def recorded(name: str) -> Any:
        real = getattr(os, name)

        def call(fd: int, *rest: Any) -> Any:
            info = os.stat(fd)
            if stat.S_ISREG(info.st_mode):
                seen.append((name, info.st_size, stat.S_IMODE(info.st_mode)))
            return real(fd, *rest)

        return call

    with monkeypatch.context() as patch:
        for name in ("fchown", "fchmod", "fsync"):
            patch.setattr(os, name, recorded(name))
        install(mine(tmp_path / "key"))
    assert seen == [
        ("fchown", 0, 0o600),
        ("fchmod", 0, 0o600),
        ("fsync", len(NEW), 0o640),
    ]


@pytest.mark.parametrize("content", [NEW, None])
def test_a_change_is_on_disk_before_it_is_believed(
    content: Optional[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file before the rename, the directory after it."""
    path, order = made(tmp_path / "file"), list[str]()
    fsync, replace, unlink = os.fsync, os.replace, os.unlink

    def synced(fd: int) -> None:
        order.append("directory" if stat.S_ISDIR(os.stat(fd).st_mode) else "file")
        fsync(fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", synced)
        patch.setattr(os, "replace", lambda *a: (order.append("replace"), replace(*a)))
        patch.setattr(os, "unlink", lambda *a: (order.append("unlink"), unlink(*a)))
        install(mine(path, content))
    changed = ["file", "replace"] if content else ["unlink"]
    assert order == [*changed, "directory"]


# ---------------------------------------------------------------------------------------------
# Owner and mode alone


def test_only_attributes_neither_reads_nor_writes_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path / "key", b"secret", 0o644)
    inode, mtime = path.stat().st_ino, path.stat().st_mtime_ns

    def forbidden(*_: Any) -> Any:
        raise AssertionError("a private key was read")

    with monkeypatch.context() as patch:
        patch.setattr(os, "read", forbidden)
        patch.setattr(os, "fdopen", lambda fd, _mode: Unreadable(fd))
        old = capture(str(path), only_attributes=True)
        assert old.content is None
        assert "secret" not in repr(old)
        swap([FileState(str(path), None, 0o640, old.uid, old.gid, (), True)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (inode, mtime)
    restore([old])
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert path.read_bytes() == b"secret"


class Unreadable:
    """An open file whose content nobody may ask for."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> Unreadable:
        return self

    def __exit__(self, *_: Any) -> None:
        os.close(self._fd)

    def read(self) -> bytes:
        raise AssertionError("a private key was read")


# ---------------------------------------------------------------------------------------------
# Faults: after each call of the operating system that can fail

CALLS = (
    *("open", "fdopen", "fchown", "fchmod", "setxattr", "fsync", "replace", "makedirs", "close"),
    *("unlink", "rmdir"),
)


@contextmanager
def failing(fault: Optional[tuple[int, type[BaseException]]]) -> Iterator[list[str]]:
    """Count the calls; raise in the one of that number, and in none after it."""
    calls: list[str] = []

    def wrapped(name: str, real: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            calls.append(name)
            if fault and len(calls) == fault[0] + 1:
                raise fault[1](errno.EIO, f"injected into {name}")
            return real(*args, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, wrapped(name, getattr(os, name)))
        yield calls


def calls_of(state: FileState) -> int:
    with failing(None) as calls:
        install(state)
    return len(calls)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("fault", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("before", [None, OLD])
def test_a_fault_leaves_the_old_file_or_the_new_one(
    before: Optional[bytes], fault: type[BaseException], tmp_path: Path
) -> None:
    def fresh(name: str) -> FileState:
        (tmp_path / name).mkdir()
        path = tmp_path / name / "file"
        if before is not None:
            made(path, before)
        return mine(path)

    total = calls_of(fresh("counted"))
    assert total >= 7
    for number in range(total):
        state = fresh(str(number))
        with failing((number, fault)) as calls, pytest.raises(fault):
            install(state)
        found = capture(state.path)
        assert found.content in (before, NEW), calls
        if found.content == NEW:
            assert found.mode == 0o640, calls
        siblings = {p.name for p in (tmp_path / str(number)).iterdir()}
        assert siblings <= {"file"}, calls


def test_a_fault_while_a_file_is_taken_away(tmp_path: Path) -> None:
    path = made(tmp_path / "file")
    for number in range(4):
        made(path)
        with failing((number, OSError)) as calls:
            try:
                install(FileState(str(path)))
            except OSError:
                assert len(calls) > number
        assert not path.exists() or path.read_bytes() == OLD


# ---------------------------------------------------------------------------------------------
# Several files


def test_a_fault_anywhere_in_a_swap_puts_all_back(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    def states() -> list[FileState]:
        made(tmp_path / "a" / "one")
        made(tmp_path / "b" / "two", b"two")
        made(tmp_path / "b" / "key", b"key", 0o644)
        attributes = capture(str(tmp_path / "b" / "key"), only_attributes=True)
        return [
            mine(tmp_path / "a" / "one"),
            mine(tmp_path / "b" / "two"),
            mine(tmp_path / "b" / "new" / "three"),
            FileState(attributes.path, None, 0o600, attributes.uid, attributes.gid, (), True),
        ]

    new = states()
    shape = tree(tmp_path)
    with failing(None) as counted:
        swap(new)
    assert tree(tmp_path) != shape
    for number in range(len(counted)):
        (tmp_path / "b" / "new" / "three").unlink(missing_ok=True)
        if (tmp_path / "b" / "new").exists():
            (tmp_path / "b" / "new").rmdir()
        new = states()
        with failing((number, OSError)) as calls, pytest.raises(OSError, match="injected into"):
            swap(new)
        assert tree(tmp_path) == shape, (number, calls)


def test_one_target_that_refuses_every_write_does_not_keep_the_others_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only or full file system refuses the restoring write as well as the new one."""
    paths = [made(tmp_path / name, name.encode()) for name in ("one", "two", "three")]
    shape, real = tree(tmp_path), os.replace

    def replace(source: Any, target: Any) -> None:
        if str(target).endswith("two"):
            raise OSError(errno.EROFS, "Read-only file system")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(OSError, match="Read-only file system"):
            swap([mine(path) for path in paths])
    assert tree(tmp_path) == shape


def test_restoring_goes_on_after_a_fault_and_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [made(tmp_path / name, name.encode()) for name in ("one", "two", "three")]
    old = [capture(str(path)) for path in paths]
    swap([mine(path) for path in paths])
    real = os.replace

    def replace(source: Any, target: Any) -> None:
        if str(target).endswith("two"):
            raise OSError(errno.EIO, "Input/output error")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(OSError, match="Input/output error"):
            restore(old)
    assert [path.read_bytes() for path in paths] == [b"one", NEW, b"three"]


def test_the_last_changed_is_restored_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [made(tmp_path / name) for name in ("one", "two")]
    old = [capture(str(path)) for path in paths]
    swap([mine(path) for path in paths])
    order: list[str] = []
    real = transaction.install
    monkeypatch.setattr(
        transaction, "install", lambda s, _token="": (order.append(s.path), real(s))
    )
    restore(old)
    assert order == [str(path) for path in reversed(paths)]


# ---------------------------------------------------------------------------------------------
# The lock

HOLDER = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(transaction, "LOCK_FILE", str(tmp_path / "lock"))
    return str(tmp_path / "lock")


def test_a_lock_that_another_process_holds_is_refused(lock_file: str) -> None:
    path = lock_file
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Refused, match=f"another run .* holds {path}"), lock():
            pass
        holder.communicate()
    with lock():
        pass


def test_a_lock_is_free_again_after_a_fault() -> None:
    with pytest.raises(ZeroDivisionError), lock():
        raise ZeroDivisionError
    with lock(), pytest.raises(Refused), lock():
        pass


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"), lock():
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_lock_is_waited_for(lock_file: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, lock_file], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        timer = threading.Timer(0.2, holder.stdin.close)
        timer.start()
        with lock(wait=30.0):
            assert holder.wait(30) == 0
        timer.join()


# ---------------------------------------------------------------------------------------------
# Staged beside the live files


def test_what_is_staged_touches_nothing_live(tmp_path: Path) -> None:
    path = made(tmp_path / "a.conf")
    stage([mine(path), mine(tmp_path / "new" / "b.conf")], "T")
    assert path.read_bytes() == OLD
    assert (tmp_path / ".a.conf.T").read_bytes() == NEW
    assert stat.S_IMODE((tmp_path / ".a.conf.T").stat().st_mode) == 0o640
    assert (tmp_path / "new" / ".b.conf.T").read_bytes() == NEW
    unstage(
        [str(tmp_path / ".a.conf.T"), str(tmp_path / "new" / ".b.conf.T")], [str(tmp_path / "new")]
    )
    assert list(tree(tmp_path)) == ["a.conf"]


def test_going_back_needs_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old file waits under another name: on a full disk it can still be renamed."""
    path = made(tmp_path / "a.conf")
    number, old, new = path.stat().st_ino, capture(str(path)), mine(path)
    stage([new], "T")
    swap([new], "T", staged=True)
    assert path.read_bytes() == NEW

    def full(*_arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(transaction, "write_new", full)
    restore([old], "T")
    assert capture(str(path)) == old
    assert path.stat().st_ino == number
    assert list(tree(tmp_path)) == ["a.conf"]


def test_an_old_file_that_was_tampered_with_is_not_put_back(tmp_path: Path) -> None:
    path = made(tmp_path / "a.conf")
    old, new = capture(str(path)), mine(path)
    stage([new], "T")
    swap([new], "T", staged=True)
    (tmp_path / ".a.conf.T.old").write_bytes(b"other")
    restore([old], "T")
    assert path.read_bytes() == OLD
