# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of both versions of IP, as configurations and exceptions name them."""

from __future__ import annotations

import ipaddress
from typing import Union

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


def holds(outer: Network, inner: Network) -> bool:
    """Whether all of ``inner`` is in ``outer``; a network of another version is in none."""
    return outer.prefixlen <= inner.prefixlen and inner.network_address in outer
