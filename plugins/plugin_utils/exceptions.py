# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exceptions: somebody answers for a network or a user that would be locked out. Pure.

One for a network is also written into the server's configuration (render/exceptions.py), so that
its clients keep what they use. No server knows a user's name before the login that it refuses, so
one for a user changes nothing on the server: it says that this loss is known. Both end with a day,
and from the day after on they count for nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Optional

from ..module_utils.config.networks import Network, holds

# What an exception allows → the changes it is one from (impact/changes.py), and the checks that its
# scope fails.
ALLOWS: dict[str, frozenset[str]] = {
    "plaintext": frozenset({"plaintext", "trusted_network", "sasl_without_tls"}),
    "old_tls": frozenset({"protocol", "suite"}),
}
CHECKS: dict[str, tuple[str, ...]] = {
    "plaintext": ("CFG-01", "CFG-02"),
    "old_tls": ("CFG-03", "CFG-04"),
}
_KEYS = {"network", "user", "allow", "reason", "until"}
# The checks that a port fails where it is looked at from a network with an exception.
SEEN: dict[str, tuple[str, ...]] = {
    "plaintext": ("PT-01", "PT-02", "PT-03", "PT-04"),
    "old_tls": ("TLS-01", "TLS-04"),
}


class ExceptionError(ValueError):
    """An exception in the inventory that cannot be used; the message is a sentence."""


@dataclass(frozen=True)
class Exemption:
    """An exception for a network or a user. ``until`` is its last day."""

    allow: str
    reason: str
    until: date
    network: Optional[Network] = None
    user: Optional[str] = None

    def in_force(self, today: date) -> bool:
        """Whether its last day has not passed."""
        return today <= self.until

    def covers(self, kind: str, user: Optional[str], addresses: Sequence[str]) -> bool:
        """Whether it answers for a loss of this kind of this user from these addresses."""
        if kind not in ALLOWS[self.allow]:
            return False
        if self.user is not None:
            return self.user == user
        return bool(addresses) and all(self.holds(address) for address in addresses)

    def holds(self, address: str) -> bool:
        """Whether an address is in its network."""
        try:
            return self.network is not None and ipaddress.ip_address(address) in self.network
        except ValueError:
            return False


def read_exceptions(data: Any) -> tuple[Exemption, ...]:
    """Exceptions from the inventory. Raises :class:`ExceptionError` with what is wrong in which."""
    if not isinstance(data, (list, tuple)):
        raise ExceptionError("exceptions are a list of network or user, allow, reason and until")
    return tuple(_read(entry, number) for number, entry in enumerate(data, 1))


def _read(entry: Any, number: int) -> Exemption:
    where = f"exception {number}"
    if not isinstance(entry, Mapping) or not set(entry) <= _KEYS:
        raise ExceptionError(f"{where} has other keys than {', '.join(sorted(_KEYS))}")
    if ("network" in entry) == ("user" in entry):
        raise ExceptionError(f"{where} names neither a network nor a user, or both")
    allow = str(entry.get("allow", "plaintext"))
    if allow not in ALLOWS:
        raise ExceptionError(f"{where} allows {allow!r}; known are {', '.join(ALLOWS)}")
    reason = " ".join(str(entry.get("reason") or "").split())
    if not reason:
        raise ExceptionError(f"{where} gives no reason")
    return Exemption(
        allow,
        reason,
        _day(entry.get("until"), where),
        _network(entry["network"], where) if "network" in entry else None,
        str(entry["user"]) if "user" in entry else None,
    )


def _day(value: Any, where: str) -> date:
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise ExceptionError(f"{where} ends {value!r}; write its last day as YYYY-MM-DD") from None


def _network(value: Any, where: str) -> Network:
    try:
        return ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        raise ExceptionError(
            f"{where}: {value!r} is no network; write it as 192.0.2.0/24"
        ) from None


def as_waivers(
    exceptions: Sequence[Exemption], sources: Mapping[str, Optional[str]]
) -> list[dict[str, Any]]:
    """What judge.read_waivers reads: findings about the scopes that exceptions make.

    ``sources``: an address that is looked at → the one it is looked at from. Who looks from a
    network with an exception sees the exception; a network within another has what that one is
    given, too. Waivers are given past their last day too, so
    that the finding says what it was.
    """
    found = []
    networks = dict.fromkeys(e.network for e in exceptions if e.network is not None)
    for exception in exceptions:
        if exception.network is None:
            continue
        seen = [to for to, since in sources.items() if since and exception.holds(since)]
        within = [network for network in networks if holds(exception.network, network)]
        pairs = [
            (check, scope.format(network))
            for check in CHECKS[exception.allow]
            for network in within
            for scope in _SCOPES
        ]
        pairs += [(c, f"*://{_shown(to)}:*") for to in seen for c in SEEN[exception.allow]]
        ends = {"reason": exception.reason, "expires": exception.until}
        found += [{"check": check, "subject": subject, **ends} for check, subject in pairs]
    return found


# How findings name the scope of a network: Dovecot's for all services, Courier's for each.
_SCOPES = ("dovecot remote={}", "courier service=*,remote={}")


def _shown(address: str) -> str:
    """An address as a port's name has it; ``[`` is a pattern of its own to who reads it."""
    return f"[[]{address}]" if ":" in address else address
