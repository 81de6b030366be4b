# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of versions and listeners."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import Listener, Unit
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    EndpointObservation,
    Failure,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    IMAPS,
    PORTS,
    courier,
    dovecot,
    findings,
    port,
)

IMAP_ONLY = (Listener(Service.IMAP, "*", 143, TlsMode.STARTTLS),)

VERSIONS = [
    (courier(version="5.2.11"), "pass", "high", ""),
    (courier(version="5.0.13"), "fail", "high", "CVE-2021-38084"),
    (courier(version="5.0.13", listeners=()), "fail", "high", "CVE-2021-38084"),
    (courier(version="5.0.13", listeners=IMAP_ONLY), "pass", "high", ""),
    (courier(version="5.1.4"), "pass", "high", ""),
    (courier(version=None), "not_checked", "high", ""),
    (courier(version="unknown"), "not_checked", "high", ""),
    (dovecot(version="2.4.5"), "pass", "high", ""),
    (dovecot(version="2.4.1"), "fail", "low", "CVE-2025-59028"),
    (dovecot(version="2.3.19.1"), "fail", "info", "2.3"),
]


@pytest.mark.parametrize(("server", "status", "severity", "word"), VERSIONS)
def test_version(server: Any, status: str, severity: str, word: str) -> None:
    (finding,) = findings("OPS-01", server)
    assert (finding.status.value, finding.severity.value) == (status, severity)
    assert word in finding.actual


STARTTLS = Listener(Service.IMAP, "*", 143, TlsMode.STARTTLS)
IMPLICIT = Listener(Service.IMAP, "::", 993, TlsMode.IMPLICIT)
LOOPBACK = Listener(Service.IMAP, "127.0.0.1", 1143, TlsMode.STARTTLS)


def dead(number: int, cause: str, *where: Any) -> EndpointObservation:
    """A port that did not answer."""
    open_ = False if cause == "refused" else None
    endpoint = port(number, *where).endpoint
    return EndpointObservation(endpoint, open_, failures=(Failure("connect", cause),))


REACHED = [
    # listener, the ports that were looked at, status, severity
    (STARTTLS, [port()], "pass", "high"),
    (IMPLICIT, [port(*IMAPS)], "pass", "high"),
    (STARTTLS, [], "not_checked", "high"),
    (LOOPBACK, [], "not_applicable", "high"),
    (STARTTLS, [dead(143, "refused")], "fail", "high"),
    (STARTTLS, [dead(143, "refused"), port(*IMAPS)], "fail", "low"),
    (STARTTLS, [dead(143, "timeout")], "error", "high"),
    (STARTTLS, [dead(143, "timeout"), port(*IMAPS)], "not_checked", "high"),
    (IMPLICIT, [port(), dead(*IMAPS[:1], "refused", *IMAPS[1:])], "fail", "high"),
    (IMPLICIT, [port(), dead(*IMAPS[:1], "timeout", *IMAPS[1:])], "error", "high"),
    (
        STARTTLS,
        [
            EndpointObservation(
                port().endpoint, True, failures=(Failure("greeting", "refused", "Too many"),)
            )
        ],
        "fail",
        "high",
    ),
]


@pytest.mark.parametrize(("listener", "seen", "status", "severity"), REACHED)
def test_listener(listener: Listener, seen: list[Any], status: str, severity: str) -> None:
    others = (STARTTLS, IMPLICIT, listener)
    found = findings("OPS-02", dovecot(listeners=others), *seen)
    subject = f"dovecot imap port {listener.port}"
    (finding,) = [f for f in found if f.subject == subject]
    assert (finding.status.value, finding.severity.value) == (status, severity)


def test_a_server_that_is_switched_off_need_not_answer() -> None:
    server = dovecot(units=(Unit("dovecot.service", False, False),))
    assert [f.status.value for f in findings("OPS-02", server)] == ["not_applicable"]
    stopped = dovecot(units=(Unit("dovecot.service", True, False),))
    assert {f.status.value for f in findings("OPS-02", stopped)} == {"not_checked"}


def test_every_port_of_a_good_server_answers() -> None:
    assert {f.status.value for f in findings("OPS-02", dovecot(), *PORTS)} == {"pass"}
    assert findings("OPS-02", dovecot(listeners=()))[0].status.value == "not_checked"
