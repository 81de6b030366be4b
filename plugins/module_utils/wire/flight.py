# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a server's first flight: what it answers to a ClientHello before anything is encrypted.

Up to TLS 1.2 that is ServerHello to ServerHelloDone, in TLS 1.3 one ServerHello, or a
HelloRetryRequest and what a second ClientHello gets; or an alert. Source: RFC 8446 section 4.1.3,
4.1.4, 4.2.8, appendix D.4, RFC 5246 section 7.4.1 to 7.4.5, RFC 8422 section 5.4. Refuses to know
X.509: certificates stay DER.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Callable, Optional, Union

from .hello import KEY_SHARE, SUPPORTED_VERSIONS, TLS12, TLS13
from .reader import NEED_MORE, Cursor, NeedMore, TooMuchError, WireError
from .records import ALERT, ALERTS, CHANGE_CIPHER_SPEC, HANDSHAKE, Record, RecordReader
from .suites import ANONYMOUS, EPHEMERAL_DH, EPHEMERAL_EC

HELLO_REQUEST, SERVER_HELLO, CERTIFICATE, SERVER_KEY_EXCHANGE = 0, 2, 11, 12
CERTIFICATE_REQUEST, SERVER_HELLO_DONE = 13, 14
NAMED_CURVE = 3

MESSAGE_LIMIT = 192 * 1024
"""The longest handshake message: a chain of large certificates has 20 KiB."""
CHAIN_LIMIT = 32

# SHA-256 of "HelloRetryRequest" (RFC 8446 section 4.1.3).
RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


@dataclass(frozen=True)
class ServerHello:
    """ServerHello or HelloRetryRequest; ``group`` is that of the key share, if there is one."""

    version: int
    suite: int
    compression: int
    extensions: tuple[int, ...]
    group: Optional[int] = None
    retry: bool = False


@dataclass(frozen=True)
class Certificate:
    """The served chain up to TLS 1.2: DER, in the order in which it was sent."""

    chain: tuple[bytes, ...]


@dataclass(frozen=True)
class ServerKeyExchange:
    """The server's ephemeral key: a named group or a finite field, and how it was signed.

    ``dh_prime`` is the SHA-256 of the field's prime, in hexadecimal: what tells one from another.
    """

    group: Optional[int] = None
    dh_bits: Optional[int] = None
    signature: Optional[int] = None
    dh_prime: Optional[str] = None


@dataclass(frozen=True)
class CertificateRequest:
    """The server asks for a client certificate."""


@dataclass(frozen=True)
class ServerHelloDone:
    """The end of the flight up to TLS 1.2."""


@dataclass(frozen=True)
class OtherMessage:
    """A handshake message that is not looked into (CertificateStatus …)."""

    kind: int


@dataclass(frozen=True)
class Alert:
    """An alert. In TLS 1.3 its level means nothing."""

    level: int
    description: int

    @property
    def name(self) -> str:
        """The alert's name in the registry, or its number."""
        return ALERTS.get(self.description, f"alert {self.description}")


Event = Union[
    ServerHello,
    Certificate,
    ServerKeyExchange,
    CertificateRequest,
    ServerHelloDone,
    OtherMessage,
    Alert,
]


class ServerFlight:
    """Bytes in, handshake messages and alerts out."""

    def __init__(self) -> None:
        self._records = RecordReader()
        self._messages = bytearray()
        self._position = 0
        self._hello: Optional[ServerHello] = None

    def receive(self, data: bytes) -> None:
        """Takes in what the peer sent."""
        self._records.receive(data)

    def next_event(self) -> Union[Event, NeedMore]:
        """The next event or NEED_MORE.

        Raises NotTlsError for what is no record, TooMuchError for an endless message, WireError
        for a message that contradicts itself.
        """
        while True:
            message = self._next_message()
            if message is not None:
                return message
            found = self._records.next_record()
            if isinstance(found, NeedMore):
                return NEED_MORE
            if found.content_type == ALERT:
                return _alert(found)
            if found.content_type == CHANGE_CIPHER_SPEC and self._retried():
                continue  # it is there for middleboxes
            if found.content_type != HANDSHAKE:
                raise WireError(f"a record of type {found.content_type}", found.position)
            if not self._messages:
                self._position = found.position
            self._messages += found.fragment

    def _retried(self) -> bool:
        return self._hello is not None and self._hello.retry

    def _next_message(self) -> Optional[Event]:
        if len(self._messages) < 4:
            return None
        length = int.from_bytes(self._messages[1:4], "big")
        if length > MESSAGE_LIMIT:
            raise TooMuchError(f"a handshake message of {length} bytes", self._position)
        if len(self._messages) < 4 + length:
            return None
        kind, body = self._messages[0], bytes(self._messages[4 : 4 + length])
        cursor = Cursor(body, self._position + 4)
        del self._messages[: 4 + length]
        self._position += 4 + length
        return self._message(kind, cursor)

    def _message(self, kind: int, body: Cursor) -> Event:
        if kind == SERVER_HELLO:
            if self._hello is not None and not self._retried():
                raise WireError("a second ServerHello", body.position)
            before, self._hello = self._hello, server_hello(body)
            if before is not None and self._hello.retry:
                raise WireError("a second HelloRetryRequest", body.position)
            return self._hello
        if self._hello is None and kind != HELLO_REQUEST:
            raise WireError(f"handshake message {kind} before ServerHello", body.position)
        if kind == SERVER_KEY_EXCHANGE and self._hello is not None:
            return server_key_exchange(body, self._hello)
        reader = _READERS.get(kind)
        return reader(body) if reader is not None else OtherMessage(kind)


