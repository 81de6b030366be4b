# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the steps, and that a change which fails leaves nothing behind."""

from __future__ import annotations

import os
import re
import stat
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import (
    change,
    generations,
    ledger,
    settle,
    transaction,
)
from ansible_collections.postmaster.tls.plugins.module_utils.change import (
    Change,
    Order,
    Outcome,
    Refused,
    apply,
    difference,
    go_back,
)
from ansible_collections.postmaster.tls.plugins.module_utils.ledger import State
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.rehearsal import Rehearsal
from ansible_collections.postmaster.tls.plugins.module_utils.transaction import FileState, capture

SECRET = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQ"
HIDDEN = "a private key, not shown"
PORT = Endpoint("127.0.0.1", 993, Service.IMAP, TlsMode.IMPLICIT)


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
            if callable(answer):
                answer()
                return None
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
        rehearse = self.step("rehearse")
        return Change(
            products=("test",),
            files=files or self.files(),
            check=self.step("check"),
            rehearse=lambda _ports: (Rehearsal(True), rehearse()),
            hidden={self.path("new/key"): HIDDEN} if hidden is None else hidden,
        )

    def running(self) -> tuple[str, ...]:
        return ("test.service",)

    def activate(self, units: Sequence[str], paths: Sequence[str]) -> Optional[str]:
        assert paths
        assert list(units) == ["test.service"]
        return self.step("activate")()

    def proof(self, *_: Any) -> Any:
        """What stands for the ports: one that answers as it is told."""
        return SimpleNamespace(
            remember=self.step("look"), judge=self.step("prove"), endpoints=(), served=(PORT,)
        )

    def arm(self, _name: str, seconds: float) -> str:
        assert seconds > 0
        self.step("arm")()
        return "test"

    def state(self) -> Optional[State]:
        record = ledger.read()
        return record.state if record else None

    def left(self) -> list[str]:
        """What a change must not leave behind, wherever it ended."""
        names = [p.name for p in (self.root / "etc").rglob(".*")]
        kept = self.root / "state" / "generations"
        half = [p.name for p in kept.glob(".*")] if kept.exists() else []
        return names + half + (["record"] if self.state() else [])

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
    monkeypatch.setattr(transaction, "LOCK_FILE", str(tmp_path / "lock"))
    if os.geteuid():
        monkeypatch.setattr(os, "fchown", lambda *_: None)
    made = Host(tmp_path)
    monkeypatch.setitem(settle.HANDS, "test", made)
    for module in (change, settle):
        monkeypatch.setattr(module, "LocalProof", made.proof)
    monkeypatch.setattr(change.switch, "arm", made.arm)
    monkeypatch.setattr(change.switch, "disarm", lambda _name: made.steps.append("disarm"))
    monkeypatch.setattr(settle.scratch, "sweep", lambda: None)
    return made


NAME = "20260101T000000Z-0001"


def run(
    host: Host, *files: FileState, check_mode: bool = False, name: str = NAME, timeout: float = 0
) -> Outcome:
    order = Order(name, who="me@here", owner="here/1:2", confirm_timeout=timeout)
    return apply(host.change(*files), order, check_mode)


# ---------------------------------------------------------------------------------------------
# Going well


WHOLE = ["check", "look", "rehearse", "arm", "activate", "prove", "disarm"]


def test_the_order_of_the_steps(host: Host) -> None:
    before = host.bytes()
    outcome = run(host)
    assert host.steps == WHOLE
    assert outcome.changed
    assert outcome.paths == tuple(host.path(n) for n in ("main.conf", "new/key", "old.key"))
    assert (outcome.open, outcome.switch, outcome.rehearsal) == (None, "test", Rehearsal(True))
    names = ("main.conf", "same.conf", "old.key")
    for early in host.seen[:4]:
        assert {n: (*early[n][:3], early[n][4]) for n in names} == before
    assert (host.root / "etc/main.conf").read_bytes() == b"ssl = required\n"
    assert stat.S_IMODE((host.root / "etc/new/key").stat().st_mode) == 0o400
    assert stat.S_IMODE((host.root / "etc/old.key").stat().st_mode) == 0o640
    assert host.left() == []


