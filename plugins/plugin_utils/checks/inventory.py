# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of what only depth ``full`` sees; where it was not asked for, they say nothing.

What such an inventory adds to a promise that depth ``judge`` keeps as well (weak groups, small DH,
SSL 2.0, signatures with SHA-1) is judged there, in tls.py.
Sources: RFC 9325 section 3.7; RFC 6066 section 3; RFC 5746 section 5; CVE-2011-1473.
"""

from __future__ import annotations

from ...module_utils.model.observed import EndpointObservation, Inventory
from ..registry import version_name
from .base import (
    CheckFunction,
    Subject,
    Verdict,
    failed,
    not_applicable,
    on_inventories,
    passed,
    unseen,
)

TLS13 = 0x0304


def unknown_name(found: Inventory, seen: EndpointObservation, _subject: Subject) -> Verdict:
    """TLS-09: who asks for a name that the server does not have is told so."""
    expected = "a handshake with an unknown name is ended by unrecognized_name"
    if found.unknown_name is None:
        return unseen("a handshake with an unknown name", seen.failures)
    if found.unknown_name:
        return failed("a name that nobody has is served", expected)
    return passed("it is refused", expected)


def renegotiation(found: Inventory, seen: EndpointObservation, _subject: Subject) -> Verdict:
    """TLS-12: a client cannot make the server shake hands again and again."""
    versions = [listing.version for listing in found.listings]
    if versions and min(versions) >= TLS13:
        return not_applicable(f"{version_name(TLS13)} has no renegotiation")
    if found.renegotiation is None:
        return unseen("a renegotiation that the client begins", seen.failures)
    expected = "a renegotiation that the client begins is refused"
    if found.renegotiation:
        return failed("it is carried out (tried once)", expected)
    return passed("it is refused", expected)


TABLE: dict[str, CheckFunction] = {
    "TLS-09": on_inventories(unknown_name),
    "TLS-12": on_inventories(renegotiation),
}
