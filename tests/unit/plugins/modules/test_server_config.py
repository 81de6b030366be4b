# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on real files; the server, its checker and its ports are stand-ins."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes

from ansible_collections.postmaster.tls.plugins.module_utils import (
    courier_change,
    dovecot_change,
    rehearsal,
    selfsigned,
    settle,
    transaction,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.modules import server_config

MADE = (b"-----BEGIN CERTIFICATE-----\nc\n", b"-----BEGIN PRIVATE KEY-----\nSECRET\n")
GROUP = os.getegid()


class Node:
    """A folder with both servers' files, and what was done to them."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
        self.root, self._monkeypatch, self._capsys = root, monkeypatch, capsys
        self.steps: list[str] = []
        self.problems: dict[str, Optional[str]] = {}
        self.endpoints: list[Endpoint] = []
        self.write("dovecot.conf", "!include conf.d/*.conf\n")
        self.write("conf.d/10-ssl.conf", "ssl = yes\nprotocol pop3 {\n  ssl = no\n}\n")
        self.write("imapd", "IMAP_TLS_REQUIRED=0\n")
        self.write("imapd-ssl", "IMAP_TLS_REQUIRED=0\n")
        self.write("mail.key", "SECRET", 0o644)
        monkeypatch.setattr(transaction, "STATE_DIR", str(root / "state"))
        monkeypatch.setattr(transaction, "LOCK_FILE", str(root / "lock"))
        if os.geteuid():
            monkeypatch.setattr(os, "fchown", lambda *_: None)
        for change in (dovecot_change, courier_change):
            monkeypatch.setattr(change, "check", lambda *_: self._step("check"))
            monkeypatch.setattr(change, "running", lambda: ())
            monkeypatch.setattr(change, "activate", lambda *_: self._step("activate"))
        monkeypatch.setattr(courier_change, "group", lambda: GROUP)
        monkeypatch.setattr(selfsigned, "make", lambda names: MADE)
        monkeypatch.setattr(server_config.change, "LocalProof", self._proof)
        monkeypatch.setattr(settle, "LocalProof", self._proof)
        monkeypatch.setattr(rehearsal, "rehearse", self._rehearse)
        monkeypatch.setattr(server_config.change.switch, "arm", lambda *_: "systemd")
        monkeypatch.setattr(server_config.change.switch, "disarm", lambda _name: None)
        monkeypatch.setattr(settle.scratch, "sweep", lambda: None)

    def _step(self, name: str) -> Optional[str]:
        self.steps.append(name)
        return self.problems.get(name)

    def _rehearse(self, candidate: Any, now: Any, kinds: Any) -> Any:
        self.rehearsed = (candidate, now, kinds)
        return rehearsal.Rehearsal(True), self._step("rehearse")

    def _proof(self, endpoints: Sequence[Endpoint], _served_only: bool = False) -> Any:
        node, self.endpoints = self, list(endpoints) or self.endpoints

        class Proof:
            endpoints = tuple(node.endpoints)
            served = ()

            def remember(self) -> None:
                node._step("remember")

            def judge(self) -> Optional[str]:
                return node._step("judge")

        return Proof()

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        path = self.root / "etc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        os.chown(path, os.geteuid(), GROUP)

    def path(self, name: str) -> str:
        return str(self.root / "etc" / name)

    def tree(self) -> dict[str, Any]:
        paths = (p for p in sorted((self.root / "etc").rglob("*")) if p.is_file())
        return {p.name: (p.read_bytes(), stat.S_IMODE(p.stat().st_mode)) for p in paths}

    def run(self, **given: Any) -> dict[str, Any]:
        arguments = to_bytes(json.dumps({"ANSIBLE_MODULE_ARGS": given}))
        self._monkeypatch.setattr(basic, "_ANSIBLE_ARGS", arguments)
        self._monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        with pytest.raises(SystemExit):
            server_config.main()
        result: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return result

    def harden(self, **changes: Any) -> dict[str, Any]:
        return self.run(**{**self.dovecot(), **changes})

    def dovecot(self) -> dict[str, Any]:
        """Everything at once that can be asked for a Dovecot."""
        return {
            "product": "dovecot",
            "version": "2.3.19",
            "config_file": self.path("dovecot.conf"),
            "settings": [
                {"name": "ssl", "value": "required"},
                {"name": "ssl_cert", "value": f"<{self.path('private/new.crt')}"},
            ],
            "overrides": [{"file": self.path("conf.d/10-ssl.conf"), "line": 3, "name": "ssl"}],
            "certificate": {
                "certificate": self.path("private/new.crt"),
                "key": self.path("private/new.key"),
                "names": ["mail.example.org"],
            },
            "modes": [{"path": self.path("mail.key"), "mode": "0640"}],
            "listeners": [
                {"service": "imap", "address": "*", "port": 143, "tls_mode": "starttls"},
                {"service": "imap", "address": "::", "port": 993, "tls_mode": "implicit"},
            ],
        }


@pytest.fixture
def node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Node:
    return Node(tmp_path, monkeypatch, capsys)


# ---------------------------------------------------------------------------------------------
# Dovecot


def test_a_dovecot_is_changed_all_together(node: Node) -> None:
    result = node.harden()
    names = ("10-ssl.conf", "99-postmaster-tls.conf", "mail.key", "new.crt", "new.key")
    assert result["changed"] is True
    assert sorted(Path(path).name for path in result["paths"]) == sorted(names)
    assert node.steps == ["check", "remember", "rehearse", "activate", "judge"]
    after = node.tree()
    assert after["new.crt"] == (MADE[0], 0o644)
    assert after["new.key"] == (MADE[1], 0o400)
    assert after["mail.key"] == (b"SECRET", 0o640)
    assert b"\nssl = required\n" in after["99-postmaster-tls.conf"][0]
    assert b"was: ssl = no\n" in after["10-ssl.conf"][0]
    assert [str(e) for e in node.endpoints] == ["imap://*:143", "imap://[::]:993"]
    assert re.search(r"/generations/\d{8}T\d{6}Z-[0-9a-f]{8}$", result["generation"])


def test_check_mode_says_the_same_and_does_nothing(node: Node) -> None:
    before = node.tree()
    predicted = node.harden(_ansible_check_mode=True)
    assert node.tree() == before
    assert node.steps == ["check", "remember", "rehearse"]
    assert predicted["generation"] is None
    real = node.harden()
    assert (predicted["paths"], predicted["diff"]) == (real["paths"], real["diff"])


def test_a_second_run_changes_nothing(node: Node) -> None:
    again = {"overrides": [], "certificate": None}
    node.harden()
    node.steps.clear()
    result = node.harden(**again)
    assert (result["changed"], result["paths"], result["diff"]) == (False, [], [])
    assert result["generation"] is None
    assert node.steps == []


def test_keys_are_in_no_answer(node: Node) -> None:
    assert "SECRET" not in json.dumps(node.harden())


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("check", "^10-ssl.conf:1: no$"),
        ("rehearse", "^a rehearsal of the candidate failed: 10-ssl.conf:1: no$"),
        ("activate", "^10-ssl.conf:1: no. Every file is as it was before, but"),
        ("judge", "^10-ssl.conf:1: no. Every file is as it was before, but"),
    ],
)
def test_a_change_that_fails_leaves_the_host_as_it_was(step: str, message: str, node: Node) -> None:
    before = node.tree()
    node.problems[step] = "10-ssl.conf:1: no"
    result = node.harden()
    assert result["failed"] is True
    assert re.search(message, result["msg"])
    assert node.tree() == before
    assert not (node.root / "etc/private").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"overrides": [{"file": "/nowhere", "line": 3, "name": "ssl"}]}, "/nowhere:3 no longer"),
        ({"config_file": "/nowhere/dovecot.conf"}, "/nowhere/dovecot.conf"),
        ({"modes": [{"path": "/etc/passwd", "mode": "0888"}]}, "/etc/passwd: '0888' is no mode"),
        ({"settings": [{"name": "ssl_cert", "value": "a\nb"}]}, "ssl_cert: a value with line ends"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    changes: dict[str, Any], message: str, node: Node
) -> None:
    before = node.tree()
    result = node.harden(**{"overrides": [], **changes})
    assert result["failed"] is True
    assert message in result["msg"]
    assert "Traceback" not in result["msg"]
    assert node.tree() == before


def test_a_key_that_is_gone_meanwhile_gets_no_mode(node: Node) -> None:
    gone = [{"path": node.path("gone.key"), "mode": "0640"}]
    node.harden(modes=gone)
    result = node.harden(modes=gone, overrides=[], certificate=None)
    assert result["changed"] is False


# ---------------------------------------------------------------------------------------------
# Courier


def courier(node: Node, **changes: Any) -> dict[str, Any]:
    ssl = node.path("imapd-ssl")
    return {
        "product": "courier",
        "settings": [{"name": "IMAP_TLS_REQUIRED", "value": "1", "file": ssl}],
        "overrides": [{"file": node.path("imapd"), "line": 1, "name": "IMAP_TLS_REQUIRED"}],
        **changes,
    }


def test_a_courier_is_changed_where_it_stands(node: Node) -> None:
    pem = node.path("postmaster-tls.pem")
    made = {"certificate": pem, "key": pem, "names": ["mail.example.org"]}
    result = node.run(**courier(node, certificate=made))
    after = node.tree()
    assert sorted(Path(path).name for path in result["paths"]) == [
        *("imapd", "imapd-ssl", "postmaster-tls.pem"),
    ]
    assert after["imapd-ssl"][0] == b"IMAP_TLS_REQUIRED=1\n"
    assert after["imapd"][0].endswith(b"was: IMAP_TLS_REQUIRED=0\n")
    assert after["postmaster-tls.pem"] == (MADE[1] + MADE[0], 0o640)
    assert node.steps == ["check", "remember", "rehearse", "activate", "judge"]
    assert "SECRET" not in json.dumps(result)
    assert node.run(**courier(node, overrides=[]))["changed"] is False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(("product", "group"), [("courier", 12345), ("dovecot", 54321)])
def test_couriertls_can_still_read_a_key_that_is_closed_to_others(
    product: str, group: int, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It serves port 143 as user courier, who read the file by the bits for others so far."""
    monkeypatch.setattr(courier_change, "group", lambda: 12345)
    os.chown(node.path("mail.key"), 0, 54321)
    modes = [{"path": node.path("mail.key"), "mode": "0640"}]
    node.run(product=product, config_file=node.path("dovecot.conf"), modes=modes)
    status = os.stat(node.path("mail.key"))
    assert (status.st_gid, stat.S_IMODE(status.st_mode)) == (group, 0o640)


# ---------------------------------------------------------------------------------------------
# Going back


def test_a_generation_is_put_back(node: Node) -> None:
    before = node.tree()
    made = node.harden()
    node.steps.clear()
    restored = {"state": "restored", "generation": made["generation"]}
    predicted = node.run(**restored, _ansible_check_mode=True)
    assert node.steps == ["remember"]
    assert node.tree() != before
    result = node.run(**restored)
    assert node.steps == ["remember", "remember", "activate", "judge"]
    assert node.tree() == before
    assert result["changed"] is True
    assert sorted(result["paths"]) == sorted(made["paths"]) == sorted(predicted["paths"])
    assert "SECRET" not in json.dumps(result)
    assert node.run(**restored)["changed"] is False
    assert node.run(**restored, _ansible_check_mode=True)["changed"] is False


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "generation"),
        ({"generation": "/nowhere"}, "generation /nowhere is not kept on this host; there are: no"),
    ],
)
def test_a_generation_that_is_not_there(given: dict[str, str], message: str, node: Node) -> None:
    result = node.run(state="restored", **given)
    assert result["failed"] is True
    assert message in result["msg"]


