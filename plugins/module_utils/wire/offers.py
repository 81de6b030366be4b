# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The named hellos, and what an answer to one of them means.

A hello is answered by an acceptance, by a refusal, or by something that is neither and then says
nothing. Two hellos combine what a hard server refuses as a whole, so that it is seen in few
connections; where one is accepted, its answer shows one part, and the rest is offered again. What
may be concluded from all that, and when a hello is sent again, is decided here.
Source: RFC 8446 section 4.1, 4.2.1 and appendix D, RFC 5246 appendix E. Pure: the answer comes in
as the events of flight.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Optional

from ..model.observed import Failure, Offer
from . import suites
from .flight import (
    Alert,
    Certificate,
    CertificateRequest,
    Event,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
)
from .hello import (
    ENCRYPT_THEN_MAC,
    EXTENDED_MASTER_SECRET,
    SESSION_TICKET,
    SSL30,
    TLS10,
    TLS11,
    TLS12,
    TLS13,
    ClientHello,
)
from .records import (
    ALERTS,
    CLOSE_NOTIFY,
    HANDSHAKE_FAILURE,
    INSUFFICIENT_SECURITY,
    PROTOCOL_VERSION,
    UNRECOGNIZED_NAME,
)

_CLASSIC = (
    *suites.ECDHE_AEAD,
    *suites.ECDHE_CBC,
    *suites.DHE_AEAD,
    *suites.DHE_CBC,
    *suites.RSA_AEAD,
    *suites.RSA_CBC,
    *suites.BROKEN,
)
_OLD = tuple(suite for suite in _CLASSIC if suite not in suites.SINCE_TLS12)
_GROUPS = (*suites.EC_GROUPS, *suites.RARE_EC_GROUPS, *suites.FF_GROUPS)
_DATED = (
    *suites.ECDHE_CBC,
    *suites.RSA_AEAD,
    *suites.RSA_CBC,
    *suites.DHE_AEAD,
    *suites.DHE_CBC,
)
_FLAGS = (EXTENDED_MASTER_SECRET, ENCRYPT_THEN_MAC, SESSION_TICKET)


def _hello(version: int, offered: tuple[int, ...], versions: tuple[int, ...] = ()) -> ClientHello:
    return ClientHello(
        version=version,
        suites=offered,
        versions=versions,
        groups=_GROUPS,
        signatures=suites.SIGNATURES if version >= TLS12 else (),
        flags=_FLAGS,
        compressions=(1, 0),
    )


WARNING = 1

# What is offered by name, in the order of asking. Versions offer all that they have; families
# are offered alone, on TLS 1.2, to be refused. ``deprecated`` (RFC 7568, RFC 8996) combines the
# old versions, and ``forbidden`` the families. ``alpn`` is a modern client that speaks another
# protocol. That ``deprecated`` lists its versions matters:
# where TLS 1.1 is off and 1.2 on, GnuTLS refuses a hello of 1.1, even if it would take 1.0.
HELLOS: dict[str, ClientHello] = {
    "tls1.2": _hello(TLS12, _CLASSIC),
    "tls1.3": ClientHello(
        version=TLS13,
        suites=suites.TLS13,
        versions=(TLS13,),
        groups=(
            *suites.HYBRID_GROUPS,
            *suites.EC_GROUPS,
            *suites.RARE_TLS13_GROUPS,
            *suites.FF_GROUPS,
        ),
        signatures=suites.SIGNATURES,
    ),
    "tls1.1": _hello(TLS11, _OLD),
    "tls1.0": _hello(TLS10, _OLD),
    "ssl3": ClientHello(SSL30, _OLD, compressions=(1, 0)),
    "deprecated": _hello(TLS12, _OLD, (TLS11, TLS10, SSL30)),
    "cbc": _hello(TLS12, suites.ECDHE_CBC),
    "static_rsa": _hello(TLS12, (*suites.RSA_AEAD, *suites.RSA_CBC)),
    "dhe": _hello(TLS12, (*suites.DHE_AEAD, *suites.DHE_CBC)),
    "broken": _hello(TLS12, suites.BROKEN),
    "forbidden": _hello(TLS12, (*_DATED, *suites.BROKEN)),
    "alpn": ClientHello(
        version=TLS13,
        suites=(*suites.TLS13, *_CLASSIC),
        versions=(TLS13, TLS12, TLS11, TLS10),
        groups=_GROUPS,
        signatures=suites.SIGNATURES,
        alpn=(b"http/1.1",),
    ),
}

