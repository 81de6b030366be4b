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

from ansible_collections.postmaster.tls.plugins.module_utils.limits import OWN, SWEEP, Limits
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    EndpointObservation,
    Failure,
    LoginAttempt,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.plain import from_plain
from ansible_collections.postmaster.tls.plugins.modules import endpoint_info

ENDPOINT = {"host": "192.0.2.1", "port": 143, "service": "imap", "tls_mode": "starttls"}
PARAMS: dict[str, Any] = {
    name: spec.get("default") for name, spec in endpoint_info.ARGUMENTS.items()
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


SWEPT = {**PARAMS, "depth": "sweep"}


@pytest.mark.parametrize(
    ("asked", "preset"),
    [
        ({"depth": "judge"}, OWN),
        ({"depth": "full"}, OWN),
        ({"depth": "sweep"}, SWEEP),
        ({"depth": "sweep", "limits": "own"}, OWN),
        ({"depth": "judge", "limits": "sweep"}, SWEEP),
        ({"depth": "full", "limits": "sweep", "raise_limits": True}, SWEEP),
    ],
)
def test_a_sweep_is_polite_unless_the_hosts_are_own(asked: dict[str, Any], preset: Limits) -> None:
    assert endpoint_info.limits({**PARAMS, **asked}) == preset


@pytest.mark.parametrize(
    ("name", "polite", "more"),
    [
        ("max_connections", 2, 3),
        ("max_rate", 50.0, 50.1),
        ("max_rate", 0.1, float("inf")),
        ("max_address_rate", 5.0, 6.0),
    ],
)
def test_the_limits_of_a_sweep_are_raised_only_explicitly(
    name: str, polite: float, more: float
) -> None:
    field = endpoint_info.FIELDS[name]
    assert getattr(endpoint_info.limits({**SWEPT, name: polite}), field) == polite
    with pytest.raises(ValueError, match=f"^{name} is {more}, above the .* set raise_limits if"):
        endpoint_info.limits({**SWEPT, name: more})
    raised = endpoint_info.limits({**SWEPT, name: more, "raise_limits": True})
    assert getattr(raised, field) == more
    owned = endpoint_info.limits({**PARAMS, name: more})
    assert getattr(owned, field) == more


def test_to_raise_limits_raises_none_by_itself() -> None:
    assert endpoint_info.limits({**SWEPT, "raise_limits": True}) == SWEEP
    lone = endpoint_info.limits({**SWEPT, "max_connections": 1})
    assert (lone.per_address, lone.per_port) == (1, 1)


def run_module(monkeypatch: pytest.MonkeyPatch, capsys: Any, **given: Any) -> dict[str, Any]:
    arguments = to_bytes(json.dumps({"ANSIBLE_MODULE_ARGS": given}))
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", arguments)
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    with pytest.raises(SystemExit):
        endpoint_info.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_from_outside_means_from_another_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = ({**ENDPOINT, "host": host} for host in ("127.0.0.1", "192.0.2.1"))
    seen = tuple(
        EndpointObservation(from_plain(Endpoint, endpoint), False) for endpoint in (there, here)
    )
    monkeypatch.setattr(endpoint_info, "probe", lambda *_: seen)
    asked = {"endpoints": [there, here]}
    assert "failed" not in run_module(monkeypatch, capsys, **asked)
    refused = run_module(monkeypatch, capsys, **asked, outside=True)
    assert refused["msg"].startswith("endpoint_info: 127.0.0.1 belongs to the machine that looks")
    monkeypatch.setattr(endpoint_info, "probe", lambda *_: seen[:1])
    assert "failed" not in run_module(monkeypatch, capsys, **asked, outside=True)


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
        (
            {"hosts": ["192.0.2.1"], "depth": "sweep", "max_rate": 200},
            "endpoint_info: max_rate is 200.0, above the 50 of a sweep; set raise_limits if",
        ),
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
