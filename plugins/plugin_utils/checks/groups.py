# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which groups do a port and a configuration agree on keys with? TLS-06.

A hybrid with ML-KEM is expected only where the linked library has one. Sources: RFC 9325 sections
4.2.1 and 4.5; RFC 8446 section 9.1; Mozilla Server Side TLS 6.0, by way of the profile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from ...module_utils.config.vocabulary import parse_version
from ...module_utils.model.configured import ServerConfig, TlsLibrary
from ...module_utils.model.observed import EndpointObservation
from ...module_utils.model.posture import Posture, Severity
from ..registry import GROUPS, group_code, group_name
from .base import (
    CheckFunction,
    Subject,
    Verdict,
    failed,
    not_applicable,
    on_ports,
    on_servers,
    passed,
    scope_name,
    unseen,
    where,
)
from .tls import listings

WEAK_GROUP_BITS = 224


def live_group(seen: EndpointObservation, subject: Subject) -> Verdict:
    """TLS-06, seen from outside: the group that a port chooses."""
    offers = [o for o in (seen.offer("tls1.3"), seen.offer("tls1.2")) if o]
    groups = [o.group for o in offers if o.group is not None]
    if not groups:
        if offers and all(o.accepted is False for o in offers):
            return not_applicable("neither TLS 1.2 nor TLS 1.3 is spoken")
        return unseen("the key exchange group", [o.failure for o in offers])
    weak = [g for g in groups if _weak(g)]
    expected = f"one of {', '.join(subject.profile.groups)}"
    if weak:
        return failed(f"{group_name(weak[0])} chosen", expected, Severity.HIGH)
    listed = {group_name(g) for listing in listings(seen) for g in listing.groups if _weak(g)}
    if listed:
        return failed(f"{', '.join(sorted(listed))} accepted", expected, Severity.HIGH)
    tls13 = seen.offer("tls1.3")
    if tls13 and tls13.group is not None and not _hybrid(tls13.group):
        return _classical(tls13.group, subject)
    return passed(f"{', '.join(dict.fromkeys(map(group_name, groups)))} chosen", expected)


def _classical(group: int, subject: Subject) -> Verdict:
    actual = f"{group_name(group)} chosen"
    if _wants_hybrid(subject) and not _all_without_hybrid(subject.posture):
        expected = "a hybrid with ML-KEM, where the TLS library has it"
        return failed(f"{actual}, no hybrid with ML-KEM", expected, Severity.INFO)
    return passed(f"{actual}; no hybrid is expected of the linked TLS library")


def _wants_hybrid(subject: Subject) -> bool:
    return any(_hybrid(group_code(name) or 0) for name in subject.profile.groups)


def _all_without_hybrid(posture: Posture) -> bool:
    """Whether every server of the host is linked to a library known to have no hybrid."""
    libraries = [server.tls_library for server in posture.servers]
    return bool(libraries) and all(has_hybrid(library) is False for library in libraries)


def has_hybrid(library: Optional[TlsLibrary]) -> Optional[bool]:
    """Whether a TLS library has X25519MLKEM768: OpenSSL from 3.5 on; ``None`` = not known.

    Of GnuTLS it is not expected: it has the group only where it was built with another library
    (Debian 13's 3.8.9 was not).
    """
    if library is None or library.version is None:
        return None
    return library.name == "openssl" and parse_version(library.version) >= (3, 5)


def configured_groups(server: ServerConfig, subject: Subject) -> Iterator[Verdict]:
    """TLS-06, as configured: the groups that a native string means to the linked library."""
    for row in server.effective:
        if row.field not in ("groups", "priority") or row.expansion is None:
            continue
        if row.expansion.groups is not None:
            verdict = _group_list(row.expansion.groups, server, subject, where(row))
            name = scope_name(server, row.scope)
            yield Verdict(
                verdict.status,
                verdict.actual,
                verdict.expected,
                verdict.evidence,
                verdict.severity,
                subject=name,
            )


def _group_list(
    groups: tuple[int, ...], server: ServerConfig, subject: Subject, shown: str
) -> Verdict:
    profile = [code for code in map(group_code, subject.profile.groups) if code is not None]
    weak = [group_name(g) for g in groups if _weak(g)]
    expected = f"{', '.join(subject.profile.groups)}, as far as the library has them"
    if weak:
        return failed(f"weak groups: {', '.join(weak)}", expected, Severity.HIGH, (shown,))
    if not {group_code("x25519"), group_code("secp256r1")} & set(groups):
        actual = "neither X25519 nor P-256 is there, clients stay out"
        return failed(actual, expected, Severity.MEDIUM, (shown,))
    hybrid = any(_hybrid(code) for code in profile)
    if hybrid and has_hybrid(server.tls_library) and not any(map(_hybrid, groups)):
        actual = "the library has a hybrid with ML-KEM, the list leaves it out"
        return failed(actual, expected, Severity.INFO, (shown,))
    return passed(", ".join(map(group_name, groups)), expected, (shown,))


def _weak(group: int) -> bool:
    return group in GROUPS and GROUPS[group].bits < WEAK_GROUP_BITS


def _hybrid(group: int) -> bool:
    return group in GROUPS and GROUPS[group].hybrid


def groups(subject: Subject) -> Iterator[Verdict]:
    """TLS-06: from outside and as configured."""
    yield from on_ports(live_group)(subject)
    yield from on_servers(configured_groups)(subject)


TABLE: dict[str, CheckFunction] = {"TLS-06": groups}
