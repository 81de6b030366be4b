# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS by the library that Python is linked to, as a state machine between two buffers.

It completes handshakes, so that what is said inside TLS can be seen. It speaks to weak servers too,
as far as the library can, and never verifies a certificate: what is served is reported and judged
elsewhere. Refuses to know sockets and clocks: bytes go in and out, and transport.py carries them.
What the library will not speak is asked with the hellos of wire/.
Source: the ``ssl`` chapter of the Python library, 3.9 to 3.14.
"""

from __future__ import annotations

import contextlib
import functools
import re
import ssl
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from .model.observed import Handshake
from .text import clean
from .wire.flight import agreed_group
from .wire.records import ALERT, ALERTS

CHUNK = 16 * 1024
_OP_LEGACY_SERVER_CONNECT = 0x4  # ssl.OP_LEGACY_SERVER_CONNECT has a name since Python 3.12
_VERSIONS = {"SSLv3": 0x0300, "TLSv1": 0x0301, "TLSv1.1": 0x0302, "TLSv1.2": 0x0303}

# How OpenSSL calls an alert that it received (those of RFC 6066 without the word), and what it says
# of bytes that are no TLS record (ssl/sslerr.h and ssl/record of OpenSSL 1.1.1 to 3.5).
_OF_RFC_6066 = "UNSUPPORTED_EXTENSION|CERTIFICATE_UNOBTAINABLE|UNRECOGNIZED_NAME|BAD_CERTIFICATE_"
_ALERT = re.compile(f"(?:ALERT_|TLSV1_(?={_OF_RFC_6066}))([A-Z_]+)")
_NUMBERS = {"USER_CANCELLED": 90, **{name.upper(): number for number, name in ALERTS.items()}}
# OpenSSL 1.1.1 has no word at all for the alerts of RFC 7301 and RFC 4279.
_NO_WORD = "UNKNOWN_ERROR"
_ALERT_RECORD = struct.Struct(">BHHBB")
ALERT_BYTES = 7
_PLACE = re.compile(r"^\[[^]]*\] | \(_ssl\.c:\d+\)$")
_CAUSES = {
    "WRONG_VERSION_NUMBER": "not_tls",
    "HTTP_REQUEST": "not_tls",
    "HTTPS_PROXY_REQUEST": "not_tls",
    "RECORD_LAYER_FAILURE": "not_tls",
    "PACKET_LENGTH_TOO_LONG": "not_tls",
    "UNEXPECTED_EOF_WHILE_READING": "closed",
    "EXCESSIVE_MESSAGE_SIZE": "too_much",
}


@dataclass(frozen=True)
class Session:
    """A completed handshake, and the chain it got: DER, leaf first.

    Python 3.9 shows no more of the chain than the leaf.
    """

    handshake: Handshake
    chain: tuple[bytes, ...]
    resumed: bool = False


@dataclass(frozen=True)
class Ticket:
    """What a session can be resumed with; ``seconds`` is the lifetime hint, 0 for none.

    ``stateless``: the server gave a session ticket (RFC 5077), not only a number.
    """

    session: ssl.SSLSession
    seconds: int
    stateless: bool


class TlsFailed(Exception):
    """The library gave up: ``cause``, ``detail`` and ``alert`` are those of a model.Failure."""

    def __init__(self, cause: str, detail: str, alert: Optional[int] = None) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause
        self.detail = detail
        self.alert = alert


class LocalTls:
    """A client. ``incoming`` takes what the peer sent, ``outgoing`` gives what to send it.

    ``alpn`` is the one protocol to offer (RFC 7301), none where it is empty.
    """

    def __init__(
        self, server_name: Optional[str], alpn: str = "", ticket: Optional[Ticket] = None
    ) -> None:
        self.incoming, self.outgoing = _Incoming(), ssl.MemoryBIO()
        self._alpn = alpn
        self._flight = bytearray()
        self._object = _context(alpn).wrap_bio(
            self.incoming.buffer,
            self.outgoing,
            server_hostname=server_name,
            session=ticket.session if ticket else None,
        )

    def receive(self, data: bytes) -> None:
        """Takes in what the server sent before the handshake is complete."""
        self._flight += data
        self.incoming.write(data)

    def handshake(self) -> bool:
        """Goes on with the handshake; whether it is complete. Raises TlsFailed."""
        with self._failing():
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                return False
        return True

    def encrypt(self, data: bytes) -> bytes:
        """The records to send for ``data``. Raises TlsFailed."""
        with self._failing():
            if data:  # to write nothing is an error before Python 3.10
                self._object.write(data)
        return self.outgoing.read()

    def read(self) -> Optional[bytes]:
        """Decrypted bytes, b"" at the end, ``None`` where more must come. Raises TlsFailed."""
        with self._failing():
            try:
                return self._object.read(CHUNK)
            except ssl.SSLWantReadError:
                return None

    def farewell(self) -> bytes:
        """What ends our side (RFC 5246 section 7.2.1): without it, OpenSSL forgets the session."""
        with contextlib.suppress(ssl.SSLError):
            self._object.unwrap()
        return self.outgoing.read()

    def session(self) -> Session:
        """What was negotiated."""
        name, _protocol, _bits = self._object.cipher() or ("", "", 0)
        suite = _suites().get(name, 0)
        version = _VERSIONS.get(self._object.version() or "", 0x0304)
        chosen = clean(self._object.selected_alpn_protocol() or "", 32) if self._alpn else None
        resumed = bool(self._object.session_reused)
        group = agreed_group(bytes(self._flight))
        return Session(Handshake(version, suite, chosen, group), self._chain(), resumed)

    def ticket(self) -> Optional[Ticket]:
        """What to resume with; in TLS 1.3 it comes with the first data."""
        session = self._object.session
        if session is None:
            return None
        return Ticket(session, session.ticket_lifetime_hint, session.has_ticket)

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except ssl.SSLZeroReturnError:
            raise TlsFailed("closed", "close_notify") from None
        except ssl.SSLError as error:
            reason = _reason(error)
            found = _ALERT.search(reason)
            alert = _NUMBERS.get(found[1]) if found else None
            if reason == _NO_WORD:
                alert = self.incoming.alert()
            cause = "alert" if found or alert is not None else _CAUSES.get(reason, "unexpected")
            raise TlsFailed(cause, clean(reason.lower(), 128), alert) from None

    def _chain(self) -> tuple[bytes, ...]:
        public = getattr(self._object, "get_unverified_chain", None)  # Python 3.13
        if public is not None:
            return tuple(public())
        private = getattr(getattr(self._object, "_sslobj", None), "get_unverified_chain", None)
        if private is not None:  # Python 3.10 to 3.12
            return tuple(ssl.PEM_cert_to_DER_cert(c.public_bytes()) for c in private() or ())
        leaf = self._object.getpeercert(binary_form=True)
        return (leaf,) if leaf else ()


class _Incoming:
    """The library's input buffer, and the last bytes that went in."""

    def __init__(self) -> None:
        self.buffer = ssl.MemoryBIO()
        self._last = b""

    def write(self, data: bytes) -> None:
        """Takes what the peer sent."""
        self.buffer.write(data)
        self._last = (self._last + data)[-ALERT_BYTES:]

    def alert(self) -> Optional[int]:
        """The number of an alert in clear that came last (RFC 5246 section 7.2), else ``None``."""
        if len(self._last) < ALERT_BYTES:
            return None
        kind, _version, length, _level, number = _ALERT_RECORD.unpack(self._last)
        return int(number) if (kind, length) == (ALERT, 2) else None


@functools.lru_cache(maxsize=8)
def _context(alpn: str) -> ssl.SSLContext:
    """A client that speaks to weak servers too, in order to see them; it verifies nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.options |= _OP_LEGACY_SERVER_CONNECT
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if alpn:
        context.set_alpn_protocols([alpn])
    return context


@functools.lru_cache(maxsize=1)
def _suites() -> dict[str, int]:
    """The suites that the library may agree on: code points by its names for them."""
    return {suite["name"]: suite["id"] & 0xFFFF for suite in _context("").get_ciphers()}


def _reason(error: ssl.SSLError) -> str:
    """OpenSSL's word for what went wrong; where Python has none, from its text.

    It has none for the alerts of RFC 7301 and RFC 4279. The place in Python's source is left out.
    """
    return error.reason or _PLACE.sub("", str(error)).replace(" ", "_").upper()