def test_each_state_is_written_before_its_step(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Optional[State]] = {}
    for name in ("rehearse", "arm", "activate", "prove"):
        host.answers[name] = lambda name=name: seen.setdefault(name, host.state())
    run(host)
    assert seen == {
        "rehearse": State.STAGED,
        "arm": State.REHEARSED,
        "activate": State.SWAPPED,
        "prove": State.SWAPPED,
    }


def test_the_files_of_before_are_kept(host: Host) -> None:
    outcome = run(host)
    assert outcome.generation is not None
    assert outcome.generation.endswith("/generations/20260101T000000Z-0001")
    kept = {Path(s.path).name: s for s in generations.load(outcome.generation)}
    assert kept["main.conf"].content == b"ssl = yes\n"
    assert kept["key"].content is None
    assert kept["old.key"].only_attributes
    assert SECRET not in "".join(p.read_text() for p in Path(outcome.generation).iterdir())


def test_the_journal_says_who_did_what(host: Host) -> None:
    run(host)
    host.answers["prove"] = ["no TLS", None]
    with pytest.raises(Refused):
        run(host, host.file("same.conf", b"other\n"), name="2")
    confirmed, reverted = ledger.journal_entries()
    assert (confirmed["what"], confirmed["who"], confirmed["id"]) == ("confirmed", "me@here", NAME)
    assert confirmed["paths"] == [host.path(n) for n in ("main.conf", "new/key", "old.key")]
    assert (reverted["what"], reverted["reason"]) == ("reverted", "no TLS")


def test_nothing_to_do_is_nothing_done(host: Host) -> None:
    run(host)
    host.steps.clear()
    shape = host.tree()
    outcome = run(host, name="2")
    assert outcome == Outcome()
    assert not outcome.changed
    assert host.steps == []
    assert host.tree() == shape
    assert len(generations.generations()) == 1


# ---------------------------------------------------------------------------------------------
# Waiting for the controller


def test_a_change_waits_for_its_confirmation(host: Host) -> None:
    outcome = run(host, timeout=60.0)
    assert outcome.open == NAME
    assert host.state() is State.SWAPPED
    assert "disarm" not in host.steps
    settle.confirm(NAME)
    assert host.steps[-1] == "disarm"
    assert host.left() == []
    assert (host.root / "etc/main.conf").read_bytes() == b"ssl = required\n"
    with pytest.raises(Refused, match="not open any more: it was confirmed at 2"):
        settle.confirm(NAME)


def test_a_change_can_be_taken_back(host: Host) -> None:
    before = host.bytes()
    run(host, timeout=60.0)
    said = settle.take_back(NAME, "no TLS from outside")
    assert said == (True, "Every file is as it was before and the server has read it again")
    assert host.bytes() == before
    assert host.left() == []
    assert generations.generations() == []
    with pytest.raises(Refused, match=r"it was reverted at .* \(no TLS from outside\)"):
        settle.confirm(NAME)
    again, words = settle.take_back(NAME, "once more")
    assert not again
    assert words.startswith("Nothing was left to take back: it was reverted at ")


def test_what_was_confirmed_is_not_taken_back(host: Host) -> None:
    run(host)
    after = host.bytes()
    with pytest.raises(Refused, match="it was confirmed at"):
        settle.take_back(NAME, "too late")
    with pytest.raises(Refused, match="the journal does not name it"):
        settle.take_back("unknown", "no reason")
    assert host.bytes() == after


def test_another_run_waits_and_is_refused(host: Host) -> None:
    run(host, timeout=60.0)
    shape = host.tree()
    host.steps.clear()
    with pytest.raises(Refused, match=r"another run is changing this host: me@here since 2.* 60 s"):
        run(host, host.file("main.conf", b"other\n"), name="2")
    assert (host.steps, host.tree()) == ([], shape)


def test_another_run_goes_on_when_the_first_is_over(host: Host) -> None:
    run(host, timeout=60.0)
    timer = threading.Timer(0.1, settle.confirm, [NAME])
    timer.start()
    order = Order("2", wait=30.0)
    assert apply(host.change(host.file("main.conf", b"other\n")), order, check_mode=False).changed
    timer.join()


