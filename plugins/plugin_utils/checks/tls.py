# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which TLS does a port speak? Checks of the answers to raw ClientHellos.

Each offer asks one question (``tls1.0``: would you speak it? ``dhe``: would you take it?). An
offer that was never made, or got neither a choice nor a refusal, proves nothing.

Sources: RFC 9325 (BCP 195) sections 3.1.1, 3.3, 3.5, 3.8, 4.1, 4.2, 4.5; RFC 8996; RFC 8314
section 4.2; RFC 7627; Mozilla Server Side TLS for the thresholds, by way of the profile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from ...module_utils.config.vocabulary import CODE_POINTS, PROTOCOLS
from ...module_utils.model.observed import EndpointObservation, Listing, Offer
from ...module_utils.model.posture import Severity
from ..registry import (
    EXTENDED_MASTER_SECRET,
    RENEGOTIATION_INFO,
    signature_name,
    suite,
    suite_name,
    version_name,
)
from .base import (
    CheckFunction,
    Subject,
    Verdict,
    failed,
    not_applicable,
    on_ports,
    passed,
    unseen,
    worst,
)

# The name of the offer that asks for each version.
OFFERS: dict[str, str] = {
    "SSLv2": "ssl2",
    "SSLv3": "ssl3",
    "TLSv1": "tls1.0",
    "TLSv1.1": "tls1.1",
    "TLSv1.2": "tls1.2",
    "TLSv1.3": "tls1.3",
}
# What every audit asks for; SSLv2 has no hello that a modern stack answers.
ASKED = PROTOCOLS[1:]

WEAK_DH_BITS = 2048


def accepted_versions(seen: EndpointObservation) -> tuple[str, ...]:
    """The protocol versions that a port was seen to speak, oldest first."""
    spoken = {o.version for o in seen.offers if o.accepted}
    spoken |= {seen.handshake.version} if seen.handshake else set()
    by_offer = {name for name in PROTOCOLS if _accepted(seen, OFFERS[name])}
    by_offer |= {"SSLv2"} if seen.inventory and seen.inventory.ssl2 else set()
    return tuple(n for n in PROTOCOLS if n in by_offer or CODE_POINTS[n] in spoken)


def old_versions(seen: EndpointObservation, subject: Subject) -> Verdict:
    """TLS-01: nothing older than the profile's oldest version is spoken."""
    floor = PROTOCOLS.index(subject.profile.protocol_min)
    too_old = [name for name in accepted_versions(seen) if PROTOCOLS.index(name) < floor]
    expected = f"{subject.profile.protocol_min} and newer only"
    if too_old:
        severity = Severity.MEDIUM if too_old == ["TLSv1.2"] else None
        return failed(f"{', '.join(too_old)} accepted", expected, severity)
    asked = [seen.offer(OFFERS[name]) for name in ASKED if PROTOCOLS.index(name) < floor]
    return _unanswered("older versions", asked) or passed("every older version refused", expected)


def required_versions(seen: EndpointObservation, subject: Subject) -> Verdict:
    """TLS-02: the versions that the profile requires are spoken."""
    required = subject.profile.protocols_required
    spoken = accepted_versions(seen)
    missing = [name for name in required if name not in spoken]
    if not missing:
        return passed(f"{' and '.join(required)} accepted")
    unanswered = _unanswered(" and ".join(missing), [seen.offer(OFFERS[m]) for m in missing])
    if unanswered:
        return unanswered
    # Stricter than the profile is no weakness: older clients stay out, nobody is exposed.
    stricter = "TLSv1.3" in spoken
    return failed(
        f"{', '.join(missing)} refused",
        f"{' and '.join(required)} accepted",
        Severity.INFO if stricter else None,
        remediation="Nothing needs to change unless older clients must connect."
        if stricter
        else "",
    )


def broken_suites(seen: EndpointObservation, _subject: Subject) -> Verdict:
    """TLS-03: no suite that protects nothing."""
    expected = "no NULL, anonymous, export, RC4, DES or 3DES suite"
    for code in _suites_seen(seen):
        known = suite(code)
        if known and known.broken:
            severity = Severity.CRITICAL if known.open else None
            return failed(f"{known.name} accepted", expected, severity)
    return _refused(seen, "broken", expected)


