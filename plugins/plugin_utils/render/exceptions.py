# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exceptions in the server's own words: a scope for one network, until a day. Pure.

Dovecot 2.3 and 2.4 take both kinds in ``remote NET { … }``: tried on 2.3.19 and 2.4.1, where
clients of the network had what it gives and others had not. Courier has nothing like it that
covers POP3: ``couriertcpd -access`` sets variables per network, and Debian gives it to IMAP alone.
So an exception for its clients is refused with a sentence rather than half kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Optional

from ...module_utils.config import vocabulary
from ...module_utils.model import Product
from ..exceptions import Exemption
from .plan import Scoped
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


def scoped(target: Target, exceptions: Sequence[Exemption], today: date) -> tuple[Scoped, ...]:
    """The settings of all exceptions for networks that are in force today."""
    if target.server.product is not Product.DOVECOT:
        return ()
    found: list[Scoped] = []
    for exception in exceptions:
        if exception.network is not None and exception.in_force(today):
            found += _settings(target, exception)
    return tuple(dict.fromkeys(found))


def _settings(target: Target, exception: Exemption) -> list[Scoped]:
    reason = f"until {exception.until}: {exception.reason}"
    return [
        Scoped(
            f"remote={exception.network}",
            str(vocabulary.native_name(target.dialect, field)),
            vocabulary.to_native(target.dialect, field, value),
            reason,
        )
        for field, value in _fields(target, exception.allow).items()
    ]


def _fields(target: Target, allow: str) -> dict[str, str]:
    if allow == "plaintext":
        return {"tls": "yes", "plaintext_login": "yes"}
    names = (*(target.profile.ciphers or RECOMMENDED), *_OLD)
    return {"protocol_min": _OLDEST, "ciphers": ":".join(names)}


def unsupported(target: Target, exceptions: Sequence[Exemption], today: date) -> Optional[str]:
    """Why this server cannot make an exception, in a sentence; ``None`` where it can make all."""
    if target.server.product is Product.DOVECOT:
        return None
    held = [e for e in exceptions if e.network is not None and e.in_force(today)]
    if not held:
        return None
    name = target.server.product.value.capitalize()
    return (
        f"{name} cannot make an exception for {held[0].network}: its settings count for every "
        "client. Nothing was changed; take the network out of this host's mail_tls_exceptions to "
        "harden it for all, or move its clients first"
    )
