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

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Product,
    ServerConfig,
)
from ansible_collections.postmaster.tls.plugins.module_utils.plain import from_plain
from ansible_collections.postmaster.tls.plugins.modules import courier_info

SERVER = ServerConfig(Product.COURIER, "5.0.13", None, "/etc/courier")


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    arguments = {"ANSIBLE_MODULE_ARGS": {"_ansible_check_mode": True}}
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps(arguments)))
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    with pytest.raises(SystemExit) as left:
        courier_info.main()
    assert left.value.code in (0, None)
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


@pytest.mark.parametrize("server", [None, SERVER], ids=["absent", "there"])
def test_check_mode_returns_what_was_seen(
    server: ServerConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(courier_info, "observe", lambda: server)
    answer = run(monkeypatch, capsys)
    assert answer["changed"] is False
    seen = answer["server"]
    assert (seen if server is None else from_plain(ServerConfig, seen)) == server


def test_every_key_is_documented_with_a_sample() -> None:
    documented = yaml.safe_load(courier_info.RETURN)["server"]["contains"]
    assert list(documented) == list(ServerConfig.__dataclass_fields__)
    sample = {name: entry["sample"] for name, entry in documented.items()}
    assert from_plain(ServerConfig, sample).product is Product.COURIER