def test_one_whose_time_is_over_is_taken_back_first(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(host, timeout=60.0)
    monkeypatch.setattr(ledger, "boot_id", lambda: "another boot")
    outcome = run(host, host.file("same.conf", b"other\n"), name="2")
    assert re.search(rf"{NAME} was left swapped by me@here: Every file is as", outcome.notes[0])
    assert (host.root / "etc/main.conf").read_bytes() == b"ssl = yes\n"
    assert (host.root / "etc/same.conf").read_bytes() == b"other\n"


def test_the_setting_of_a_clock_changes_no_deadline(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(host, timeout=60.0)
    record = ledger.read()
    assert record is not None
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert 0 < record.seconds_left <= 60


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
    assert host.steps == ["check", "look", "rehearse"]
    assert not (host.root / "state").exists()
    real = run(host)
    assert (predicted.paths, predicted.diff) == (real.paths, real.diff)
    assert (predicted.changed, predicted.generation) == (True, None)


@pytest.mark.parametrize("step", ["check", "rehearse"])
def test_check_mode_checks_the_candidate(step: str, host: Host) -> None:
    host.answers[step] = "10-ssl.conf:3: no such setting"
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


def test_a_candidate_that_fails_its_rehearsal_touches_nothing_live(host: Host) -> None:
    shape = host.tree()
    host.answers["rehearse"] = "imap://127.0.0.1:34567 serves no TLS"
    with pytest.raises(Refused, match=r"^a rehearsal of the candidate failed: imap://127\.0\.0"):
        run(host)
    assert host.tree() == shape
    assert host.steps == ["check", "look", "rehearse", "disarm"]
    assert (host.left(), generations.generations()) == ([], [])


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
    done = WHOLE[: WHOLE.index(failing) + 1]
    assert host.steps == [*done, "activate", "prove", "disarm"]
    assert host.bytes() == before
    assert host.left() == []


def test_a_server_that_does_not_come_back_is_told(host: Host) -> None:
    before = host.bytes()
    host.answers.update(prove=["no TLS"], activate=[None, "systemctl reload failed: x"])
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
    assert host.steps[-3:] == ["activate", "prove", "disarm"]
    assert host.left() == []


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
    assert host.left() == []


def test_files_that_cannot_be_put_back_are_told_with_the_place_of_the_old_ones(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_old: Any, _token: str = "") -> None:
        raise OSError(5, "Input/output error")

    host.answers["prove"] = "no TLS"
    monkeypatch.setattr(transaction, "restore", broken)
    with pytest.raises(Refused, match=r"no TLS\. .*Input/output error.*/generations/2026.* tries"):
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


def back(host: Host, name: str = "back", check_mode: bool = False) -> Outcome:
    host.steps.clear()
    return go_back("1", Order(name), check_mode)


def test_going_back_is_a_change_like_others(host: Host) -> None:
    before = host.bytes()
    run(host)
    after = host.bytes()
    outcome = back(host)
    assert host.steps == ["look", "arm", "activate", "prove", "disarm"]
    assert host.bytes() == before
    assert sorted(outcome.paths) == sorted(
        host.path(n) for n in ("main.conf", "new/key", "old.key")
    )
    assert back(host, "and forth").changed
    assert host.bytes() == after


def test_going_back_to_what_is_there_changes_nothing(host: Host) -> None:
    generation = run(host).generation
    assert generation is not None
    back(host)
    assert not go_back(generation, Order("again"), check_mode=False).changed


def test_going_back_in_check_mode_says_what_would_change(host: Host) -> None:
    run(host)
    shape = host.tree()
    predicted = back(host, check_mode=True)
    assert host.tree() == shape
    assert host.steps == ["look"]
    assert back(host).paths == predicted.paths


@pytest.mark.parametrize("failing", ["activate", "prove"])
def test_going_back_is_taken_back_where_the_server_does_not_take_it(
    failing: str, host: Host
) -> None:
    run(host)
    after = host.bytes()
    host.answers[failing] = ["no TLS", None]
    with pytest.raises(Refused, match=r"no TLS\. Every file is as it was before and"):
        back(host)
    assert host.bytes() == after


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
    outcome = apply(host.change(key, hidden={key.path: HIDDEN}), Order("1"), check_mode=True)
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


def test_a_private_key_is_never_shown_whoever_names_it() -> None:
    """Going back over a certificate that was made here: its key is among the files kept."""
    key = FileState("/f", b"-----BEGIN EC PRIVATE KEY-----\n" + SECRET.encode())
    for pair in ((key, FileState("/f")), (FileState("/f"), key), (key, A)):
        assert SECRET not in str(difference(*pair, None))
