# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's own part: what it asks of the deployment, and how it tells what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.postmaster.tls.plugins.module_utils import bundle, deploy, x509
from ansible_collections.postmaster.tls.plugins.module_utils.deploy import Deployed, Wanted
from ansible_collections.postmaster.tls.plugins.module_utils.material import BadInput, Source
from ansible_collections.postmaster.tls.plugins.modules import server_certificate
from ansible_collections.postmaster.tls.tests.unit import pki

LEAF = x509.read(pki.Authority().leaf(pki.new_key()).public_bytes(Encoding.DER))
Call = Callable[..., dict[str, Any]]


class Host:
    """What was asked of the deployment, and what it is to answer."""

    def __init__(self) -> None:
        self.wanted: list[tuple[Wanted, bool]] = []
        self.installed: list[bool] = []
        self.new = False
        self.answer: Any = (Deployed("dovecot", None, LEAF),)

    def deploy(self, wanted: Wanted, check: bool) -> Any:
        self.wanted.append((wanted, check))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def install(self, check: bool) -> bool:
        self.installed.append(check)
        return self.new


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host()
    monkeypatch.setattr(deploy, "deploy", made.deploy)
    monkeypatch.setattr(deploy, "installed", lambda: ["dovecot"])
    monkeypatch.setattr(bundle, "install_command", made.install)
    return made


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> Call:
    def run(**given: Any) -> dict[str, Any]:
        told = {"certificate": "/c.pem", "textfile_directory": str(tmp_path), **given}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps({_ARGS: told})))
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        with pytest.raises(SystemExit):
            server_certificate.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


_ARGS = "ANSIBLE_MODULE_ARGS"


def test_what_it_asks_for(host: Host, call: Call) -> None:
    call(key="/k.pem", names=["Mail.Example.org"], sni="A.example.org", who="me", wait=7)
    call()
    assert host.wanted == [
        (
            Wanted(
                Source("/c.pem", "/k.pem", ("mail.example.org",)), "a.example.org", None, "me", 7
            ),
            False,
        ),
        (Wanted(Source("/c.pem", "/c.pem")), False),
    ]


def test_a_second_certificate_is_asked_for_with_its_key(host: Host, call: Call) -> None:
    call(key="/k.pem", chain="/i.pem", alt_certificate="/a.pem", ca_file="/ca.pem")
    ((wanted, _check),) = host.wanted
    assert wanted.alt == Source("/a.pem", "/a.pem", (), None, None, "/ca.pem")


def test_what_could_not_be_known_is_a_warning(
    host: Host, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    # Where the controller's own display is loaded, a warning goes there and not into the result.
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _self, words: warned.append(words))
    host.answer = (Deployed("dovecot", None, LEAF, paths=("/x",), notes=("not known",)),)
    result = call()
    assert result["notes"] == ["not known"]
    assert warned == ["not known"]


def test_nothing_done_is_no_change(host: Host, call: Call, tmp_path: Path) -> None:
    result = call()
    assert result["changed"] is False
    assert result["said"][0].endswith("is in force already")
    assert (tmp_path / "postmaster_tls_dovecot.prom").exists()


@pytest.mark.parametrize("what", ["paths", "reread", "program"])
def test_what_is_a_change(what: str, host: Host, call: Call) -> None:
    done = {
        "paths": Deployed("dovecot", None, LEAF, paths=("/x",), diff=({"before": "a"},)),
        "reread": Deployed("dovecot", None, LEAF, reread=True),
    }
    host.new = what == "program"
    host.answer = (done.get(what, host.answer[0]),)
    assert call()["changed"] is True


def test_check_mode_is_passed_on_and_measures_nothing(
    host: Host, call: Call, tmp_path: Path
) -> None:
    call(_ansible_check_mode=True)
    assert (host.wanted[0][1], host.installed) == (True, [True])
    assert list(tmp_path.iterdir()) == []


def test_a_failure_is_a_sentence_and_a_metric(host: Host, call: Call, tmp_path: Path) -> None:
    host.answer = BadInput("/c.pem is empty")
    result = call()
    assert (result["failed"], result["msg"]) == (True, "/c.pem is empty")
    assert " 0\n" in (tmp_path / "postmaster_tls_dovecot.prom").read_text()


def test_checked_tells_the_chain_and_touches_nothing(
    host: Host, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(deploy, "checked", lambda wanted: ("PEM", "RSA")[: 1 + bool(wanted.alt)])
    result = call(state="checked")
    assert (result["changed"], result["chain"], result["alt_chain"]) == (False, "PEM", None)
    assert call(state="checked", alt_certificate="/alt.pem")["alt_chain"] == "RSA"
    assert (host.wanted, host.installed, list(tmp_path.iterdir())) == ([], [], [])


def test_the_result_is_as_documented(host: Host, call: Call) -> None:
    documented = yaml.safe_load(server_certificate.RETURN)
    del documented["chain"], documented["alt_chain"]  # of the other state
    result = call()
    assert set(documented) <= set(result)
    assert set(result["servers"][0]) == set(documented["servers"]["contains"])
    assert set(documented["servers"]["sample"][0]) == set(result["servers"][0])