def _refused(seen: EndpointObservation, name: str, expected: str) -> Verdict:
    """The offer of that name was refused."""
    offer = seen.offer(name)
    unanswered = _unanswered(f"the offer {name}", [offer])
    if unanswered or offer is None:
        return unanswered or unseen(f"the offer {name}")
    if offer.accepted:
        chosen = suite_name(offer.suite) if offer.suite is not None else f"the offer {name}"
        return failed(f"{chosen} accepted", expected)
    return passed("all of them refused", expected)


# offer → what it shows where it is accepted, and how grave that is
_DATED: dict[str, tuple[str, Severity]] = {
    "static_rsa": ("static RSA", Severity.MEDIUM),
    "dhe": ("finite-field DHE", Severity.LOW),
    "cbc": ("CBC", Severity.LOW),
}


def dated_suites(seen: EndpointObservation, _subject: Subject) -> Verdict:
    """TLS-04: no static RSA, no DHE, no CBC."""
    expected = "neither static RSA nor finite-field DHE nor CBC suites"
    taken = [(name, offer) for name in _DATED for offer in [seen.offer(name)] if offer]
    accepted = [(name, offer) for name, offer in taken if offer.accepted]
    if accepted:
        shown = ", ".join(f"{_DATED[name][0]}{_chosen(offer)}" for name, offer in accepted)
        severity = worst(*(_DATED[name][1] for name, _offer in accepted))
        return failed(f"accepted: {shown}", expected, severity)
    unanswered = _unanswered("dated suites", [seen.offer(name) for name in _DATED])
    return unanswered or passed("all of them refused", expected)


def _chosen(offer: Offer) -> str:
    return f" ({suite_name(offer.suite)})" if offer.suite is not None else ""


def dh_size(seen: EndpointObservation, _subject: Subject) -> Verdict:
    """TLS-05: a finite-field group has at least 2048 bits."""
    offer = seen.offer("dhe")
    unanswered = _unanswered("finite-field DHE", [offer])
    if unanswered or offer is None:
        return unanswered or unseen("finite-field DHE")
    sizes = [bits for listing in listings(seen) for bits in listing.dh_bits]
    sizes += [offer.dh_bits] if offer.dh_bits is not None else []
    if not offer.accepted and not sizes:
        return passed("DHE is refused")
    if not sizes:
        return unseen("the size of the DH group", [offer.failure])
    shown, expected = f"{min(sizes)} bits", f"at least {WEAK_DH_BITS} bits"
    return passed(shown, expected) if min(sizes) >= WEAK_DH_BITS else failed(shown, expected)


# ---------------------------------------------------------------------------------------------
# Extensions


def safe_12(seen: EndpointObservation, _subject: Subject) -> Verdict:
    """TLS-07: TLS 1.2 with secure renegotiation, extended master secret, no compression."""
    offer = seen.offer("tls1.2")
    unanswered = _unanswered("TLS 1.2", [offer])
    if unanswered or offer is None:
        return unanswered or unseen("TLS 1.2")
    if not offer.accepted:
        return not_applicable("TLS 1.2 is not spoken")
    if offer.version is not None and offer.version != CODE_POINTS["TLSv1.2"]:
        return not_applicable(f"{version_name(offer.version)} was chosen instead")
    wrong: list[str] = []
    if RENEGOTIATION_INFO not in offer.extensions:
        wrong.append("no secure renegotiation")
    if EXTENDED_MASTER_SECRET not in offer.extensions:
        wrong.append("no extended master secret")
    if offer.compression:
        wrong.append("compression is on")
    expected = "renegotiation_info, extended_master_secret, no compression"
    if wrong:
        return failed(", ".join(wrong), expected)
    if offer.compression is None:
        return unseen("the compression method", [offer.failure])
    return passed("all as it should be", expected)


