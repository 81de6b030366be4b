# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the steps, and that a change which fails leaves nothing behind."""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import transaction
from ansible_collections.postmaster.tls.plugins.module_utils.change import (
    Change,
    Outcome,
    Refused,
    apply,
    difference,
    go_back,
)
from ansible_collections.postmaster.tls.plugins.module_utils.transaction import FileState, capture

SECRET = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQ"
HIDDEN = "a private key, not shown"


@dataclass
class Host:
    """A host in a directory: files, and a server whose steps are recorded."""

    root: Path
    steps: list[str] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)

    def step(self, name: str) -> Callable[[], Optional[str]]:
        def call() -> Optional[str]:
            self.steps.append(name)
            self.seen.append(self.tree())
            answer = self.answers.get(name)
            answer = answer.pop(0) if isinstance(answer, list) else answer
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return call

    def tree(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for path in sorted((self.root / "etc").rglob("*")):
            info = path.lstat()
            data = path.read_bytes() if stat.S_ISREG(info.st_mode) else None
            found[path.name] = (info.st_mode, info.st_uid, info.st_gid, info.st_ino, data)
        return found

    def bytes(self) -> dict[str, Any]:
        """The tree without inodes: a file put back is another inode with the same bytes."""
        return {name: (*entry[:3], entry[4]) for name, entry in self.tree().items()}

    def path(self, name: str) -> str:
        return str(self.root / "etc" / name)

    def file(self, name: str, content: Optional[bytes], mode: int = 0o644) -> FileState:
        return FileState(self.path(name), content, mode, os.geteuid(), os.getegid())

    def change(self, *files: FileState, hidden: Optional[Mapping[str, str]] = None) -> Change:
        return Change(
            files=files or self.files(),
            check=self.step("check"),
            before=self.step("before"),  # type: ignore[arg-type]
            activate=self.step("activate"),
            prove=self.step("prove"),
            hidden={self.path("new/key"): HIDDEN} if hidden is None else hidden,
        )

    def files(self) -> tuple[FileState, ...]:
        """One changed, one new and hidden, one equal, one with another mode only."""
        return (
            self.file("main.conf", b"ssl = required\n"),
            self.file("new/key", SECRET.encode(), 0o400),
            self.file("same.conf", b"same\n"),
            FileState(self.path("old.key"), None, 0o640, os.geteuid(), os.getegid(), (), True),
        )


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    etc = tmp_path / "etc"
    etc.mkdir()
    for name, content in (("main.conf", "ssl = yes\n"), ("same.conf", "same\n")):
        (etc / name).write_text(content)
        (etc / name).chmod(0o644)
    (etc / "old.key").write_text(SECRET)
    (etc / "old.key").chmod(0o644)
    for path in etc.iterdir():
        os.chown(path, os.geteuid(), os.getegid())
    monkeypatch.setattr(transaction, "STATE_DIR", str(tmp_path / "state"))
    locked = functools.partial(transaction.lock, str(tmp_path / "lock"))
    monkeypatch.setattr(transaction, "lock", locked)
    if os.geteuid():
        monkeypatch.setattr(os, "fchown", lambda *_: None)
    return Host(tmp_path)


def run(host: Host, *files: FileState, check_mode: bool = False) -> Outcome:
    return apply(host.change(*files), "20260101T000000Z-0001", {"product": "test"}, check_mode)


# ---------------------------------------------------------------------------------------------
# Going well


def test_the_order_of_the_steps(host: Host) -> None:
    before = host.bytes()
    outcome = run(host)
    assert host.steps == ["check", "before", "activate", "prove"]
    assert outcome.changed
    assert outcome.paths == tuple(host.path(n) for n in ("main.conf", "new/key", "old.key"))
    names = ("main.conf", "same.conf", "old.key")
    for early in host.seen[:2]:
        assert {n: (*early[n][:3], early[n][4]) for n in names} == before
    assert host.seen[2] == host.seen[3] == host.tree()
    assert (host.root / "etc/main.conf").read_bytes() == b"ssl = required\n"
    assert stat.S_IMODE((host.root / "etc/new/key").stat().st_mode) == 0o400
    assert stat.S_IMODE((host.root / "etc/old.key").stat().st_mode) == 0o640


def test_the_files_of_before_are_kept(host: Host) -> None:
    outcome = run(host)
    assert outcome.generation is not None
    assert outcome.generation.endswith("/generations/20260101T000000Z-0001")
    kept = {Path(s.path).name: s for s in transaction.load(outcome.generation)}
    assert kept["main.conf"].content == b"ssl = yes\n"
    assert kept["key"].content is None
    assert kept["old.key"].only_attributes
    assert SECRET not in "".join(p.read_text() for p in Path(outcome.generation).iterdir())


def test_nothing_to_do_is_nothing_done(host: Host) -> None:
    run(host)
    host.steps.clear()
    shape = host.tree()
    outcome = apply(host.change(), "20260101T000000Z-0002", {}, check_mode=False)
    assert outcome == Outcome()
    assert not outcome.changed
    assert host.steps == []
    assert host.tree() == shape
    assert len(transaction.generations()) == 1


def test_a_file_behind_a_link_is_changed_there(host: Host) -> None:
    (host.root / "etc/link.conf").symlink_to("main.conf")
    outcome = run(host, host.file("link.conf", b"new\n"))
    assert outcome.paths == (host.path("main.conf"),)
    assert (host.root / "etc/link.conf").is_symlink()


# ---------------------------------------------------------------------------------------------
# Check mode


def test_check_mode_touches_nothing_and_says_the_same(host: Host) -> None:
    shape = host.tree()
    predicted = run(host, check_mode=True)
    assert host.tree() == shape
    assert host.steps == ["check"]
    assert not (host.root / "state").exists()
    real = run(host)
    assert (predicted.paths, predicted.diff) == (real.paths, real.diff)
    assert (predicted.changed, predicted.generation) == (True, None)


def test_check_mode_checks_the_candidate(host: Host) -> None:
    host.answers["check"] = "10-ssl.conf:3: no such setting"
    with pytest.raises(Refused, match=r"10-ssl\.conf:3"):
        run(host, check_mode=True)


# ---------------------------------------------------------------------------------------------
# Going wrong


def test_a_candidate_that_is_not_fit_touches_nothing(host: Host) -> None:
    shape = host.tree()
    host.answers["check"] = "10-ssl.conf:3: no such setting"
    with pytest.raises(Refused, match=r"^10-ssl\.conf:3: no such setting$"):
        run(host)
    assert host.tree() == shape
    assert host.steps == ["check"]
    assert not (host.root / "state").exists()


@pytest.mark.parametrize("failing", ["activate", "prove"])
def test_every_byte_goes_back(failing: str, host: Host) -> None:
    before = host.bytes()
    host.answers[failing] = ["imap://127.0.0.1:143 serves no TLS", None]
    with pytest.raises(Refused) as raised:
        run(host)
    assert str(raised.value) == (
        "imap://127.0.0.1:143 serves no TLS. "
        "Every file is as it was before and the server has read it again"
    )
    done = ["check", "before", "activate", "prove"]
    assert host.steps == [*done[: done.index(failing) + 1], "activate"]
    assert host.bytes() == before
    assert {n: (*e[:3], e[4]) for n, e in host.seen[-1].items()} == before


def test_a_server_that_does_not_come_back_is_told(host: Host) -> None:
    before = host.bytes()
    host.answers.update(prove="no TLS", activate=[None, "systemctl reload failed: x"])
    with pytest.raises(Refused, match="as it was before, but systemctl reload failed: x; look"):
        run(host)
    assert host.bytes() == before


@pytest.mark.parametrize("failing", ["activate", "prove"])
@pytest.mark.parametrize("error", [OSError("gone"), KeyboardInterrupt(), RuntimeError("thread")])
def test_every_byte_goes_back_whatever_is_raised(
    failing: str, error: BaseException, host: Host
) -> None:
    before = host.bytes()
    host.answers[failing] = [error, None]
    with pytest.raises(type(error)):
        run(host)
    assert host.bytes() == before
    assert host.steps[-1] == "activate"


def test_a_fault_in_the_swap_activates_nothing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    before, real = host.bytes(), os.replace

    def replace(source: Any, target: Any) -> None:
        if str(target).endswith("/key"):
            raise OSError(28, "No space left on device")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(OSError, match="No space left on device"):
            run(host)
    assert host.bytes() == before
    assert host.steps == ["check", "before"]


def test_files_that_cannot_be_put_back_are_told_with_the_place_of_the_old_ones(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_old: Any) -> None:
        raise OSError(5, "Input/output error")

    host.answers["prove"] = "no TLS"
    monkeypatch.setattr(transaction, "restore", broken)
    with pytest.raises(Refused, match=r"no TLS\. .*Input/output error.*/generations/2026"):
        run(host)


def test_nothing_is_touched_where_the_old_files_cannot_be_kept(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = host.tree()
    (host.root / "state").write_text("not a directory")
    with pytest.raises(OSError, match="state"):
        run(host)
    assert host.tree() == shape


def test_another_run_is_refused_and_nothing_asked(host: Host) -> None:
    with transaction.lock(), pytest.raises(Refused, match="another run"):
        run(host)
    assert host.steps == []


# ---------------------------------------------------------------------------------------------
# Going back later


def test_going_back_restores_and_activates(host: Host) -> None:
    before = host.bytes()
    generation = run(host).generation
    assert generation is not None
    host.steps.clear()
    outcome = go_back(generation, host.step("activate"), host.step("prove"))
    assert host.steps == ["activate", "prove"]
    assert host.bytes() == before
    assert sorted(outcome.paths) == sorted(
        host.path(n) for n in ("main.conf", "new/key", "old.key")
    )
    again = go_back(generation, host.step("activate"), host.step("prove"))
    assert not again.changed


def test_going_back_in_check_mode_says_what_would_change(host: Host) -> None:
    generation = run(host).generation
    assert generation is not None
    host.steps.clear()
    shape = host.tree()
    steps = (host.step("activate"), host.step("prove"))
    predicted = go_back(generation, *steps, check_mode=True)
    assert host.tree() == shape
    assert host.steps == []
    assert go_back(generation, *steps).paths == predicted.paths
    assert not go_back(generation, *steps, check_mode=True).changed


@pytest.mark.parametrize("failing", ["activate", "prove"])
def test_going_back_tells_what_the_server_did_not_do(failing: str, host: Host) -> None:
    generation = run(host).generation
    assert generation is not None
    host.answers[failing] = "no TLS"
    with pytest.raises(Refused, match="are restored, but no TLS"):
        go_back(generation, host.step("activate"), host.step("prove"))
    assert (host.root / "etc/main.conf").read_bytes() == b"ssl = yes\n"


# ---------------------------------------------------------------------------------------------
# The diff


def test_the_diff_shows_contents_and_never_what_is_hidden(host: Host) -> None:
    outcome = run(host)
    assert SECRET not in repr(outcome)
    config, key, attributes = outcome.diff
    assert (config["before"], config["after"]) == ("ssl = yes\n", "ssl = required\n")
    ours = f"uid {os.geteuid()}, gid {os.getegid()})\n"
    assert (key["before"], key["after"]) == ("", f"(mode 0400, {ours}({HIDDEN})\n")
    assert attributes["before"] == f"(mode 0644, {ours}"
    assert attributes["after"] == f"(mode 0640, {ours}"


def test_a_hidden_file_stays_hidden_behind_a_link(host: Host) -> None:
    """/etc/dovecot may be a link: the path that changes is then another than the one named."""
    (host.root / "real").mkdir()
    (host.root / "etc/linked").symlink_to(host.root / "real")
    key = host.file("linked/key", SECRET.encode(), 0o400)
    outcome = apply(host.change(key, hidden={key.path: HIDDEN}), "1", {}, check_mode=True)
    assert outcome.paths == (str(host.root / "real/key"),)
    assert SECRET not in repr(outcome)
    assert HIDDEN in outcome.diff[0]["after"]


A, B = FileState("/f", b"a\n", 0o644), FileState("/f", b"b\n", 0o600, 1, 2)


@pytest.mark.parametrize(
    ("old", "new", "words", "before", "after"),
    [
        (A, FileState("/f", b"b\n"), None, "a\n", "b\n"),
        (A, B, None, "(mode 0644, uid 0, gid 0)\na\n", "(mode 0600, uid 1, gid 2)\nb\n"),
        (FileState("/f"), A, None, "", "(mode 0644, uid 0, gid 0)\na\n"),
        (A, FileState("/f"), None, "(mode 0644, uid 0, gid 0)\na\n", ""),
        (FileState("/f"), FileState("/f", b""), None, "", "(mode 0644, uid 0, gid 0)\n"),
        (A, FileState("/f", b"\xff"), None, "a\n", "\\xff"),
        (FileState("/f"), B, "key", "", "(mode 0600, uid 1, gid 2)\n(key)\n"),
        (
            *(A, FileState("/f", b"a\n", 0o600), "key"),
            *("(mode 0644, uid 0, gid 0)\n", "(mode 0600, uid 0, gid 0)\n"),
        ),
    ],
)
def test_one_entry_of_the_diff(
    old: FileState, new: FileState, words: Optional[str], before: str, after: str
) -> None:
    entry = difference(old, new, words)
    assert (entry["before"], entry["after"]) == (before, after)
    assert (entry["before_header"], entry["after_header"]) == ("/f", "/f")


def test_a_new_key_in_the_place_of_an_old_one_shows_as_a_change() -> None:
    entry = difference(A, FileState("/f", b"b\n"), "a private key, not shown")
    assert entry["before"] != entry["after"]
    assert "b\n" not in entry["after"].splitlines()


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("ssl_key_password = hunter2", "hunter2"),
        ("  ssl_server_key_password=hunter2 # old", "hunter2"),
        ("doveadm_password = hunter2", "hunter2"),
        ("doveadm_api_key = hunter2", "hunter2"),
        ('imapc_password = "hunter2 with blanks"', "blanks"),
        ("passdb_static_password = hunter2", "hunter2"),
        ("  args = nopassword=y password=hunter2", "hunter2"),
        ("dict_secret = hunter2", "hunter2"),
        ("passwd = hunter2", "hunter2"),
        ("DB_PASS='hunter2'", "hunter2"),
        ("# ssl_key_password = hunter2", "hunter2"),
        ("connect = host=db user=mail password=hunter2", "hunter2"),
    ],
)
def test_secrets_of_a_configuration_are_not_shown(line: str, secret: str) -> None:
    old = FileState("/f", f"{line}\nssl = yes\n".encode())
    new = FileState("/f", f"{line}\nssl = required\n".encode())
    entry = difference(old, new, None)
    assert secret not in repr(entry)
    assert line.split("=")[0].strip() in entry["before"]
    assert entry["before"].splitlines()[1:] == ["ssl = yes"]
    assert entry["after"].splitlines()[1:] == ["ssl = required"]


@pytest.mark.parametrize(
    "line",
    [
        "auth_mechanisms = plain login",
        "passdb {",
        "  driver = passwd-file",
        "ssl_cipher_list = HIGH:!PSK",
        "disable_plaintext_auth = no",
        "passdb_driver = pam",
        "# Passwords are kept in LDAP",
    ],
)
def test_what_is_no_secret_is_shown(line: str) -> None:
    entry = difference(FileState("/f"), FileState("/f", f"{line}\n".encode()), None)
    assert entry["after"].splitlines()[1] == line


def test_captured_states_compare_equal(host: Host) -> None:
    assert capture(host.path("same.conf")) == capture(host.path("same.conf"))
