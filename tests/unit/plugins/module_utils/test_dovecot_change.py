# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dovecot's candidate: what doveconf and the library are asked, and what their answers mean."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import (
    dovecot_change,
    host,
    selfsigned,
)
from ansible_collections.postmaster.tls.plugins.module_utils.config.dovecot_edit import Wanted
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    TlsLibrary,
    Unit,
)
from ansible_collections.postmaster.tls.plugins.module_utils.transaction import (
    FileState,
    rewritten,
)

LIBRARY = TlsLibrary("openssl", "3.0.15", "/usr/lib/libssl.so.3")
OK = host.Result(0, "", "")


class Node:
    """A node whose commands are recorded; ``flat`` is the candidate that doveconf was given."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.main = str(root / "dovecot.conf")
        self.commands: list[list[str]] = []
        self.answers: dict[str, host.Result] = {}
        self.flat = ""
        self.pem: dict[str, bytes] = {}
        self.asked: list[dict[str, str]] = []
        self.rejected: dict[str, str] = {}
        self.library: Optional[TlsLibrary] = LIBRARY
        monkeypatch.setattr(dovecot_change.scratch, "RUN", str(root))
        monkeypatch.setattr(dovecot_change.host, "run", self.run)
        monkeypatch.setattr(dovecot_change.dovecot, "linked_library", lambda: self.library)
        monkeypatch.setattr(dovecot_change.tls_library, "expand", self.expand)

    def run(self, argv: Sequence[str], timeout: float = 30.0) -> host.Result:
        self.commands.append(list(argv))
        if argv[0] == "doveconf":
            flat = Path(argv[-1])
            assert stat.S_IMODE(flat.parent.stat().st_mode) == 0o700
            self.flat = flat.read_text("utf-8", "surrogateescape")
            self.pem = {str(p): p.read_bytes() for p in flat.parent.iterdir() if p != flat}
        return self.answers.get(argv[0], OK)

    def expand(self, _library: TlsLibrary, **strings: str) -> None:
        self.asked.append(strings)
        for string in strings.values():
            if string in self.rejected:
                raise dovecot_change.tls_library.Rejected("ciphers", self.rejected[string])

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogateescape"))

    def candidate(
        self, *settings: tuple[str, str], pem: Optional[Mapping[str, bytes]] = None
    ) -> Any:
        return dovecot_change.candidate(Wanted(settings), pem or {}, self.main)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    made = Node(tmp_path, monkeypatch)
    made.write(
        {
            "dovecot.conf": "protocols = imap\n!include conf.d/*.conf\n",
            "conf.d/10-ssl.conf": "ssl = yes\nssl_cipher_list = LOW\n# caf\udce9\n",
        }
    )
    return made


def test_the_candidate_is_checked_as_one_flat_file(node: Node) -> None:
    made = node.candidate(("ssl", "required"))
    assert dovecot_change.check(made, "2.3.19", node.main) is None
    assert [argv[:4] for argv in node.commands] == [["doveconf", "-n", "-x", "-c"]]
    lines = node.flat.splitlines()
    assert lines[0] == "protocols = imap"
    assert "# caf\udce9" in lines
    assert lines[-1] == "ssl = required"
    assert not any(line.startswith("!include") for line in lines)
    assert sorted(p.name for p in node.root.iterdir()) == ["conf.d", "dovecot.conf"]
    assert not (node.root / "conf.d/99-postmaster-tls.conf").exists()


def test_new_pem_files_are_seen_by_doveconf_in_stand_ins(node: Node) -> None:
    pem = {"/etc/d/new.crt": b"certificate", "/etc/d/new.key": b"key"}
    made = node.candidate(("ssl_cert", "</etc/d/new.crt"), ("ssl_key", "</etc/d/new.key"), pem=pem)
    assert dovecot_change.check(made, "2.3.19", node.main) is None
    named = [line.split("<")[1] for line in node.flat.splitlines() if "<" in line]
    assert [node.pem[path] for path in named] == [b"certificate", b"key"]
    assert not any(os.path.exists(path) for path in named)


DUMP = "doveconf: Error: managesieve-login: dump-capability process returned 89"
UNKNOWN = "Error in configuration file /run/x/dovecot.conf line {}: Unknown setting: a"


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        (f"doveconf: Fatal: {UNKNOWN.format(3)}", "10-ssl.conf:2: Dovecot refuses the candidate"),
        (f"doveconf: Fatal: {UNKNOWN.format(3)}", "the candidate: Unknown setting: a$"),
        (
            f"{DUMP}\ndoveconf: Fatal: {UNKNOWN.format(1)}\nsomething after",
            "dovecot.conf:1: ",
        ),
        (
            UNKNOWN.format(2).replace(
                "Unknown setting: a", "ssl_server_cert_file: open(/nope) failed: x"
            ),
            r"10-ssl.conf:1: .*ssl_server_cert_file: open\(/nope\) failed",
        ),
        ("doveconf: Fatal: " + UNKNOWN.format(99), "^Dovecot refuses the candidate: doveconf: Fat"),
        ("doveconf: Fatal: " + UNKNOWN.format(0), "^Dovecot refuses the candidate: doveconf: Fat"),
        (
            "doveconf: Fatal: Error in configuration file /run/x/dovecot.conf line 1:",
            "Dovecot refuses the candidate",
        ),
        ("", "^Dovecot refuses the candidate: no message$"),
        ("Killed", "^Dovecot refuses the candidate: Killed$"),
        ("doveconf: Fatal: \x1b[31mred" + "x" * 999, r"\\x1b\[31mred.*…$"),
    ],
)
def test_a_refusal_names_the_real_file_and_line(stderr: str, message: str, node: Node) -> None:
    node.answers["doveconf"] = host.Result(89, "", stderr)
    said = dovecot_change.check(node.candidate(("ssl", "required")), "2.3.19", node.main)
    assert said is not None
    assert len(said) < 500
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(said)


def test_the_library_is_asked_for_each_string_that_decides(node: Node) -> None:
    made = node.candidate(("ssl_cipher_list", "HIGH"), ("ssl_curve_list", "X25519"))
    assert dovecot_change.check(made, "2.3.19", node.main) is None
    assert node.asked == [{"ciphers": "HIGH"}, {"groups": "X25519"}]


@pytest.mark.parametrize("version", ["2.3.19", "2.4.1"])
def test_a_string_that_the_library_refuses_is_told_with_its_place(version: str, node: Node) -> None:
    node.rejected = {"NONSENSE": "no cipher match"}
    made = node.candidate(("ssl_cipher_list", "NONSENSE"))
    said = dovecot_change.check(made, version, node.main)
    assert said is not None
    assert said.startswith(f"{node.root}/conf.d/99-postmaster-tls.conf:3: openssl 3.0.15 refuses")
    assert "ssl_cipher_list" in said
    assert "no cipher match" in said


def test_a_library_that_is_not_known_is_not_asked(node: Node) -> None:
    node.library = None
    assert dovecot_change.check(node.candidate(("ssl", "required")), "2.4.1", node.main) is None
    assert node.asked == []


# ---------------------------------------------------------------------------------------------
# States


def test_owner_and_mode_of_a_file_stay(node: Node) -> None:
    (node.root / "dovecot.conf").write_text("ssl = yes\n")
    (node.root / "dovecot.conf").chmod(0o640)
    states = {Path(s.path).name: s for s in rewritten(node.candidate(("ssl", "no")).texts)}
    main, ours = states["dovecot.conf"], states["99-postmaster-tls.conf"]
    assert (main.mode, main.uid) == (0o640, os.geteuid())
    assert (ours.mode, ours.uid, ours.gid) == (0o644, 0, 0)
    assert ours.content is not None
    assert ours.content.endswith(b"ssl = no\n")


def test_bytes_that_are_no_utf8_stay(node: Node) -> None:
    node.write({"local.conf": "ssl = yes # caf\udce9\n"})
    node.write({"dovecot.conf": "!include conf.d/*.conf\n!include local.conf\n"})
    states = {Path(s.path).name: s for s in rewritten(node.candidate(("ssl", "required")).texts)}
    assert states["local.conf"].content is not None
    assert states["local.conf"].content.endswith(b"was: ssl = yes # caf\xe9\n")


def test_keys_are_for_root_alone() -> None:
    states = dovecot_change.pem_states({"/a.crt": b"c", "/a.key": b"k"}, ["/a.key"])
    assert states == (FileState("/a.crt", b"c", 0o644), FileState("/a.key", b"k", 0o400))


# ---------------------------------------------------------------------------------------------
# Activation


def test_without_systemd_dovecot_is_asked_itself(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = Unit("dovecot.service", True, None)
    monkeypatch.setattr(dovecot_change.host, "unit", lambda _name: unit)
    assert dovecot_change.running() == ()
    assert dovecot_change.activate(()) is None
    assert node.commands == [["doveadm", "reload"]]
    node.answers["doveadm"] = host.Result(1, "", "failed\n\x1b")
    assert dovecot_change.activate(()) == "doveadm reload failed: failed\\x0a\\x1b"


def test_a_running_unit_is_reloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = Unit("dovecot.service", True, True)
    asked: list[Any] = []
    monkeypatch.setattr(dovecot_change.host, "unit", lambda _name: unit)
    monkeypatch.setattr(dovecot_change.services, "bring", lambda *args: asked.append(args))
    assert dovecot_change.running() == ("dovecot.service",)
    assert dovecot_change.activate(("dovecot.service",)) is None
    assert asked == [(("dovecot.service",), "reload")]


def pair(directory: Path, name: str) -> tuple[str, str]:
    """A certificate and its key, as their paths."""
    certificate, key = selfsigned.make([f"{name}.example.org"])
    (directory / f"{name}.crt").write_bytes(certificate)
    (directory / f"{name}.key").write_bytes(key)
    return str(directory / f"{name}.crt"), str(directory / f"{name}.key")


@pytest.fixture
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    directory = tmp_path_factory.mktemp("pem")
    return [pair(directory, name) for name in ("one", "other")]


@pytest.mark.parametrize(
    ("version", "names", "mark"),
    [
        ("2.3.19", ("ssl_cert", "ssl_key"), "<"),
        ("2.4.1", ("ssl_server_cert_file", "ssl_server_key_file"), ""),
    ],
)
def test_the_key_of_another_certificate_is_refused(
    version: str,
    names: tuple[str, str],
    mark: str,
    pairs: list[tuple[str, str]],
) -> None:
    (certificate, key), (_certificate, other) = pairs

    def said(which: str) -> Optional[str]:
        text = f"{names[0]} = {mark}{certificate}\n{names[1]} = {mark}{which}\n"
        document = dovecot_change.language.read_document("/m", {"/m": text}.get, lambda _p: [])
        return dovecot_change._pair_refuses(document, version, {})

    assert said(key) is None
    assert said(other) == f"/m:2: the key {other} belongs to another certificate than {certificate}"
