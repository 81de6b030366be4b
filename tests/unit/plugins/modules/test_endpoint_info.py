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

from ansible_collections.postmaster.tls.plugins.module_utils.model import (
    Endpoint,
    EndpointObservation,
    Failure,
    LoginAttempt,
    Service,
    TlsMode,
    from_plain,
)
from ansible_collections.postmaster.tls.plugins.module_utils.transport import Limits
from ansible_collections.postmaster.tls.plugins.modules import endpoint_info

ENDPOINT = {"host": "192.0.2.1", "port": 143, "service": "imap", "tls_mode": "starttls"}
PARAMS: dict[str, Any] = {
    "hosts": None,
    "endpoints": None,
    **{
        name: spec["default"] for name, spec in endpoint_info.ARGUMENTS.items() if "default" in spec
    },
}


def test_the_documentation_names_the_arguments_and_their_defaults() -> None:
    documented = yaml.safe_load(endpoint_info.DOCUMENTATION)["options"]
    assert set(documented) == set(endpoint_info.ARGUMENTS)
    for name, spec in endpoint_info.ARGUMENTS.items():
        assert documented[name].get("default") == spec.get("default"), name
        assert documented[name]["type"] == spec["type"], name


def test_the_defaults_are_those_of_the_probe() -> None:
    assert endpoint_info.limits(PARAMS) == Limits()


def test_the_documented_sample_is_an_observation() -> None:
    contains = yaml.safe_load(endpoint_info.RETURN)["endpoints"]["contains"]
    assert set(contains) == set(EndpointObservation.__dataclass_fields__)
    sample = {name: described["sample"] for name, described in contains.items()}
    seen = from_plain(EndpointObservation, sample)
    assert isinstance(seen.attempts[0], LoginAttempt)
    assert [offer.accepted for offer in seen.offers] == [True, False]
    said = Failure("hello", "alert", "protocol_version (to deprecated)", 70)
    assert seen.offers[1].failure == said


def test_endpoints_given_and_usual() -> None:
    given = endpoint_info.endpoints({**PARAMS, "endpoints": [ENDPOINT]})
    assert given == (Endpoint("192.0.2.1", 143, Service.IMAP, TlsMode.STARTTLS),)
    usual = endpoint_info.endpoints({**PARAMS, "hosts": ["192.0.2.1"]})
    assert [endpoint.port for endpoint in usual] == [143, 993, 110, 995, 4190]


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_must_be_one(port: int) -> None:
    with pytest.raises(ValueError, match="must be from 1 to 65535"):
        endpoint_info.endpoints({**PARAMS, "endpoints": [{**ENDPOINT, "port": port}]})


@pytest.mark.parametrize("name", ["timeout", "host_timeout", "max_bytes", "max_connections"])
def test_a_limit_must_be_above_zero(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0; it must be greater than 0"):
        endpoint_info.limits({**PARAMS, name: 0})


def run_module(monkeypatch: pytest.MonkeyPatch, capsys: Any, **given: Any) -> dict[str, Any]:
    arguments = to_bytes(json.dumps({"ANSIBLE_MODULE_ARGS": given}))
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", arguments)
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    with pytest.raises(SystemExit):
        endpoint_info.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_the_module_returns_plain_observations(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = EndpointObservation(Endpoint("192.0.2.1", 143, Service.IMAP, TlsMode.STARTTLS), False)
    monkeypatch.setattr(endpoint_info, "probe", lambda *_: (seen,))
    result = run_module(monkeypatch, capsys, endpoints=[ENDPOINT], _ansible_check_mode=True)
    assert result["changed"] is False
    assert from_plain(EndpointObservation, result["endpoints"][0]) == seen


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"hosts": ["192.0.2.1"], "server_name": "a b"}, "endpoint_info: server_name 'a b' is no"),
        ({"hosts": ["192.0.2.1"], "timeout": 0}, "endpoint_info: timeout is 0.0; it must be"),
        ({}, "one of the following is required: hosts, endpoints"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: dict[str, Any],
    said: str,
) -> None:
    result = run_module(monkeypatch, capsys, **given)
    assert result["failed"] is True
    assert said in result["msg"]
