# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a password cross the wire in the clear? Checks of ports where TLS begins with a command.

What a port announces and what it does are judged apart: Courier's CAPA does not change when TLS is
required, and a client believes the announcement. Nothing here tells more than one dialogue
without an account can.

Sources: RFC 9051 sections 6.2.1 to 6.2.3 and 7.1.4 (PREAUTH), RFC 2595 sections 2.3 and 4,
RFC 5804 section 2.2, RFC 8314 section 4.1; CVE-2011-0411 and CVE-2021-38084 (command injection).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from ...module_utils.model.configured import ServerConfig
from ...module_utils.model.observed import EndpointObservation, LoginAttempt, Service, TlsMode
from ...module_utils.model.posture import Severity
from .base import (
    CheckFunction,
    PortCheck,
    Subject,
    Verdict,
    about,
    at_stage,
    failed,
    in_force,
    not_applicable,
    on_ports,
    on_servers,
    passed,
    scope_name,
    unseen,
    where,
)

# Mechanisms that carry the password itself, and those that give it to who guesses long enough.
CLEAR = frozenset({"PLAIN", "LOGIN"})
GUESSABLE = frozenset({"CRAM-MD5", "CRAM-SHA1", "CRAM-SHA256", "DIGEST-MD5", "NTLM", "APOP"})


def announced_disabled(seen: EndpointObservation, _subject: Subject) -> Verdict:
    """PT-01: IMAP announces LOGINDISABLED before TLS."""
    if seen.endpoint.service is not Service.IMAP:
        return not_applicable("LOGINDISABLED is a word of IMAP")
    if seen.capabilities is None:
        return unseen("the capabilities before TLS", at_stage(seen, "greeting", "capability"))
    said = (" ".join(seen.capabilities),)
    if "LOGINDISABLED" in _upper(seen.capabilities):
        return passed("LOGINDISABLED is announced", evidence=said)
    tried = _attempt(seen, "LOGIN")
    refused = tried is not None and tried.refused
    return failed(
        "LOGINDISABLED is not announced, so clients send the password"
        + (", only to be refused" if refused else ""),
        "LOGINDISABLED among the capabilities before TLS",
        Severity.MEDIUM if refused else None,
        said,
    )


def login_refused(seen: EndpointObservation, _subject: Subject) -> Verdict:
    """PT-02: an IMAP or ManageSieve login without TLS is refused."""
    if seen.endpoint.service is Service.POP3:
        return not_applicable("POP3 is judged by PT-03")
    return _refused(
        seen, "LOGIN" if seen.endpoint.service is Service.IMAP else "AUTHENTICATE PLAIN"
    )


def user_refused(seen: EndpointObservation, _subject: Subject) -> Verdict:
    """PT-03: POP3's USER without TLS is refused; its CAPA is no evidence."""
    if seen.endpoint.service is not Service.POP3:
        return not_applicable("USER is a word of POP3")
    return _refused(seen, "USER")


# What an answer without words meant: a SASL challenge may be empty.
_SILENT = {True: "refused", False: "the server goes on", None: "no answer"}


def _refused(seen: EndpointObservation, decisive: str) -> Verdict:
    """Every login that was tried without TLS was refused, the decisive one among them.

    A mechanism may be refused for being unknown; a probe tries LOGIN only where LOGINDISABLED
    promises that nobody looks at it (else PT-01 fails already).
    """
    expected = "a login without TLS is refused"
    words = tuple(f"{a.command}: {a.answer or _SILENT[a.refused]}" for a in seen.attempts)
    taken = [a.command for a in seen.attempts if a.refused is False]
    if taken:
        return failed(f"{' and '.join(taken)} is taken without TLS", expected, evidence=words)
    decided = _attempt(seen, decisive)
    if decided is None or decided.refused is None:
        failures = at_stage(seen, "greeting", "capability", "login")
        return unseen(f"the answer to {decisive} without TLS", failures)
    refused = " and ".join(a.command for a in seen.attempts if a.refused)
    return passed(f"{refused} is refused without TLS", expected, words)


def mechanisms(seen: EndpointObservation, _subject: Subject) -> Verdict:
    """PT-04: no mechanism that gives the password away is offered before TLS."""
    if seen.mechanisms is None:
        return unseen("the mechanisms before TLS", at_stage(seen, "greeting", "capability"))
    offered = _upper(seen.mechanisms)
    expected = "no SASL mechanism that gives the password away before TLS"
    said = ("SASL " + " ".join(seen.mechanisms),)
    clear, guessable = sorted(offered & CLEAR), sorted(offered & GUESSABLE)
    if clear:
        only_said = bool(seen.attempts) and all(a.refused for a in seen.attempts)
        severity = Severity.MEDIUM if only_said else None
        return failed(f"offered before TLS: {', '.join(clear)}", expected, severity, said)
    if guessable:
        actual = f"offered before TLS: {', '.join(guessable)}"
        return failed(actual, expected, Severity.HIGH, said)
    return passed("none is offered before TLS", expected, said if seen.mechanisms else ())


def starttls_offered(seen: EndpointObservation, _subject: Subject) -> Verdict:
    """PT-05: a port that begins without TLS offers to begin it."""
    word = {Service.POP3: "STLS"}.get(seen.endpoint.service, "STARTTLS")
    if seen.starttls is None:
        return unseen(f"the offer of {word}", at_stage(seen, "greeting", "capability", "starttls"))
    said = (" ".join(seen.capabilities or ()),) if seen.capabilities else ()
    if seen.starttls:
        return passed(f"{word} is offered", evidence=said)
    return failed(f"{word} is not offered on an open port", f"{word} is offered", evidence=said)


