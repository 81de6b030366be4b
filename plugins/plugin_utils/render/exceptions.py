# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exceptions in the server's own words: a scope for one network, until a day. Pure.

Dovecot 2.3 and 2.4 take both kinds in ``remote NET { … }``: tried on 2.3.19 and 2.4.1, where
clients of the network had what it gives and others had not. Courier takes both as variables of an
access file (module_utils/config/courier_access.py): tried for IMAP and POP3, on both ports, of
5.0.13, 5.2.11 and 6.0.5, which are linked to GnuTLS. A Courier on OpenSSL was never seen doing it
for old versions, so there that is refused with a sentence rather than half kept.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from datetime import date
from typing import Callable, Optional

from ...module_utils.config import vocabulary
from ...module_utils.config.courier_access import OURS
from ...module_utils.model.configured import Product
from ..exceptions import Exemption
from .plan import Override, Scoped
from .rules import RECOMMENDED, Target

# What clients without AEAD speak: the suites with AES of Mozilla's "old" profile that need no file
# of parameters. OpenSSL 3 leaves TLS 1.0 and 1.1 to security level 0.
_OLD = (
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "AES256-SHA",
    "AES128-SHA",
    "@SECLEVEL=0",
)
_OLDEST = "TLSv1"


# The same in GnuTLS's words, after a profile's priority.
_OLD_PRIORITY = ":+VERS-TLS1.1:+VERS-TLS1.0:+RSA:+AES-256-CBC:+AES-128-CBC:+SHA1"


def scoped(target: Target, exceptions: Sequence[Exemption], today: date) -> tuple[Scoped, ...]:
    """The settings of all exceptions for networks that are in force today."""
    found: list[Scoped] = []
    for exception in exceptions:
        if exception.network is not None and exception.in_force(today):
            for service in _SERVICES[target.server.product](target):
                found += _settings(target, exception, service)
    return tuple(dict.fromkeys(found))


def _present(target: Target) -> list[str]:
    """Courier's services on this host."""
    names = ("imap", "pop3")
    scopes = {row.scope for row in target.server.effective}
    return [name for name in names if scopes & {f"service={name}", f"service={name}s"}]


# Dovecot's scope holds for all services at once.
_SERVICES: dict[Product, Callable[[Target], list[str]]] = {
    Product.DOVECOT: lambda target: [""],
    Product.COURIER: _present,
}


def _settings(target: Target, exception: Exemption, service: str) -> list[Scoped]:
    reason = f"until {exception.until}: {exception.reason}"
    around = f"service={service}," if service else ""
    return [
        Scoped(
            f"{around}remote={exception.network}",
            str(vocabulary.native_name(target.dialect, field, service)),
            vocabulary.to_native(target.dialect, field, value, service),
            reason,
        )
        for field, value in _FIELDS[target.server.product](target, exception.allow).items()
    ]


def _dovecot(target: Target, allow: str) -> dict[str, str]:
    if allow == "plaintext":
        return {"tls": "yes", "plaintext_login": "yes"}
    names = (*(target.profile.ciphers or RECOMMENDED), *_OLD)
    return {"protocol_min": _OLDEST, "ciphers": ":".join(names)}


def _courier(target: Target, allow: str) -> dict[str, str]:
    if allow == "plaintext":
        return {"require_tls": "no"}
    return {"priority": f"{target.profile.gnutls_priority}{_OLD_PRIORITY}"}


_FIELDS = {Product.DOVECOT: _dovecot, Product.COURIER: _courier}


def ended(target: Target, kept: Sequence[Scoped]) -> tuple[Override, ...]:
    """What stands in Courier's access files for exceptions that are no more.

    Dovecot's stand in the file that is written anew with every change (dovecot.settled).
    """
    held = {(one.scope, one.name, one.value) for one in kept}
    return tuple(
        Override(row.origin.file, row.origin.line, row.name, row.native)
        for row in target.server.effective
        if row.origin
        and posixpath.basename(row.origin.file) in OURS.values()
        and (row.scope, row.name, row.native) not in held
    )


def unsupported(target: Target, exceptions: Sequence[Exemption], today: date) -> Optional[str]:
    """Why this server cannot make an exception, in a sentence; ``None`` where it can make all."""
    if target.dialect != vocabulary.COURIER_OPENSSL:
        return None
    held = [e for e in exceptions if e.network and e.allow == "old_tls" and e.in_force(today)]
    if not held:
        return None
    return (
        f"Courier on OpenSSL cannot make the exception for {held[0].network}: its TLS versions "
        "count for every client. Nothing was changed; take the network out of this host's "
        "mail_tls_exceptions to harden it for all, or move its clients first"
    )
