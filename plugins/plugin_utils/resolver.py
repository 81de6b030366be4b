# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What DNS says of the mail servers: SRV records of mail domains, TLSA records of host names.

Asked on the controller, of its own resolver or of one that is named, all questions side by side.
Whether DNSSEC vouches for an answer is what the resolver says (RFC 4035 section 3.2.3, the AD bit).
That it checks signatures at all shows where it vouches for another answer, or for the root's. So
whoever sits between the controller and the resolver can lie: name one on the controller itself, or
on a network you trust. Nothing here raises for what a server answers. dnspython does the talking.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, Optional

from ..module_utils.model import DnsAnswer
from ..module_utils.text import NAME, clean

try:
    import dns.exception
    import dns.flags
    import dns.resolver
except ImportError:
    HAS_DNSPYTHON = False
else:
    HAS_DNSPYTHON = True

SYSTEM, NONE = "system", "none"
MISSING = "dnspython is not installed on the controller; install it with pip"
SECONDS = 4.0
"""What one question may take, its repetitions included."""
_AT_ONCE = 16
_RECORDS, _RECORD = 32, 8192  # of an answer, and characters of one: a whole certificate in hex
_UDP = 1232  # DNS Flag Day 2020
Question = tuple[str, str]

SRV_SERVICES = ("_imap", "_imaps", "_pop3", "_pop3s")
"""RFC 6186 section 3."""


def questions(
    domains: Sequence[str], names: Sequence[str], ports: Sequence[int]
) -> tuple[Question, ...]:
    """Names and types to ask for: the services of each domain, and each port of each name.

    A wildcard and an address have no record of their own (RFC 6698 section 3).
    """
    hosts = [name for name in names if "*" not in name and not _is_address(name)]
    services = [
        (f"{service}._tcp.{domain}", "SRV") for domain in domains for service in SRV_SERVICES
    ]
    keys = [(f"_{port}._tcp.{host}", "TLSA") for host in hosts for port in ports]
    return tuple(dict.fromkeys((*services, *keys)))


def ask(
    asked: Sequence[Question], resolver: str = SYSTEM, seconds: float = SECONDS
) -> tuple[DnsAnswer, ...]:
    """An answer to each question, in their order.

    ``resolver`` is ``system``, ``none`` (nothing is asked, nothing answered) or ``ADDRESS[#PORT]``.
    Raises ValueError for anything else.
    """
    if resolver == NONE or not asked:
        return ()
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
        if not _is_address(address) or not (port or "53").isdigit():
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


def _is_address(text: str) -> Optional[bool]:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False
