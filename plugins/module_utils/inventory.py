# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a port has: suites, groups, chains and properties. This is depth ``full``.

What hellos.py asked already begins the lists here and is not asked again; the families of suites
that it would ask for are read off the lists. The lists are made in wire/enumeration.py, one hello
after the other, the versions side by side. Three handshakes follow: without a name and with that
session again, and with a name that nobody has, on which a renegotiation is tried.
Source: RFC 5077 and RFC 8446 section 4.6.1 (tickets), RFC 7507 (fallback), RFC 6066 sections 3 and
8, RFC 6520, RFC 7366, RFC 7627, RFC 5746, RFC 6176.
"""

from __future__ import annotations

import base64
import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from .hellos import Hellos, ask
from .local_tls import Ticket
from .model.observed import Chain, Failure, Inventory, Listing, Offer
from .openssl_client import available
from .renegotiation import KINDS, chain_for, renegotiate
from .talk import Talk, Target, begin_tls, dialogue
from .tasks import Places, Told, both, side_by_side
from .transport import Broken, Network
from .wire import ssl2, suites
from .wire.enumeration import NAMES, Enumeration
from .wire.hello import (
    ENCRYPT_THEN_MAC,
    EXTENDED_MASTER_SECRET,
    FALLBACK_SCSV,
    HEARTBEAT,
    RENEGOTIATION_INFO,
    SESSION_TICKET,
    STATUS_REQUEST,
    TLS12,
    TLS13,
    ClientHello,
)
from .wire.offers import COVERS, HELLOS, closed_as_refusal, dropped, drops, outcome
from .wire.schemes import kind

LEFT_OUT = ("forbidden",)
"""Hellos of offers.py that the lists make needless."""
NOBODY = "nobody.invalid"
INAPPROPRIATE_FALLBACK = 86
FAMILIES = COVERS["forbidden"]
MOST_HELLOS = 400
"""More than any honest server can need for one version: there are not so many suites."""


@dataclass(frozen=True)
class Found:
    """The inventory, and the offers that can be read off it."""

    inventory: Inventory
    offers: tuple[Offer, ...]


@dataclass
class _Seen:
    """What the hellos of one version got beside their offers."""

    listing: Listing
    offers: list[Offer]
    last: Optional[Failure] = None
    chains: list[tuple[bytes, ...]] = field(default_factory=list)


async def take_inventory(
    target: Target, network: Network, first: Sequence[Offer], hellos: Told[Hellos]
) -> Optional[Found]:
    """Lists what a port has; ``None`` where no TLS is spoken.

    ``hellos`` is what all hellos of hellos.py got, ``first`` what is known of it already: the list
    of TLS 1.2 need not wait for the rest.
    """
    if not _spoken(first) and not _spoken((await hellos.told()).offers):
        return None
    seen, old, fallback, sessions = await _asked(target, network, first, hellos)
    hidden = await _by_signatures(target, network, seen)
    properties = _properties([offer for each in seen for offer in each.offers])
    inventory = Inventory(
        ssl2=old,
        listings=tuple(each.listing for each in seen),
        chains=(
            *_chains("suites", [chain for each in seen for chain in each.chains]),
            *_chains("signatures", hidden),
        ),
        fallback_scsv=fallback,
        **properties,
    )
    tls12 = next((each for each in seen if each.listing.version == TLS12), None)
    return Found(_with_sessions(inventory, sessions), _families(tls12) if tls12 else ())


def _spoken(offers: Sequence[Offer]) -> list[tuple[int, Offer]]:
    named = {offer.name: offer for offer in offers if offer.accepted}
    return [(version, named[name]) for version, name in NAMES.items() if name in named]


async def _asked(
    target: Target, network: Network, first: Sequence[Offer], hellos: Told[Hellos]
) -> tuple[list[_Seen], Optional[bool], Optional[bool], _Sessions]:
    """All questions, two at a time.

    The list of TLS 1.2 is the longest by far and goes on without a pause. The others take turns,
    hello by hello, so that there are several left to ask side by side when it has ended.
    """
    turns = Places(ROWS)

    async def longest() -> list[_Seen]:
        spoken = _spoken(first) or _spoken((await hellos.told()).offers)
        lists = [Enumeration(version, offer) for version, offer in spoken if version == TLS12]
        alone = Places(len(lists))
        return [await turns.take(_listed(target, network, each, hellos, alone)) for each in lists]

    async def others() -> tuple[_Seen, ...]:
        spoken = dict(_spoken((await hellos.told()).offers))
        signature = spoken[TLS12].signature if TLS12 in spoken else None
        lists = [
            Enumeration(version, offer, signature=signature)
            for version, offer in spoken.items()
            if version != TLS12
        ]
        seen = [_listed(target, network, each, hellos, turns) for each in lists]
        return await side_by_side(seen)

    async def rest() -> tuple[tuple[Optional[bool], Optional[bool]], _Sessions]:
        versions = [version for version, _offer in _spoken((await hellos.told()).offers)]
        old = any(version < TLS13 for version in versions)
        sessions = turns.take(_sessions(target, network, old))
        fallback = turns.take(_fallback(target, network, versions))
        ssl2 = turns.take(_ssl2(target, network))
        found, answers = await both(sessions, both(fallback, ssl2))
        return answers, found

    lists, (answers, sessions) = await both(both(longest(), others()), rest())
    seen = sorted((*lists[0], *lists[1]), key=lambda each: each.listing.version, reverse=True)
    fallback, ssl2 = answers
    return seen, ssl2, fallback, sessions


ROWS = 2
"""As many as may be open at a port: more would only take turns in another order."""


async def _listed(
    target: Target, network: Network, lists: Enumeration, hellos: Told[Hellos], turns: Places
) -> _Seen:
    """What one version has; each hello takes its turn."""
    version, last, chains = lists.version, None, []
    for _turn in range(MOST_HELLOS):
        known = hellos.now()
        lists.drops = lists.drops or (known is not None and drops(known.offers))
        hello = lists.next_hello()
        if hello is None:
            break
        offer, chain = await turns.take(_offered(target, network, NAMES[version], hello))
        lists.add(offer)
        last = last if offer.accepted else offer.failure
        chains += [chain] if chain else []
    for ask_for, take_in in (
        (lists.about_order, lists.confirm),
        (lists.about_signatures, lists.signed),
    ):
        while (hello := ask_for()) is not None:
            asked = _offered(target, network, NAMES[version], hello)
            take_in((await turns.take(asked))[0])
    return _Seen(lists.listing(), lists.offers, last, chains)


async def _offered(
    target: Target, network: Network, name: str, hello: ClientHello
) -> tuple[Offer, tuple[bytes, ...]]:
    answer = await ask(target, network, hello)
    offer = outcome(name, answer.reply, answer.failure, hello)
    if offer.accepted is None and closed_as_refusal(offer, _agreed(target), hello):
        offer = replace(offer, accepted=False)
    return offer, answer.reply.chain


def _agreed(target: Target) -> bool:
    return target.endpoint.tls_mode.value == "starttls"


def _families(seen: _Seen) -> tuple[Offer, ...]:
    """The offers of families of suites, by what was found of TLS 1.2."""
    found = []
    for name in FAMILIES:
        family = HELLOS[name].suites
        taken = next((o for o in seen.offers if o.suite in family), None)
        if taken is not None:
            found.append(replace(taken, name=name))
        elif seen.listing.complete:
            said = seen.last
            detail = f"{said.detail} (to tls1.2)".strip() if said else "(to tls1.2)"
            failure = replace(said, detail=detail) if said else Failure("hello", "closed", detail)
            found.append(Offer(name, False, failure=failure))
        else:
            found.append(Offer(name, None, failure=seen.last))
    return tuple(found)


# ---------------------------------------------------------------------------------------------
# Properties that the hellos show


def _properties(offers: Sequence[Offer]) -> dict[str, Optional[bool]]:
    old = [offer for offer in offers if offer.version is not None and offer.version < TLS13]
    # The first offer of each version did not ask for these; some later one did.
    later = old[1:]
    cbc = [offer for offer in old if offer.suite in _CBC]
    requests = [o.client_certificate for o in old if o.client_certificate is not None]
    return {
        "secure_renegotiation": _echoed(old, RENEGOTIATION_INFO),
        "extended_master_secret": _echoed(old, EXTENDED_MASTER_SECRET),
        "encrypt_then_mac": _echoed(cbc, ENCRYPT_THEN_MAC),
        "session_tickets": _echoed(old, SESSION_TICKET),
        "heartbeat": _echoed(later, HEARTBEAT),
        "ocsp_staple": _echoed(later, STATUS_REQUEST),
        "compression": any(o.compression for o in old) if old else None,
        "client_certificate": any(requests) if requests else None,
    }


_CBC = frozenset((*suites.ECDHE_CBC, *suites.DHE_CBC, *suites.RSA_CBC))


def _echoed(offers: Sequence[Offer], extension: int) -> Optional[bool]:
    return any(extension in o.extensions for o in offers) if offers else None


def _chains(asked_by: str, chains: Sequence[tuple[bytes, ...]]) -> tuple[Chain, ...]:
    """Each chain once; a server with two keys shows one for what asks for each."""
    return tuple(Chain(asked_by, _base64(chain)) for chain in dict.fromkeys(chains) if chain)


def _base64(chain: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(base64.b64encode(der).decode("ascii") for der in chain)


# ---------------------------------------------------------------------------------------------
# Questions of their own


async def _ssl2(target: Target, network: Network) -> Optional[bool]:
    """Whether SSL 2.0 is answered; who hangs up or sends an alert refuses it."""
    data = b""
    try:
        async with network.connect(target.endpoint.host, target.endpoint.port) as stream:
            data = await begin_tls(target, stream)
            stream.stage = "hello"
            await stream.send(ssl2.client_hello(secrets.token_bytes(16)))
            while ssl2.accepted(data) is None:
                more = await stream.receive()
                if not more:
                    return False
                data += more
    except Broken as broken:
        ended = broken.failure.stage == "hello" and broken.failure.cause in ("reset", "closed")
        return False if ended else None
    return ssl2.accepted(data)


async def _fallback(target: Target, network: Network, versions: Sequence[int]) -> Optional[bool]:
    """Whether a client that says that it fell back is refused (RFC 7507)."""
    if len(versions) < 2:
        return None
    lower = sorted(versions)[-2]
    hello = HELLOS[NAMES[lower]]
    hello = replace(hello, suites=(*hello.suites, FALLBACK_SCSV))
    offer, _chain = await _offered(target, network, NAMES[lower], hello)
    if offer.accepted:
        return False
    if offer.accepted is None and not dropped(offer):
        return None
    alert = offer.failure.alert if offer.failure is not None else None
    return True if alert in (None, INAPPROPRIATE_FALLBACK) else None


async def _sessions(target: Target, network: Network, old: bool) -> _Sessions:
    """``old``: a version older than TLS 1.3 is spoken, which can be renegotiated."""
    nameless, stranger = (replace(target, server_name=name) for name in (None, NOBODY))
    first = await _session(nameless, network)
    newest = TLS12 if old else TLS13
    other = await (
        _seen_inside(stranger, network, newest) if available() else _session(stranger, network)
    )
    if available() and other.served is False:  # only because of the name, perhaps
        other = replace(await _seen_inside(target, network, newest), served=False, chain=())
    again = await _session(nameless, network, first.ticket) if first.ticket is not None else None
    return _Sessions(first, other, again)


def _with_sessions(known: Inventory, sessions: _Sessions) -> Inventory:
    """Resumption, renegotiation, and what is served without a name and to an unknown one."""
    first, other, again = sessions.nameless, sessions.unknown, sessions.again
    seen: dict[str, Any] = {"unknown_name": other.served, "renegotiation": other.renegotiation}
    if known.ocsp_staple is None:
        seen["ocsp_staple"] = other.stapled
    if known.client_certificate is None:
        seen["client_certificate"] = other.asked
    ticket = first.ticket
    if first.served:
        seen["resumption"] = bool(again and again.resumed)
        if again is not None and not again.served:
            seen["resumption"] = None
        if ticket is not None and ticket.stateless:
            seen.update(session_tickets=True, ticket_seconds=ticket.seconds)
    chains = [
        Chain(word, _base64(each.chain))
        for word, each in (("no_name", first), ("unknown_name", other))
        if each.served
    ]
    return replace(known, chains=(*known.chains, *chains), **seen)


@dataclass(frozen=True)
class _Handshake:
    """``served`` is False where an alert ended it, ``None`` where something else did."""

    served: Optional[bool]
    chain: tuple[bytes, ...] = ()
    resumed: bool = False
    ticket: Optional[Ticket] = None
    renegotiation: Optional[bool] = None
    stapled: Optional[bool] = None
    asked: Optional[bool] = None


@dataclass(frozen=True)
class _Sessions:
    """Handshakes without a name, with an unknown one, and with the ticket of the first."""

    nameless: _Handshake
    unknown: _Handshake
    again: Optional[_Handshake]


async def _session(target: Target, network: Network, ticket: Optional[Ticket] = None) -> _Handshake:
    """A handshake of the local library, and the ticket that comes with the first words."""
    try:
        async with network.connect(target.endpoint.host, target.endpoint.port) as stream:
            early = await begin_tls(target, stream)
            stream.stage = "handshake"
            session = await stream.start_tls(target.server_name, early, ticket=ticket)
            talk = Talk(stream, dialogue(target, greeted=_agreed(target)))
            with contextlib.suppress(Broken):  # up to TLS 1.2 the ticket came with the handshake
                if not _agreed(target):
                    await talk.greeting()
                await talk.capabilities()
            return _Handshake(True, session.chain, session.resumed, stream.ticket())
    except Broken as broken:
        return _Handshake(False if broken.failure.cause == "alert" else None)


async def _seen_inside(target: Target, network: Network, newest: int) -> _Handshake:
    """A handshake that sees what TLS 1.3 hides, and up to TLS 1.2 tries to begin another."""
    seen = await renegotiate(target, network, newest)
    return _Handshake(
        seen.served,
        seen.chain,
        renegotiation=seen.accepted,
        stapled=seen.stapled,
        asked=seen.asked,
    )


# ---------------------------------------------------------------------------------------------
# The chains of TLS 1.3


async def _by_signatures(
    target: Target, network: Network, seen: Sequence[_Seen]
) -> tuple[tuple[bytes, ...], ...]:
    """The chain for each kind of key, where TLS 1.3 signs with several and no hello showed them."""
    signatures = [
        s for each in seen if each.listing.version == TLS13 for s in each.listing.signatures
    ]
    kinds = [word for word in KINDS if any(kind(scheme) == word for scheme in signatures)]
    if len(kinds) < 2 or any(each.chains for each in seen) or not available():
        return ()
    return tuple([await chain_for(target, network, word) for word in kinds])
