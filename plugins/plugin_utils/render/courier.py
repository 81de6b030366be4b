# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for a Courier: one variable in one file. Pure.

Four services source two files each, in orders that differ.

Sources: the start scripts of courier-imap 5.0.13 to 6.0.5, libcouriergnutls.c, libcouriertls.c.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Optional

from ...module_utils.config import vocabulary
from ...module_utils.model.configured import Effective, Product, ServerConfig
from .certificates import mode_wants, unusable
from .plan import CertificateWant, Override, Plan, Want, override
from .rules import CIPHERS, ON, PRIORITY, PROTOCOL, Rule, Target, notes

# Courier: the switches count on the cleartext port alone, the rest on both ports of a service.
_SWITCHES = ("starttls", "require_tls")
_RULES: dict[str, tuple[Rule, tuple[str, ...]]] = {
    "starttls": (ON, ("{}",)),
    "require_tls": (ON, ("{}",)),
    "priority": (PRIORITY, ("{}", "{}s")),
    "protocol_min": (PROTOCOL, ("{}", "{}s")),
    "ciphers": (CIPHERS, ("{}", "{}s")),
}


def plan_courier(target: Target, names: tuple[str, ...]) -> Plan:
    """All changes of a Courier whose configuration could be read."""
    services = [s for s in ("imap", "pop3") if _scopes(target, s)]
    wants = [w for s in services for w in _wants(target, s)]
    made, own = _certificate(target, services, names)
    wants += own
    overrides = [o for w in wants for o in _overrides(target.server, w)]
    modes = tuple(mode_wants(target.server.files))
    return Plan(Product.COURIER, tuple(wants), tuple(overrides), made, modes, tuple(notes(target)))


def _scopes(target: Target, service: str) -> list[str]:
    present = {row.scope for row in target.server.effective}
    return [s for s in (f"service={service}", f"service={service}s") if s in present]


def _wants(target: Target, service: str) -> list[Want]:
    wants = []
    for field, (rule, scopes) in _RULES.items():
        name = vocabulary.native_name(target.dialect, field, service)
        if name is None:
            continue
        rows = [target.server.value(field, f"service={s.format(service)}") for s in scopes]
        value = rule.value(target)
        if value and not all(row is None or rule.enough(row, target) for row in rows):
            native = vocabulary.to_native(target.dialect, field, value, service)
            wants += [Want(n, native, _file(target, service)) for n in _names(field, name, rows)]
    return wants


def _names(field: str, name: str, rows: Sequence[Optional[Effective]]) -> list[str]:
    """The variables to set: upstream's scripts hand the server one under the name of another
    (TLS_PROTOCOL=$TLS_STARTTLS_PROTOCOL), which may have been set too early to follow it."""
    if field in _SWITCHES:
        return [name]
    return list(dict.fromkeys([name, *(row.name for row in rows if row)]))


def _file(target: Target, service: str) -> str:
    return posixpath.join(target.server.config_file, f"{service}d-ssl")


def _overrides(server: ServerConfig, want: Want) -> list[Override]:
    """The same variable in the service's other file: whichever is sourced last would win."""
    other = want.file[: -len("-ssl")]
    return [
        override(s)
        for s in server.settings
        if s.name == want.name and s.origin.file == other and s.value != want.value
    ]


def _certificate(
    target: Target, services: Sequence[str], names: tuple[str, ...]
) -> tuple[Optional[CertificateWant], list[Want]]:
    """One combined file for all services that lack a usable one: Courier reads it atomically."""
    reasons = {s: r for s in services for r in [_reason(target, s)] if r}
    if not reasons:
        return None, []
    path = posixpath.join(target.server.config_file, "postmaster-tls.pem")
    wants = []
    for service in reasons:
        file = _file(target, service)
        wants += [Want("TLS_CERTFILE", path, file)]
        if any(_separate_key(target, scope) for scope in _scopes(target, service)):
            wants += [Want("TLS_PRIVATE_KEYFILE", path, file)]
    return CertificateWant(path, path, names, next(iter(reasons.values()))), wants


def _reason(target: Target, service: str) -> Optional[str]:
    reasons = (unusable(target, scope) for scope in _scopes(target, service))
    return next((r for r in reasons if r), None)


def _separate_key(target: Target, scope: str) -> bool:
    row, key = (target.server.value(f, scope) for f in ("certificate", "key"))
    return bool(key and key.value and (row is None or key.value != row.value))
