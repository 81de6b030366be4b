# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Would a mail program take the served certificate? Trust, purpose, mail domains, staples.

Checks beside certificates.py, which judges a certificate by itself. Sources: RFC 5280 sections 6,
4.2.1.3 and 4.2.1.12; RFC 7817 sections 3 and 5; RFC 6186 and RFC 5804 section 1.8 (service names);
RFC 7633.
"""

from __future__ import annotations

from ...module_utils.model.observed import EndpointObservation, Service, TlsMode
from ..certificate import Certificate, covers
from ..trust import trusted
from .base import CheckFunction, Subject, Verdict, failed, not_applicable, not_checked, passed
from .certificates import on_leaf

_SERVICES: dict[tuple[Service, TlsMode], str] = {
    (Service.IMAP, TlsMode.STARTTLS): "_imap",
    (Service.IMAP, TlsMode.IMPLICIT): "_imaps",
    (Service.POP3, TlsMode.STARTTLS): "_pop3",
    (Service.POP3, TlsMode.IMPLICIT): "_pop3s",
    (Service.SIEVE, TlsMode.STARTTLS): "_sieve",
    (Service.SIEVE, TlsMode.IMPLICIT): "_sieve",
}
FOR_SERVERS = frozenset({"serverAuth", "anyExtendedKeyUsage"})


def for_mail_domains(leaf: Certificate, seen: EndpointObservation, subject: Subject) -> Verdict:
    """CRT-07: programs that find the server by the mail domain find that domain in it."""
    if not subject.domains:
        return not_applicable("no mail domain is named that programs find the server by")
    service = _SERVICES[seen.endpoint.service, seen.endpoint.tls_mode]
    held = {name.lower().rstrip(".") for name in leaf.services}
    missing = [
        domain
        for domain in subject.domains
        if f"{service}.{domain.lower().rstrip('.')}" not in held and not covers(leaf, domain)
    ]
    expected = f"an SRV name ({service}.DOMAIN) or a DNS name of each mail domain"
    shown = (f"names: {', '.join((*leaf.names, *leaf.services)) or 'none'}",)
    if missing:
        return failed(f"{', '.join(missing)} not covered", expected, None, shown)
    return passed("every mail domain is covered", expected, shown)


def vouched_for(leaf: Certificate, seen: EndpointObservation, subject: Subject) -> Verdict:
    """CRT-10: the chain leads to an authority that is trusted."""
    if subject.trust is None:
        return not_checked("no trusted authorities are known here (mail_tls_ca_file)")
    answer = trusted(seen.chain, subject.trust, subject.now)
    if leaf.self_signed and not answer.trusted:
        return not_applicable("self-signed: see CRT-05")
    if answer.trusted is None:
        return not_checked(answer.why)
    expected = f"a chain to an authority in {subject.trust.source}"
    return (passed if answer.trusted else failed)(answer.why, expected)


def for_servers(leaf: Certificate, _seen: EndpointObservation, _subject: Subject) -> Verdict:
    """CRT-11: its usage extensions allow it to be shown by a TLS server."""
    expected = "serverAuth and digitalSignature, where usage is restricted"
    if leaf.extended_key_usage and not FOR_SERVERS & set(leaf.extended_key_usage):
        return failed(f"only for {', '.join(leaf.extended_key_usage)}", expected)
    if leaf.signs is False:
        return failed("its key usage leaves out digitalSignature", expected)
    return passed("allowed", expected)


def stapled(leaf: Certificate, seen: EndpointObservation, _subject: Subject) -> Verdict:
    """CRT-12: where the certificate demands a stapled OCSP response, one is served."""
    if not leaf.must_staple:
        return not_applicable("the certificate demands no stapled response")
    staple = seen.inventory.ocsp_staple if seen.inventory is not None else None
    expected = "a stapled OCSP response, as the certificate demands (must-staple)"
    if staple is None:
        return not_checked("whether a response is stapled was not observed (depth full asks)")
    return passed("one is served", expected) if staple else failed("none is served", expected)


TABLE: dict[str, CheckFunction] = {
    "CRT-07": on_leaf(for_mail_domains),
    "CRT-10": on_leaf(vouched_for),
    "CRT-11": on_leaf(for_servers),
    "CRT-12": on_leaf(stapled),
}
