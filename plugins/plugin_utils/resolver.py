# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What DNS says of the mail servers: SRV records of mail domains, TLSA records of host names.

Asked on the controller, of its own resolver or of one that is named, all questions side by side.
Whether DNSSEC vouches for an answer is what the resolver says (RFC 4035 section 3.2.3, the AD bit).
That it checks signatures at all shows where it vouches for another answer, or for the root's. So
whoever sits between the controller and the resolver can lie: name one on the controller itself, or
on a network you trust. Nothing here raises for what a server answers. dnspython does the talking,
in stub.py, which is loaded only where there is something to ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

from ..module_utils.model.posture import DnsAnswer

SYSTEM, NONE = "system", "none"
MISSING = "dnspython is not installed on the controller; install it with pip"
SECONDS = 4.0
"""What one question may take, its repetitions included."""
Question = tuple[str, str]

SRV_SERVICES = ("_imap", "_imaps", "_pop3", "_pop3s")
"""RFC 6186 section 3."""


def questions(
    domains: Sequence[str], names: Sequence[str], ports: Sequence[int]
) -> tuple[Question, ...]:
    """Names and types to ask for: the services of each domain, and each port of each name.

    A wildcard and an address have no record of their own (RFC 6698 section 3).
    """
    hosts = [name for name in names if "*" not in name and not is_address(name)]
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
    from . import stub

    return stub.ask(asked, resolver, seconds)


def is_address(text: str) -> bool:
    """Whether it is an address and no name."""
    try:
        return bool(ip_address(text))
    except ValueError:
        return False
