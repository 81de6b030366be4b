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

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Failure,
    Listing,
    Offer,
)
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
from ansible_collections.postmaster.tls.plugins.module_utils.wire.schemes import in_13
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


def listed(peer: Peer, version: int, seen: Optional[int] = None) -> tuple[Listing, int]:
    """The listing of a version that the peer speaks, and the hellos after the first."""
    name, asked = NAMES[version], 0
    first = got(peer, name, HELLOS[name])
    assert first.accepted
    lists = Enumeration(version, first, signature=seen)
    while (sent := lists.next_hello()) is not None:
        lists.add(got(peer, name, sent))
        asked += 1
        assert asked < 300
    while (sent := lists.about_order()) is not None:
        lists.confirm(got(peer, name, sent))
        asked += 1
    return lists.listing(), asked


def signed(peer: Peer, version: int, seen: Optional[int] = None) -> tuple[Listing, int]:
    """The same, with the hellos that ask for signature schemes alone, and how many those are."""
    name, asked = NAMES[version], 0
    lists = Enumeration(version, got(peer, name, HELLOS[name]), signature=seen)
    for ask_for, take_in in (
        (lists.next_hello, lists.add),
        (lists.about_order, lists.confirm),
        (lists.about_signatures, lists.signed),
    ):
        asked = 0
        while (sent := ask_for()) is not None:
            take_in(got(peer, name, sent))
            asked += 1
            assert asked < 300
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
    ("closes", Peer(suites=MIXED, groups=CURVES, refuses="closed"), 14),
    ("closes, client's order", Peer(suites=MIXED, groups=CURVES, follows=True,
                                    refuses="closed"), 13),
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
        (CURVES[:1], 1, True, 4),  # asked again, with more than one signature scheme
        (FIELDS, 3, True, 12),
        (FIELDS[4:], 1, False, 8),
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


# ---------------------------------------------------------------------------------------------
# Signature schemes

PSS, PKCS1, ECDSA = (0x0804, 0x0805, 0x0806), (0x0401, 0x0501, 0x0601), (0x0403, 0x0503, 0x0603)
RSA = (*PSS, *PKCS1)
ED25519 = 0x0807
TWO = (0xC02C, 0xC030, 0xC02B, 0xC02F)  # for a key of each kind
RSA_SUITES = tuple(suite for suite in E if suite not in suites.ECDSA)

# A server, the version, the schemes that are to be found, and the hellos for them alone.
SIGNING: list[tuple[str, Peer, int, tuple[int, ...], int]] = [
    ("client's order", Peer(suites=RSA_SUITES, signs=RSA), TLS12, RSA, 0),
    ("its own order", Peer(suites=RSA_SUITES, signs=RSA, sorts=True), TLS12, RSA, 6),
    ("a single one", Peer(suites=RSA_SUITES, signs=PSS[:1]), TLS12, PSS[:1], 1),
    ("fewer suites than schemes", Peer(suites=E[1:2], signs=RSA), TLS12, RSA, 3),
    ("Ed25519", Peer(suites=E[:1], signs=(ED25519,)), TLS12, (ED25519,), 1),
    ("RSA", Peer((TLS13,), suites.TLS13[:3], signs=PSS), TLS13, PSS, 1),
    ("RSA, one suite", Peer((TLS13,), suites.TLS13[:1], signs=PSS), TLS13, PSS, 4),
    ("P-256", Peer((TLS13,), suites.TLS13[:3], signs=ECDSA[:1]), TLS13, ECDSA[:1], 1),
    ("P-384", Peer((TLS13,), suites.TLS13[:3], signs=ECDSA[1:2]), TLS13, ECDSA[1:2], 8),
    ("both keys", Peer((TLS13,), suites.TLS13[:3], signs=(*ECDSA[:1], *PSS)), TLS13,
     (*ECDSA[:1], *PSS), 8),
]  # fmt: skip


@pytest.mark.parametrize(
    ("peer", "version", "schemes", "hellos"),
    [case[1:] for case in SIGNING],
    ids=[f"{case[0]} {case[2]:x}" for case in SIGNING],
)
def test_signature_schemes(peer: Peer, version: int, schemes: tuple[int, ...], hellos: int) -> None:
    found, asked = signed(replace(peer, groups=CURVES, follows=True), version)
    assert set(found.signatures) == set(schemes)
    assert len(found.signatures) == len(schemes)
    assert (found.complete, found.all_signatures) == (True, True)
    assert asked == hellos
    assert set(found.suites) == fitting(peer, version)


@pytest.mark.parametrize(("seen", "hellos"), [(None, 9), (0x0403, 8), (0x0603, 8)])
def test_a_scheme_of_another_version_saves_a_hello(seen: Optional[int], hellos: int) -> None:
    peer = Peer((TLS13,), suites.TLS13[:3], groups=CURVES, signs=ECDSA[:1])
    found, alone = signed(peer, TLS13, seen)
    assert found.signatures == ECDSA[:1]
    _found, others = listed(peer, TLS13, seen)
    assert alone + others == hellos


def test_a_scheme_that_fails_hides_no_suite() -> None:
    """A library that may not sign with SHA-1 any more, under a server that does not know that."""
    peer = Peer(suites=RSA_SUITES, signs=(*RSA, 0x0201), fails=(0x0201,), groups=CURVES)
    found, _asked = signed(peer, TLS12)
    assert set(found.suites) == set(RSA_SUITES)
    assert set(found.signatures) == set(RSA)
    assert found.all_signatures is False


def test_who_retries_before_it_looks_shows_no_scheme() -> None:
    peer = Peer((TLS13,), suites.TLS13[:3], groups=CURVES, signs=suites.SIGNATURES)
    found, asked = signed(peer, TLS13)
    assert (found.signatures, found.all_signatures, asked) == ((), False, 2)
    assert set(found.suites) == set(suites.TLS13[:3])


@pytest.mark.parametrize("version", [TLS10, SSL30])
def test_older_versions_name_no_scheme(version: int) -> None:
    found, asked = signed(Peer(VERSIONS, suites.ECDHE_CBC, groups=CURVES), version)
    assert (found.signatures, found.all_signatures, asked) == ((), False, 0)


@given(
    signs=st.lists(
        st.sampled_from([*filter(in_13, suites.SIGNATURES)]), unique=True, min_size=1, max_size=6
    ),
    count=st.integers(1, 5),
    sorts=st.booleans(),
    refuses=st.sampled_from([None, "closed"]),
)
def test_any_schemes_of_tls13(
    signs: list[int], count: int, sorts: bool, refuses: Optional[str]
) -> None:
    """Whatever it signs with: all is found, and no suite or group is lost for it."""
    peer = Peer(
        (TLS13,), suites.TLS13[:count], refuses, groups=CURVES, signs=tuple(signs), sorts=sorts
    )
    found, asked = signed(peer, TLS13)
    assert set(found.suites) == set(suites.TLS13[:count])
    assert set(found.groups) == set(CURVES)
    assert set(found.signatures) == set(signs)
    assert asked < 3 * len(suites.SIGNATURES)
