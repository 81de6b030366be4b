# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan takes away from clients, as values: one change for each thing that goes away. Pure.

A plan names settings; a user loses a way to log in. This file turns the first into the second, by
comparing the plan with what is in force, so that what is refused already is no change. Whoever asks
"what if a port were closed" adds a change of his own.

Sources: Dovecot's ``client_check_plaintext_auth`` (2.3: ``ssl=required`` refuses plaintext too,
2.4: ``login_trusted_networks`` secures nobody under it), Courier's ``imaplogin.C``.
"""

from __future__ import annotations

import enum
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

from ...module_utils.config import vocabulary
from ...module_utils.config.courier_access import OURS
from ...module_utils.config.dovecot_edit import DROP_IN
from ...module_utils.config.dovecot_origin import OLD_NAMES
from ...module_utils.model.configured import Product, ServerConfig
from ...module_utils.model.observed import Service, TlsMode
from .. import registry
from ..policy import Profile
from ..render.plan import Plan
from ..render.rules import Target

ALL = frozenset(Service)


class Kind(enum.Enum):
    """What goes away."""

    PLAINTEXT = "plaintext"  # a password without TLS
    TRUSTED = "trusted_network"  # a login without TLS from a network that the server trusts
    SASL = "sasl_without_tls"  # a mechanism that hides the password, without TLS
    PROTOCOL = "protocol"  # TLS versions below a floor
    SUITE = "suite"  # suites
    PORT = "port"  # a port


@dataclass(frozen=True)
class Change:
    """One thing that goes away on one server.

    ``floor`` is the oldest version that stays; ``suites`` are the code points that stay, up to TLS
    1.2 and of TLS 1.3 where those are limited (``None``: not limited). ``tls_mode`` is the kind of
    port that is closed.
    """

    kind: Kind
    product: Product
    services: frozenset[Service] = ALL
    floor: Optional[str] = None
    suites: Optional[frozenset[int]] = None
    suites13: Optional[frozenset[int]] = None
    tls_mode: Optional[str] = None

    @property
    def title(self) -> str:
        """What happens, in words."""
        services = (
            ""
            if self.services == ALL
            else f" ({', '.join(sorted(s.value for s in self.services))})"
        )
        return _TITLES[self.kind].format(floor=self.floor, mode=self.tls_mode) + services


_TITLES = {
    Kind.PLAINTEXT: "passwords without TLS are refused",
    Kind.TRUSTED: "networks that the server trusts need TLS",
    Kind.SASL: "logins without TLS are refused for every mechanism",
    Kind.PROTOCOL: "TLS below {floor} is refused",
    Kind.SUITE: "suites outside the profile are refused",
    Kind.PORT: "ports are closed ({mode})",
}


def changes(server: ServerConfig, plan: Plan, profile: Profile) -> tuple[Change, ...]:
    """What clients lose when ``plan`` is carried out on ``server``."""
    library = server.tls_library.name if server.tls_library else "openssl"
    if server.product is Product.DOVECOT:
        target = Target(profile, server, vocabulary.dovecot_dialect(server.version or ""))
        return tuple(_dovecot(target, plan))
    dialect = vocabulary.COURIER_GNUTLS if library == "gnutls" else vocabulary.COURIER_OPENSSL
    return tuple(_courier(Target(profile, server, dialect), plan))


def closing(server: ServerConfig, ports: Sequence[int]) -> tuple[Change, ...]:
    """What goes away when these ports of a server are closed."""
    by_mode: dict[str, set[Service]] = {}
    for listener in server.listeners:
        if listener.port in ports:
            mode = (listener.tls_mode or TlsMode.STARTTLS).value
            by_mode.setdefault(mode, set()).add(listener.service)
    return tuple(
        Change(Kind.PORT, server.product, frozenset(services), tls_mode=mode)
        for mode, services in by_mode.items()
    )


# ---------------------------------------------------------------------------------------------
# Dovecot


def _dovecot(target: Target, plan: Plan) -> Iterator[Change]:
    touched = _touched(target, plan)
    server, product = target.server, Product.DOVECOT
    excepted = {scoped.scope for scoped in plan.scoped}
    scopes = [scope for scope in _scopes(server) if scope not in excepted]
    open_in = [scope for scope in scopes if _plaintext_passes(server, scope)]
    if open_in and {"plaintext_login", "tls"} & touched.keys():
        yield Change(Kind.PLAINTEXT, product, _services(open_in))
    trusted = server.value("trusted_networks")
    unsecured = target.dialect == vocabulary.DOVECOT_24 and "tls" in touched
    if "trusted_networks" in touched or (unsecured and trusted and trusted.native.strip()):
        yield Change(Kind.TRUSTED, product)
    if "tls" in touched:
        yield Change(Kind.SASL, product, _services(touched["tls"]))
    if "protocol_min" in touched:
        services = _services(touched["protocol_min"])
        yield Change(Kind.PROTOCOL, product, services, floor=target.protocol_min)
    limited = [scope for field in ("ciphers", "cipher_suites") for scope in touched.get(field, ())]
    if limited:
        yield Change(
            Kind.SUITE,
            product,
            _services(limited),
            suites=target.suites if "ciphers" in touched else None,
            suites13=_tls13(target.profile) if "cipher_suites" in touched else None,
        )


def _touched(target: Target, plan: Plan) -> dict[str, list[str]]:
    """Field → the scopes in which its value will be another one."""
    names = {
        name: field
        for field, word in vocabulary.words(target.dialect).items()
        for name in (word.name, *OLD_NAMES.get(word.name, ()))
    }
    scopes = {s.origin: s.scope for s in target.server.settings}
    found: dict[str, list[str]] = {}
    for want in plan.settings:
        field = names.get(want.name, "")
        row = target.server.value(field)
        if row is None or row.native != want.value:
            found.setdefault(field, []).append("")
    kept = {(s.scope, s.name, s.value) for s in plan.scoped}
    for setting in target.server.settings:  # exceptions that have ended
        ours = setting.scope and posixpath.basename(setting.origin.file) == DROP_IN
        if ours and (setting.scope, setting.name, setting.value) not in kept:
            found.setdefault(names.get(setting.name, ""), []).append(setting.scope)
    for override in plan.overrides:
        scope = next(
            (s for o, s in scopes.items() if (o.file, o.line) == (override.file, override.line)), ""
        )
        found.setdefault(names.get(override.name, ""), []).append(scope)
    return found


def _scopes(server: ServerConfig) -> list[str]:
    fields = ("plaintext_login", "tls")
    return list(dict.fromkeys(["", *(r.scope for r in server.effective if r.field in fields)]))


def _plaintext_passes(server: ServerConfig, scope: str) -> bool:
    values = [_in_force(server, field, scope) for field in ("plaintext_login", "tls")]
    return values[0] == "yes" and values[1] != "required"


def _in_force(server: ServerConfig, field: str, scope: str) -> Optional[str]:
    """The value that decides in a scope: its own, or that of the scopes around it."""
    filters = scope.split(",") if scope else []
    for length in range(len(filters), -1, -1):
        row = server.value(field, ",".join(filters[:length]))
        if row is not None:
            return row.value
    return None


def _services(scopes: Sequence[str]) -> frozenset[Service]:
    """The services that some scopes speak of; all, where one of them names none."""
    found: set[Service] = set()
    for scope in scopes:
        names = [
            part[len("protocol=") :] for part in scope.split(",") if part.startswith("protocol=")
        ]
        known = {s for s in Service if s.value in names}
        if not known:
            return ALL
        found |= known
    return frozenset(found)


# ---------------------------------------------------------------------------------------------
# Courier


def _courier(target: Target, plan: Plan) -> Iterator[Change]:
    for service in (Service.IMAP, Service.POP3):
        over = _ended(plan, service)
        names = _changed(target.server, plan, service) | over
        words = vocabulary.words(target.dialect, service.value)
        fields = {field for field, word in words.items() if word.name in names}
        login = target.server.value("plaintext_login", f"service={service.value}")
        passes = login is None or login.value != "no" or words["require_tls"].name in over
        only, product = frozenset({service}), Product.COURIER
        if passes and fields & {"starttls", "require_tls"}:
            yield Change(Kind.PLAINTEXT, product, only)
        if fields & {"priority", "protocol_min"}:
            yield Change(Kind.PROTOCOL, product, only, floor=target.protocol_min)
        if fields & {"priority", "ciphers"}:
            yield Change(Kind.SUITE, product, only, suites=target.suites)


def _changed(server: ServerConfig, plan: Plan, service: Service) -> set[str]:
    """Names of the variables of a service that get another value."""
    rows = [
        r
        for r in server.effective
        if r.scope in (f"service={service.value}", f"service={service.value}s")
    ]
    held: dict[str, set[str]] = {}
    for row in rows:
        held.setdefault(row.name, set()).add(row.native)
    return {
        want.name
        for want in plan.settings
        if f"/{service.value}d" in want.file and held.get(want.name) != {want.value}
    }


def _ended(plan: Plan, service: Service) -> set[str]:
    """Names of the variables that an exception gave to some clients and that they lose."""
    file = OURS[service.value]
    return {over.name for over in plan.overrides if posixpath.basename(over.file) == file}


def _tls13(profile: Profile) -> frozenset[int]:
    codes = (registry.openssl_to_code(name) for name in profile.cipher_suites)
    return frozenset(code for code in codes if code is not None)
