# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a login log says of one login, as values; and what is returned of many. Pure.

A login that was let in has no ``reason``; one that was refused for TLS's sake has. Failed passwords
are nobody's business here and are never kept. User names are data about people: they leave the host
only in these values, and the controller decides what is shown (plugin_utils/impact.py).

Words of ``security``: RFC 8314 section 4.1 (a password in clear text), RFC 4422 (mechanisms).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Optional

from ..model.configured import Problem
from ..model.observed import Service


class Security(enum.Enum):
    """What protected a login on the wire, as far as the log tells."""

    CLEARTEXT = "cleartext"  # no TLS, and the mechanism sends the password
    SASL = "sasl"  # no TLS, but a mechanism that does not send the password
    SECURED = "secured"  # no TLS, but the server takes the client for a trusted one
    TLS = "tls"
    LOCAL = "local"  # no TLS, from the host itself, which Dovecot never refuses
    UNKNOWN = "unknown"  # the log does not say


class Reason(enum.Enum):
    """Why a client was turned away before it could log in."""

    PLAINTEXT = "plaintext_refused"
    CIPHER = "no_shared_cipher"
    PROTOCOL = "unsupported_protocol"
    PARAMETERS = "no_shared_parameters"
    NOT_TLS = "not_tls"
    CERTIFICATE = "certificate_rejected"


# Mechanisms after which nobody who listened knows the password (IANA's SASL registry, and APOP:
# RFC 1939 section 7). OAUTHBEARER and XOAUTH2 send a token that is as good as one.
_SAFE = frozenset({"ANONYMOUS", "APOP", "CRAM-MD5", "DIGEST-MD5", "EXTERNAL", "GSSAPI"})
_SAFE_STARTS = ("GS2-", "GSS-SPNEGO", "NTLM", "OTP", "RPA", "SCRAM-", "SKEY")


def without_tls(mechanism: Optional[str]) -> Security:
    """The class of a login that is known to be without TLS."""
    word = (mechanism or "").upper()
    return Security.SASL if word in _SAFE or word.startswith(_SAFE_STARTS) else Security.CLEARTEXT


@dataclass(frozen=True)
class Seen:
    """One line: a login, or a client that was turned away.

    ``shown``: the word for TLS stands in the line. ``absent``: ``security`` rests on its absence,
    which says something only as long as the server writes it. ``ended``: the line is the end of a
    login whose beginning does not tell its security. ``tls_mode`` is ``implicit`` or
    ``starttls`` where the log tells the port. ``version`` and ``suite`` are OpenSSL's words.
    """

    service: Service
    user: Optional[str]
    address: Optional[str]
    security: Security
    version: Optional[str] = None
    suite: Optional[str] = None
    tls_mode: Optional[str] = None
    reason: Optional[Reason] = None
    shown: bool = False
    absent: bool = False
    ended: bool = False


@dataclass(frozen=True)
class Client:
    """An address, how often it was seen and when last (seconds since 1970, UTC)."""

    address: str
    count: int
    last: int


@dataclass(frozen=True)
class Usage:
    """All lines of one user, service and kind of security.

    ``user`` is ``None`` where the log names none, or where more was seen than is kept apart
    (``folded``). ``clients`` are some of the addresses; with ``more_clients`` there are others.
    """

    product: str
    service: Service
    security: Security
    user: Optional[str]
    count: int
    first: int
    last: int
    version: Optional[str] = None
    suite: Optional[str] = None
    tls_mode: Optional[str] = None
    reason: Optional[Reason] = None
    clients: tuple[Client, ...] = ()
    more_clients: bool = False
    folded: bool = False


@dataclass(frozen=True)
class Source:
    """What was read, from when to when its logins are, and how much of it."""

    name: str
    lines: int
    first: Optional[int] = None
    last: Optional[int] = None


@dataclass(frozen=True)
class Evidence:
    """What the present configuration writes into the log of one product.

    ``tls``: whether a login had TLS; ``version``: its version and suite; ``plaintext_refusals`` and
    ``tls_refusals``: clients that were turned away. ``unwritten`` names the setting to change.
    """

    product: str
    tls: bool
    version: bool
    plaintext_refusals: bool
    tls_refusals: bool
    setting: Optional[str] = None


@dataclass(frozen=True)
class LoginLog:
    """What the logs of one host say. Times are seconds since 1970 in UTC."""

    since: int
    until: int
    evidence: tuple[Evidence, ...] = ()
    usage: tuple[Usage, ...] = ()
    sources: tuple[Source, ...] = ()
    problems: tuple[Problem, ...] = ()
