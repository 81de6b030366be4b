# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds ClientHellos, SSL 3.0 to TLS 1.3, independent of what the local TLS library would speak.

Source: RFC 8446 section 4.1.2 and 4.2, RFC 5246 section 7.4.1.2, RFC 6101 section 5.6.1.2,
RFC 6066 (server_name), RFC 8422 (groups, point formats), RFC 7627, RFC 7366, RFC 5746.
Refuses to know secrets: what is made here is never finished into a handshake. Randomness comes in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .records import HANDSHAKE, record

CLIENT_HELLO = 1
EMPTY_RENEGOTIATION_INFO_SCSV = 0x00FF

FALLBACK_SCSV = 0x5600

SERVER_NAME = 0
STATUS_REQUEST = 5
SUPPORTED_GROUPS = 10
EC_POINT_FORMATS = 11
SIGNATURE_ALGORITHMS = 13
HEARTBEAT = 15
APPLICATION_LAYER_PROTOCOL_NEGOTIATION = 16
ENCRYPT_THEN_MAC = 22
EXTENDED_MASTER_SECRET = 23
SESSION_TICKET = 35
SUPPORTED_VERSIONS = 43
COOKIE = 44
PSK_KEY_EXCHANGE_MODES = 45
KEY_SHARE = 51
RENEGOTIATION_INFO = 0xFF01

SSL30, TLS10, TLS11, TLS12, TLS13 = 0x0300, 0x0301, 0x0302, 0x0303, 0x0304
RANDOM_LENGTH = 32


@dataclass(frozen=True)
class ClientHello:
    """What a client offers.

    ``version`` is the highest offered; ``versions`` lists those that are meant, for servers that
    know the extension supported_versions (RFC 8446 section 4.2.1; they are those since OpenSSL
    1.1.1 and GnuTLS 3.6.3). ``groups``, ``signatures``, ``versions`` and ``flags`` (extensions that
    say what they say by being there) are left out where they are empty; an SSL 3.0 hello has no
    extension at all. ``compressions`` is as on the wire (0: none, 1: DEFLATE). ``alpn`` are
    protocols to offer by name (RFC 7301), ``extras`` further extensions with their content.
    ``shares`` are key shares: groups, and a public key for each.
    """

    version: int
    suites: tuple[int, ...]
    versions: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    signatures: tuple[int, ...] = ()
    flags: tuple[int, ...] = ()
    compressions: tuple[int, ...] = (0,)
    alpn: tuple[bytes, ...] = ()
    extras: tuple[tuple[int, bytes], ...] = ()
    shares: tuple[tuple[int, bytes], ...] = ()

    def encode(self, random: bytes, server_name: Optional[str] = None) -> bytes:
        """The record(s) to send.

        ``random`` are 32 bytes; ``server_name`` is a host name in ASCII. Where TLS 1.3 is offered
        with an empty list of key shares, the server names its choice of group by
        HelloRetryRequest (RFC 8446 section 4.2.8) and no key pair is needed, ML-KEM or other.
        """
        suites = self.suites if self.versions == (TLS13,) else self._with_scsv()
        session_id = random if self.version == TLS13 else b""  # appendix D.4: middleboxes
        body = (
            _number(min(self.version, TLS12), 2)
            + random
            + _vector(1, session_id)
            + _numbers(2, 2, suites)
            + _numbers(1, 1, self.compressions)
        )
        if self.version > SSL30:
            body += _vector(2, b"".join(self._extensions(server_name)))
        message = bytes([CLIENT_HELLO]) + _vector(3, body)
        return record(HANDSHAKE, min(self.version, TLS10), message)

    def _with_scsv(self) -> tuple[int, ...]:
        return (*self.suites, EMPTY_RENEGOTIATION_INFO_SCSV)

    def _extensions(self, server_name: Optional[str]) -> list[bytes]:
        found = []
        if server_name is not None:
            name = b"\0" + _vector(2, server_name.encode("ascii"))
            found.append(_extension(SERVER_NAME, _vector(2, name)))
        if self.groups:
            found.append(_extension(SUPPORTED_GROUPS, _numbers(2, 2, self.groups)))
            found.append(_extension(EC_POINT_FORMATS, _numbers(1, 1, (0,))))
        if self.signatures:
            found.append(_extension(SIGNATURE_ALGORITHMS, _numbers(2, 2, self.signatures)))
        if self.alpn:
            names = b"".join(_vector(1, name) for name in self.alpn)
            kind = APPLICATION_LAYER_PROTOCOL_NEGOTIATION
            found.append(_extension(kind, _vector(2, names)))
        found += [_extension(flag, b"") for flag in self.flags]
        found += [_extension(kind, content) for kind, content in self.extras]
        if self.versions:
            found.append(_extension(SUPPORTED_VERSIONS, _numbers(1, 2, self.versions)))
        if self.version == TLS13:
            found.append(_extension(PSK_KEY_EXCHANGE_MODES, _numbers(1, 1, (1,))))
            keys = (_number(group, 2) + _vector(2, key) for group, key in self.shares)
            found.append(_extension(KEY_SHARE, _vector(2, b"".join(keys))))
        return found


def _number(value: int, width: int) -> bytes:
    return value.to_bytes(width, "big")


def _vector(width: int, content: bytes) -> bytes:
    return _number(len(content), width) + content


def _numbers(length_width: int, width: int, values: tuple[int, ...]) -> bytes:
    return _vector(length_width, b"".join(_number(value, width) for value in values))


def _extension(kind: int, content: bytes) -> bytes:
    return _number(kind, 2) + _vector(2, content)
