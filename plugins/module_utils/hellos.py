# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hellos of one port: few connections where everything old is refused, more where it is not.

A hello that offers several things and is refused outright refuses each of them, so a hard port is
seen in five hellos on four or five connections: that of another protocol goes on where the one of
TLS 1.3 stopped, if the server lets it. An acceptance shows one of several things, and the others
are offered again. The hellos are in wire/offers.py and wire/second.py, and so is what an answer
means; here they are sent. A port that accepts nothing at all refuses nothing either: TLS is broken
there.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Optional

from .model.observed import Failure, Handshake, Offer, TlsMode
from .talk import BEFORE_TLS, Target, begin_tls
from .tasks import Places, Told, side_by_side
from .transport import Broken, Network, Stream
from .wire import suites
from .wire.flight import ServerFlight
from .wire.hello import ClientHello
from .wire.offers import (
    COVERS,
    FIRST,
    HELLOS,
    TELLING,
    Reply,
    closed_as_refusal,
    concluded,
    dropped,
    outcome,
    rest,
    settle,
    shown,
    unanswered,
    without_fields,
)
from .wire.reader import NeedMore, WireError
from .wire.records import NO_APPLICATION_PROTOCOL
from .wire.second import second


@dataclass(frozen=True)
class Hellos:
    """What the hellos of one port got, and the chain that came with the first.

    ``eager``: the port takes STARTTLS before it has greeted.
    """

    offers: tuple[Offer, ...]
    chain: tuple[bytes, ...]
    eager: bool = False


@dataclass(frozen=True)
class _Port:
    """Who is asked, and what was accepted so far; ``dropped``: what was dropped twice."""

    target: Target
    network: Network
    accepted: list[Offer] = field(default_factory=list)
    dropped: list[Offer] = field(default_factory=list)
    again: Places = field(default_factory=lambda: Places(1))

    @property
    def able(self) -> bool:
        """Whether a suite with finite-field Diffie-Hellman was accepted: it has parameters."""
        return any(offer.suite in suites.EPHEMERAL_DH for offer in self.accepted)


async def ask_hellos(
    target: Target,
    network: Network,
    handshake: Told[Optional[Handshake]],
    leave_out: Collection[str] = (),
    first: Optional[Told[Hellos]] = None,
    until: Optional[Told[bool]] = None,
) -> Hellos:
    """All hellos; only the first where it shows that nobody here speaks TLS.

    ``handshake`` is the first that the local TLS library completes on this port, ``None`` if it
    completes none; it is told while the hellos are asked, and waited for only where it matters.
    ``leave_out`` names hellos (not the first) that are not needed. ``first`` is told what the
    first one got, if that was accepted, before the others are answered. These wait for ``until``.
    """
    families = FAMILIES not in leave_out
    hello = TELLING if families else HELLOS[FIRST[0]]
    port, canary, chain = await _canary(_Port(target, network), handshake, hello)
    alive = bool(canary.accepted) or await handshake.told() is not None
    if not (alive or _worth_asking_on(canary)):
        return Hellos((canary,), chain)
    if alive:
        (canary,) = await _settled(port, (canary,), alive, hello)
    if first is not None and canary.accepted:
        first.tell(Hellos((canary,), chain, port.target.eager))
    if until is not None:
        await until.told()
    derived = concluded(canary)
    known = {*leave_out, *(offer.name for offer in derived)}
    names = [name for name in _OTHERS if name not in known]
    if alive:  # it is plain that TLS is spoken here: no hello waits for the answer to another
        told = families and shown(canary, COVERS[FAMILIES]) is not None
        rows = [_row(port, (), (replace(canary, name=FAMILIES),))] if told else []
        rows += [_row(port, (name,)) for name in names if not (told and name == FAMILIES)]
        rows.append(_newest(port, handshake))
    else:
        rows = [_row(port, (*names, NEWEST, FOREIGN), (canary,), alive)]
    others = [offer for row in await side_by_side(rows) for offer in row]
    found = {offer.name: offer for offer in (canary, *derived, *others)}
    offers = tuple(found[name] for name in HELLOS if name in found)
    return Hellos(offers, chain, port.target.eager)


FOREIGN = "alpn"
FAMILIES = "forbidden"
NEWEST = "tls1.3"
_OTHERS = (FAMILIES, "deprecated")
"""In this order, as many at a time as may be open at a port, since what may have to be divided
takes longest. When the old versions are refused it is known already whether a lack of parameters
may be the reason."""


async def _canary(
    port: _Port, handshake: Told[Optional[Handshake]], hello: ClientHello
) -> tuple[_Port, Offer, tuple[bytes, ...]]:
    """The first hello. It shows too whether this port takes STARTTLS before it has greeted."""
    name, by_command = FIRST[0], port.target.endpoint.tls_mode is TlsMode.STARTTLS
    eager = replace(port, target=replace(port.target, eager=by_command))
    offer, chain = await _ask(eager, name, hello)
    hasty = by_command and offer.failure is not None and offer.failure.stage in BEFORE_TLS
    if not hasty or await handshake.told() is None:
        return eager, offer, chain
    return (port, *await _ask(port, name, hello))


async def _newest(port: _Port, handshake: Told[Optional[Handshake]]) -> tuple[Offer, ...]:
    """TLS 1.3, and the client of another protocol where names in ALPN are looked at: on the same
    connection if the server says there that it refuses it, else on one of its own."""
    shook = await handshake.told()
    if shook is not None and shook.alpn == "":  # the name of its own protocol is left unanswered
        return await _row(port, (NEWEST,))
    answer = await ask(port.target, port.network, HELLOS[NEWEST], HELLOS[FOREIGN].alpn)
    newest = await _settled(port, (_noted(port, NEWEST, HELLOS[NEWEST], answer),), True)
    return (*newest, *(answer.foreign or await _row(port, (FOREIGN,))))


