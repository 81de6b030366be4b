# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of one version: right for every kind of server, and in few hellos."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.module_utils.model import Failure, Listing, Offer
from ansible_collections.postmaster.tls.plugins.module_utils.wire import suites
from ansible_collections.postmaster.tls.plugins.module_utils.wire.enumeration import (
    NAMES,
    Enumeration,
)
from ansible_collections.postmaster.tls.plugins.module_utils.wire.flight import ServerFlight
from ansible_collections.postmaster.tls.plugins.module_utils.wire.hello import (
    SSL30,
    TLS10,
    TLS12,
    TLS13,
    ClientHello,
)
from ansible_collections.postmaster.tls.plugins.module_utils.wire.offers import (
    HELLOS,
    Reply,
    outcome,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.hello_server import (
    VERSIONS,
    Peer,
    hello,
)

E, D, R, B = suites.ECDHE_AEAD, suites.DHE_AEAD, suites.RSA_AEAD, suites.BROKEN
CURVES = (0x001D, 0x0017, 0x0018, 0x0019)
HYBRID = (*suites.HYBRID_GROUPS, *CURVES)
FIELDS = (*CURVES, *suites.FF_GROUPS)
TWELVE = Peer(VERSIONS, (*suites.TLS13, *E, *suites.ECDHE_CBC), groups=CURVES)


def got(peer: Peer, name: str, sent: ClientHello) -> Offer:
    answer = peer.answer(hello(sent.encode(bytes(32))))
    if not isinstance(answer, bytes):
        return outcome(name, Reply(), Failure("hello", answer), sent)
    flight, reply = ServerFlight(), Reply()
    flight.receive(answer)
    while not reply.add(flight.next_event()):  # type: ignore[arg-type]
        pass
    return outcome(name, reply, None, sent)


def listed(peer: Peer, version: int) -> tuple[Listing, int]:
    """The listing of a version that the peer speaks, and the hellos after the first."""
    name, asked = NAMES[version], 0
    first = got(peer, name, HELLOS[name])
    assert first.accepted
    lists = Enumeration(version, first)
    while (sent := lists.next_hello()) is not None:
        lists.add(got(peer, name, sent))
        asked += 1
        assert asked < 300
    last = lists.about_order()
    if last is not None:
        lists.confirm(got(peer, name, last))
        asked += 1
    return lists.listing(), asked


def fitting(peer: Peer, version: int) -> set[int]:
    offered = set(HELLOS[NAMES[version]].suites)
    return {s for s in peer.suites if s in offered and (s in suites.TLS13) == (version == TLS13)}


MIXED = (E[0], D[0], E[1], D[2], R[0], E[2], B[0], R[1])
WORST = tuple(reversed((*E, *suites.ECDHE_CBC, *D, *R)))

# A server, and how many hellos its list of TLS 1.2 takes beside the first.
PEERS: list[tuple[str, Peer, int]] = [
    ("one suite", Peer(suites=E[:1], groups=CURVES[:1]), 4),
    ("one suite, four groups", Peer(suites=E[:1], groups=CURVES), 7),
    ("three suites, one group", Peer(suites=E[:3], groups=CURVES[:1]), 6),
    ("client's order", replace(TWELVE, follows=True), 36),
    ("our order by chance", TWELVE, 36),
    ("its own order", Peer(suites=WORST, groups=CURVES), 63),
    ("its own order, mixed", Peer(suites=MIXED, groups=CURVES), 13),
    ("client's order, mixed", Peer(suites=MIXED, groups=CURVES, follows=True), 12),
    ("no ephemeral key", Peer(suites=(*R, *D), groups=CURVES), 27),
    ("closes", Peer(suites=MIXED, groups=CURVES, refuses="closed"), 16),
    ("closes, client's order", Peer(suites=MIXED, groups=CURVES, follows=True,
                                    refuses="closed"), 15),
    ("resets", Peer(suites=E[:3], groups=CURVES, refuses="reset"), 10),
    ("lacks parameters", Peer(suites=(*D, *E[:3]), groups=CURVES, lacking=D, refuses="closed",
                              follows=True), 10),
]  # fmt: skip


@pytest.mark.parametrize(("name", "peer", "hellos"), PEERS, ids=[name for name, *_ in PEERS])
def test_tls12(name: str, peer: Peer, hellos: int) -> None:
    found, asked = listed(peer, TLS12)
    assert set(found.suites) == fitting(peer, TLS12) - set(peer.lacking)
    uses_groups = any(suite in suites.EPHEMERAL_EC for suite in peer.suites)
    assert set(found.groups) == (set(peer.groups) if uses_groups else set())
    assert found.complete
    assert asked == hellos
    several = len(found.suites) > 1
    assert found.order == (None if not several else "client" if peer.follows else "server")
    if found.order == "server" and not peer.lacking:
        assert found.suites == tuple(s for s in peer.suites if s in found.suites)


@pytest.mark.parametrize(
    ("groups", "count", "follows", "hellos"),
    [
        (HYBRID, 3, True, 10),
        (HYBRID, 3, False, 10),
        (CURVES, 3, True, 7),
        (CURVES[:1], 1, True, 3),
        (FIELDS, 3, True, 12),
        (FIELDS[4:], 1, False, 7),
    ],
)
def test_tls13(groups: tuple[int, ...], count: int, follows: bool, hellos: int) -> None:
    peer = Peer((TLS13,), suites.TLS13[:count], groups=groups, follows=follows)
    found, asked = listed(peer, TLS13)
    assert set(found.suites) == set(suites.TLS13[:count])
    assert found.groups == groups
    assert asked == hellos


@pytest.mark.parametrize("curve", CURVES[1:])
@pytest.mark.parametrize("both_keys", [False, True])
def test_an_ecdsa_key_hides_no_group(curve: int, both_keys: bool) -> None:
    ecdsa = tuple(suite for suite in (*E, *suites.ECDHE_CBC) if suite in suites.ECDSA)
    mine = (*E, *suites.ECDHE_CBC) if both_keys else ecdsa
    found, _ = listed(Peer(suites=mine, groups=CURVES, curve=curve, follows=True), TLS12)
    assert set(found.suites) == set(mine)
    assert set(found.groups) == set(CURVES)
    assert found.complete


def test_old_versions() -> None:
    old = (*suites.ECDHE_CBC[-2:], *suites.DHE_CBC[2:4], *suites.RSA_CBC[2:4])
    assert set(listed(Peer((TLS10,), old, groups=CURVES), TLS10)[0].suites) == {
        suite for suite in old if suite not in suites.SINCE_TLS12
    }
    plain = Peer((SSL30,), (0x002F, 0x0005))
    assert set(listed(plain, SSL30)[0].suites) == {0x002F, 0x0005}


def test_who_falls_silent_leaves_it_incomplete() -> None:
    peer = Peer(suites=E[:2], groups=CURVES)
    lists = Enumeration(TLS12, got(peer, "tls1.2", HELLOS["tls1.2"]))
    asked = 0
    while lists.next_hello() is not None:
        lists.add(Offer("tls1.2", None, failure=Failure("hello", "timeout")))
        asked += 1
    assert not lists.listing().complete
    assert lists.listing().suites == E[:1]
    assert asked <= 11


ANY = st.lists(st.sampled_from(HELLOS["tls1.2"].suites), min_size=1, max_size=20, unique=True)
GROUPS = st.lists(st.sampled_from(CURVES), min_size=1, unique=True)
WAYS: st.SearchStrategy[Optional[str]] = st.sampled_from([None, "closed"])


@given(ANY, GROUPS, st.booleans(), WAYS)
def test_any_server_is_listed_whole(
    chosen: list[int], groups: list[int], follows: bool, refuses: Optional[str]
) -> None:
    peer = Peer(suites=tuple(chosen), groups=tuple(groups), follows=follows, refuses=refuses)
    found, asked = listed(peer, TLS12)
    assert set(found.suites) == set(chosen)
    if any(suite in suites.EPHEMERAL_EC for suite in chosen):
        assert set(found.groups) == set(groups)
    assert found.complete
    assert asked <= len(chosen) + len(groups) + 7
    if len(chosen) > 1 and not follows:
        assert found.order == "server" or tuple(chosen) == found.suites
