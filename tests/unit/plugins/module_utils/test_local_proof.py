# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether every port that was open shakes hands; the network and the clock are stand-ins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import local_proof
from ansible_collections.postmaster.tls.plugins.module_utils.local_proof import LocalProof
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    EndpointObservation,
    Failure,
    Handshake,
    Service,
    TlsMode,
)

DONE = Handshake(0x0304, 0x1301)
ANY = "0.0.0.0"  # noqa: S104
ALERT = Failure("handshake", "alert", "handshake_failure", 40)


def endpoint(address: str = "*", port: int = 143) -> Endpoint:
    mode = TlsMode.IMPLICIT if port in (993, 995) else TlsMode.STARTTLS
    return Endpoint(address, port, Service.IMAP, mode)


class World:
    """Ports that answer after so many rounds, and a clock that only sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.closed: set[int] = set()
        self.dead: dict[int, tuple[Failure, ...]] = {}
        self.revived_at: Optional[int] = None
        self.rounds: list[list[tuple[str, int]]] = []
        self.time = 0.0
        monkeypatch.setattr(local_proof.probe, "handshakes", self.handshakes)
        monkeypatch.setattr(local_proof.time, "monotonic", lambda: self.time)
        monkeypatch.setattr(local_proof.time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def handshakes(
        self, endpoints: Sequence[Endpoint], _limits: Any = None
    ) -> tuple[EndpointObservation, ...]:
        self.rounds.append([(e.host, e.port) for e in endpoints])
        if len(self.rounds) == self.revived_at:
            self.dead.clear()
        return tuple(self._observed(e) for e in endpoints)

    def _observed(self, e: Endpoint) -> EndpointObservation:
        if e.port in self.closed:
            return EndpointObservation(e, False, failures=(Failure("connect", "refused"),))
        if e.port in self.dead:
            return EndpointObservation(e, True, failures=self.dead[e.port])
        return EndpointObservation(e, True, handshake=DONE)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("*", "127.0.0.1"),
        (ANY, "127.0.0.1"),
        ("::", "::1"),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
    ],
)
def test_a_port_is_asked_where_it_listens(address: str, asked: str, world: World) -> None:
    proof = LocalProof([endpoint(address)])
    proof.remember()
    assert proof.judge() is None
    assert world.rounds == [[(asked, 143)], [(asked, 143)]]


def test_a_port_named_twice_is_asked_once(world: World) -> None:
    LocalProof([endpoint("*"), endpoint(ANY), endpoint("::")]).remember()
    assert world.rounds == [[("127.0.0.1", 143), ("::1", 143)]]


def test_a_port_that_was_closed_owes_nothing(world: World) -> None:
    world.closed = {993}
    proof = LocalProof([endpoint(), endpoint(port=993)])
    proof.remember()
    assert proof.judge() is None
    assert world.rounds[1] == [("127.0.0.1", 143)]


def test_a_port_that_was_open_owes_a_handshake(world: World) -> None:
    proof = LocalProof([endpoint(), endpoint("::", 993)])
    proof.remember()
    world.closed = {993}
    assert proof.judge() == (
        "imap://[::1]:993 serves no TLS with the new configuration: refused at connect"
    )


@pytest.mark.parametrize(("served_only", "asked"), [(False, [143, 993]), (True, [143])])
def test_a_port_that_is_broken_already_owes_nothing_where_only_served_ones_count(
    served_only: bool, asked: list[int], world: World
) -> None:
    world.dead = {993: (ALERT,)}
    proof = LocalProof([endpoint(), endpoint(port=993)], served_only)
    proof.remember()
    assert [e.port for e in proof.endpoints] == asked
    assert (proof.judge() is None) is served_only


def test_all_dead_ports_are_told_with_the_last_cause(world: World) -> None:
    proof = LocalProof([endpoint(), endpoint(port=993), endpoint(port=995)])
    proof.remember()
    world.dead = {143: (Failure("greeting", "timeout"), ALERT), 995: ()}
    assert proof.judge() == (
        "imap://127.0.0.1:143 serves no TLS with the new configuration: "
        "alert at handshake (handshake_failure); "
        "imap://127.0.0.1:995 serves no TLS with the new configuration: refused at starttls"
    )


def test_a_server_that_needs_a_moment_gets_it(world: World) -> None:
    proof = LocalProof([endpoint()])
    proof.remember()
    world.dead, world.revived_at = {143: (ALERT,)}, 6
    assert proof.judge() is None
    assert world.time == pytest.approx(4 * local_proof.PAUSE)


def test_a_port_that_answers_without_tls_is_not_waited_for_long(world: World) -> None:
    proof = LocalProof([endpoint()])
    proof.remember()
    world.dead = {143: (ALERT,)}
    assert proof.judge() is not None
    assert local_proof.SETTLED < world.time < local_proof.SETTLED + 2 * local_proof.PAUSE


def test_a_private_instance_has_nothing_old_to_wait_for(world: World) -> None:
    world.dead = {143: (ALERT,)}
    assert local_proof.await_handshakes([endpoint()], 10.0, 1.0) is not None
    assert 1.0 < world.time < 1.0 + 2 * local_proof.PAUSE


def test_patience_with_a_port_that_does_not_answer_ends(world: World) -> None:
    proof = LocalProof([endpoint()])
    proof.remember()
    world.closed = {143}
    assert proof.judge() is not None
    assert local_proof.PATIENCE < world.time < local_proof.PATIENCE + 2 * local_proof.PAUSE


def test_what_served_before_is_known(world: World) -> None:
    world.closed, world.dead = {110}, {995: (ALERT,)}
    proof = LocalProof([endpoint(port=p) for p in (110, 143, 995)])
    proof.remember()
    assert [e.port for e in proof.endpoints] == [143, 995]
    assert [e.port for e in proof.served] == [143]


def test_without_ports_there_is_nothing_to_prove(world: World) -> None:
    proof = LocalProof([])
    proof.remember()
    assert proof.judge() is None