# ---------------------------------------------------------------------------------------------
# Two calls: the controller confirms, or takes back


def test_a_change_is_confirmed_by_another_call(node: Node) -> None:
    made = node.harden(confirm_timeout=60)
    after = node.tree()
    name = made["transaction"]
    assert Path(made["generation"]).name == name
    assert node.run(state="confirmed", transaction=name)["changed"] is True
    assert {n: e for n, e in after.items() if n[0] != "."} == node.tree()
    again = node.run(state="confirmed", transaction=name)
    assert again["failed"] is True
    assert "is not open any more" in again["msg"]


def test_a_change_is_taken_back_by_another_call(node: Node) -> None:
    before = node.tree()
    name = node.harden(confirm_timeout=60)["transaction"]
    answer = node.run(state="reverted", transaction=name, reason="no TLS from outside")
    assert answer["msg"] == "Every file is as it was before and the server has read it again"
    assert node.tree() == before


def test_a_second_run_is_refused_while_a_change_is_open(node: Node) -> None:
    node.harden(confirm_timeout=60, who="me@laptop")
    result = node.harden(overrides=[], certificate=None)
    assert result["failed"] is True
    assert "another run is changing this host: me@laptop since" in result["msg"]
    assert node.run(state="settled")["failed"] is True


def test_what_is_open_nowhere_is_settled(node: Node) -> None:
    answer = node.run(state="settled")
    assert (answer["changed"], answer["notes"]) == (False, [])


