# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observe every mail server of this host; one that cannot be observed never hides the other.

Knows which observers there are, and nothing of what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Optional

from . import courier, dovecot
from .model.configured import Problem, Product, ServerConfig
from .text import NAME, clean

Observer = Callable[[], Optional[ServerConfig]]

OBSERVERS: tuple[tuple[Product, Observer], ...] = (
    (Product.DOVECOT, dovecot.observe),
    (Product.COURIER, courier.observe),
)


def observe_all(
    observers: Iterable[tuple[Product, Observer]] = OBSERVERS,
) -> tuple[tuple[ServerConfig, ...], tuple[Problem, ...]]:
    """The servers that are installed, and what kept others from being observed. Never raises."""
    servers: list[ServerConfig] = []
    problems: list[Problem] = []
    for product, observe in observers:
        try:
            server = observe()
        except Exception as error:  # the last rim: an audit goes on without this server
            problems.append(Problem(_sentence(product, error)))
            continue
        if server is not None:
            servers.append(server)
    return tuple(servers), tuple(problems)


def _sentence(product: Product, error: Exception) -> str:
    said = clean(f"{type(error).__name__}: {error}", NAME).rstrip(": ")
    return f"{product.value} could not be observed, which is a fault of this collection: {said}"