async def _row(
    port: _Port,
    names: Sequence[str],
    before: tuple[Offer, ...] = (),
    alive: bool = True,
) -> tuple[Offer, ...]:
    """Hellos, and the parts of those that are not refused as a whole."""
    offers = (*before, *await _several(port, names))
    alive = alive or _any(offers)
    offers = await _settled(port, offers, alive)
    combined = [offer for offer in offers if offer.name in COVERS]
    derived = [each for offer in combined for each in concluded(offer)]
    for offer in combined:
        derived += await _divided(port, offer) if offer.accepted else ()
    known = {offer.name for offer in derived}
    parts = [n for offer in combined for n in COVERS[offer.name] if n not in known]
    more = await _several(port, parts)
    more = await _settled(port, more, alive or _any(more))
    return (*offers, *derived, *more)


async def _divided(port: _Port, offer: Offer) -> list[Offer]:
    """What the answers show of an accepted combined hello: one part each, until none is left."""
    name, left, found = offer.name, list(COVERS[offer.name]), []
    while (part := shown(offer, left)) is not None:
        found.append(replace(offer, name=part))
        left.remove(part)
        if len(left) < 2:
            break
        hello = rest(name, left)
        answered, _chain = await _ask(port, name, hello)
        (offer,) = await _settled(port, (answered,), True, hello)
    return [*found, *(concluded(offer, left) if left else ())]


def _worth_asking_on(first: Offer) -> bool:
    said = first.failure
    ended = said is not None and said.stage == "hello" and said.cause in _ENDS
    return first.accepted is not None or ended


_ENDS = ("closed", "reset", "alert")


def _any(offers: Sequence[Offer]) -> bool:
    return any(offer.accepted for offer in offers)


async def _several(port: _Port, names: Sequence[str]) -> tuple[Offer, ...]:
    asked = await side_by_side([_ask(port, name, HELLOS[name]) for name in names])
    return tuple(offer for offer, _chain in asked)


async def _settled(
    port: _Port,
    offers: tuple[Offer, ...],
    alive: bool,
    sent: Optional[ClientHello] = None,
) -> tuple[Offer, ...]:
    """Makes refusals of closed connections, asking again what was not answered, one by one.

    ``sent`` is the hello itself where it is none of HELLOS.
    """
    if not alive:
        return offers
    agreed = port.target.endpoint.tls_mode is TlsMode.STARTTLS
    settled: list[Offer] = []
    for offer in offers:
        hello = sent or HELLOS[offer.name]
        if closed_as_refusal(offer, agreed, hello, port.able):
            settled.append(replace(offer, accepted=False))
        elif unanswered(offer):
            settled.append(await _again(port, offer, hello))
        else:
            settled.append(offer)
    return tuple(settled)


async def _again(port: _Port, offer: Offer, hello: ClientHello) -> Offer:
    """An offer that was not answered, asked again.

    Not where a drop can only be meant for the hello and this port is known to drop those whom it
    refuses: one repetition shows that for all, so it is waited for.
    """
    if dropped(offer) and (port.able or without_fields(hello) == hello):
        async with port.again.place():
            return (
                replace(offer, accepted=False) if port.dropped else await _twice(port, offer, hello)
            )
    return await _twice(port, offer, hello)


async def _twice(port: _Port, offer: Offer, hello: ClientHello) -> Offer:
    again, _chain = await _ask(port, offer.name, without_fields(hello))
    if dropped(offer) and dropped(again):
        port.dropped.append(again)
    return settle(offer, again)


async def _ask(port: _Port, name: str, hello: ClientHello) -> tuple[Offer, tuple[bytes, ...]]:
    """What one hello got, and the chain that came with it."""
    answer = await ask(port.target, port.network, hello)
    return _noted(port, name, hello, answer), answer.reply.chain


def _noted(port: _Port, name: str, hello: ClientHello, answer: Answer) -> Offer:
    offer = outcome(name, answer.reply, answer.failure, hello)
    if offer.accepted:
        port.accepted.append(offer)
    return offer


@dataclass(frozen=True)
class Answer:
    """The flight that a hello got, and what cut it short.

    ``foreign`` is the refusal of another protocol, where one was offered too and was refused.
    """

    reply: Reply
    failure: Optional[Failure]
    foreign: tuple[Offer, ...] = ()


async def ask(
    target: Target, network: Network, hello: ClientHello, foreign: tuple[bytes, ...] = ()
) -> Answer:
    """Sends a hello on a connection of its own.

    ``foreign`` are protocols to offer by name with a second one, where the server asks for that.
    """
    reply, again, failure = Reply(), Reply(), None
    try:
        async with network.connect(target.endpoint.host, target.endpoint.port) as stream:
            flight = ServerFlight()
            flight.receive(await begin_tls(target, stream))
            stream.stage, random = "hello", os.urandom(32)
            await stream.send(hello.encode(random, target.server_name))
            await _read_flight(stream, flight, reply)
            more = second(hello, reply.hello, foreign) if foreign else None
            if more is not None:
                await stream.send(more.encode(random, target.server_name))
                await _read_flight(stream, flight, again)
    except Broken as broken:
        failure = None if reply.done else broken.failure
    refused = outcome(FOREIGN, again)
    said = refused.failure.alert if refused.failure is not None else None
    # Any other answer may mean that what changed between the hellos was not looked at.
    only = again.hello is None and said == NO_APPLICATION_PROTOCOL
    return Answer(reply, failure, (refused,) if only else ())


async def _read_flight(stream: Stream, flight: ServerFlight, reply: Reply) -> None:
    """Reads until the flight is over. Raises Broken."""
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
