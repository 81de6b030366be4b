# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a change go back, seen from outside: the ports are stand-ins, the judge is real."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Optional

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    EndpointObservation,
    Failure,
    Handshake,
    LoginAttempt,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils import proof
from ansible_collections.postmaster.tls.plugins.plugin_utils.proof import Measure, Proof
from ansible_collections.postmaster.tls.tests.unit.pki import certificate, new_key

IMAP = Endpoint("192.0.2.7", 143, Service.IMAP, TlsMode.STARTTLS)
IMAPS = Endpoint("192.0.2.7", 993, Service.IMAP, TlsMode.IMPLICIT)
DONE = Handshake(0x0304, 0x1301)


def hard(endpoint: Endpoint) -> EndpointObservation:
    attempts = (LoginAttempt("LOGIN", True, "NO"),) if endpoint is IMAP else ()
    return EndpointObservation(
        endpoint,
        True,
        handshake=DONE,
        starttls=endpoint is IMAP or None,
        capabilities=("IMAP4REV1", "STARTTLS", "LOGINDISABLED") if endpoint is IMAP else None,
        attempts=attempts,
    )


def weak(endpoint: Endpoint) -> EndpointObservation:
    return replace(
        hard(endpoint),
        capabilities=("IMAP4REV1", "STARTTLS", "AUTH=PLAIN"),
        attempts=(LoginAttempt("LOGIN", False, "NO wrong"),),
    )


def dead(endpoint: Endpoint, is_open: bool = True) -> EndpointObservation:
    return EndpointObservation(
        endpoint, is_open, failures=(Failure("handshake", "alert", "x", 40),)
    )


class Ports:
    """What is seen, look by look; the last one stays."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks: list[Sequence[EndpointObservation]] = []
        monkeypatch.setattr(proof, "probe", self.look)
        monkeypatch.setattr(proof, "handshakes", self.now)

    def look(self, _ports: Any) -> tuple[EndpointObservation, ...]:
        return tuple(self.looks.pop(0) if len(self.looks) > 1 else self.looks[0])

    def now(self, _ports: Any) -> tuple[EndpointObservation, ...]:
        return tuple(self.looks[0])


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Ports:
    return Ports(monkeypatch)


def judged(
    ports: Ports,
    before: Sequence[EndpointObservation],
    after: Sequence[EndpointObservation],
    served_only: bool = False,
) -> list[str]:
    ports.looks = [before, after]
    measure = Measure("intermediate", served_only=served_only)
    return Proof((IMAP, IMAPS), measure).problems()


def test_all_is_well_where_nothing_changed(ports: Ports) -> None:
    assert judged(ports, [hard(IMAP), hard(IMAPS)], [hard(IMAP), hard(IMAPS)]) == []


def test_better_is_well(ports: Ports) -> None:
    assert judged(ports, [weak(IMAP), hard(IMAPS)], [hard(IMAP), hard(IMAPS)]) == []


def test_what_failed_before_and_fails_still_is_no_reason(ports: Ports) -> None:
    assert judged(ports, [weak(IMAP), hard(IMAPS)], [weak(IMAP), hard(IMAPS)]) == []


@pytest.mark.parametrize("after", [dead(IMAPS), dead(IMAPS, is_open=False)])
def test_a_port_that_served_tls_must_serve_it(after: EndpointObservation, ports: Ports) -> None:
    said = judged(ports, [hard(IMAP), hard(IMAPS)], [hard(IMAP), after])
    assert said == ["imap://192.0.2.7:993 serves no TLS after the change (alert at handshake)"]


def test_a_port_that_was_closed_may_stay_so(ports: Ports) -> None:
    closed = dead(IMAPS, is_open=False)
    assert judged(ports, [hard(IMAP), closed], [hard(IMAP), closed]) == []


@pytest.mark.parametrize(("served_only", "said"), [(False, 1), (True, 0)])
def test_a_port_that_is_open_and_broken_before_is_no_affair_of_stage_0(
    served_only: bool, said: int, ports: Ports
) -> None:
    look = [hard(IMAP), dead(IMAPS)]
    assert len(judged(ports, look, look, served_only)) == said


def test_a_port_that_served_must_serve_for_stage_0_too(ports: Ports) -> None:
    assert judged(ports, [hard(IMAP), hard(IMAPS)], [hard(IMAP), dead(IMAPS)], served_only=True)


@pytest.mark.parametrize(("new", "said"), [(False, ["CRT-06"]), (True, [])])
def test_a_stopgap_is_judged_by_no_check_of_certificates(new: bool, said: list[str]) -> None:
    strong, small = (replace(hard(IMAPS), chain=(served(bits),)) for bits in (2048, 1024))
    worse = Measure("intermediate", new).worse([strong], [small])
    assert [line.split(" ")[0] for line in worse] == said


def served(bits: int) -> str:
    """A certificate with an RSA key of so many bits, as a port serves it."""
    made = certificate("mail.example.test", new_key(bits))
    return base64.b64encode(made.public_bytes(Encoding.DER)).decode()


def test_a_check_that_passed_must_pass(ports: Ports) -> None:
    said = judged(ports, [hard(IMAP), hard(IMAPS)], [weak(IMAP), hard(IMAPS)])
    assert said
    assert all(line.endswith("since the change") for line in said)
    assert any(line.startswith("PT-") for line in said)


def test_one_retry_before_judging(ports: Ports) -> None:
    ports.looks = [[hard(IMAP), hard(IMAPS)], [weak(IMAP), hard(IMAPS)], [hard(IMAP), hard(IMAPS)]]
    assert Proof((IMAP, IMAPS), Measure("intermediate")).problems() == []


@pytest.mark.parametrize("now", [None, "dead"])
def test_what_served_before_is_asked_again(now: Optional[str], ports: Ports) -> None:
    ports.looks = [[hard(IMAP), hard(IMAPS)], [hard(IMAP), dead(IMAPS) if now else hard(IMAPS)]]
    said = Proof((IMAP, IMAPS), Measure("intermediate")).not_served()
    assert [line.split(" ")[0] for line in said] == (["imap://192.0.2.7:993"] if now else [])
