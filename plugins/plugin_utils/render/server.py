# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door: observed configuration and profile in, plan out. Pure.

A plan is the smallest change after which the server meets the profile. Two rules shape it: what is
already at least as hard as the profile stays as the administrator wrote it, and a setting that
stands in our own file stays there as long as it is needed (so the second run plans exactly what is
on disk). Native words come from the vocabulary; nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Optional

from ...module_utils.config import vocabulary
from ...module_utils.model.configured import Product, ServerConfig
from ..exceptions import Exemption
from ..policy import Profile
from .courier import plan_courier
from .dovecot import plan_dovecot, plan_evidence, settled
from .exceptions import ended, scoped, unsupported
from .plan import Plan
from .rules import Target


class Unplannable(ValueError):
    """A server that is left as it is, for it is broken or cannot do what is asked; a sentence."""


def require_readable(server: ServerConfig) -> None:
    """Raise :class:`Unplannable` where no effective value could be read."""
    if server.effective:
        return
    first = server.problems[0] if server.problems else None
    place = f"{first.origin.file}:{first.origin.line}: " if first and first.origin else ""
    words = first.message if first else "no effective setting could be read"
    raise Unplannable(
        f"{place}{words}. The configuration of {server.product.value} is broken, so nothing was "
        "changed; repair it and run again"
    )


def plan(
    server: ServerConfig,
    profile: Profile,
    names: Sequence[str] = (),
    exceptions: Sequence[Exemption] = (),
    today: Optional[date] = None,
) -> Plan:
    """The plan for one server.

    ``names`` go into a self-signed certificate where one has to be made (the first is its CN).
    ``exceptions`` that are in force ``today`` are made where the server can. The server must have
    been read without a fatal problem: the caller refuses broken ones. Raises :class:`Unplannable`
    for an exception that the server cannot make.
    """
    target = Target(profile, server, _dialect(server))
    make = plan_dovecot if server.product is Product.DOVECOT else plan_courier
    made = make(target, tuple(names))
    if today is None:
        return settled(made)
    refusal = unsupported(target, exceptions, today)
    if refusal:
        raise Unplannable(refusal)
    kept = scoped(target, exceptions, today)
    over = (*made.overrides, *ended(target, kept))
    return settled(replace(made, scoped=(*made.scoped, *kept), overrides=over))


def evidence(server: ServerConfig, profile: Profile) -> Plan:
    """The plan of stage 0: log what a forecast needs, and change nothing else.

    What stands in our own file already stays there as it is. Where no login can have TLS there is
    nothing to log of it, and no handshake that could prove the change.
    """
    told = [row.value for row in server.effective if row.field == "tls"]
    if told and set(told) == {"no"}:
        return Plan(server.product, notes=(f"{server.product.value} {_NO_TLS}",))
    target = Target(profile, server, _dialect(server))
    if server.product is Product.DOVECOT:
        return plan_evidence(target)
    return Plan(server.product, notes=("Courier cannot log the TLS version of a login",))


_NO_TLS = "serves no TLS here, so no login has a version to log: all are without TLS"


def _dialect(server: ServerConfig) -> str:
    if server.product is Product.DOVECOT:
        return vocabulary.dovecot_dialect(server.version or "")
    library = server.tls_library.name if server.tls_library else "openssl"
    return vocabulary.COURIER_GNUTLS if library == "gnutls" else vocabulary.COURIER_OPENSSL
