# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of versions, suites, groups and extensions."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Failure,
    Handshake,
    Inventory,
    Listing,
    Offer,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.checks.tls import (
    accepted_versions,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    IMAPS,
    findings,
    port,
    tls12,
    tls13,
    unseen,
    with_offers,
)

TIMEOUT = Failure("hello", "timeout")
NEITHER = (Offer("tls1.2", False), Offer("tls1.3", False))


def imaps(*offers: Offer, **changes: Any) -> Any:
    """Port 993 as it should be but for these offers."""
    return port(*IMAPS, offers=with_offers(*offers), **changes)


def without(name: str, **changes: Any) -> Any:
    """Port 993 where one offer was not made."""
    offers = tuple(o for o in with_offers() if o.name != name)
    return port(*IMAPS, offers=offers, **changes)


def listed(**changes: Any) -> Any:
    """Port 993 with a list of TLS 1.2."""
    return imaps(inventory=Inventory(listings=(Listing(0x0303, **changes),)))


def tls13_only(asked: Optional[bool]) -> Any:
    """Port 993 that speaks TLS 1.3 only and asks for a client certificate or not."""
    return imaps(Offer("tls1.2", False), inventory=Inventory(client_certificate=asked))


IGNORES, CHOOSES = Handshake(0x0304, 0x1302, ""), Handshake(0x0304, 0x1302, "imap")


