# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of logins without TLS: what passes, what fails, what was not seen."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Failure,
    Handshake,
    LoginAttempt,
    Offer,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    IMAPS,
    POP3,
    SIEVE,
    courier,
    dovecot,
    findings,
    port,
    row,
    unseen,
)

TIMEOUT = Failure("capability", "timeout")
STALLED = Failure("injection", "timeout")


def tried(**answers: Any) -> tuple[LoginAttempt, ...]:
    return tuple(LoginAttempt(c.replace("_", " "), r, "…") for c, r in answers.items())


PORTS = [
    # check, port, status, severity, a word of what is said
    ("PT-01", port(), "pass", "critical", "LOGINDISABLED"),
    ("PT-01", port(capabilities=("STARTTLS",), attempts=()), "fail", "critical", "not announced"),
    ("PT-01", port(capabilities=(), attempts=()), "fail", "critical", "not announced"),
    (
        "PT-01",
        port(capabilities=("IMAP4rev1",), attempts=tried(LOGIN=True)),
        "fail",
        "medium",
        "only to be refused",
    ),
    ("PT-01", port(capabilities=("imap4rev1", "logindisabled")), "pass", "critical", ""),
    ("PT-01", port(*POP3), "not_applicable", "critical", "IMAP"),
    ("PT-01", port(open=False), "not_applicable", "critical", "closed"),
    ("PT-01", unseen(), "not_checked", "critical", "not observed"),
    ("PT-01", port(capabilities=None, failures=(TIMEOUT,)), "error", "critical", "timeout"),
    ("PT-02", port(), "pass", "critical", "LOGIN is refused"),
    ("PT-02", port(*SIEVE), "pass", "critical", "AUTHENTICATE PLAIN"),
    ("PT-02", port(attempts=tried(LOGIN=False)), "fail", "critical", "LOGIN is taken"),
    (
        "PT-02",
        port(attempts=tried(AUTH_PLAIN=False, LOGIN=True)),
        "fail",
        "critical",
        "AUTH",
    ),
    ("PT-02", port(attempts=tried(AUTH_PLAIN=True)), "not_checked", "critical", "LOGIN"),
    ("PT-02", port(attempts=tried(LOGIN=None)), "not_checked", "critical", "LOGIN"),
    (
        "PT-02",
        port(attempts=tried(LOGIN=None), failures=(Failure("login", "closed"),)),
        "error",
        "critical",
        "login: closed",
    ),
    ("PT-02", port(*POP3), "not_applicable", "critical", "PT-03"),
    ("PT-03", port(*POP3), "pass", "critical", "USER is refused"),
    (
        "PT-03",
        port(*POP3, attempts=tried(AUTH_PLAIN=True, USER=False)),
        "fail",
        "critical",
        "USER",
    ),
    (
        "PT-03",
        port(*POP3, attempts=tried(AUTH_PLAIN=True, USER=None)),
        "not_checked",
        "critical",
        "",
    ),
    ("PT-03", port(*POP3, attempts=tried(AUTH_PLAIN=True)), "not_checked", "critical", "USER"),
    ("PT-03", port(), "not_applicable", "critical", ""),
    ("PT-04", port(), "pass", "critical", "none"),
    ("PT-04", port(mechanisms=("PLAIN",), attempts=()), "fail", "critical", "PLAIN"),
    (
        "PT-04",
        port(mechanisms=("login",), attempts=tried(LOGIN=False)),
        "fail",
        "critical",
        "LOGIN",
    ),
    ("PT-04", port(mechanisms=("PLAIN",)), "fail", "medium", "PLAIN"),
    ("PT-04", port(mechanisms=("CRAM-MD5",)), "fail", "high", "CRAM-MD5"),
    ("PT-04", port(mechanisms=("SCRAM-SHA-256",)), "pass", "critical", ""),
    ("PT-04", port(mechanisms=None), "not_checked", "critical", ""),
    ("PT-05", port(), "pass", "critical", "STARTTLS"),
    ("PT-05", port(*POP3, starttls=False), "fail", "critical", "STLS is not offered"),
    ("PT-05", port(starttls=None), "not_checked", "critical", ""),
    ("PT-06", port(), "pass", "high", ""),
    ("PT-06", port(handshake=None, offers=(Offer("tls1.0", True),)), "pass", "high", ""),
    ("PT-06", port(starttls=False), "not_applicable", "high", ""),
    (
        "PT-06",
        port(handshake=None, offers=(), failures=(Failure("handshake", "alert", "", 40),)),
        "fail",
        "high",
        "handshake_failure",
    ),
    (
        "PT-06",
        port(*IMAPS, handshake=None, offers=(Offer("tls1.2", False), Offer("tls1.3", False))),
        "fail",
        "high",
        "every offer",
    ),
    (
        "PT-06",
        port(*IMAPS, handshake=None, offers=(), failures=(Failure("handshake", "timeout"),)),
        "error",
        "high",
        "timeout",
    ),
    ("PT-06", unseen(993, *IMAPS[1:]), "not_checked", "high", ""),
    ("INJ-01", port(), "pass", "high", "not carried out"),
    ("INJ-01", port(injected=True), "fail", "high", "carried out inside TLS"),
    ("INJ-01", port(injected=None), "not_checked", "high", "not observed"),
    ("INJ-01", port(injected=None, failures=(STALLED,)), "error", "high", "injection: timeout"),
    ("INJ-01", port(injected=None, starttls=False), "not_applicable", "high", ""),
    ("INJ-01", port(*POP3), "not_applicable", "high", "no imap port"),
    ("INJ-02", port(*POP3), "pass", "high", ""),
    ("INJ-02", port(*POP3, injected=True), "fail", "high", "carried out inside TLS"),
    ("INJ-03", port(*SIEVE), "pass", "high", ""),
    ("INJ-03", port(*SIEVE, injected=True), "fail", "high", "carried out inside TLS"),
    ("INJ-04", port(), "pass", "low", ""),
    ("INJ-04", port(*IMAPS, starttls_accepted_inside=True), "fail", "low", "carried out"),
    ("INJ-04", port(*IMAPS, starttls_accepted_inside=None), "not_checked", "low", ""),
    ("INJ-04", port(*IMAPS, starttls_inside=True), "fail", "low", "inside TLS"),
    ("INJ-04", port(starttls_inside=None), "not_checked", "low", ""),
    ("INJ-05", port(), "pass", "critical", ""),
    ("INJ-05", port(preauth=True, greeting="* PREAUTH"), "fail", "critical", "PREAUTH"),
    ("INJ-05", port(preauth=None), "not_checked", "critical", ""),
]


