# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Optional

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Product,
    ServerConfig,
)
from ansible_collections.postmaster.tls.plugins.module_utils.server import OBSERVERS, observe_all

COURIER = ServerConfig(Product.COURIER, "5.0.13", None, "/etc/courier")


def absent() -> Optional[ServerConfig]:
    return None


def broken() -> Optional[ServerConfig]:
    raise RecursionError("too\ndeep")


def test_both_products_have_an_observer() -> None:
    assert {product for product, _observe in OBSERVERS} == set(Product)


def test_a_host_without_a_server_is_no_failure() -> None:
    assert observe_all({Product.DOVECOT: absent, Product.COURIER: absent}.items()) == ((), ())


def test_a_broken_observer_hides_nothing_of_the_other() -> None:
    servers, (problem,) = observe_all(
        {Product.DOVECOT: broken, Product.COURIER: lambda: COURIER}.items()
    )
    assert servers == (COURIER,)
    assert problem.message == (
        "dovecot could not be observed, which is a fault of this collection: "
        "RecursionError: too\\x0adeep"
    )
