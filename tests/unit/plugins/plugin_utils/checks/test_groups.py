# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of groups, from outside and as configured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Expansion,
    TlsLibrary,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Inventory,
    Listing,
    Offer,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.checks.groups import has_hybrid
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    GROUPS,
    IMAPS,
    courier,
    dovecot,
    findings,
    port,
    row,
    tls12,
    tls13,
    unseen,
    with_offers,
)


def imaps(*offers: Offer, **changes: Any) -> Any:
    """Port 993 as it should be but for these offers."""
    return port(*IMAPS, offers=with_offers(*offers), **changes)


def listed(*groups: int) -> Any:
    """Port 993 with a list of TLS 1.2."""
    return imaps(inventory=Inventory(listings=(Listing(0x0303, groups=groups),)))


PORTS = [
    ("TLS-06", "", imaps(), "pass", "medium", "X25519MLKEM768"),
    ("TLS-06", "", imaps(tls13(group=29)), "fail", "info", "no hybrid"),
    ("TLS-06", "", imaps(tls13(group=19)), "fail", "high", "secp192r1"),
    ("TLS-06", "", imaps(tls13(group=None), tls12(group=None)), "not_checked", "medium", ""),
    (
        "TLS-06",
        "",
        imaps(Offer("tls1.2", False), Offer("tls1.3", False)),
        "not_applicable",
        "medium",
        "",
    ),
    ("TLS-06", "", listed(29, 23), "pass", "medium", "X25519MLKEM768"),
    ("TLS-06", "", listed(29, 23, 19), "fail", "high", "secp192r1 accepted"),
]


@pytest.mark.parametrize(("check", "profile", "seen", "status", "severity", "word"), PORTS)
def test_port(check: str, profile: str, seen: Any, status: str, severity: str, word: str) -> None:
    (finding,) = findings(check, seen, profile=profile or "intermediate")
    assert (finding.status.value, finding.severity.value) == (status, severity), finding
    assert word in finding.actual
    assert finding.subject == str(seen.endpoint)


def test_nothing_seen_is_not_checked() -> None:
    (finding,) = findings("TLS-06", unseen())
    assert finding.status.value == "not_checked"


# Without a hybrid, a port fails only where the linked library could have one.
LIBRARIES = [
    (TlsLibrary("openssl", "3.5.4"), True, "fail"),
    (TlsLibrary("openssl", "3.0.19"), False, "pass"),
    (TlsLibrary("openssl", "1.1.1w"), False, "pass"),
    (TlsLibrary("gnutls", "3.8.9"), False, "pass"),
    (TlsLibrary("openssl", None), None, "fail"),
    (None, None, "fail"),
]


@pytest.mark.parametrize(("library", "known", "status"), LIBRARIES)
def test_hybrid(library: Optional[TlsLibrary], known: Optional[bool], status: str) -> None:
    assert has_hybrid(library) is known
    server = replace(dovecot(), tls_library=library, effective=())
    (finding,) = findings("TLS-06", imaps(tls13(group=29)), server)
    assert finding.status.value == status


CONFIGURED = [
    (GROUPS, "pass", "medium"),
    ((29, 23), "fail", "info"),
    ((4588, 24), "fail", "medium"),
    ((4588, 29, 21), "pass", "medium"),
    ((4588, 29, 19), "fail", "high"),
]


@pytest.mark.parametrize(("groups", "status", "severity"), CONFIGURED)
def test_configured_groups(groups: tuple[int, ...], status: str, severity: str) -> None:
    server = dovecot(row("groups", "…", expansion=Expansion(groups=groups)))
    (finding,) = findings("TLS-06", server)
    assert (finding.status.value, finding.severity.value) == (status, severity)


def test_groups_without_expansion_say_nothing() -> None:
    assert findings("TLS-06", dovecot(row("groups", "X25519"))) == []
    assert [f.status.value for f in findings("TLS-06", courier())] == ["pass"]