@pytest.mark.parametrize(("check", "seen", "status", "severity", "word"), PORTS)
def test_port(check: str, seen: Any, status: str, severity: str, word: str) -> None:
    (finding,) = findings(check, seen)
    assert (finding.status.value, finding.severity.value) == (status, severity), finding
    assert word in finding.actual
    assert finding.subject == str(seen.endpoint)
    assert finding.expected
    assert finding.remediation


INJECTIONS = ("INJ-01", "INJ-02", "INJ-03")


@pytest.mark.parametrize(
    "check", ["PT-01", "PT-02", "PT-03", "PT-04", "PT-05", *INJECTIONS, "INJ-05"]
)
def test_ports_with_tls_at_once_are_not_asked(check: str) -> None:
    assert findings(check, port(*IMAPS, handshake=Handshake(0x0303, 0xC02F))) == []


NETWORKS = [
    (dovecot(), "pass", "high"),
    (dovecot(row("trusted_networks", "10.0.0.0/8")), "fail", "low"),
    (dovecot(row("trusted_networks", "10.0.0.0/8"), row("tls", "yes")), "fail", "high"),
    (dovecot(row("trusted_networks", "10.0.0.0/8"), version="2.3.19"), "fail", "high"),
    (dovecot(row("trusted_networks", None)), "not_checked", "high"),
]


@pytest.mark.parametrize(("server", "status", "severity"), NETWORKS)
def test_trusted_networks(server: Any, status: str, severity: str) -> None:
    (finding,) = findings("PT-08", server)
    assert (finding.status.value, finding.severity.value) == (status, severity)
    assert finding.subject == "dovecot trusted_networks" or "login_trusted" in finding.subject


def test_courier_trusts_no_network() -> None:
    assert findings("PT-08", courier()) == []