def agreed_group(data: bytes) -> Optional[int]:
    """The group in the first flight of a handshake that succeeded, where it is told in clear."""
    flight = ServerFlight()
    flight.receive(data)
    try:
        while not isinstance(event := flight.next_event(), NeedMore):
            if isinstance(event, (ServerHello, ServerKeyExchange)) and event.group is not None:
                return event.group  # that of a HelloRetryRequest is final (RFC 8446 section 4.2.8)
    except WireError:  # what is encrypted, or the end of a resumed handshake
        pass
    return None


def _alert(found: Record) -> Alert:
    if len(found.fragment) < 2:
        raise WireError("half an alert", found.position)
    return Alert(found.fragment[0], found.fragment[1])


def server_hello(body: Cursor) -> ServerHello:
    """ServerHello (RFC 5246 7.4.1.3) or, with supported_versions, that of TLS 1.3 (RFC 8446)."""
    version = body.number(2)
    retry = body.take(32) == RETRY_RANDOM
    body.vector(1)
    suite, compression = body.number(2), body.number(1)
    extensions: dict[int, Cursor] = {}
    listed = body.vector(2) if body.left else Cursor(b"")
    while listed.left:
        kind = listed.number(2)
        extensions[kind] = listed.vector(2)
    if SUPPORTED_VERSIONS in extensions:
        version = extensions[SUPPORTED_VERSIONS].number(2)
    share = extensions.get(KEY_SHARE) if version >= TLS13 else None
    group = share.number(2) if share is not None else None
    return ServerHello(version, suite, compression, tuple(extensions), group, retry)


def certificate(body: Cursor) -> Certificate:
    """Certificate up to TLS 1.2 (RFC 5246 section 7.4.2)."""
    chain: list[bytes] = []
    listed = body.vector(3)
    while listed.left:
        if len(chain) == CHAIN_LIMIT:
            raise TooMuchError(f"more than {CHAIN_LIMIT} certificates", listed.position)
        chain.append(listed.vector(3).rest())
    return Certificate(tuple(chain))


def server_key_exchange(body: Cursor, hello: ServerHello) -> ServerKeyExchange:
    """ServerKeyExchange of ECDHE and DHE suites; nothing of one of another kind.

    ``group`` is ``None`` for a curve that is spelled out, ``signature`` before TLS 1.2, where the
    key's type decides it.
    """
    group = dh_bits = dh_prime = signature = None
    if hello.suite in EPHEMERAL_EC:
        if body.number(1) != NAMED_CURVE:
            return ServerKeyExchange()
        group = body.number(2)
        body.vector(1)
    elif hello.suite in EPHEMERAL_DH:
        prime = body.vector(2).rest().lstrip(b"\0")
        dh_bits = int.from_bytes(prime, "big").bit_length()
        dh_prime = hashlib.sha256(prime).hexdigest()
        body.vector(2)
        body.vector(2)
    else:
        return ServerKeyExchange()
    if hello.version >= TLS12 and hello.suite not in ANONYMOUS:
        signature = body.number(2)
    return ServerKeyExchange(group, dh_bits, signature, dh_prime)


_READERS: dict[int, Callable[[Cursor], Event]] = {
    CERTIFICATE: certificate,
    CERTIFICATE_REQUEST: lambda _: CertificateRequest(),
    SERVER_HELLO_DONE: lambda _: ServerHelloDone(),
}