def handshake_works(seen: EndpointObservation, _subject: Subject) -> Verdict:
    """PT-06: where TLS is offered it works."""
    starts_clear = seen.endpoint.tls_mode is TlsMode.STARTTLS
    if starts_clear and seen.starttls is False:
        return not_applicable("TLS is not offered here")
    if seen.handshake or any(offer.accepted for offer in seen.offers):
        return passed("TLS begins")
    causes = at_stage(seen, "starttls", "handshake", "hello")
    offers = tuple(offer.failure for offer in seen.offers)
    answered = [
        f for f in (*causes, *offers) if f and f.cause in ("alert", "closed", "reset", "not_tls")
    ]
    if answered or any(offer.accepted is False for offer in seen.offers):
        verdict = unseen("a handshake", (*answered, *causes, *offers))
        actual = verdict.evidence[0] if verdict.evidence else "every offer is refused"
        return failed(
            f"no handshake succeeds: {actual}", "a handshake succeeds", evidence=verdict.evidence
        )
    return unseen("a handshake", (*causes, *offers))


def secured_networks(server: ServerConfig, _subject: Subject) -> Iterator[Verdict]:
    """PT-08: no network counts as secured without TLS."""
    for field in ("trusted_networks", "proxy_networks"):
        for row in (r for r in server.effective if r.field == field):
            yield _network(server, row.scope, field)


def _network(server: ServerConfig, scope: str, field: str) -> Verdict:
    row = in_force(server, field, scope)
    name = f"{scope_name(server, scope)} {row.name}" if row else field
    if row is None or row.value is None:
        verdict = unseen(f"{name}")
    elif not row.value.strip():
        verdict = passed("no network is trusted without TLS", evidence=(where(row),))
    else:
        tls = in_force(server, "tls", scope)
        # 2.4 no longer counts them as secured where TLS is required (NEWS 2.4.0).
        harmless = tls is not None and tls.value == "required" and _is_24(server)
        held = f", held back only by {tls.name} = {tls.native}" if tls and harmless else ""
        verdict = failed(
            f"{row.value} counts as secured without TLS{held}",
            "no network counts as secured without TLS",
            Severity.LOW if harmless else None,
            (where(row),),
        )
    return about(verdict, name)


def _is_24(server: ServerConfig) -> bool:
    return (server.version or "").startswith("2.4")


def injection(service: Service) -> PortCheck:
    """INJ-01 to INJ-03: what was sent in clear behind STARTTLS is forgotten, by protocol."""

    def forgotten(seen: EndpointObservation, _subject: Subject) -> Verdict:
        if seen.endpoint.service is not service:
            return not_applicable(f"this is no {service.value} port")
        if seen.starttls is False:
            return not_applicable("TLS is not offered here")
        if seen.injected is None:
            stages = ("injection", "starttls", "handshake", "capability")
            return unseen("a command behind the one that begins TLS", at_stage(seen, *stages))
        expected = "what is sent in clear before TLS begins is forgotten"
        if seen.injected:
            return failed("a command sent in clear is carried out inside TLS", expected)
        return passed("a command sent in clear is not carried out inside TLS", expected)

    return forgotten


def preauth(seen: EndpointObservation, _subject: Subject) -> Verdict:
    """INJ-05: the greeting of a port without TLS is not PREAUTH, which rules STARTTLS out."""
    if seen.preauth is None:
        return unseen("the greeting", at_stage(seen, "greeting"))
    said = (seen.greeting,) if seen.greeting else ()
    if seen.preauth:
        return failed("the greeting is PREAUTH", "a greeting that waits for a login", None, said)
    return passed("the greeting waits for a login", evidence=said)


def starttls_again(seen: EndpointObservation, _subject: Subject) -> Verdict:
    """INJ-04: STARTTLS is neither offered nor carried out inside TLS."""
    expected = "STARTTLS is neither offered nor carried out inside TLS"
    said = (" ".join(seen.capabilities_tls or ()),)
    if seen.starttls_accepted_inside:
        return failed("it is carried out inside TLS", expected, None, said)
    if seen.starttls_inside:
        return failed("it is offered inside TLS", expected, None, said)
    if seen.starttls_inside is None or seen.starttls_accepted_inside is None:
        return unseen("STARTTLS inside TLS", at_stage(seen, "handshake", "capability"))
    return passed("it is neither offered nor carried out inside TLS", expected)


def _attempt(seen: EndpointObservation, command: str) -> Optional[LoginAttempt]:
    return next((a for a in seen.attempts if a.command == command), None)


def _upper(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word.upper() for word in words)


TABLE: dict[str, CheckFunction] = {
    "PT-01": on_ports(announced_disabled, TlsMode.STARTTLS),
    "PT-02": on_ports(login_refused, TlsMode.STARTTLS),
    "PT-03": on_ports(user_refused, TlsMode.STARTTLS),
    "PT-04": on_ports(mechanisms, TlsMode.STARTTLS),
    "PT-05": on_ports(starttls_offered, TlsMode.STARTTLS),
    "PT-06": on_ports(handshake_works),
    "PT-08": on_servers(secured_networks),
    "INJ-01": on_ports(injection(Service.IMAP), TlsMode.STARTTLS),
    "INJ-02": on_ports(injection(Service.POP3), TlsMode.STARTTLS),
    "INJ-03": on_ports(injection(Service.SIEVE), TlsMode.STARTTLS),
    "INJ-04": on_ports(starttls_again),
    "INJ-05": on_ports(preauth, TlsMode.STARTTLS),
}