TELLING = replace(
    HELLOS["tls1.2"], suites=tuple(dict.fromkeys((*suites.ECDHE_CBC, *HELLOS["tls1.2"].suites)))
)
"""``tls1.2`` for who asks for the families too: a server that follows its client's order shows one
of them at once. It has the curve, the signature and the chain of what it would choose else."""

FIRST = ("tls1.2", "tls1.3", "deprecated", "forbidden", "alpn")
"""What is asked of every port."""

COVERS: dict[str, tuple[str, ...]] = {
    "deprecated": ("tls1.1", "tls1.0", "ssl3"),
    "forbidden": ("cbc", "static_rsa", "dhe", "broken"),
}
"""Combined hellos, and those that are refused with them: a version or a suite among others is
offered as much as one alone."""
WHOLE = {"tls1.2": ("forbidden", *COVERS["forbidden"])}
"""The same for a hello that is asked for its own sake: it offers all suites of its version."""

_OF_WHAT_IS_OFFERED = frozenset({HANDSHAKE_FAILURE, PROTOCOL_VERSION, INSUFFICIENT_SECURITY})
"""Alerts that refuse versions and suites; others complain of the hello, or of the server's own
failure, and say nothing about what else it would take."""


def without_fields(hello: ClientHello) -> ClientHello:
    """The hello to send where the first was not answered; itself where nothing else is left.

    It leaves out finite-field Diffie-Hellman where other suites remain: a server that prefers such
    a suite and has no parameters for it fails every client that offers one, and serves the others
    (Dovecot 2.3 without ``ssl_dh``; it then drops the connection just as it does to refuse).
    """
    rest = tuple(suite for suite in hello.suites if suite not in suites.EPHEMERAL_DH)
    return replace(hello, suites=rest) if rest else hello


@dataclass
class Reply:
    """Collects the events of one flight until it is complete.

    ``refusal`` is the alert that ended it; ``warning`` one that may still be followed by a
    ServerHello (unrecognized_name: RFC 6066 section 3).
    """

    hello: Optional[ServerHello] = None
    chain: tuple[bytes, ...] = ()
    key: ServerKeyExchange = field(default_factory=ServerKeyExchange)
    asks_certificate: bool = False
    done: bool = False
    refusal: Optional[Alert] = None
    warning: Optional[Alert] = None

    def add(self, event: Event) -> bool:
        """Takes in an event; whether the flight is over with it."""
        if isinstance(event, ServerHello):
            self.hello = event
            self.done = event.version >= TLS13
        elif isinstance(event, Certificate):
            self.chain = event.chain
        elif isinstance(event, ServerKeyExchange):
            self.key = event
        elif isinstance(event, CertificateRequest):
            self.asks_certificate = True
        elif isinstance(event, ServerHelloDone):
            self.done = True
        elif isinstance(event, Alert) and event.level == WARNING and event.description:
            self.warning = event
        elif isinstance(event, Alert):
            self.refusal = event
        return self.done or self.refusal is not None


def outcome(
    name: str,
    reply: Reply,
    failure: Optional[Failure] = None,
    sent: Optional[ClientHello] = None,
) -> Offer:
    """What the reply to the hello of that name means; ``failure`` is what cut it short.

    ``sent`` is the hello itself where it is none of :data:`HELLOS`.

    Accepted is a ServerHello of an offered version with an offered suite. Refused is an alert
    (also after the ServerHello) or a ServerHello of another version up to the highest. Anything
    else (dropped, silent, no TLS, a suite that was not offered, a name that is not served) is
    neither.
    """
    offered, seen = sent or HELLOS[name], reply.hello
    refusal = _refusal(reply, failure)
    if seen is None:
        unsaid = refusal is None or refusal.alert in (None, UNRECOGNIZED_NAME)
        return Offer(name, None if unsaid else False, failure=refusal or failure)
    contradiction = _contradiction(offered, seen)
    meant = seen.version in (offered.versions or (offered.version,))
    return Offer(
        name=name,
        accepted=None if contradiction else meant and not refusal,
        version=seen.version,
        suite=seen.suite,
        group=seen.group if seen.group is not None else reply.key.group,
        dh_bits=reply.key.dh_bits,
        dh_prime=reply.key.dh_prime,
        signature=reply.key.signature,
        extensions=seen.extensions,
        compression=seen.compression,
        client_certificate=_asked(seen, reply),
        failure=contradiction or refusal or failure,
    )


def _refusal(reply: Reply, failure: Optional[Failure]) -> Optional[Failure]:
    alert = reply.refusal
    if alert is None and failure is not None and failure.cause in ("closed", "reset"):
        alert = reply.warning
    if alert is None:
        return None
    if alert.description == CLOSE_NOTIFY:
        return Failure("hello", "closed", alert.name)
    return Failure("hello", "alert", alert.name, alert.description)


