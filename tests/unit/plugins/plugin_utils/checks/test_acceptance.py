# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Would a mail program take it: trust, purpose, mail domains, staples."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Chain, Inventory
from ansible_collections.postmaster.tls.plugins.plugin_utils.trust import Trust
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    CA,
    EMAIL,
    IMAPS,
    LEAF,
    NAME,
    POP3,
    SELF_SIGNED,
    SERVER_AUTH,
    SIEVE,
    certificate,
    findings,
    port,
    srv,
    unseen,
)

DOMAIN = "example.org"
BOTH = certificate(names=(NAME, DOMAIN))
SRV = certificate(services=(srv("_imaps.example.org"), srv("_sieve.example.org")))
NOT_SRV = certificate(services=(b"\x0c\x12_imaps.example.org", b"\x30\x00"))
STAPLE = certificate(staple=True)
OTHER = certificate(issuer="House CA", kind="rsa2048")


def served(*chain: str, where: Any = IMAPS, **changes: Any) -> Any:
    return port(*where, chain=chain, **changes)


def stapling(staple: Any, leaf: str = STAPLE) -> Any:
    return served(leaf, CA, inventory=Inventory(ocsp_staple=staple))


PORTS = [
    # check, port, status, severity, a word of what is said
    ("CRT-07", served(BOTH, CA), "pass", "low", "every mail domain"),
    ("CRT-07", served(LEAF, CA), "fail", "low", "example.org not covered"),
    ("CRT-07", served(certificate(names=("*.example.org",)), CA), "fail", "low", DOMAIN),
    ("CRT-07", served(SRV, CA), "pass", "low", ""),
    ("CRT-07", served(SRV, CA, where=SIEVE), "pass", "low", ""),
    ("CRT-07", served(SRV, CA, where=POP3), "fail", "low", "not covered"),
    ("CRT-07", served(NOT_SRV, CA), "fail", "low", "not covered"),
    ("CRT-10", served(LEAF, CA), "pass", "medium", "CN=Example Root"),
    ("CRT-10", served(LEAF), "fail", "medium", "no authority"),
    ("CRT-10", served(OTHER), "fail", "medium", "no authority"),
    ("CRT-10", served(SELF_SIGNED), "not_applicable", "medium", "CRT-05"),
    ("CRT-10", served(certificate(names=()), CA), "not_checked", "medium", "CRT-03"),
    ("CRT-10", served(certificate(days=90, age=91), CA), "pass", "medium", ""),
    ("CRT-11", served(LEAF, CA), "pass", "high", "allowed"),
    ("CRT-11", served(certificate(purposes=(SERVER_AUTH, EMAIL), signs=True)), "pass", "high", ""),
    ("CRT-11", served(certificate(purposes=(EMAIL,))), "fail", "high", "emailProtection"),
    ("CRT-11", served(certificate(purposes=("2.5.29.37.0",))), "pass", "high", ""),
    ("CRT-11", served(certificate(signs=False)), "fail", "high", "digitalSignature"),
    ("CRT-12", served(LEAF, CA), "not_applicable", "high", ""),
    ("CRT-12", served(STAPLE, CA), "not_checked", "high", "depth full"),
    ("CRT-12", stapling(True), "pass", "high", ""),
    ("CRT-12", stapling(False), "fail", "high", "none is served"),
    ("CRT-12", stapling(None), "not_checked", "high", ""),
    ("CRT-12", stapling(False, LEAF), "not_applicable", "high", ""),
]


@pytest.mark.parametrize(("check", "seen", "status", "severity", "word"), PORTS)
def test_port(check: str, seen: Any, status: str, severity: str, word: str) -> None:
    (finding,) = findings(check, seen, domains=(DOMAIN,))
    assert (finding.status.value, finding.severity.value) == (status, severity), finding
    assert word in finding.actual
    assert finding.subject == str(seen.endpoint)


@pytest.mark.parametrize("check", ["CRT-07", "CRT-10", "CRT-11", "CRT-12"])
def test_no_chain(check: str) -> None:
    assert findings(check, unseen())[0].status.value == "not_checked"


def test_what_is_not_told_is_not_judged() -> None:
    assert findings("CRT-07", served(LEAF, CA))[0].status.value == "not_applicable"
    assert findings("CRT-10", served(LEAF, CA), trust=None)[0].status.value == "not_checked"


def test_a_self_signed_certificate_may_be_trusted() -> None:
    pinned = Trust("a file", (SELF_SIGNED,))
    assert findings("CRT-10", served(SELF_SIGNED), trust=pinned)[0].status.value == "pass"


@pytest.mark.parametrize(
    ("asked_by", "status"), [("suites", "fail"), ("signatures", "fail"), ("unknown_name", "pass")]
)
def test_the_chain_for_the_other_key_is_judged_too(asked_by: str, status: str) -> None:
    """Not those that are served for other names: these need not be good for this one."""
    seen = served(LEAF, CA, inventory=Inventory(chains=(Chain(asked_by, (OTHER,)),)))
    assert findings("CRT-10", seen)[0].status.value == status
