# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second ClientHello of TLS 1.3, in which another protocol is offered by name (ALPN).

A HelloRetryRequest shows version, suite and group, and the server then waits for a ClientHello
with a key of that group. What is said about ALPN there costs a round trip and no connection. A
client must not change that (RFC 8446 section 4.1.2), so nothing is concluded but from the one alert
that can mean nothing else, no_application_protocol (RFC 7301 section 3.2): the server read the
second hello and refuses the protocol. After any other answer a hello of its own has to ask.

The public keys are points that everybody knows the secret of (1): nothing is ever encrypted with
them. Source: SEC 2 section 2, RFC 7748 section 4, FIPS 203 section 7.2 (any coefficients below q
are a key), draft-ietf-tls-ecdhe-mlkem section 4.1 (the order of the parts).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from . import suites
from .flight import ServerHello
from .hello import COOKIE, ClientHello

_SECP256R1 = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
_SECP384R1 = bytes.fromhex(
    "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7"
    "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f"
)
_X25519 = b"\x09" + bytes(31)
_MLKEM768, _MLKEM1024 = bytes(3 * 384 + 32), bytes(4 * 384 + 32)

KEYS: dict[int, bytes] = {
    suites.X25519: _X25519,
    suites.SECP256R1: _SECP256R1,
    suites.SECP384R1: _SECP384R1,
    suites.X25519MLKEM768: _MLKEM768 + _X25519,
    suites.SECP256R1MLKEM768: _SECP256R1 + _MLKEM768,
    suites.SECP384R1MLKEM1024: _SECP384R1 + _MLKEM1024,
}
"""A public key for each group that servers choose; where they choose another one, none is sent."""


def second(
    first: ClientHello, told: Optional[ServerHello], alpn: tuple[bytes, ...]
) -> Optional[ClientHello]:
    """The hello that goes on after ``first`` and offers ``alpn`` too; ``None`` where none can."""
    if told is None or not told.retry or told.group is None or COOKIE in told.extensions:
        return None
    key = KEYS.get(told.group)
    return replace(first, alpn=alpn, shares=((told.group, key),)) if key is not None else None