def test_each_kind_of_port_is_rehearsed_once(node: Node) -> None:
    ports = ((143, "starttls"), (1143, "starttls"), (993, "implicit"))
    listeners = [
        {"service": "imap", "address": address, "port": port, "tls_mode": mode}
        for port, mode in ports
        for address in ("*", "::")
    ]
    node.harden(listeners=listeners)
    assert node.rehearsed[2] == (
        (Service.IMAP, TlsMode.STARTTLS),
        (Service.IMAP, TlsMode.IMPLICIT),
    )


# ---------------------------------------------------------------------------------------------
# Documentation


def options_of(node: Node, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The argument specification that main() makes."""
    found: dict[str, Any] = {}

    def spy(*_args: Any, argument_spec: dict[str, Any], **_options: Any) -> None:
        found.update(argument_spec)
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(server_config, "AnsibleModule", spy)
        with pytest.raises(SystemExit):
            server_config.main()
    return found


def test_the_documentation_names_the_arguments(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    documented = yaml.safe_load(server_config.DOCUMENTATION)["options"]
    compared(documented, options_of(node, monkeypatch))


def compared(documented: dict[str, Any], spec: dict[str, Any]) -> None:
    assert set(documented) == set(spec)
    for name, option in spec.items():
        said = documented[name]
        for key, default in (("type", "str"), ("default", None), ("required", False)):
            assert said.get(key, default) == option.get(key, default), (name, key)
        assert said.get("choices") == option.get("choices"), name
        if "options" in option:
            compared(said["suboptions"], option["options"])


def test_the_examples_are_calls_of_the_module(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    known = options_of(node, monkeypatch)
    for task in yaml.safe_load(server_config.EXAMPLES):
        assert set(task["postmaster.tls.server_config"]) <= set(known)
