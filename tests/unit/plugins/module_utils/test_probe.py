# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports are looked at, under which names."""

from __future__ import annotations

from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import probe as module
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    EndpointObservation,
    Failure,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.probe import (
    default_endpoints,
    probe,
)
from ansible_collections.postmaster.tls.plugins.module_utils.talk import Target

STARTTLS, IMPLICIT = TlsMode.STARTTLS, TlsMode.IMPLICIT


def test_default_endpoints() -> None:
    found = default_endpoints(["192.0.2.1", "2001:db8::1"])
    assert [(e.port, e.service.value, e.tls_mode.value) for e in found[:5]] == [
        (143, "imap", "starttls"),
        (993, "imap", "implicit"),
        (110, "pop3", "starttls"),
        (995, "pop3", "implicit"),
        (4190, "sieve", "starttls"),
    ]
    assert {e.host for e in found[5:]} == {"2001:db8::1"}


@pytest.mark.parametrize(
    ("host", "given", "sent"),
    [
        ("mail.example.org", None, "mail.example.org"),
        ("mail.example.org", "other.example.org", "other.example.org"),
        ("192.0.2.1", None, None),
        ("192.0.2.1", "other.example.org", "other.example.org"),
    ],
)
def test_the_name_sent_in_tls(
    monkeypatch: pytest.MonkeyPatch, host: str, given: Optional[str], sent: Optional[str]
) -> None:
    targets: list[Target] = []

    async def remember(target: Target, _: object) -> EndpointObservation:
        targets.append(target)
        return EndpointObservation(target.endpoint)

    monkeypatch.setattr(module, "observe", remember)
    monkeypatch.setattr(module, "resolve", lambda hosts: dict.fromkeys(hosts, ("192.0.2.1", "::1")))
    seen = probe([Endpoint(host, 993, Service.IMAP, IMPLICIT)], server_name=given)
    assert [each.endpoint.host for each in seen] == ["192.0.2.1", "::1"]
    assert [target.server_name for target in targets] == [sent, sent]
    assert targets[0].nobody != targets[1].nobody
    assert targets[0].nobody.startswith("postmaster-tls-probe-")


def test_a_name_without_address_is_an_observation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "resolve", lambda hosts: dict.fromkeys(hosts, ()))
    endpoint = Endpoint("mail.invalid", 993, Service.IMAP, IMPLICIT)
    failure = Failure("connect", "unreachable", "the name has no address")
    expected = EndpointObservation(endpoint, server_name="mail.invalid", failures=(failure,))
    assert probe([endpoint]) == (expected,)


@pytest.mark.parametrize("name", ["", "a b", "ä.example", ".example", "a" * 254, "x\n"])
def test_a_server_name_must_be_one(name: str) -> None:
    with pytest.raises(ValueError, match="is no host name"):
        probe([], server_name=name)
