# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One port, looked at from outside without an account: what is offered, and what is refused.

To judge an open port takes one conversation (greeting, capabilities, inert login attempts, TLS,
capabilities again, STARTTLS again), one that slips a command in behind STARTTLS (injection.py), and
the hellos of hellos.py: four on a port that is hard already, so six connections. The hellos begin
as soon as the conversation shows that TLS is to be had, and go on beside it. A closed port costs
one. A sweep is the first conversation alone: one connection, whatever comes of it.
This file knows the order of questions; the protocols are in wire/, sockets and limits in
transport.py, and what is good or bad is not known here at all.

No real user's name and no password is ever sent: a SASL exchange is begun and left, USER and LOGIN
get a random name, LOGIN only where the server advertises that it will not look at it, and PASS
never. Source: RFC 8314, RFC 9051 section 6.2, RFC 2595, RFC 5804.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from .hellos import Hellos, ask_hellos
from .injection import slip_in
from .model.observed import EndpointObservation, Failure, Handshake, LoginAttempt, Service, TlsMode
from .talk import Depth, Talk, Target, dialogue
from .tasks import Told, both, side_by_side
from .transport import Broken, Network, Stream
from .wire.dialogue import Answer, Attempt, Capabilities, Challenge
from .wire.records import NO_APPLICATION_PROTOCOL

if TYPE_CHECKING:  # only depth ``full`` needs it, and it takes a fifth of the time to start
    from .inventory import Found

CONVERSATIONS = 4
"""The most connections one port's conversation may take, where login attempts end two of them and
the name in ALPN a third."""


class _Notes:
    """The observation as it grows; what was seen stays, also when the connection breaks.

    What those beside the conversation wait for: ``begins`` whether it is worth to ask for TLS,
    ``shook`` the first handshake, ``first`` what the first hello got, ``over`` the end of the
    conversation. ``hasty``: commands were sent before the answer to the last one had come.
    ``patient``: that did not go well.
    """

    def __init__(self, target: Target) -> None:
        self._seen = EndpointObservation(target.endpoint, server_name=target.server_name)
        self._found: dict[str, Any] = {}
        self.begins: Told[bool] = Told()
        self.shook: Told[Optional[Handshake]] = Told()
        self.first: Told[Hellos] = Told()
        self.over: Told[bool] = Told()
        self.hasty = False
        self.patient = False

    @property
    def seen(self) -> EndpointObservation:
        """What was seen so far; made when it is asked for, since much is seen in between."""
        if self._found:
            self._seen, self._found = replace(self._seen, **self._found), {}
        return self._seen

    def known(self, name: str) -> Any:
        """One thing of what was seen, without making the observation."""
        return self._found[name] if name in self._found else getattr(self._seen, name)

    def see(self, **changes: Any) -> None:
        self._found.update(changes)

    def fail(self, failure: Failure) -> None:
        self.see(failures=(*self.seen.failures, failure))


async def observe(target: Target, network: Network) -> EndpointObservation:
    """All that can be seen of one port. Never raises for what the peer does."""
    notes, place = _Notes(target), (target.endpoint.host, target.endpoint.port)
    if not target.resolved:
        notes.fail(Failure("connect", "unreachable", "the name has no address"))
        return notes.seen
    if target.depth is Depth.SWEEP:
        await _converse(target, network, notes)
    else:
        await side_by_side([_talks(target, network, notes), _hellos(target, network, notes)])
    notes.see(connections=network.connections(*place))
    return notes.seen


async def _talks(target: Target, network: Network, notes: _Notes) -> None:
    await _converse(target, network, notes)
    notes.begins.tell(_tls_to_ask(notes.seen))
    notes.shook.tell(notes.seen.handshake)
    notes.over.tell(True)
    if _tls_to_ask(notes.seen):
        await _inject(target, network, notes)


async def _hellos(target: Target, network: Network, notes: _Notes) -> None:
    if not await notes.begins.told():
        notes.first.tell(Hellos((), ()))
        return
    if target.depth is Depth.FULL:
        hellos, found = await _all_there_is(target, network, notes)
    else:
        hellos, found = await _all_hellos(target, network, notes), None
    if all(offer.accepted is None for offer in hellos.offers) and not _tls_to_ask(notes.seen):
        return  # STARTTLS was promised, and then refused
    notes.see(offers=hellos.offers, chain=_base64(hellos.chain) or notes.seen.chain)
    if found is not None:
        notes.see(offers=(*hellos.offers, *found.offers), inventory=found.inventory)


async def _all_there_is(
    target: Target, network: Network, notes: _Notes
) -> tuple[Hellos, Optional[Found]]:
    """The hellos, and the inventory, which begins as soon as the first of them is accepted."""
    from .inventory import LEFT_OUT, take_inventory

    asked: Told[Hellos] = Told()

    async def hellos() -> Hellos:
        found = await _all_hellos(target, network, notes, LEFT_OUT)
        asked.tell(found)
        return found

    async def inventory() -> Optional[Found]:
        begun = await notes.first.told()
        eager = replace(target, eager=begun.eager)
        return await take_inventory(eager, network, begun.offers, asked)

    return await both(hellos(), inventory())


