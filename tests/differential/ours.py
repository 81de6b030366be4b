# Copyright (c) 2026, The postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What our own probe says at depth full, as a view.

A port without TLS (STARTTLS is not to be had) offers no version. A version that is not offered has
no suites and no groups; a list that is not complete is no answer.
"""

from __future__ import annotations

from typing import Optional

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    EndpointObservation,
    Inventory,
    Listing,
)
from ansible_collections.postmaster.tls.plugins.module_utils.wire.suites import (
    FF_GROUPS,
    HYBRID_GROUPS,
)

from .view import (
    CURVES,
    FIELDS,
    KEMS,
    LISTED,
    NONE,
    Names,
    View,
    groups,
    groups_of,
    offered,
    suites,
    suites_of,
)

TOOL = "probe"
HELLOS = {
    "SSLv3": "ssl3",
    "TLSv1": "tls1.0",
    "TLSv1.1": "tls1.1",
    "TLSv1.2": "tls1.2",
    "TLSv1.3": "tls1.3",
}
CODES = {"SSLv3": 0x0300, "TLSv1": 0x0301, "TLSv1.1": 0x0302, "TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


def view(seen: EndpointObservation) -> View:
    """All topics that any tool asks for."""
    without_tls = seen.open is True and seen.starttls is False
    inventory = seen.inventory or Inventory(ssl2=False if without_tls else None)
    listings = {listing.version: listing for listing in inventory.listings}
    topics: dict[str, Names] = {"SSLv2": offered(inventory.ssl2)}
    codes: set[int] = set()
    for version in LISTED:
        answer = False if without_tls else _accepted(seen, version)
        listing = listings.get(CODES[version])
        topics[version] = offered(answer)
        topics[suites_of(version)] = _listed(answer, listing, "suites")
        topics[groups_of(version)] = _listed(answer, listing, "groups")
        codes.update(listing.groups if listing else ())
    known = all(topics[groups_of(version)] is not None for version in LISTED)
    kinds = {
        CURVES: codes.difference(HYBRID_GROUPS, FF_GROUPS),
        FIELDS: codes.intersection(FF_GROUPS),
        KEMS: codes.intersection(HYBRID_GROUPS),
    }
    topics.update({kind: groups(found) if known else None for kind, found in kinds.items()})
    return View(TOOL, "", topics)


def _accepted(seen: EndpointObservation, version: str) -> Optional[bool]:
    offer = seen.offer(HELLOS[version])
    return offer.accepted if offer is not None else None


def _listed(answer: Optional[bool], listing: Optional[Listing], what: str) -> Names:
    if answer is False:
        return NONE
    if listing is None or not listing.complete:
        return None
    return suites(listing.suites) if what == "suites" else groups(listing.groups)