PORTS = [
    # check, profile, port, status, severity, a word of what is said
    ("TLS-01", "", imaps(), "pass", "high", ""),
    ("TLS-01", "", imaps(Offer("tls1.0", True, 0x0301)), "fail", "high", "TLSv1 accepted"),
    ("TLS-01", "", imaps(Offer("ssl3", True), Offer("tls1.1", None)), "fail", "high", "SSLv3"),
    ("TLS-01", "", imaps(handshake=Handshake(0x0302, 0x2F)), "fail", "high", "TLSv1.1"),
    ("TLS-01", "", imaps(Offer("broken", True, 0x0301, 5)), "fail", "high", "TLSv1 "),
    ("TLS-01", "", imaps(Offer("tls1.1", None, failure=TIMEOUT)), "error", "high", "timeout"),
    ("TLS-01", "", imaps(Offer("tls1.1", None)), "not_checked", "high", ""),
    ("TLS-01", "", without("ssl3"), "not_checked", "high", ""),
    ("TLS-01", "modern", imaps(), "fail", "medium", "TLSv1.2 accepted"),
    ("TLS-01", "modern", imaps(Offer("tls1.2", False), tls13()), "pass", "high", ""),
    ("TLS-02", "", imaps(), "pass", "medium", ""),
    ("TLS-02", "", imaps(Offer("tls1.3", False), handshake=None), "fail", "medium", "TLSv1.3"),
    ("TLS-02", "", imaps(Offer("tls1.2", False)), "fail", "info", "TLSv1.2 refused"),
    ("TLS-02", "", imaps(Offer("tls1.3", None), handshake=None), "not_checked", "medium", ""),
    ("TLS-02", "modern", imaps(Offer("tls1.2", False)), "pass", "medium", ""),
    ("TLS-03", "", imaps(), "pass", "high", ""),
    ("TLS-03", "", imaps(Offer("broken", True, 0x0303, 0x0005)), "fail", "high", "RC4"),
    ("TLS-03", "", imaps(Offer("broken", True, 0x0303, 0x0001)), "fail", "critical", "NULL"),
    ("TLS-03", "", imaps(Offer("broken", True)), "fail", "high", "the offer broken"),
    ("TLS-03", "", imaps(Offer("tls1.0", True, 0x0301, 0x000A)), "fail", "high", "3DES"),
    ("TLS-03", "", imaps(handshake=Handshake(0x0301, 0x0018)), "fail", "critical", "anon"),
    ("TLS-03", "", without("broken"), "not_checked", "high", ""),
    ("TLS-04", "", imaps(), "pass", "medium", ""),
    ("TLS-04", "", imaps(Offer("static_rsa", True, 0x0303, 0x2F)), "fail", "medium", "static RSA"),
    ("TLS-04", "", imaps(Offer("cbc", True, 0x0303, 0xC013)), "fail", "low", "CBC (TLS_ECDHE_RSA"),
    ("TLS-04", "", imaps(Offer("dhe", True), Offer("cbc", True)), "fail", "low", "DHE, CBC"),
    ("TLS-04", "", imaps(Offer("cbc", None, failure=TIMEOUT)), "error", "medium", ""),
    ("TLS-04", "", without("dhe"), "not_checked", "medium", ""),
    ("TLS-05", "", imaps(), "pass", "high", "refused"),
    ("TLS-05", "", imaps(Offer("dhe", True, dh_bits=2048)), "pass", "high", "2048"),
    ("TLS-05", "", imaps(Offer("dhe", True, dh_bits=1024)), "fail", "high", "1024"),
    ("TLS-05", "", imaps(Offer("dhe", True)), "not_checked", "high", ""),
    ("TLS-05", "", without("dhe"), "not_checked", "high", ""),
    ("TLS-07", "", imaps(), "pass", "high", ""),
    ("TLS-07", "", imaps(tls12(extensions=(0xFF01,))), "fail", "high", "extended master"),
    ("TLS-07", "", imaps(tls12(extensions=(23,))), "fail", "high", "renegotiation"),
    ("TLS-07", "", imaps(tls12(compression=1)), "fail", "high", "compression"),
    ("TLS-07", "", imaps(tls12(compression=None)), "not_checked", "high", ""),
    ("TLS-07", "", imaps(Offer("tls1.2", False)), "not_applicable", "high", ""),
    ("TLS-07", "", imaps(tls12(version=0x0302)), "not_applicable", "high", "TLSv1.1"),
    ("TLS-07", "", without("tls1.2"), "not_checked", "high", ""),
    ("TLS-08", "", imaps(), "pass", "low", ""),
    ("TLS-08", "", imaps(Offer("alpn", True)), "fail", "low", ""),
    ("TLS-08", "", without("alpn"), "not_checked", "low", ""),
    ("TLS-08", "", without("alpn", handshake=IGNORES), "fail", "low", "ignored"),
    ("TLS-08", "", without("alpn", handshake=CHOOSES), "not_checked", "low", ""),
    (
        "TLS-08",
        "",
        port(*IMAPS, handshake=None, offers=(Offer("alpn", False),)),
        "not_checked",
        "low",
        "not turned away",
    ),
    ("TLS-10", "", imaps(), "pass", "medium", ""),
    ("TLS-10", "", imaps(tls12(client_certificate=True)), "fail", "medium", "asked for"),
    (
        "TLS-10",
        "",
        imaps(tls12(client_certificate=True), mechanisms_tls=("EXTERNAL",)),
        "pass",
        "medium",
        "EXTERNAL",
    ),
    ("TLS-10", "", imaps(tls12(client_certificate=None)), "not_checked", "medium", ""),
    ("TLS-11", "", imaps(), "pass", "medium", "rsa_pss"),
    ("TLS-11", "", imaps(tls12(signature=0x0201)), "fail", "medium", "sha1"),
    ("TLS-11", "", imaps(tls12(signature=None)), "not_checked", "medium", ""),
    # What depth full adds
    ("TLS-10", "", tls13_only(True), "fail", "medium", "asked for"),
    ("TLS-10", "", tls13_only(False), "pass", "medium", ""),
    ("TLS-10", "", tls13_only(None), "not_applicable", "medium", "hides"),
    ("TLS-01", "", imaps(inventory=Inventory(ssl2=True)), "fail", "high", "SSLv2 accepted"),
    ("TLS-01", "", imaps(inventory=Inventory(ssl2=False)), "pass", "high", ""),
    ("TLS-05", "", listed(dh_bits=(1024, 2048)), "fail", "high", "1024"),
    ("TLS-05", "", listed(dh_bits=(2048,)), "pass", "high", "2048"),
    ("TLS-11", "", listed(signatures=(0x0804, 0x0401)), "pass", "medium", "rsa_pss"),
    (
        "TLS-11",
        "",
        listed(signatures=(0x0804, 0x0201)),
        "fail",
        "low",
        "rsa_pkcs1_sha1 for who asks",
    ),
]


@pytest.mark.parametrize(("check", "profile", "seen", "status", "severity", "word"), PORTS)
def test_port(check: str, profile: str, seen: Any, status: str, severity: str, word: str) -> None:
    (finding,) = findings(check, seen, profile=profile or "intermediate")
    assert (finding.status.value, finding.severity.value) == (status, severity), finding
    assert word in finding.actual
    assert finding.subject == str(seen.endpoint)


@pytest.mark.parametrize("check", [f"TLS-{n:02}" for n in (1, 2, 3, 4, 5, 7, 8, 10, 11)])
def test_nothing_seen_is_not_checked(check: str) -> None:
    (finding,) = findings(check, unseen())
    assert finding.status.value == "not_checked"


def test_accepted_versions_come_oldest_first() -> None:
    seen = imaps(Offer("ssl3", True), handshake=Handshake(0x0304, 0x1301))
    assert accepted_versions(seen) == ("SSLv3", "TLSv1.2", "TLSv1.3")
