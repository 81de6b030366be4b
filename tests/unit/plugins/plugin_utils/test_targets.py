# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listeners and addresses in, ports to look at out."""

from __future__ import annotations

from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Listener,
    Product,
    ServerConfig,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.targets import configured, endpoints

ANY_V4 = "0.0.0.0"  # noqa: S104
V4, V6 = "192.0.2.1", "2001:db8::1"
USUAL = ["imap 143 starttls", "imap 993 implicit", "pop3 110 starttls", "pop3 995 implicit"]
USUAL += ["sieve 4190 starttls"]


def server(*listeners: Listener) -> ServerConfig:
    return ServerConfig(Product.DOVECOT, "2.4.1", None, "/etc/d", listeners=listeners)


def listener(
    address: str = "*",
    port: int = 143,
    mode: Optional[TlsMode] = TlsMode.STARTTLS,
    service: Service = Service.IMAP,
) -> Listener:
    return Listener(service, address, port, mode)


def shown(found: tuple[Endpoint, ...]) -> list[str]:
    return [f"{e.service.value} {e.port} {e.tls_mode.value}" for e in found]


def test_without_a_server_the_registered_ports_are_looked_at() -> None:
    found = endpoints([V4], [])
    assert sorted(shown(found)) == sorted(USUAL)
    assert {e.host for e in found} == {V4}


def test_each_address_in_the_order_given_and_ports_in_order() -> None:
    found = endpoints([V6, V4], [])
    assert [e.host for e in found] == [V6] * 5 + [V4] * 5
    assert [e.port for e in found] == [110, 143, 993, 995, 4190] * 2


@pytest.mark.parametrize("address", ["*", "::", ANY_V4, ""])
def test_a_listener_on_all_addresses_is_looked_at_on_each(address: str) -> None:
    found = configured([V4, V6], server(listener(address, 1143)))
    assert [(e.host, e.port) for e in found] == [(V4, 1143), (V6, 1143)]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_a_listener_on_loopback_is_nobodys_business_outside(address: str) -> None:
    assert configured([V4], server(listener(address, 1143))) == ()
    assert len(endpoints([V4], [server(listener(address, 1143))])) == 5


@pytest.mark.parametrize("address", ["192.0.2.77", "2001:db8::77", "mail.example.org"])
def test_a_listener_with_an_address_of_its_own_is_looked_at_there(address: str) -> None:
    found = endpoints([V4, V6], [server(listener(address, 1143))])
    assert [(e.host, e.port) for e in found if e.port == 1143] == [(address, 1143)]
    assert found[-1].host == address


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (TlsMode.STARTTLS, TlsMode.STARTTLS),
        (TlsMode.IMPLICIT, TlsMode.IMPLICIT),
        (None, TlsMode.STARTTLS),  # TLS is off there: that is what is to be seen
    ],
)
def test_how_tls_begins(mode: Optional[TlsMode], expected: TlsMode) -> None:
    (found,) = configured([V4], server(listener(port=1143, mode=mode)))
    assert found == Endpoint(V4, 1143, Service.IMAP, expected)


def test_the_configuration_decides_over_what_is_usual() -> None:
    """Somebody may serve POP3 with implicit TLS on 143."""
    odd = listener(port=143, mode=TlsMode.IMPLICIT, service=Service.POP3)
    found = endpoints([V4], [server(odd)])
    assert shown(tuple(e for e in found if e.port == 143)) == ["pop3 143 implicit"]
    assert len(found) == 5


def test_both_families_of_one_port_are_one_endpoint_for_each_address() -> None:
    found = configured([V4], server(listener("*"), listener("::")))
    assert shown(found) == ["imap 143 starttls"]


def test_two_servers_of_a_host_are_seen_together() -> None:
    courier = server(listener(port=1110, service=Service.POP3))
    found = endpoints([V4], [server(listener(port=1143)), courier])
    assert {1110, 1143} <= {e.port for e in found}


def test_without_addresses_only_own_ones_are_left() -> None:
    assert endpoints([], [server(listener())]) == ()
    own = endpoints([], [server(listener("192.0.2.77"))])
    assert [e.host for e in own] == ["192.0.2.77"]
