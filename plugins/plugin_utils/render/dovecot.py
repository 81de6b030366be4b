# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan for a Dovecot: global settings in one file of our own. Pure.

Weaker assignments in narrower scopes are neutralised, each where it stands.

Source of the scopes: Dovecot documentation, "Configuration file syntax", filters.
"""

from __future__ import annotations

import ipaddress
import posixpath
from collections.abc import Iterator
from dataclasses import replace
from typing import Optional

from ...module_utils.config import vocabulary
from ...module_utils.config.dovecot import relative_to
from ...module_utils.config.dovecot_edit import DROP_IN
from ...module_utils.config.dovecot_origin import OLD_NAMES
from ...module_utils.model.configured import Effective, Product, Setting
from .certificates import mode_wants, unusable
from .plan import CertificateWant, Override, Plan, Scoped, Want, override
from .rules import DOVECOT_RULES, Rule, Target, notes

DH_BITS = 2048

# Dovecot scopes that decide about logins; a protocol block of another service is not ours.
_LOGIN_PROTOCOLS = frozenset({"imap", "pop3", "sieve"})


def plan_dovecot(target: Target, names: tuple[str, ...]) -> Plan:
    """All changes of a Dovecot whose configuration could be read."""
    wants = [w for f, r in DOVECOT_RULES.items() for w in _dovecot_want(target, f, r)]
    made = _certificate(target, names)
    wants += _certificate_wants(target, made)
    return Plan(
        Product.DOVECOT,
        tuple(wants),
        tuple(found for look in _OVERRIDES for found in look(target)),
        made,
        tuple(mode_wants(target.server.files)),
        tuple(notes(target)),
        tuple(s for s in _held(target) if s.name in _alt_names(target)),
    )


def plan_evidence(target: Target) -> Plan:
    """The login log alone; what is in our own file stays in it."""
    rows = (target.server.value(field) for field in vocabulary.words(target.dialect))
    kept = {row.name: Want(row.name, row.native) for row in rows if row is not None and _ours(row)}
    for want in _dovecot_want(target, "login_log", DOVECOT_RULES["login_log"]):
        kept[want.name] = want
    return Plan(Product.DOVECOT, tuple(kept.values()), scoped=tuple(_held(target)))


def _held(target: Target) -> Iterator[Scoped]:
    """What our own file says of narrower scopes."""
    for setting in target.server.settings:
        if setting.scope and posixpath.basename(setting.origin.file) == DROP_IN:
            yield Scoped(setting.scope, setting.name, setting.value, "")


def _alt_names(target: Target) -> list[str]:
    """The settings of a second certificate: a deployment puts them where it is not for."""
    names = (vocabulary.native_name(target.dialect, f) for f in ("alt_certificate", "alt_key"))
    return [name for name in names if name]


def settled(made: Plan) -> Plan:
    """The plan without lines of our own file to comment out, where that is written anew anyway."""
    if not (made.settings or made.scoped):
        return made
    others = (o for o in made.overrides if posixpath.basename(o.file) != DROP_IN)
    return replace(made, overrides=tuple(others))


def _dovecot_want(target: Target, field: str, rule: Rule) -> list[Want]:
    name = vocabulary.native_name(target.dialect, field)
    if name is None or target.version < vocabulary.SINCE.get(name, ()):
        return []
    row = target.server.value(field)
    if row is not None and rule.enough(row, target):
        return [Want(name, row.native)] if _ours(row) else []
    value = rule.value(target)
    if not value or (row is None and field in ("cipher_suites", "login_log")):
        return []
    return [Want(name, vocabulary.to_native(target.dialect, field, value))]


def _ours(row: Effective) -> bool:
    return row.origin is not None and posixpath.basename(row.origin.file) == DROP_IN


def _scoped_overrides(target: Target) -> list[Override]:
    """Assignments in narrower scopes that are weaker than the profile."""
    fields = {
        name: (field, rule)
        for field, rule in DOVECOT_RULES.items()
        for new in [vocabulary.native_name(target.dialect, field) or ""]
        for name in (new, *OLD_NAMES.get(new, ()))
    }
    found = []
    for setting in target.server.settings:
        if setting.scope and setting.name in fields and _decides_logins(setting.scope):
            field, rule = fields[setting.name]
            if not rule.enough(_row_of(setting, field, target), target):
                found.append(override(setting))
    return found


def _row_of(setting: Setting, field: str, target: Target) -> Effective:
    """An assignment as an effective row; the library's expansion is known for the winner only."""
    row = target.server.value(field, setting.scope)
    if row is not None and row.native == setting.value:
        return row
    value = vocabulary.normalise(target.dialect, field, setting.value)
    return Effective(setting.scope, field, value, setting.name, setting.value, setting.origin)


