# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hellos of one port: few connections where everything old is refused, more where it is not.

A hello that offers several things and is refused outright refuses each of them, so a hard port is
seen in four hellos. Only what is not refused together is then asked for one by one. The hellos are
in wire/offers.py, and so is what an answer means; here they are sent. A port that accepts nothing
at all refuses nothing either: TLS is broken there.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Optional

from .model import Failure, Offer, TlsMode
from .talk import Target, begin_tls
from .transport import Broken, Network, Stream, side_by_side
from .wire.flight import ServerFlight
from .wire.hello import ClientHello
from .wire.offers import (
    COVERS,
    FIRST,
    HELLOS,
    Reply,
    closed_as_refusal,
    concluded,
    outcome,
    second,
    settle,
    shown,
    unanswered,
)
from .wire.reader import NeedMore, WireError


@dataclass(frozen=True)
class Hellos:
    """What the hellos of one port got, and the chain that came with the first."""

    offers: tuple[Offer, ...]
    chain: tuple[bytes, ...]


async def ask_hellos(
    target: Target, network: Network, shook_hands: bool, leave_out: Collection[str] = ()
) -> Hellos:
    """All hellos; only the first where it shows that nobody here speaks TLS.

    ``shook_hands``: the local TLS library completed a handshake on this port. ``leave_out`` names
    hellos (not the first) that are not needed.
    """
    canary, chain = await _ask(target, network, FIRST[0], HELLOS[FIRST[0]])
    if not (shook_hands or _worth_asking_on(canary)):
        return Hellos((canary,), chain)
    (canary,) = await _settled(target, network, (canary,), shook_hands)
    derived = [*concluded(canary)]
    known = {*leave_out, *(offer.name for offer in derived)}
    others = await _several(target, network, [name for name in FIRST[1:] if name not in known])
    alive = shook_hands or _any((canary, *others))
    left = (canary, *others) if not shook_hands else others
    settled = await _settled(target, network, left, alive)
    asked = {offer.name: offer for offer in (canary, *settled)}
    combined = [asked[name] for name in COVERS if name in asked]
    told = [each for offer in combined for each in (*concluded(offer), *shown(offer))]
    derived, names = derived + told, {each.name for each in told}
    parts = [n for offer in combined for n in COVERS[offer.name] if n not in names]
    more = await _several(target, network, parts)
    more = await _settled(target, network, more, alive or _any(more))
    found = {offer.name: offer for offer in (*asked.values(), *derived, *more)}
    return Hellos(tuple(found[name] for name in HELLOS if name in found), chain)


def _worth_asking_on(first: Offer) -> bool:
    ended = first.failure is not None and first.failure.cause in ("closed", "reset", "alert")
    return first.accepted is not None or ended


def _any(offers: Sequence[Offer]) -> bool:
    return any(offer.accepted for offer in offers)


async def _several(target: Target, network: Network, names: Sequence[str]) -> tuple[Offer, ...]:
    asked = await side_by_side([_ask(target, network, name, HELLOS[name]) for name in names])
    return tuple(offer for offer, _chain in asked)


async def _settled(
    target: Target, network: Network, offers: tuple[Offer, ...], alive: bool
) -> tuple[Offer, ...]:
    """Makes refusals of closed connections, asking again what was not answered, one by one."""
    if not alive:
        return offers
    agreed = target.endpoint.tls_mode is TlsMode.STARTTLS
    settled: list[Offer] = []
    for offer in offers:
        if closed_as_refusal(offer, agreed):
            settled.append(replace(offer, accepted=False))
        elif unanswered(offer):
            again, _chain = await _ask(target, network, offer.name, second(offer.name))
            settled.append(settle(offer, again))
        else:
            settled.append(offer)
    return tuple(settled)


async def _ask(
    target: Target, network: Network, name: str, hello: ClientHello
) -> tuple[Offer, tuple[bytes, ...]]:
    """What one hello got, and the chain that came with it."""
    answer = await ask(target, network, hello)
    return outcome(name, answer.reply, answer.failure), answer.reply.chain


@dataclass(frozen=True)
class Answer:
    """The flight that a hello got, and what cut it short."""

    reply: Reply
    failure: Optional[Failure]


async def ask(target: Target, network: Network, hello: ClientHello) -> Answer:
    """Sends a hello on a connection of its own."""
    reply, failure = Reply(), None
    try:
        async with network.connect(target.endpoint.host, target.endpoint.port) as stream:
            early = await begin_tls(target, stream)
            stream.stage = "hello"
            random = secrets.token_bytes(32)
            await stream.send(hello.encode(random, target.server_name))
            await _read_flight(stream, early, reply)
    except Broken as broken:
        failure = broken.failure
    return Answer(reply, failure)


async def _read_flight(stream: Stream, early: bytes, reply: Reply) -> None:
    """Reads until the flight is over. Raises Broken."""
    flight = ServerFlight()
    flight.receive(early)
    while True:
        try:
            event = flight.next_event()
        except WireError as error:
            raise Broken(Failure("hello", error.cause, str(error))) from None
        if not isinstance(event, NeedMore):
            if reply.add(event):
                return
            continue
        data = await stream.receive()
        if not data:
            raise Broken(Failure("hello", "closed"))
        flight.receive(data)
