# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flights of a TLS server, right and wrong, as bytes.

Source: RFC 8446 section 4 and 5, RFC 5246 section 7.4, RFC 8422 section 5.4. Written apart from
wire/, which has no parts for servers: a mistake there is not repeated here.
"""

from __future__ import annotations

ECDHE_RSA_AES128_GCM = 0xC02F
AES128_GCM_SHA256 = 0x1301
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
RANDOM = bytes(range(1, 33))
SESSION = b"the session id that was sent to."
"""Stands for the client's session id, which a server of TLS 1.3 gives back."""


def vector(width: int, content: bytes) -> bytes:
    return len(content).to_bytes(width, "big") + content


def record(content: bytes, kind: int = 22, version: int = 0x0303) -> bytes:
    return bytes([kind]) + version.to_bytes(2, "big") + vector(2, content)


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + vector(3, body)


def alert(level: int, description: int) -> bytes:
    return record(bytes([level, description]), 21)


def extension(kind: int, content: bytes = b"") -> bytes:
    return kind.to_bytes(2, "big") + vector(2, content)


def hello(
    version: int = 0x0303,
    suite: int = ECDHE_RSA_AES128_GCM,
    extensions: bytes = b"",
    session: bytes = b"",
    compression: int = 0,
    random: bytes = RANDOM,
) -> bytes:
    """A ServerHello; ``extensions`` with their length, if there are any."""
    body = version.to_bytes(2, "big") + random + vector(1, session) + suite.to_bytes(2, "big")
    return message(2, body + bytes([compression]) + extensions)


def hello13(*extensions: bytes, suite: int = AES128_GCM_SHA256, random: bytes = RANDOM) -> bytes:
    """A ServerHello of TLS 1.3, or with ``random=RETRY`` a HelloRetryRequest."""
    listed = b"".join((extension(43, b"\x03\x04"), *extensions))
    return hello(suite=suite, extensions=vector(2, listed), session=SESSION, random=random)


def retry(*extensions: bytes) -> bytes:
    """A record with a HelloRetryRequest."""
    return record(hello13(*extensions, random=RETRY))


def share(group: int, key: bytes = b"") -> bytes:
    """The extension key_share: it names a group where there is no key."""
    return extension(51, group.to_bytes(2, "big") + (vector(2, key) if key else b""))


def certificates(*chain: bytes) -> bytes:
    return message(11, vector(3, b"".join(vector(3, der) for der in chain)))


def key_exchange(group: int = 29, point: bytes = bytes(32)) -> bytes:
    signed = b"\x08\x04" + vector(2, bytes(16))
    return message(12, b"\x03" + group.to_bytes(2, "big") + vector(1, point) + signed)


DONE = message(14, b"")
NOT_DER = b"\x30\x82\xff\xff no certificate"


def flight(*parts: bytes) -> bytes:
    """A flight of TLS 1.2 in one record; the parts take the place of what follows the hello."""
    rest = parts or (certificates(NOT_DER), key_exchange(), DONE)
    return record(hello() + b"".join(rest))


def in_records(content: bytes, size: int) -> bytes:
    """Handshake messages, cut into records of that size."""
    return b"".join(record(content[at : at + size]) for at in range(0, len(content), size))
