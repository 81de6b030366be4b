# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports of a host to look at from outside: the registered ones, and what is configured. Pure.

A listener on all addresses is looked at on each address of the host; one on a loopback address is
nobody's business outside; one on an address of its own is looked at there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Union

from ..module_utils.model.configured import Listener, ServerConfig
from ..module_utils.model.observed import Endpoint, TlsMode
from ..module_utils.probe import default_endpoints


def endpoints(addresses: Sequence[str], servers: Iterable[ServerConfig]) -> tuple[Endpoint, ...]:
    """Endpoints in the order of addresses and ports; configuration decides over the defaults."""
    found = {(e.host, e.port): e for e in default_endpoints(addresses)}
    for server in servers:
        for listener in server.listeners:
            for endpoint in _of_listener(listener, addresses):
                found[endpoint.host, endpoint.port] = endpoint
    order = {address: index for index, address in enumerate(addresses)}
    return tuple(sorted(found.values(), key=lambda e: (order.get(e.host, len(order)), e.port)))


def configured(addresses: Sequence[str], server: ServerConfig) -> tuple[Endpoint, ...]:
    """The endpoints that one server's configuration opens."""
    found = {(e.host, e.port): e for li in server.listeners for e in _of_listener(li, addresses)}
    return tuple(found.values())


def _of_listener(listener: Listener, addresses: Sequence[str]) -> Iterable[Endpoint]:
    mode = listener.tls_mode or TlsMode.STARTTLS
    address = _parsed(listener.address)
    if listener.address in ("", "*") or (address is not None and address.is_unspecified):
        return [Endpoint(a, listener.port, listener.service, mode) for a in addresses]
    if listener.address == "localhost" or (address is not None and address.is_loopback):
        return []
    return [Endpoint(listener.address, listener.port, listener.service, mode)]


def _parsed(address: str) -> Union[ipaddress.IPv4Address, ipaddress.IPv6Address, None]:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None
