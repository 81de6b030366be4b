# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does DNS lead programs to TLS, and to the key that is served? Checks of SRV and TLSA records.

Records are optional; what is published must be right. Sources: RFC 8314 sections 4.5 and 4.5.4,
RFC 6186 section 3, RFC 2782 (a lower number is preferred, a target of "." is a refusal), RFC 6698,
RFC 7671, RFC 7673.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Optional

from ...module_utils.model.observed import EndpointObservation
from ...module_utils.model.posture import DnsAnswer, Severity, Status
from ..certificate import CertificateError
from ..dane import named, record_for
from ..resolver import MISSING
from .base import (
    CheckFunction,
    Subject,
    Verdict,
    about,
    failed,
    not_applicable,
    not_checked,
    passed,
)

_PAIRS = (("_imap", "_imaps"), ("_pop3", "_pop3s"))


def leads_to_tls(subject: Subject) -> Iterator[Verdict]:
    """DNS-01: SRV records prefer implicit TLS, TLSA records are signed and match what is served."""
    if not subject.posture.dns:
        yield _NOBODY_ASKED if subject.names or subject.domains else _NOTHING_TO_ASK
    answers = {(answer.name, answer.kind): answer for answer in subject.posture.dns}
    for domain in subject.domains:
        for plain, implicit in _PAIRS:
            both = [answers.get((f"{s}._tcp.{domain}", "SRV")) for s in (plain, implicit)]
            if both[0] is not None and both[1] is not None:
                yield about(_preferred(both[0], both[1]), f"dns {plain}._tcp.{domain}")
    for answer in subject.posture.dns:
        if answer.kind == "TLSA":
            yield about(_pinned(answer, subject.posture.endpoints), f"dns {answer.name}")


def _unanswered(answer: DnsAnswer) -> Optional[Verdict]:
    """Records are optional, so that DNS is away today fails no host: the error is a low one."""
    if answer.records is not None:
        return None
    if answer.failure == MISSING:
        return not_checked(MISSING)
    said = f"{answer.kind} of {answer.name} is not known: {answer.failure}"
    return Verdict(Status.ERROR, said, severity=Severity.LOW)


_NOTHING_TO_ASK = not_applicable("neither names nor mail domains are known to ask DNS for")
_NOBODY_ASKED = not_checked("DNS was not asked (mail_tls_resolver)")


# ---------------------------------------------------------------------------------------------
# SRV


def _preferred(plain: DnsAnswer, implicit: DnsAnswer) -> Verdict:
    unknown = _unanswered(plain) or _unanswered(implicit)
    if unknown:
        return unknown
    expected = "implicit TLS is offered, and preferred (a lower priority)"
    shown = (*_shown(plain), *_shown(implicit))
    first, other = _priority(plain), _priority(implicit)
    if first is None:
        word = "STARTTLS is not offered by SRV" if shown else "no SRV records are published"
        return not_applicable(word) if other is None else passed(word, expected, shown)
    if other is None:
        return failed("only STARTTLS is offered", expected, None, shown)
    if first < other:
        return failed(f"STARTTLS is preferred ({first} before {other})", expected, None, shown)
    if first == other:
        return failed(f"neither is preferred (both {first})", expected, Severity.LOW, shown)
    return passed(f"implicit TLS is preferred ({other} before {first})", expected, shown)


def _shown(answer: DnsAnswer) -> tuple[str, ...]:
    return tuple(f"{answer.name} SRV {record}" for record in answer.records or ())


def _priority(answer: DnsAnswer) -> Optional[int]:
    """The most preferred priority at which the service is offered; None where it is not."""
    fields = [record.split() for record in answer.records or ()]
    offered = [each for each in fields if len(each) == 4 and each[3] != "." and each[0].isdigit()]
    return min((int(each[0]) for each in offered), default=None)


# ---------------------------------------------------------------------------------------------
# TLSA


def _pinned(answer: DnsAnswer, endpoints: Sequence[EndpointObservation]) -> Verdict:
    unknown = _unanswered(answer)
    if unknown:
        return unknown
    if not answer.records:
        return not_applicable("no TLSA record is published")
    shown = tuple(f"{answer.name} TLSA {record}"[:200] for record in answer.records)
    expected = "records that DNSSEC vouches for, one of which names what is served"
    if answer.validated is False:
        return failed(
            "TLSA records without DNSSEC: no program believes them", expected, None, shown
        )
    port = int(answer.name.split(".")[0].lstrip("_"))
    served = [seen for seen in endpoints if seen.endpoint.port == port and seen.chain]
    if not served:
        return not_checked("what is served there was not observed")
    told = {seen: _named(answer.records, seen.chain) for seen in served}
    wrong = next((seen for seen in served if told[seen] is False), None)
    if wrong:
        return _mismatch(wrong, expected, shown)
    if None in told.values():
        return not_checked("an authority is published in full that the chain leaves out")
    if answer.validated is None:
        return not_checked("they match, but the resolver does not check DNSSEC (mail_tls_resolver)")
    return passed("a record names what is served, and DNSSEC vouches for it", expected, shown)


def _named(records: Sequence[str], chain: Sequence[str]) -> Optional[bool]:
    """Whether one of the records names the chain; None where that cannot be told."""
    try:
        return named(records, [base64.b64decode(text, validate=True) for text in chain])
    except (CertificateError, binascii.Error):
        return False


def _mismatch(seen: EndpointObservation, expected: str, shown: tuple[str, ...]) -> Verdict:
    cure = ""
    try:
        publish = record_for(base64.b64decode(seen.chain[0]))
        cure = f"Publish this record too, then take out those that match nothing: {publish}"
    except (CertificateError, binascii.Error):
        pass
    said = f"no record names what {seen.endpoint} serves"
    return failed(said, expected, Severity.HIGH, shown, cure)


TABLE: dict[str, CheckFunction] = {"DNS-01": leads_to_tls}
