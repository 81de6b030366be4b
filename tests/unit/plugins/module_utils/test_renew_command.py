# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stopgap is made anew when it is due, tried again when that failed, and nobody's rival."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import (
    deploy,
    issuance,
    material,
    metrics,
    program,
    renew_command,
    renewal,
    selfsigned,
    transaction,
)
from ansible_collections.postmaster.tls.plugins.module_utils.deploy import Deployed, Wanted
from ansible_collections.postmaster.tls.plugins.module_utils.issuance import Order
from ansible_collections.postmaster.tls.plugins.module_utils.transaction import Refused
from ansible_collections.postmaster.tls.tests.unit import pki

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not here")
ORDER = Order("mail", (pki.NAME,), selfsigned=True)


class Node:
    """A host whose server takes what it is given, or does not."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.now = root, time.time()
        self.deployed: list[Wanted] = []
        self.problem = ""
        self.in_force: tuple[Any, ...] = ()
        monkeypatch.setattr(transaction, "STATE_DIR", str(root / "state"))
        monkeypatch.setattr(deploy, "deploy", self.deploy)
        monkeypatch.setattr(deploy, "in_force", lambda _wanted: self.in_force)
        monkeypatch.setattr(deploy, "installed", lambda: ["dovecot"])
        monkeypatch.setattr(renew_command.bundle, "content", lambda: b"")
        if os.geteuid():
            monkeypatch.setattr(os, "fchown", lambda *_: None)
        (root / "metrics").mkdir()

    def deploy(self, wanted: Wanted) -> tuple[Deployed, ...]:
        if self.problem:
            raise Refused(self.problem)
        leaves = [
            material.take(source).leaf
            for source in (wanted.source, wanted.alt)
            if source is not None
        ]
        self.deployed.append(wanted)
        return (Deployed("dovecot", wanted.sni, leaves[0], ("/x",), alt=(*leaves, None)[1]),)

    def renew(self, *more: str) -> int:
        given = ["--order", "mail", "--name", pki.NAME, *more]
        told = ["--textfile-directory", str(self.root / "metrics")]
        return renew_command.main([*given, *told], lambda: self.now)

    def metric(self, name: str) -> str:
        text = (self.root / "metrics" / "postmaster_tls_dovecot.prom").read_text()
        return next(line for line in text.splitlines() if line.startswith(f"{name}{{"))[-1]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    return Node(tmp_path, monkeypatch)


def test_one_that_is_due_is_made_and_put_in_force(node: Node, capsys: Any) -> None:
    assert node.renew() == 0
    assert [wanted.source.certificate for wanted in node.deployed] == [ORDER.path]
    said = capsys.readouterr()
    assert said.out.startswith("mail is made anew: there is none yet\ndovecot: ")
    assert node.metric(metrics.SUCCESS) == "1"
    assert node.metric(metrics.RENEWAL_FAILURES) == "0"


def test_one_that_is_not_due_disturbs_nobody(node: Node, capsys: Any) -> None:
    node.renew()
    before = Path(ORDER.path).read_bytes()
    capsys.readouterr()
    assert node.renew() == 0
    assert capsys.readouterr().out == "mail is not due\n"
    assert (len(node.deployed), Path(ORDER.path).read_bytes()) == (1, before)


def test_both_kinds_of_key_are_renewed_together(node: Node) -> None:
    assert node.renew("--key-type", "both") == 0
    (wanted,) = node.deployed
    assert wanted.alt is not None
    kinds = [material.take(source).leaf.key_type for source in (wanted.source, wanted.alt)]
    assert kinds == ["ecdsa", "rsa"]


def test_a_failure_is_an_exit_code_a_line_and_a_metric_and_is_waited_with(
    node: Node, capsys: Any
) -> None:
    node.problem = "port 993 serves no TLS"
    assert node.renew() == 1
    assert capsys.readouterr().err == "postmaster-tls: port 993 serves no TLS\n"
    assert (node.metric(metrics.SUCCESS), node.metric(metrics.RENEWAL_FAILURES)) == ("0", "1")
    assert node.renew() == 1
    said = capsys.readouterr().err
    assert said.startswith("postmaster-tls: it failed 1 times and waits until 20")
    assert said.endswith(": port 993 serves no TLS\n")
    node.now += renewal.FIRST
    assert node.renew() == 1
    assert node.metric(metrics.RENEWAL_FAILURES) == "2"


def test_what_could_not_be_put_in_force_is_tried_again_though_nothing_is_due(node: Node) -> None:
    node.problem = "the disk is full"
    node.renew()
    made = Path(ORDER.path).read_bytes()
    assert issuance.due(ORDER) is None
    node.problem, node.now = "", node.now + renewal.FIRST
    assert node.renew() == 0
    assert (len(node.deployed), Path(ORDER.path).read_bytes()) == (1, made)
    assert renewal.read("mail") == renewal.Standing()


def test_who_does_not_want_to_wait_need_not(node: Node) -> None:
    node.problem = "the disk is full"
    node.renew()
    node.problem = ""
    assert node.renew("--now") == 0
    assert len(node.deployed) == 1


def test_a_stopgap_that_cannot_be_made_is_a_failure(
    node: Node, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def fail(*_arguments: Any) -> Any:
        raise selfsigned.CannotMake("openssl is not installed on the host")

    monkeypatch.setattr(selfsigned, "make", fail)
    assert node.renew() == 1
    assert "openssl is not installed" in capsys.readouterr().err
    assert node.metric(metrics.RENEWAL_FAILURES) == "1"


def test_a_stopgap_replaces_no_certificate_of_an_authority(node: Node, capsys: Any) -> None:
    node.in_force = material.certificates(pki.Authority().issue()[0])[:1]
    assert node.renew() == 0
    assert f"the certificate of {pki.NAME} is in force, which is no stopgap" in (
        capsys.readouterr().out
    )
    assert (node.deployed, os.path.exists(ORDER.path)) == ([], False)


def test_what_the_hook_of_another_client_failed_to_do_is_done(node: Node, capsys: Any) -> None:
    """It is tried as long as it fails, and replaces what its own authority signed before."""
    node.in_force = material.certificates(pki.Authority().issue()[0])[:1]
    chain, key = pki.Authority().issue()
    given = []
    for option, content in (("--certificate", chain), ("--key", key)):
        path = node.root / option[2:]
        path.write_bytes(content)
        given += [option, str(path)]
    node.problem = "another run is changing this host"
    assert node.renew(*given) == 0
    assert capsys.readouterr().out == "nothing is left to be done\n"  # no hook asked for it
    assert node.renew("--now", *given) == 1
    assert node.metric(metrics.RENEWAL_FAILURES) == "1"
    node.problem, node.now = "", node.now + renewal.FIRST
    capsys.readouterr()
    assert node.renew(*given) == 0
    assert capsys.readouterr().out.startswith("dovecot: the certificate of ")
    assert [wanted.source.certificate for wanted in node.deployed] == [given[1]]
    assert not os.path.exists(ORDER.path)


@pytest.mark.parametrize("missing", [None, "--alt-certificate"])
def test_what_a_client_has_of_both_kinds_goes_into_force_together_or_not_at_all(
    missing: str | None, node: Node, capsys: Any
) -> None:
    """Its hook is called for one of the two, and the other is taken as it is now."""
    authority, given = pki.Authority(), []
    pairs = (authority.issue(), authority.issue(key=pki.new_key(2048)))
    for prefix, contents in zip(("--", "--alt-"), pairs):
        for option, content in zip(("certificate", "key"), contents):
            path = node.root / f"{prefix}{option}"[2:]
            if f"{prefix}{option}" != missing:
                path.write_bytes(content)
            given += [f"{prefix}{option}", str(path)]
    came = node.renew("--now", *given)
    if missing:
        assert came == 1
        assert "alt-certificate" in capsys.readouterr().err
        assert (node.deployed, renewal.read("mail").failures) == ([], 1)
        return
    assert came == 0
    (wanted,) = node.deployed
    assert wanted.alt is not None
    files = [(source.certificate, source.key) for source in (wanted.source, wanted.alt)]
    assert files == [(given[1], given[3]), (given[5], given[7])]
    kinds = [material.take(source).leaf.key_type for source in (wanted.source, wanted.alt)]
    assert kinds == ["ecdsa", "rsa"]


ONE = ("--order", "x", "--name", "a.test")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--order", "../x", "--name", "a.test"),
        ("--order", "x", "--name", "a b"),
        (*ONE, "--alt-certificate", "f"),
        (*ONE, "--certificate", "f", "--alt-key", "f"),
    ],
)
def test_what_is_not_understood(arguments: Any, node: Node) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["renew", *arguments])
    assert ended.value.code == 2
