# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes

from ansible_collections.postmaster.tls.plugins.module_utils import ledger, transaction
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Problem,
    Product,
    ServerConfig,
)
from ansible_collections.postmaster.tls.plugins.module_utils.plain import from_plain
from ansible_collections.postmaster.tls.plugins.modules import server_info

SERVER = ServerConfig(Product.COURIER, "5.0.13", None, "/etc/courier")


@pytest.fixture(autouse=True)
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "STATE_DIR", str(tmp_path))


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    arguments = {"ANSIBLE_MODULE_ARGS": {"_ansible_check_mode": True}}
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps(arguments)))
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    with pytest.raises(SystemExit) as left:
        server_info.main()
    assert left.value.code in (0, None)
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_check_mode_returns_what_was_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = Problem("dovecot could not be observed")
    monkeypatch.setattr(server_info, "observe_all", lambda: ((SERVER,), (problem,)))
    answer = run(monkeypatch, capsys)
    assert answer["changed"] is False
    assert [from_plain(ServerConfig, s) for s in answer["servers"]] == [SERVER]
    assert [from_plain(Problem, p) for p in answer["problems"]] == [problem]


def test_the_samples_are_of_the_documented_types() -> None:
    documented = yaml.safe_load(server_info.RETURN)
    assert set(documented) == {"servers", "problems", "transaction"}
    assert from_plain(ServerConfig, documented["servers"]["sample"][0]).version == "5.0.13"
    assert from_plain(Problem, documented["problems"]["sample"][0]).origin is None
    assert set(documented["transaction"]["sample"]) <= set(ledger.Record.__dataclass_fields__)


def test_an_open_change_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server_info, "observe_all", lambda: ((), ()))
    assert run(monkeypatch, capsys)["transaction"] is None
    if os.geteuid():
        monkeypatch.setattr(os, "fchown", lambda *_: None)
    record = ledger.Record("T", ledger.State.STAGED, ("dovecot",), "now", who="me@here")
    ledger.begin(record)
    told = run(monkeypatch, capsys)["transaction"]
    assert (told["id"], told["state"], told["who"]) == ("T", "staged", "me@here")
    Path(ledger.record_path()).write_text("{", encoding="utf-8")
    assert run(monkeypatch, capsys)["transaction"] is None