def _contradiction(offered: ClientHello, seen: ServerHello) -> Optional[Failure]:
    if seen.version > offered.version:
        detail = f"answered with version {seen.version:#06x}, which was not offered"
        return Failure("hello", "unexpected", detail)
    if seen.suite not in offered.suites:
        detail = f"answered with suite {seen.suite:#06x}, which was not offered"
        return Failure("hello", "unexpected", detail)
    if seen.group is not None and seen.group not in offered.groups:
        detail = f"answered with group {seen.group:#06x}, which was not offered"
        return Failure("hello", "unexpected", detail)
    return None


def _asked(seen: ServerHello, reply: Reply) -> Optional[bool]:
    return reply.asks_certificate if reply.done and seen.version < TLS13 else None


def shown(offer: Offer, parts: Collection[str]) -> Optional[str]:
    """Which of its parts an accepted combined hello shows to be accepted, if it is one of these."""
    if not offer.accepted:
        return None
    fits = (n for n in parts if HELLOS[n].version == offer.version)
    return next((name for name in fits if offer.suite in HELLOS[name].suites), None)


def rest(name: str, parts: Collection[str]) -> ClientHello:
    """What is left of a combined hello when it only offers these parts."""
    whole, left = HELLOS[name], [HELLOS[part] for part in parts]
    if whole.versions:
        return replace(whole, versions=tuple(part.version for part in left))
    wanted = {suite for part in left for suite in part.suites}
    return replace(whole, suites=tuple(suite for suite in whole.suites if suite in wanted))


def concluded(offer: Offer, parts: Collection[str] = ()) -> tuple[Offer, ...]:
    """The refusals that follow from that of a combined hello, or of one of these ``parts`` of it.

    None where the server answered with a ServerHello or complained of something else. A server
    that fails after its choice, before any word of it is sent, is taken for one that refuses; the
    known case of that is what :func:`without_fields` is for.
    """
    failure = offer.failure
    if offer.accepted is not False or offer.version is not None or failure is None:
        return ()
    if failure.cause == "alert" and failure.alert not in _OF_WHAT_IS_OFFERED:
        return ()
    said = replace(failure, detail=f"{failure.detail} (to {offer.name})".strip())
    covered = parts or {**COVERS, **WHOLE}[offer.name]
    return tuple(Offer(name, False, failure=said) for name in covered)


def closed_as_refusal(
    offer: Offer, agreed: bool, sent: Optional[ClientHello] = None, able: bool = False
) -> bool:
    """Whether the end of the connection is the server's answer to the hello (``sent``).

    GnuTLS refuses with close_notify, Dovecot 2.3 by closing without a word. The first says so
    itself; the second can be meant only for the hello where the server had just ``agreed`` to
    begin TLS, and only where :func:`without_fields` has nothing else to offer, or where the server
    is ``able`` to do finite-field Diffie-Hellman. On a port that accepts no hello at all neither is
    a refusal: TLS is broken there.
    """
    failure = offer.failure
    closed = offer.accepted is None and failure is not None and failure.cause == "closed"
    if not closed or failure is None or failure.stage != "hello":
        return False
    first = sent or HELLOS[offer.name]
    alone = able or without_fields(first) == first
    return (agreed and alone) or failure.detail == ALERTS[CLOSE_NOTIFY]


def unanswered(offer: Offer) -> bool:
    """Whether the server was gone before or after the hello, without a word."""
    cause = offer.failure.cause if offer.failure is not None else ""
    return offer.accepted is None and cause in ("closed", "reset", "refused")


def settle(offer: Offer, again: Offer) -> Offer:
    """What an unanswered offer and its repetition mean, on a port that accepts another one.

    To be dropped right after the hello may be an accident (an overloaded server does it too);
    twice, it is a refusal. One that was answered counts.
    """
    if dropped(offer) and dropped(again):
        return replace(again, accepted=False)
    return again


def drops(offers: Iterable[Offer]) -> bool:
    """Whether a server is known to refuse by hanging up without a word: it did so already."""
    failures = [offer.failure for offer in offers if offer.accepted is False]
    return any(
        f is not None and f.cause in ("closed", "reset") and not f.detail.startswith("close_notify")
        for f in failures
    )


def dropped(offer: Offer) -> bool:
    """Whether the server was gone right after the hello, without a word."""
    return unanswered(offer) and offer.failure is not None and offer.failure.stage == "hello"
