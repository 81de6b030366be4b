# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth full on loopback, against the TLS library that Python is linked to."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import inventory
from ansible_collections.postmaster.tls.plugins.module_utils.limits import Limits
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    EndpointObservation,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.plain import from_plain, to_plain
from ansible_collections.postmaster.tls.plugins.module_utils.probe import probe
from ansible_collections.postmaster.tls.plugins.module_utils.talk import Depth
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.evil_server import (
    Behaviour,
    context,
    evil,
    hears,
    imap,
    imaps,
    modern,
    says,
    then,
)

STARTTLS, IMPLICIT = TlsMode.STARTTLS, TlsMode.IMPLICIT
AES_128, AES_256 = 0xC02B, 0xC02C  # the suites of context() that its key can serve, P-256


def serving(mode: TlsMode, made: ssl.SSLContext) -> Behaviour:
    serve = imaps if mode is IMPLICIT else imap
    return lambda sock: serve(sock, made)


def full(behaviour: Behaviour, mode: TlsMode = IMPLICIT, **limits: Any) -> EndpointObservation:
    with evil(behaviour) as server:
        endpoint = Endpoint("127.0.0.1", server.port, Service.IMAP, mode)
        (seen,) = probe([endpoint], Limits(**limits), depth=Depth.FULL)
        assert server.total == seen.connections
        assert server.most <= 2 or limits
    assert from_plain(EndpointObservation, to_plain(seen)) == seen
    return seen


@pytest.mark.parametrize("mode", [STARTTLS, IMPLICIT])
def test_a_decent_server(mode: TlsMode) -> None:
    seen = full(serving(mode, context()), mode)
    found = seen.inventory
    assert found is not None
    lists = {listing.version: listing for listing in found.listings}
    assert list(lists) == [0x0304, 0x0303]
    ours = {c["id"] & 0xFFFF for c in context().get_ciphers() if c["protocol"] == "TLSv1.3"}
    assert set(lists[0x0304].suites) == ours
    assert set(lists[0x0303].suites) == {AES_128, AES_256}
    assert {0x001D, 0x0017} <= set(lists[0x0304].groups)
    # Its own order of groups and the curve of its key hide the others.
    assert lists[0x0303].groups == (0x001D, 0x0017)
    assert all(listing.complete for listing in found.listings)
    assert (found.ssl2, found.compression, found.heartbeat) == (False, False, False)
    assert (found.secure_renegotiation, found.extended_master_secret) == (True, True)
    assert found.encrypt_then_mac is None
    assert (found.fallback_scsv, found.unknown_name) == (True, True)
    assert (found.session_tickets, found.resumption) == (True, True)
    assert found.renegotiation is (ssl.OPENSSL_VERSION_INFO < (3, 0))
    assert lists[0x0304].signatures == (0x0403,)
    assert {0x0403, 0x0503, 0x0603} <= set(lists[0x0303].signatures)
    assert {scheme & 0xFF for scheme in lists[0x0303].signatures} == {0x03}
    assert all(each.all_signatures for each in found.listings)
    assert [chain.asked_by for chain in found.chains] == ["suites", "no_name", "unknown_name"]
    assert len({chain.certificates for chain in found.chains}) == 1
    refused = {offer.name: offer.accepted for offer in seen.offers}
    assert [refused[n] for n in ("cbc", "static_rsa", "dhe", "broken")] == [False] * 4
    assert "forbidden" not in refused
    assert seen.failures == ()


@pytest.mark.parametrize(("server_first", "order"), [(True, "server"), (False, "client")])
def test_whose_order_wins(server_first: bool, order: str) -> None:
    made = context()
    made.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384")
    if server_first:
        made.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        made.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    found = full(serving(IMPLICIT, made)).inventory
    assert found is not None
    listing = found.listings[1]
    assert listing.order == order
    assert listing.suites == ((AES_128, AES_256) if server_first else (AES_256, AES_128))
    if not server_first:
        assert {0x001D, 0x0017, 0x0018, 0x0019} <= set(listing.groups)


def test_weak_families_are_read_off_the_list() -> None:
    made = context()
    made.set_ciphers("ECDHE+AESGCM:ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0")
    seen = full(serving(IMPLICIT, made))
    said = {offer.name: (offer.accepted, offer.suite) for offer in seen.offers}
    assert said["cbc"] == (True, 0xC024)
    assert said["static_rsa"] == (False, None)
    assert said["dhe"] == (False, None)
    assert seen.inventory is not None
    assert seen.inventory.encrypt_then_mac is True
    dhe = seen.offer("dhe")
    assert dhe is not None
    assert dhe.failure is not None
    assert dhe.failure.detail == "handshake_failure (to tls1.2)"


def test_no_resumption_where_there_are_no_tickets() -> None:
    made = context()
    made.options |= ssl.OP_NO_TICKET
    made.num_tickets = 0
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    found = full(serving(IMPLICIT, made)).inventory
    assert found is not None
    assert found.session_tickets is False
    assert found.ticket_seconds is None


def test_tls13_alone_hides_the_rest() -> None:
    seen = full(modern())
    found = seen.inventory
    assert found is not None
    assert [listing.version for listing in found.listings] == [0x0304]
    assert (found.secure_renegotiation, found.compression, found.renegotiation) == (
        None,
        None,
        None,
    )
    # Not hidden from who shakes hands.
    assert (found.ocsp_staple, found.client_certificate) == (False, False)
    assert found.fallback_scsv is None
    assert [chain.asked_by for chain in found.chains] == ["no_name", "unknown_name"]
    assert {offer.accepted for offer in seen.offers} == {True, False}


def test_who_does_not_know_the_name() -> None:
    made = context()

    def strict(_sock: ssl.SSLObject, name: str, _context: ssl.SSLContext) -> Any:
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME if name == "nobody.invalid" else None

    made.sni_callback = strict  # type: ignore[assignment]
    found = full(serving(IMPLICIT, made)).inventory
    assert found is not None
    assert found.unknown_name is False
    assert [chain.asked_by for chain in found.chains] == ["suites", "no_name"]


@pytest.mark.parametrize("there", [True, False])
def test_a_renegotiation_costs_no_connection(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It rides on the handshake with an unknown name, which Python makes where OpenSSL cannot."""
    usual = full(serving(IMPLICIT, context()))
    monkeypatch.setattr(inventory, "available", lambda: there and usual.inventory is not None)
    seen = full(serving(IMPLICIT, context()))
    assert seen.inventory is not None
    assert (seen.inventory.renegotiation is not None) is there
    assert seen.inventory.unknown_name is True
    assert seen.connections == usual.connections


def test_nothing_is_listed_where_there_is_no_tls() -> None:
    seen = full(then(hears, says(b"HTTP/1.1 400 Bad Request\r\n\r\n")), total=0.5)
    assert (seen.inventory, seen.connections) == (None, 2)


def test_a_server_that_stops_answering_is_incomplete() -> None:
    good, calls = context(), [0]

    def behave(sock: socket.socket) -> None:
        calls[0] += 1
        if calls[0] > 6:
            while sock.recv(4096):
                pass
            return
        imaps(sock, good)

    seen = full(behave, total=0.3, host=30.0)
    assert seen.inventory is not None
    assert not all(listing.complete for listing in seen.inventory.listings)
    assert seen.inventory.resumption is None
