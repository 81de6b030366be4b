# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSL 2.0, just far enough to see that nobody speaks it any more: CLIENT-HELLO and its answer.

Source: Hickman, "The SSL Protocol" (1995), sections 1.1, 2.5 and 2.6; RFC 6176, which forbids it.
"""

from __future__ import annotations

from typing import Optional

# RC4, RC4 export, RC2, RC2 export, IDEA, DES, 3DES (section 5.3.5 of the draft).
CIPHERS = (0x010080, 0x020080, 0x030080, 0x040080, 0x050080, 0x060040, 0x0700C0)
CLIENT_HELLO, SERVER_HELLO = 1, 4
VERSION = 0x0002


def client_hello(challenge: bytes) -> bytes:
    """The record to send; ``challenge`` are 16 to 32 random bytes."""
    ciphers = b"".join(cipher.to_bytes(3, "big") for cipher in CIPHERS)
    body = (
        bytes([CLIENT_HELLO])
        + VERSION.to_bytes(2, "big")
        + len(ciphers).to_bytes(2, "big")
        + b"\0\0"
        + len(challenge).to_bytes(2, "big")
        + ciphers
        + challenge
    )
    return (0x8000 | len(body)).to_bytes(2, "big") + body


def accepted(data: bytes) -> Optional[bool]:
    """Whether the first bytes of an answer are a SERVER-HELLO; ``None`` for too few to tell.

    A SERVER-HELLO that agrees on no cipher refuses (section 2.6).
    """
    if len(data) < 11 and data[:1] >= b"\x80":
        return None
    if len(data) < 3:
        return None
    at = 2 if data[0] & 0x80 else 3
    if not data[0] & 0x80 or data[at] != SERVER_HELLO:
        return False
    return int.from_bytes(data[at + 7 : at + 9], "big") > 0
