# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes

from ansible_collections.postmaster.tls.plugins.module_utils.login_log.usage import (
    LoginLog,
    Source,
)
from ansible_collections.postmaster.tls.plugins.module_utils.plain import from_plain
from ansible_collections.postmaster.tls.plugins.modules import login_info

LOG = LoginLog(1, 2, sources=(Source("/var/log/mail.log", 3, 1, 2),))


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **options: Any
) -> tuple[Any, ...]:
    asked: list[tuple[Any, ...]] = []

    def read(*arguments: Any) -> LoginLog:
        asked.append(arguments)
        return LOG

    monkeypatch.setattr(login_info, "observe_all", lambda: ((), ()))
    monkeypatch.setattr(login_info, "read", read)
    arguments = {"ANSIBLE_MODULE_ARGS": {"_ansible_check_mode": True, **options}}
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps(arguments)))
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    with pytest.raises(SystemExit) as left:
        login_info.main()
    assert left.value.code in (0, None)
    answer = json.loads(capsys.readouterr().out)
    assert answer["changed"] is False
    assert from_plain(LoginLog, answer["log"]) == LOG
    return asked[0]


def test_days_are_counted_from_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = run(monkeypatch, capsys, days=2, until=1_000_000, paths=["/x"], rows=5)
    assert asked == ((), 1_000_000 - 2 * 86400, 1_000_000, ["/x"], 5)


def test_a_beginning_may_be_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, capsys, since=7, until=9)[1:3] == (7, 9)


def test_the_sample_is_of_the_documented_type() -> None:
    documented = yaml.safe_load(login_info.RETURN)["log"]
    log = from_plain(LoginLog, documented["sample"])
    assert log.usage[0].user == "alice"
    assert {"since", "until", "evidence", "usage", "sources", "problems"} == set(
        documented["contains"]
    )
