# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of a port from outside, without an account.

Everything in model/ is a frozen value that survives JSON: nodes return these as plain data and the
controller reads them back (plain.py). It knows no server, no policy, no network and no Ansible.
``None`` always means "not observed", never "no". Numbers are code points (``0x0303``); IANA names
and X.509 belong to the controller. Words: RFC 8314 (Implicit TLS, STARTTLS).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Optional


class Service(enum.Enum):
    """A protocol that carries logins: RFC 9051, RFC 1939, RFC 5804."""

    IMAP = "imap"
    POP3 = "pop3"
    SIEVE = "sieve"


class TlsMode(enum.Enum):
    """How TLS begins on a port (RFC 8314 section 3): at once, or after a command."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"


@dataclass(frozen=True)
class Endpoint:
    """An address and port to look at, and the protocol expected there."""

    host: str
    port: int
    service: Service
    tls_mode: TlsMode

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.service.value}://{host}:{self.port}"


@dataclass(frozen=True)
class Failure:
    """Why something could not be seen: the stage reached and the cause.

    Stages: connect, greeting, capability, starttls, handshake, hello, login, injection, and probe
    for a flaw of our own.
    Causes: refused, unreachable, timeout, reset, closed, alert, not_tls, too_much, unexpected.
    ``alert`` is the TLS alert number (RFC 8446 section 6) where the cause is ``alert``.
    """

    stage: str
    cause: str
    detail: str = ""
    alert: Optional[int] = None


@dataclass(frozen=True)
class Offer:
    """What one raw ClientHello got: the server's choice, or its refusal.

    ``name`` says what was offered (``tls1.0``, ``tls1.3``, ``cbc``, ``static_rsa`` …).
    ``accepted`` is ``None`` where neither an acceptance nor a refusal was seen.
    ``failure`` carries the refusal (an alert) as well as what went wrong. ``dh_prime`` is the
    SHA-256 of the prime of a finite field up to TLS 1.2, in hexadecimal.
    """

    name: str
    accepted: Optional[bool]
    version: Optional[int] = None
    suite: Optional[int] = None
    group: Optional[int] = None
    dh_bits: Optional[int] = None
    signature: Optional[int] = None
    extensions: tuple[int, ...] = ()
    compression: Optional[int] = None
    client_certificate: Optional[bool] = None
    failure: Optional[Failure] = None
    dh_prime: Optional[str] = None


@dataclass(frozen=True, order=True)
class DhGroup:
    """A finite field up to TLS 1.2: its size, and the SHA-256 of its prime in hexadecimal."""

    bits: int
    prime: str


@dataclass(frozen=True)
class Handshake:
    """A handshake completed by the local TLS library with its defaults.

    ``alpn`` is the protocol that the server chose from the registered name of its own (RFC 7301),
    ``""`` where it did not take notice of the offer, ``None`` where none was made. ``group`` is
    that of an ephemeral key, ``None`` without one and for a finite field before TLS 1.3.
    """

    version: int
    suite: int
    alpn: Optional[str] = None
    group: Optional[int] = None


@dataclass(frozen=True)
class Listing:
    """All suites and groups that one version accepts, as far as it could be seen.

    ``order`` is ``server`` or ``client``: whose order of suites wins; ``None`` for less than two
    suites. ``groups`` stand in the order in which they were chosen. ``signatures`` are the schemes
    that the server signs with, in TLS 1.2 and 1.3; ``all_signatures``: it refuses all others.
    ``dh_groups`` are the finite fields up to TLS 1.2, smallest first.
    ``complete`` is False where a question about suites and groups went unanswered.
    """

    version: int
    suites: tuple[int, ...] = ()
    order: Optional[str] = None
    groups: tuple[int, ...] = ()
    dh_bits: tuple[int, ...] = ()
    signatures: tuple[int, ...] = ()
    complete: bool = True
    all_signatures: bool = False
    dh_groups: tuple[DhGroup, ...] = ()


@dataclass(frozen=True)
class Chain:
    """A served chain, as base64 DER, leaf first, and how it is asked for.

    ``asked_by``: ``suites`` or ``signatures`` (those of one key type), ``no_name`` or
    ``unknown_name`` (in SNI).
    """

    asked_by: str
    certificates: tuple[str, ...]


@dataclass(frozen=True)
class Inventory:
    """What a port has beyond what a profile needs to decide: depth ``full``.

    All that is ``None`` was not observed: TLS 1.3 has no use for most, and a suite with CBC is
    needed to see ``encrypt_then_mac``. ``fallback_scsv``: a fallback is refused (RFC 7507).
    ``ticket_seconds`` is the lifetime hint of a session ticket. ``unknown_name``: a name in SNI
    that nobody has is served. ``renegotiation``: one that the client began was carried out, up to
    TLS 1.2 (it was tried once).
    """

    ssl2: Optional[bool] = None
    listings: tuple[Listing, ...] = ()
    chains: tuple[Chain, ...] = ()
    secure_renegotiation: Optional[bool] = None
    extended_master_secret: Optional[bool] = None
    encrypt_then_mac: Optional[bool] = None
    compression: Optional[bool] = None
    heartbeat: Optional[bool] = None
    ocsp_staple: Optional[bool] = None
    client_certificate: Optional[bool] = None
    session_tickets: Optional[bool] = None
    ticket_seconds: Optional[int] = None
    resumption: Optional[bool] = None
    fallback_scsv: Optional[bool] = None
    unknown_name: Optional[bool] = None
    renegotiation: Optional[bool] = None


@dataclass(frozen=True)
class LoginAttempt:
    """How the server met an inert login attempt without TLS; no real name, no password.

    ``command`` is what was tried (``LOGIN``, ``AUTHENTICATE PLAIN``, ``USER`` …), ``refused``
    whether the server refused to take it without TLS, ``answer`` its words.
    """

    command: str
    refused: Optional[bool]
    answer: str = ""


@dataclass(frozen=True)
class EndpointObservation:
    """One port seen from outside.

    ``open``: a TCP connection was made. ``capabilities`` are those before TLS (``None`` on an
    implicit TLS port), ``capabilities_tls`` those inside TLS; ``mechanisms`` the SASL mechanisms
    likewise. ``starttls_inside`` says whether STARTTLS is listed inside TLS,
    ``starttls_accepted_inside`` whether it is carried out there. ``injected``: a command that was
    sent in clear behind STARTTLS was answered inside TLS. ``chain`` is the served chain as base64
    DER, leaf first. ``server_name`` is the name sent in TLS (SNI).
    """

    endpoint: Endpoint
    open: Optional[bool] = None
    greeting: Optional[str] = None
    capabilities: Optional[tuple[str, ...]] = None
    capabilities_tls: Optional[tuple[str, ...]] = None
    mechanisms: Optional[tuple[str, ...]] = None
    mechanisms_tls: Optional[tuple[str, ...]] = None
    starttls: Optional[bool] = None
    starttls_inside: Optional[bool] = None
    starttls_accepted_inside: Optional[bool] = None
    injected: Optional[bool] = None
    preauth: Optional[bool] = None
    attempts: tuple[LoginAttempt, ...] = ()
    handshake: Optional[Handshake] = None
    offers: tuple[Offer, ...] = ()
    chain: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    connections: int = 0
    inventory: Optional[Inventory] = None
    server_name: Optional[str] = None

    def offer(self, name: str) -> Optional[Offer]:
        """The offer of that name, if it was made."""
        return next((o for o in self.offers if o.name == name), None)