def alpn(seen: EndpointObservation, _subject: Subject) -> Verdict:
    """TLS-08: a client that asks for HTTP only is turned away.

    A server that leaves even its own name unanswered does not look at ALPN. Where no other hello is
    accepted, to be turned away tells nothing of ALPN.
    """
    offer = seen.offer("alpn")
    expected = "a client that offers http/1.1 only is turned away"
    if offer is None and seen.handshake and seen.handshake.alpn == "":
        return failed("ALPN is ignored, even the server's own protocol", expected)
    unanswered = _unanswered("ALPN", [offer])
    if unanswered or offer is None:
        return unanswered or unseen("ALPN")
    if not (seen.handshake or any(o.accepted for o in seen.offers)):
        return unseen("a client that is not turned away", [offer.failure])
    return failed("it is served", expected) if offer.accepted else passed("it is turned away")


def client_certificate(seen: EndpointObservation, _subject: Subject) -> Verdict:
    """TLS-10: no client certificate is asked for that nothing uses."""
    asked = [o.client_certificate for o in seen.offers if o.client_certificate is not None]
    if seen.inventory is not None and seen.inventory.client_certificate is not None:
        asked.append(seen.inventory.client_certificate)
    if not asked and _only_13(seen):
        return not_applicable("TLS 1.3 hides the request from who looks from outside")
    if not asked:
        return unseen("the request for a client certificate", [o.failure for o in seen.offers])
    if not any(asked):
        return passed("no client certificate is asked for")
    if "EXTERNAL" in {m.upper() for m in seen.mechanisms_tls or ()}:
        return passed("a client certificate is asked for, and EXTERNAL uses it")
    return failed(
        "a client certificate is asked for, and no mechanism uses it",
        "no request for a client certificate",
    )


def signatures(seen: EndpointObservation, _subject: Subject) -> Verdict:
    """TLS-11: the key exchange of TLS 1.2 is not signed with MD5 or SHA-1."""
    offer = seen.offer("tls1.2")
    if _only_13(seen):
        return not_applicable("TLS 1.2 is not spoken")
    if offer is None or offer.signature is None:
        return unseen("the signature of the key exchange", [offer.failure] if offer else [])
    name = signature_name(offer.signature)
    expected = "a signature with SHA-256 or better"
    if _broken(offer.signature):
        return failed(f"signed with {name}", expected)
    listed = [s for each in listings(seen) for s in each.signatures if _broken(s)]
    if listed:
        also = ", ".join(map(signature_name, listed))
        return failed(f"signed with {name}, and with {also} for who asks", expected, Severity.LOW)
    return passed(f"signed with {name}", expected)


def _broken(scheme: int) -> bool:
    """Whether a signature scheme of TLS 1.2 hashes with MD5 or SHA-1."""
    return scheme >> 8 in (0x01, 0x02)


# ---------------------------------------------------------------------------------------------


def listings(seen: EndpointObservation) -> tuple[Listing, ...]:
    """The lists of depth ``full``; none where they were not taken."""
    return seen.inventory.listings if seen.inventory is not None else ()


def _only_13(seen: EndpointObservation) -> bool:
    """Whether TLS 1.3 is spoken and the hello of TLS 1.2 was turned away."""
    offer = seen.offer("tls1.2")
    return offer is not None and offer.accepted is False and _accepted(seen, "tls1.3")


def _accepted(seen: EndpointObservation, name: str) -> bool:
    offer = seen.offer(name)
    return offer is not None and offer.accepted is True


def _suites_seen(seen: EndpointObservation) -> Iterator[int]:
    yield from (o.suite for o in seen.offers if o.accepted and o.suite is not None)
    if seen.handshake:
        yield seen.handshake.suite


def _unanswered(what: str, offers: list[Optional[Offer]]) -> Optional[Verdict]:
    """A verdict where one of the offers was not made or not answered, else ``None``."""
    open_offers = [o for o in offers if o is None or o.accepted is None]
    if not open_offers:
        return None
    return unseen(f"the answer to {what}", [o.failure for o in open_offers if o])


TABLE: dict[str, CheckFunction] = {
    "TLS-01": on_ports(old_versions),
    "TLS-02": on_ports(required_versions),
    "TLS-03": on_ports(broken_suites),
    "TLS-04": on_ports(dated_suites),
    "TLS-05": on_ports(dh_size),
    "TLS-07": on_ports(safe_12),
    "TLS-08": on_ports(alpn),
    "TLS-10": on_ports(client_certificate),
    "TLS-11": on_ports(signatures),
}