async def _all_hellos(
    target: Target, network: Network, notes: _Notes, leave_out: Sequence[str] = ()
) -> Hellos:
    """Where TLS begins at once there is little to do, and the others leave their places to ports
    with more to do until the conversation is over."""
    until = notes.over if target.endpoint.tls_mode is TlsMode.IMPLICIT else None
    found = await ask_hellos(target, network, notes.shook, leave_out, notes.first, until)
    notes.first.tell(found)
    return found


async def _inject(target: Target, network: Network, notes: _Notes) -> None:
    """Only where capabilities are told inside TLS: their answer is what tells."""
    if target.endpoint.tls_mode is TlsMode.IMPLICIT or not notes.seen.capabilities_tls:
        return
    eager = (await notes.first.told()).eager
    injection = await slip_in(replace(target, eager=eager), network)
    notes.see(injected=injection.answered)
    if injection.failure is not None:
        notes.fail(injection.failure)


def _tls_to_ask(seen: EndpointObservation) -> bool:
    begins = seen.endpoint.tls_mode is TlsMode.IMPLICIT or seen.starttls is True
    return seen.open is True and begins


class _Left(Broken):
    """We left a SASL exchange that the server had entered: what was to be seen is seen."""

    def __init__(self) -> None:
        super().__init__(Failure("login", "closed", "left"))


async def _converse(target: Target, network: Network, notes: _Notes) -> None:
    """One conversation; another one where it ended because of a login attempt, but in a sweep."""
    sweep = target.depth is Depth.SWEEP
    alpn = "" if sweep else dialogue(target).alpn
    for _turn in range(1 if sweep else CONVERSATIONS):
        before, notes.hasty = len(notes.known("attempts")), False
        try:
            await _conversation(target, network, notes, alpn)
            return
        except Broken as broken:
            failure = broken.failure
            if isinstance(broken, _Left) and not sweep:
                continue
        notes.patient = notes.patient or notes.hasty
        if notes.hasty and failure.stage == "capability":
            continue
        if alpn and failure.alert == NO_APPLICATION_PROTOCOL:
            alpn = ""
            continue
        ended_by_attempt = failure.stage in ("login", "starttls") and (
            len(notes.seen.attempts) > before
        )
        if failure.stage == "connect" and notes.seen.open is None:
            notes.see(open=False if failure.cause == "refused" else None)
        if sweep or failure.stage == "login" or not ended_by_attempt:
            notes.fail(failure)
        if not ended_by_attempt:
            return


async def _conversation(target: Target, network: Network, notes: _Notes, alpn: str) -> None:
    endpoint = target.endpoint
    async with network.connect(endpoint.host, endpoint.port) as stream:
        notes.see(open=True)
        if endpoint.tls_mode is TlsMode.IMPLICIT:
            notes.begins.tell(True)
            await _secure(target, stream, notes, alpn)
            talk = Talk(stream, dialogue(target))
            notes.see(greeting=(await talk.greeting()).text)
        else:
            talk = Talk(stream, dialogue(target))
            if not await _cleartext(target, talk, notes):
                return
            await _secure(target, stream, notes, alpn, talk.dialogue.trailing())
            talk = Talk(stream, dialogue(target, greeted=True))
        if target.depth is Depth.SWEEP:
            await stream.send(await _inside(talk, notes, talk.dialogue.logout))
            return
        starttls = await _inside(talk, notes, talk.dialogue.starttls)
        notes.see(starttls_accepted_inside=await _taken_again(talk, starttls))
        if not notes.seen.starttls_accepted_inside:
            await stream.send(talk.dialogue.logout())


async def _inside(talk: Talk, notes: _Notes, then: Callable[[], bytes]) -> bytes:
    """What is told inside TLS. Raises Broken.

    ``then`` makes the command that follows. It goes with the question where the server allows it;
    returns what is still to be sent of it.
    """
    at_once = talk.dialogue.pipelines(Capabilities(notes.known("capabilities") or ()))
    question, rest = talk.dialogue.capability(), then()
    await talk.send("capability", question, rest if at_once else b"")
    inside = await talk.listed()
    notes.see(
        capabilities_tls=inside.names,
        mechanisms_tls=inside.mechanisms,
        starttls_inside=inside.starttls,
    )
    return b"" if at_once else rest


async def _taken_again(talk: Talk, starttls: bytes) -> Optional[bool]:
    """Whether STARTTLS is carried out inside TLS; who hangs up on it does not carry it out."""
    try:
        answer = await talk.ask("starttls", starttls)
        while isinstance(answer, Answer) and answer.capabilities is not None:
            answer = await talk.answer()  # to the question before: ManageSieve lists them twice
    except Broken as broken:
        return False if broken.failure.cause in ("closed", "reset") else None
    return isinstance(answer, Answer) and answer.ok


