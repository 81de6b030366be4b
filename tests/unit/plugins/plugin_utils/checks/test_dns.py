# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does DNS lead to TLS and to the key that is served."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.posture import DnsAnswer
from ansible_collections.postmaster.tls.plugins.plugin_utils.dane import record_for
from ansible_collections.postmaster.tls.plugins.plugin_utils.resolver import MISSING
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    CA,
    IMAPS,
    LEAF,
    NAME,
    certificate,
    findings,
    port,
)

DOMAIN = "example.org"
SERVED = port(*IMAPS, chain=(LEAF, CA))
KEY = record_for(base64.b64decode(LEAF))
AUTHORITY = "2" + record_for(base64.b64decode(CA))[1:]
STRANGER = certificate(kind="rsa2048")
OTHER = record_for(base64.b64decode(STRANGER))


def srv(plain: Optional[tuple[str, ...]], implicit: Optional[tuple[str, ...]]) -> Any:
    return (
        DnsAnswer(f"_imap._tcp.{DOMAIN}", "SRV", plain, True, "no answer" if plain is None else ""),
        DnsAnswer(f"_imaps._tcp.{DOMAIN}", "SRV", implicit, True),
    )


def tlsa(*records: str, validated: Optional[bool] = True, where: int = 993) -> Any:
    return (DnsAnswer(f"_{where}._tcp.{NAME}", "TLSA", records, validated),)


A, B, NO = f"0 1 143 {NAME}.", f"10 1 143 {NAME}.", "0 0 0 ."
S, T = f"0 1 993 {NAME}.", f"10 1 993 {NAME}."
CASES = [
    # what DNS says, status, severity, a word of what is said
    (srv((), ()), "not_applicable", "medium", "no SRV"),
    (srv((NO,), ()), "not_applicable", "medium", "not offered"),
    (srv((), (S,)), "pass", "medium", "not offered"),
    (srv((NO,), (S,)), "pass", "medium", "not offered"),
    (srv((B,), (S,)), "pass", "medium", "0 before 10"),
    (srv((A,), (T, S)), "fail", "low", "both 0"),
    (srv((A,), (T,)), "fail", "medium", "0 before 10"),
    (srv((A,), ()), "fail", "medium", "only STARTTLS"),
    (srv((A,), (NO,)), "fail", "medium", "only STARTTLS"),
    (srv(None, (S,)), "error", "low", "no answer"),
    (
        (DnsAnswer(f"_993._tcp.{NAME}", "TLSA", None, None, MISSING),),
        "not_checked",
        "medium",
        "dnspython",
    ),
    (tlsa(), "not_applicable", "medium", "no TLSA"),
    (tlsa(KEY), "pass", "medium", "vouches"),
    (tlsa(OTHER, AUTHORITY), "pass", "medium", "vouches"),
    (tlsa(KEY, validated=False), "fail", "medium", "without DNSSEC"),
    (tlsa(KEY, validated=None), "not_checked", "medium", "does not check"),
    (tlsa(OTHER), "fail", "high", "no record names"),
    (tlsa(OTHER, validated=None), "fail", "high", "no record names"),
    (tlsa("2 1 0 00"), "not_checked", "medium", "in full"),
    (tlsa("3 1 9 00", "hostile"), "fail", "high", "no record names"),
    (tlsa(KEY, where=995), "not_checked", "medium", "not observed"),
    ((), "not_checked", "medium", "mail_tls_resolver"),
]


@pytest.mark.parametrize(("answers", "status", "severity", "word"), CASES)
def test_case(answers: Any, status: str, severity: str, word: str) -> None:
    (finding,) = findings("DNS-01", SERVED, domains=(DOMAIN,), dns=answers)
    assert (finding.status.value, finding.severity.value) == (status, severity), finding
    assert word in finding.actual


def test_without_names_there_is_nothing_to_ask() -> None:
    (finding,) = findings("DNS-01", SERVED, names=(), dns=())
    assert finding.status.value == "not_applicable"


def test_the_cure_is_the_record_to_publish() -> None:
    (finding,) = findings("DNS-01", SERVED, dns=tlsa(OTHER))
    assert KEY in finding.remediation


def test_one_address_that_serves_another_key_is_enough() -> None:
    other = port(*IMAPS, chain=(STRANGER,))
    other = replace(other, endpoint=replace(other.endpoint, host="192.0.2.2"))
    (finding,) = findings("DNS-01", SERVED, other, dns=tlsa(KEY))
    assert (finding.status.value, "192.0.2.2" in finding.actual) == ("fail", True)
