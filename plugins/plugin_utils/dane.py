# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLSA records (DANE): which of them a served chain matches, and which to publish for one.

A record names a certificate or its public key, so that programs need no authority. What DNS
said is hostile text until read here; whether DNSSEC vouches for it is not known here. Source:
RFC 6698 section 2.1, RFC 7671 (DANE-EE is about the key alone), RFC 7673 (names of mail services).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from ..module_utils.model.posture import DnsAnswer
from .certificate import public_key_info

LEAF_USAGES = frozenset({1, 3})
"""PKIX-EE and DANE-EE name the server's own certificate, PKIX-TA and DANE-TA an authority of it."""
_MATCHING: dict[int, Callable[[bytes], bytes]] = {
    0: lambda content: content,
    1: lambda content: hashlib.sha256(content).digest(),
    2: lambda content: hashlib.sha512(content).digest(),
}
_SELECTED: dict[int, Callable[[bytes], bytes]] = {0: lambda der: der, 1: public_key_info}


@dataclass(frozen=True)
class Tlsa:
    """One record; ``data`` is a certificate, a public key or a digest of one of them."""

    usage: int
    selector: int
    matching: int
    data: bytes


def read(text: str) -> Optional[Tlsa]:
    """A record in its presentation format (RFC 6698 section 2.2); None where a client ignores it.

    Clients ignore what has a field that they do not know (RFC 7671 section 10.1).
    """
    fields = text.split(None, 3)
    try:
        usage, selector, matching = (int(field) for field in fields[:3])
        data = bytes.fromhex("".join(fields[3].split()))
    except (ValueError, IndexError):
        return None
    if usage not in range(4) or selector not in _SELECTED or matching not in _MATCHING:
        return None
    return Tlsa(usage, selector, matching, data)


def matches(record: Tlsa, chain: Sequence[bytes]) -> Optional[bool]:
    """Whether a chain (DER, leaf first) holds what the record names.

    ``None`` where the record holds a whole authority that the chain leaves out: it may have signed
    the chain all the same (RFC 7671 section 5.2.2), which is not looked into here.
    Raises CertificateError for a certificate that cannot be read.
    """
    candidates = chain[:1] if record.usage in LEAF_USAGES else chain[1:] or chain
    selected, digest = _SELECTED[record.selector], _MATCHING[record.matching]
    held = any(digest(selected(der)) == record.data for der in candidates)
    return None if not held and record.usage not in LEAF_USAGES and record.matching == 0 else held


def named(records: Sequence[str], chain: Sequence[bytes]) -> Optional[bool]:
    """Whether one of the records names the chain; ``None`` where that cannot be told.

    Raises CertificateError for a certificate that cannot be read.
    """
    usable = [record for record in map(read, records) if record is not None]
    found = {matches(record, chain) for record in usable}
    return True if True in found else None if None in found else False


def rejects(answer: DnsAnswer, chain: Sequence[bytes]) -> bool:
    """Whether programs that believe these records refuse the chain.

    Records that DNSSEC does not vouch for are believed by nobody (RFC 6698 section 4.1); where
    nobody checks that here, they count. Raises CertificateError as :func:`named`.
    """
    return _believed(answer) and named(answer.records or (), chain) is False


def ends_with(answer: DnsAnswer, chain: Sequence[bytes], same_key: bool) -> bool:
    """Whether programs that believe these records refuse the next certificate for these names.

    What names an authority of the chain stays true, what names the server's key does where that is
    the ``same_key``. Raises CertificateError as :func:`named`.
    """
    usable = [record for record in map(read, answer.records or ()) if record is not None]
    naming = [record for record in usable if matches(record, chain) is not False]
    lasting = [
        record
        for record in naming
        if record.usage not in LEAF_USAGES or (same_key and record.selector == 1)
    ]
    return _believed(answer) and bool(naming) and not lasting


def _believed(answer: DnsAnswer) -> bool:
    return bool(answer.records) and answer.validated is not False


def record_for(der: bytes) -> str:
    """The record to publish for a certificate: DANE-EE, its key, SHA-256 (RFC 7671 section 5.1).

    Raises CertificateError for bytes that are no certificate.
    """
    return f"3 1 1 {hashlib.sha256(public_key_info(der)).hexdigest()}"