async def _cleartext(target: Target, talk: Talk, notes: _Notes) -> bool:
    """Greeting to STARTTLS; whether TLS begins now. Raises Broken."""
    greeting = await talk.greeting()
    notes.see(greeting=greeting.text, preauth=greeting.preauth)
    if target.endpoint.service is Service.POP3:
        notes.begins.tell(True)  # not to wait for capabilities that come one by one
    question, plan = talk.dialogue.capability(), None
    if greeting.capabilities and not greeting.preauth:
        plan = _at_once(target, talk, notes, greeting.capabilities)
    await talk.send("capability", question, plan.data if plan else b"")
    before = await talk.listed()
    notes.see(capabilities=before.names, mechanisms=before.mechanisms)
    if before.starttls and not greeting.preauth:
        notes.begins.tell(True)
    if plan is None and not greeting.preauth:
        plan = _at_once(target, talk, notes, before)
        await talk.send("login", plan.data if plan else b"")
    plan = plan or _planned(target, talk, notes, before, greeting.preauth)
    made = await _attempt_logins(talk, notes, plan)
    answer = await talk.ask("starttls", b"" if plan.starttls else talk.dialogue.starttls())
    return await _agreed(talk, notes, answer, before.starttls, made)


async def _agreed(
    talk: Talk, notes: _Notes, answer: Union[Answer, Challenge], listed: bool, attempted: bool
) -> bool:
    """Whether TLS begins now, by the answer to STARTTLS. Raises Broken."""
    agreed = isinstance(answer, Answer) and answer.ok
    notes.hasty = notes.hasty and not agreed
    # What is listed and refused after a login attempt might be carried out without one.
    spoilt = listed and attempted
    notes.see(starttls=None if spoilt and not agreed else agreed)
    if agreed:
        notes.begins.tell(True)
    if not agreed and listed:
        raise Broken(Failure("starttls", "refused", answer.text))
    if not agreed:
        await talk.stream.send(talk.dialogue.logout())
    return agreed


@dataclass(frozen=True)
class _Plan:
    """What comes before TLS: inert login attempts, sent ``at_once`` or one by one.

    ``starttls`` is the command, where it is sent with them.
    """

    attempts: tuple[Attempt, ...]
    at_once: bool = False
    starttls: bytes = b""

    @property
    def data(self) -> bytes:
        return b"".join((*(each.data for each in self.attempts), self.starttls))


def _at_once(target: Target, talk: Talk, notes: _Notes, told: Capabilities) -> Optional[_Plan]:
    """What may be sent without waiting for an answer in between, by what the server says."""
    promised = told.starttls and talk.dialogue.promises(told)
    if (
        not (promised and talk.dialogue.pipelines(told))
        or notes.patient
        or target.depth is Depth.SWEEP
    ):
        return None
    notes.begins.tell(True)
    notes.hasty = True
    attempts = _planned(target, talk, notes, told).attempts
    behind = talk.dialogue.follows or not attempts
    return _Plan(attempts, True, talk.dialogue.starttls() if behind else b"")


def _planned(
    target: Target, talk: Talk, notes: _Notes, told: Capabilities, nothing: bool = False
) -> _Plan:
    """The attempts that are still to be made, each once per port."""
    done: tuple[LoginAttempt, ...] = notes.known("attempts")
    if nothing or not target.nobody or any(attempt.refused is False for attempt in done):
        return _Plan(())
    made, sweep = [each.command for each in done], target.depth is Depth.SWEEP
    attempts = talk.dialogue.attempts(told, target.nobody)
    # In a sweep none that can only be left by hanging up: TLS would take another connection.
    return _Plan(tuple(a for a in attempts if a.command not in made and not (sweep and a.exchange)))


async def _attempt_logins(talk: Talk, notes: _Notes, plan: _Plan) -> bool:
    """Makes them; whether there were any. Raises Broken."""
    done: tuple[LoginAttempt, ...] = notes.known("attempts")
    for attempt in plan.attempts:
        # Written down before it is made: one that ends the connection is not made again.
        notes.see(attempts=(*done, LoginAttempt(attempt.command, None)))
        answer = await talk.ask("login", b"" if plan.at_once else attempt.data)
        verdict = talk.dialogue.refused(attempt.command, answer)
        done = (*done, LoginAttempt(attempt.command, verdict, answer.text))
        notes.see(attempts=done)
        if isinstance(answer, Challenge) or (plan.at_once and verdict is False):
            raise _Left
        if verdict is False:
            break
    return bool(plan.attempts)


async def _secure(
    target: Target, stream: Stream, notes: _Notes, alpn: str, early: bytes = b""
) -> None:
    """The handshake of the local TLS library. Raises Broken."""
    if early:
        detail = f"{len(early)} bytes in clear between the answer and TLS"
        notes.fail(Failure("starttls", "unexpected", detail))
    stream.stage = "handshake"
    session = await stream.start_tls(target.server_name, early, alpn)
    notes.see(handshake=session.handshake, chain=notes.known("chain") or _base64(session.chain))
    notes.shook.tell(session.handshake)


def _base64(chain: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(base64.b64encode(der).decode("ascii") for der in chain)
