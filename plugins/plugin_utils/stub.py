# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stub resolver: dnspython asks the questions of resolver.py, all side by side.

A file of its own, since loading dnspython takes more CPU than judging a host: who has nothing to
ask does not pay for it. Nothing here raises for what a server answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ..module_utils.model.posture import DnsAnswer
from ..module_utils.text import NAME, clean
from .resolver import MISSING, SYSTEM, Question, is_address

try:
    import dns.exception
    import dns.flags
    import dns.resolver
except ImportError:
    HAS_DNSPYTHON = False
else:
    HAS_DNSPYTHON = True

_AT_ONCE = 16
_RECORDS, _RECORD = 32, 8192  # of an answer, and characters of one: a whole certificate in hex
_UDP = 1232  # DNS Flag Day 2020


def ask(asked: Sequence[Question], resolver: str, seconds: float) -> tuple[DnsAnswer, ...]:
    """As :func:`resolver.ask`, where there is something to ask."""
    if not HAS_DNSPYTHON:
        return tuple(DnsAnswer(name, kind, None, None, MISSING) for name, kind in asked)
    try:
        stub = _stub(resolver, seconds)
    except dns.resolver.NoResolverConfiguration:
        why = "the controller has no resolver; name one in mail_tls_resolver"
        return tuple(DnsAnswer(name, kind, None, None, why) for name, kind in asked)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        checks = pool.submit(_checks_signatures, stub)
        answers = list(pool.map(lambda question: _answer(stub, question), asked))
    if checks.result() or any(answer.validated for answer in answers):
        return tuple(answers)
    return tuple(replace(answer, validated=None) for answer in answers)


def _stub(resolver: str, seconds: float) -> Any:
    stub = dns.resolver.Resolver(configure=resolver == SYSTEM)
    if resolver != SYSTEM:
        address, _mark, port = resolver.partition("#")
        if not is_address(address) or not (port or "53").isdigit():
            raise ValueError(
                f"mail_tls_resolver {clean(resolver, 64)!r} is none of: system, none, ADDRESS, "
                "ADDRESS#PORT"
            )
        stub.nameservers, stub.port = [address], int(port or "53")
    stub.lifetime, stub.timeout = seconds, seconds / 2
    stub.use_edns(0, dns.flags.DO, _UDP)
    stub.flags = dns.flags.RD | dns.flags.AD
    return stub


def _checks_signatures(stub: Any) -> bool:
    """Whether the resolver vouches for the root, so that its silence elsewhere tells."""
    return _answer(stub, (".", "SOA")).validated is True


def _answer(stub: Any, question: Question) -> DnsAnswer:
    name, kind = question
    try:
        found = stub.resolve(name, kind, raise_on_no_answer=False, search=False)
        records, response = _texts(found), found.response
    except dns.resolver.NXDOMAIN as error:
        said: Any = error  # dnspython types no method of it
        records, response = (), next(iter(said.responses().values()), None)
    except dns.exception.DNSException as error:
        return DnsAnswer(name, kind, None, None, _why(error))
    except (OSError, UnicodeError, ValueError) as error:
        return DnsAnswer(name, kind, None, None, clean(str(error), NAME))
    vouched = bool(response is not None and response.flags & dns.flags.AD)
    return DnsAnswer(name, kind, records, vouched)


def _texts(found: Any) -> tuple[str, ...]:
    held = [] if found.rrset is None else list(found.rrset)[:_RECORDS]
    return tuple(sorted(clean(record.to_text(), _RECORD) for record in held))


def _why(error: Exception) -> str:
    """A sentence; a resolver that finds a wrong signature says SERVFAIL (RFC 4035 section 5.5)."""
    if isinstance(error, dns.resolver.NoNameservers):
        return "the resolver failed (SERVFAIL or refused), as it does where a signature is wrong"
    if isinstance(error, dns.exception.Timeout):
        return "the resolver did not answer in time"
    return clean(str(error) or type(error).__name__, NAME)