def _decides_logins(scope: str) -> bool:
    filters = dict(part.partition("=")[::2] for part in scope.split(","))
    protocol = filters.get("protocol", "imap")
    return protocol in _LOGIN_PROTOCOLS or protocol.startswith("!")


def _network_overrides(target: Target) -> list[Override]:
    """Networks that Dovecot 2.3 lets log in without TLS; 2.4 does not when ssl=required (NEWS)."""
    if target.dialect != vocabulary.DOVECOT_23:
        return []
    name = vocabulary.native_name(target.dialect, "trusted_networks")
    return [
        override(s)
        for s in target.server.settings
        if s.name == name and _decides_logins(s.scope or "protocol=imap") and _beyond_host(s.value)
    ]


def _dh_overrides(target: Target) -> list[Override]:
    """DH files so short that OpenSSL refuses them, and every handshake with them.

    The default security level 2 wants 2048 bits: SSL_CTX_set_security_level(3). The profiles use no
    DHE, so nothing has to take their place.
    """
    short = {f.path for f in target.server.files if f.role == "dh" and f.bits and f.bits < DH_BITS}
    name = vocabulary.native_name(target.dialect, "dh")
    return [
        override(s)
        for s in target.server.settings
        if s.name == name and relative_to(s.origin.file, s.value.lstrip("<")) in short
    ]


def _certificate_overrides(target: Target) -> list[Override]:
    """Certificates of narrower scopes with which no handshake succeeds under the policy.

    Without them the global certificate is served there: under another name, but served.
    """
    fields = ("certificate", "key", "alt_certificate", "alt_key")
    names = {vocabulary.native_name(target.dialect, field) for field in fields}
    rows = {r.scope for r in target.server.effective if r.scope and r.field in fields}
    dead = {scope for scope in rows if _own_certificate_is_dead(target, scope)}
    return [override(s) for s in target.server.settings if s.scope in dead and s.name in names]


def _own_certificate_is_dead(target: Target, scope: str) -> bool:
    return target.server.value("certificate", scope) is not None and bool(unusable(target, scope))


_OVERRIDES = (_scoped_overrides, _network_overrides, _dh_overrides, _certificate_overrides)


def _beyond_host(networks: str) -> bool:
    """Whether a list of networks names anything but loopback."""
    for word in networks.replace(",", " ").split():
        try:
            if not ipaddress.ip_network(word, strict=False).is_loopback:
                return True
        except ValueError:
            return True
    return False


def _certificate(target: Target, names: tuple[str, ...]) -> Optional[CertificateWant]:
    reason = unusable(target, "")
    if reason is None:
        return None
    base = posixpath.join(posixpath.dirname(target.server.config_file), "private", "postmaster-tls")
    return CertificateWant(f"{base}.crt", f"{base}.key", names, reason)


def _certificate_wants(target: Target, made: Optional[CertificateWant]) -> list[Want]:
    prefix = "<" if target.dialect == vocabulary.DOVECOT_23 else ""
    wants = []
    for field in ("certificate", "key", "alt_certificate", "alt_key"):
        row = target.server.value(field)
        path = getattr(made, field, None) if made else (row.value if row and _ours(row) else None)
        if path:
            wants.append(Want(str(vocabulary.native_name(target.dialect, field)), prefix + path))
    return wants
