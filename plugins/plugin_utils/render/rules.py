# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a value hard enough, and what would be: one rule for each field of the vocabulary. Pure.

A rule keeps what is at least as hard as the profile, so that a harder host is never made softer. A
value whose meaning is not known is not hard enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

from ...module_utils.config import vocabulary
from ...module_utils.model.configured import Effective, ServerConfig
from .. import registry
from ..policy import Profile

# Mozilla's generator writes the hybrid group from OpenSSL 3.5 on (src/js/state.js, tag v6.0);
# older ones refuse a list that names it, and with it every handshake.
_HYBRID_SINCE = {"openssl": (3, 5)}
_HYBRIDS = frozenset({"X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"})
# Harder than the classic groups of any profile: an administrator who chose them keeps them.
_HARDER = frozenset({"secp521r1", "X448"})

# What RFC 9325 section 4.2 recommends for TLS 1.2, for a profile without TLS 1.2 on a server that
# cannot leave it out.
RECOMMENDED = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)

# What the login log needs to show TLS version and cipher (Dovecot login_log_format_elements).
_LOG_EVIDENCE = {vocabulary.DOVECOT_23: "%k", vocabulary.DOVECOT_24: "%{ssl_security}"}


@dataclass(frozen=True)
class Target:
    """What is being planned for: the policy and the words of this server."""

    profile: Profile
    server: ServerConfig
    dialect: str

    @property
    def version(self) -> tuple[int, ...]:
        return vocabulary.parse_version(self.server.version or "")

    @property
    def ciphers(self) -> tuple[str, ...]:
        """The suites up to TLS 1.2, by OpenSSL's names; none where only TLS 1.3 is left."""
        limited = self.protocol_min == self.profile.protocol_min
        return self.profile.ciphers or (() if limited else RECOMMENDED)

    @property
    def suites(self) -> frozenset[int]:
        """The code points of ``ciphers``."""
        return frozenset(c for n in self.ciphers if (c := registry.openssl_to_code(n)))

    @property
    def groups(self) -> tuple[str, ...]:
        """The profile's groups that the linked library knows, in order."""
        library = self.server.tls_library
        since = _HYBRID_SINCE.get(library.name) if library else None
        version = vocabulary.parse_version(library.version or "") if library else ()
        hybrid = since is not None and version >= since
        return tuple(g for g in self.profile.groups if hybrid or g not in _HYBRIDS)

    @property
    def protocol_min(self) -> str:
        """The profile's floor, as far as this server can express it."""
        floor = self.profile.protocol_min
        # TLSv1.3 is a word of ssl_min_protocol since Dovecot 2.3.15 (NEWS).
        if floor == "TLSv1.3" and self.dialect == vocabulary.DOVECOT_23:
            return floor if self.version >= (2, 3, 15) else "TLSv1.2"
        if floor == "TLSv1.3" and self.dialect == vocabulary.COURIER_OPENSSL:
            return "TLSv1.2"
        return floor


def _protocol_enough(row: Effective, target: Target) -> bool:
    order = vocabulary.PROTOCOLS
    return row.value in order and order.index(row.value) >= order.index(target.protocol_min)


def _ciphers_enough(row: Effective, target: Target) -> bool:
    suites = row.expansion.suites if row.expansion else None
    if not target.ciphers:  # TLS 1.3 alone: this list is never used
        return True
    # Where a library was asked for all at once, TLS 1.3 suites are among them; they are not of it.
    listed = {code for code in suites or () if code >> 8 != 0x13}
    return bool(listed) and listed <= target.suites


def _suites_enough(row: Effective, target: Target) -> bool:
    suites = row.expansion.suites if row.expansion else None
    allowed = {registry.openssl_to_code(n) for n in target.profile.cipher_suites}
    return not row.native or (bool(suites) and set(suites or ()) <= allowed)


def _groups_enough(row: Effective, target: Target) -> bool:
    groups = row.expansion.groups if row.expansion else None
    if groups is None:  # a library that could not be asked may have a hybrid in its default
        return not row.native
    hybrids = {registry.group_code(g) for g in _HYBRIDS}
    allowed = hybrids | {registry.group_code(g) for g in (*target.groups, *_HARDER)}
    quantum_safe = not _HYBRIDS.intersection(target.groups) or hybrids.intersection(groups)
    if not row.native:  # the library's own default; TLS-06 takes it too
        return bool(quantum_safe)
    return bool(groups and quantum_safe) and set(groups) <= allowed


def _priority_enough(row: Effective, target: Target) -> bool:
    expansion = row.expansion
    if row.value is None or not expansion or not expansion.versions or expansion.suites is None:
        return False
    # Any suite of TLS 1.3 will do, as for TLS-04; else one would cost a host its floor of TLS 1.3.
    listed = {code for code in expansion.suites if code >> 8 != 0x13}
    floor = vocabulary.CODE_POINTS[target.profile.protocol_min]
    return min(expansion.versions) >= floor and listed <= target.suites


def _log_enough(row: Effective, target: Target) -> bool:
    return any(mark in row.native for mark in _LOG_EVIDENCE.values())


@dataclass(frozen=True)
class Rule:
    """One field: whether a row is at least as hard as the profile, and the value that is.

    A weaker assignment in a narrower scope is neutralised.
    """

    enough: Callable[[Effective, Target], bool]
    value: Callable[[Target], Optional[str]]


def _log_value(target: Target) -> Optional[str]:
    """The present elements, and the evidence before ``session=``.

    fail2ban's filters for Dovecot (1.0 and 1.1) want the session at the end of the line and see no
    failed login otherwise.
    """
    row = target.server.value("login_log")
    if row is None:
        return None
    words = row.native.split()
    last = next((i for i, word in enumerate(words) if word.startswith("session=")), len(words))
    return " ".join([*words[:last], _LOG_EVIDENCE[target.dialect], *words[last:]])


_TLS = Rule(lambda r, t: r.value == "required", lambda t: "required")
_PLAINTEXT = Rule(lambda r, t: r.value == "no", lambda t: "no")
PROTOCOL = Rule(_protocol_enough, lambda t: t.protocol_min)
CIPHERS = Rule(_ciphers_enough, lambda t: ":".join(t.ciphers) or None)
_SUITES = Rule(_suites_enough, lambda t: ":".join(t.profile.cipher_suites))
_GROUPS = Rule(_groups_enough, lambda t: ":".join(t.groups))
_LOG = Rule(_log_enough, _log_value)

DOVECOT_RULES: dict[str, Rule] = {
    "tls": _TLS,
    "plaintext_login": _PLAINTEXT,
    "protocol_min": PROTOCOL,
    "ciphers": CIPHERS,
    "cipher_suites": _SUITES,
    "groups": _GROUPS,
    "login_log": _LOG,
}

ON = Rule(lambda r, t: r.value == "yes", lambda t: "yes")
PRIORITY = Rule(_priority_enough, lambda t: t.profile.gnutls_priority)


def notes(target: Target) -> list[str]:
    """What this server cannot do, in sentences."""
    wanted, possible = target.profile.protocol_min, target.protocol_min
    if wanted == possible:
        return []
    return [
        (
            f"{target.server.product.value} {target.server.version} cannot be limited to {wanted}; "
            f"it is set to {possible}. A newer release can."
        )
    ]
