# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The TLS record layer and alerts, unencrypted: cuts a stream into records, and makes records.

Source: RFC 8446 section 5.1 and 6, RFC 5246 section 6.2, RFC 6101 section 5.2 (SSL 3.0).
Refuses to know encryption: a record that would need keys is passed on as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from .reader import NEED_MORE, NeedMore, NotTlsError

CHANGE_CIPHER_SPEC = 20
ALERT = 21
HANDSHAKE = 22
CONTENT_TYPES = frozenset({CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, 23, 24})

HEADER_LENGTH = 5
FRAGMENT_LIMIT = 2**14 + 2048
"""The longest fragment that any version allows (RFC 5246 section 6.2.3)."""

CLOSE_NOTIFY = 0
HANDSHAKE_FAILURE = 40
PROTOCOL_VERSION = 70
INSUFFICIENT_SECURITY = 71
UNRECOGNIZED_NAME = 112
NO_APPLICATION_PROTOCOL = 120

# RFC 8446 section 6, RFC 5246 section 7.2, RFC 6101 section 5.4.
ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
}


@dataclass(frozen=True)
class Record:
    """One record. ``position`` is that of its fragment in the stream."""

    content_type: int
    version: int
    fragment: bytes
    position: int


def record(content_type: int, version: int, fragment: bytes) -> bytes:
    """The bytes of one record; ``fragment`` has at most 2^14 bytes."""
    return (
        bytes([content_type])
        + version.to_bytes(2, "big")
        + len(fragment).to_bytes(2, "big")
        + fragment
    )


class RecordReader:
    """Cuts a stream into records."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.position = 0

    def receive(self, data: bytes) -> None:
        """Takes in what the peer sent."""
        self._buffer += data

    def next_record(self) -> Union[Record, NeedMore]:
        """The next record or NEED_MORE; raises NotTlsError for a header that none has."""
        self._check_header()
        if len(self._buffer) < HEADER_LENGTH:
            return NEED_MORE
        length = int.from_bytes(self._buffer[3:HEADER_LENGTH], "big")
        if len(self._buffer) < HEADER_LENGTH + length:
            return NEED_MORE
        found = Record(
            content_type=self._buffer[0],
            version=int.from_bytes(self._buffer[1:3], "big"),
            fragment=bytes(self._buffer[HEADER_LENGTH : HEADER_LENGTH + length]),
            position=self.position + HEADER_LENGTH,
        )
        del self._buffer[: HEADER_LENGTH + length]
        self.position += HEADER_LENGTH + length
        return found

    def _check_header(self) -> None:
        head = self._buffer[:HEADER_LENGTH]
        if head[:1] and head[0] not in CONTENT_TYPES:
            raise NotTlsError(f"content type {head[0]}", self.position)
        if head[1:2] and head[1] != 3:
            raise NotTlsError(f"record version {head[1]}", self.position + 1)
        if len(head) == HEADER_LENGTH:
            length = int.from_bytes(head[3:], "big")
            if length > FRAGMENT_LIMIT or (length == 0 and head[0] != 23):
                raise NotTlsError(f"a fragment of {length} bytes", self.position + 3)
