# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server as a table: what it accepts, in which order, and how it turns away the rest.

It answers ClientHellos as its table says, without a socket; a twin of transport.SocketNetwork.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Optional, Union

from ansible_collections.postmaster.tls.plugins.module_utils.local_tls import Session, Ticket
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Failure
from ansible_collections.postmaster.tls.plugins.module_utils.transport import Broken
from ansible_collections.postmaster.tls.plugins.module_utils.wire import suites
from ansible_collections.postmaster.tls.plugins.module_utils.wire.flight import RETRY_RANDOM
from ansible_collections.postmaster.tls.plugins.module_utils.wire.hello import (
    APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
    KEY_SHARE,
    SIGNATURE_ALGORITHMS,
    SSL30,
    SUPPORTED_GROUPS,
    SUPPORTED_VERSIONS,
    TLS10,
    TLS11,
    TLS12,
    TLS13,
)
from ansible_collections.postmaster.tls.plugins.module_utils.wire.reader import Cursor
from ansible_collections.postmaster.tls.plugins.module_utils.wire.records import (
    ALERT,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    HANDSHAKE_FAILURE,
    NO_APPLICATION_PROTOCOL,
    PROTOCOL_VERSION,
    record,
)

VERSIONS = (SSL30, TLS10, TLS11, TLS12, TLS13)
HARD = (*suites.TLS13, *suites.ECDHE_AEAD)
CLOSE_NOTIFY = record(ALERT, TLS10, b"\x01\x00")
CHANGED = record(CHANGE_CIPHER_SPEC, TLS12, b"\x01")
INTERNAL_ERROR = 80
Refusal = Union[int, bytes, str, None]


@dataclass(frozen=True)
class Hello:
    """What a client offered; ``versions`` are those of the extension, if it is there.

    ``alpn``: it offers protocols by name. ``shares``: the groups of its key shares.
    """

    version: int
    suites: tuple[int, ...]
    versions: Optional[tuple[int, ...]]
    alpn: bool = False
    groups: tuple[int, ...] = ()
    signatures: tuple[int, ...] = ()
    shares: tuple[int, ...] = ()


def hello(data: bytes) -> Hello:
    """Reads a ClientHello."""
    body = Cursor(data[9:])
    version = body.number(2)
    body.take(32)
    body.vector(1)
    offered = _numbers(body.vector(2), 2)
    body.vector(1)
    versions: Optional[tuple[int, ...]] = None
    groups: tuple[int, ...] = ()
    signatures: tuple[int, ...] = ()
    shares: list[int] = []
    alpn = False
    listed = body.vector(2) if body.left else Cursor(b"")
    while listed.left:
        kind, content = listed.number(2), listed.vector(2)
        if kind == SUPPORTED_VERSIONS:
            versions = _numbers(content.vector(1), 2)
        if kind == SUPPORTED_GROUPS:
            groups = _numbers(content.vector(2), 2)
        if kind == SIGNATURE_ALGORITHMS:
            signatures = _numbers(content.vector(2), 2)
        keys = content.vector(2) if kind == KEY_SHARE else Cursor(b"")
        while keys.left:
            shares.append(keys.number(2))
            assert keys.vector(2).left
        alpn = alpn or kind == APPLICATION_LAYER_PROTOCOL_NEGOTIATION
    return Hello(version, offered, versions, alpn, groups, signatures, tuple(shares))


def _numbers(listed: Cursor, width: int) -> tuple[int, ...]:
    found: list[int] = []
    while listed.left:
        found.append(listed.number(width))
    return tuple(found)


@dataclass(frozen=True)
class Peer:
    """A server.

    ``refuses`` is how it turns away: an alert's number (``None``: the one that fits), bytes, or
    the cause of a broken connection. ``modern``: it reads supported_versions. ``holes``: like
    GnuTLS it refuses a hello of a version that it does not have below its highest. ``lacking``:
    suites that it chooses and then fails at, without a word. ``drops`` is how many of its first
    connections are reset for no reason. ``foreign``: it serves clients of other protocols.
    ``groups``, where there are any, are those that it can agree on; ``follows``: the client's
    order of suites wins, not its own. ``curve``: that of its ECDSA key, which must be on offer.
    ``deaf``: what is said before its greeting has come is lost.
    ``signs``: its signature schemes; ``sorts``: its own order of them wins. ``fails``: schemes that
    it chooses and then cannot make.
    ``retries``: in TLS 1.3 it asks for a key share that was not sent; ``again`` is how it meets the
    hello that follows (``None``: as any other).
    """

    versions: tuple[int, ...] = (TLS12, TLS13)
    suites: tuple[int, ...] = HARD
    refuses: Refusal = None
    modern: bool = True
    holes: bool = False
    lacking: tuple[int, ...] = ()
    drops: int = 0
    foreign: bool = False
    groups: tuple[int, ...] = ()
    follows: bool = False
    curve: Optional[int] = None
    deaf: bool = False
    signs: tuple[int, ...] = (0x0804, 0x0805, 0x0806, 0x0401)
    sorts: bool = False
    fails: tuple[int, ...] = ()
    retries: bool = False
    again: Refusal = None

    def answer(self, asked: Hello) -> Union[bytes, str]:
        """The flight, or how the connection breaks."""
        if asked.shares and self.again is not None:
            met = self.again
            return record(ALERT, TLS10, bytes([2, met])) if isinstance(met, int) else met
        version = self._version(asked)
        if version is None:
            return self._refusal(PROTOCOL_VERSION)
        wanted, offered = self.groups, asked.groups
        if self.follows:
            wanted, offered = offered, wanted
        group = next((g for g in wanted if g in offered), None)
        first, second = self.suites, asked.suites
        if self.follows:
            first, second = second, first
        choice = (s for s in first if s in second and _fits(s, version))
        able = (s for s in choice if self.curve in (None, *asked.groups) or s not in suites.ECDSA)
        suite = next((s for s in able if group or not self._wants_group(s)), None)
        if suite is None:
            return self._refusal(HANDSHAKE_FAILURE)
        if asked.alpn and not self.foreign:
            return self._refusal(NO_APPLICATION_PROTOCOL)
        if version == TLS13 and self.retries and group not in asked.shares:
            return flight(version, suite, group, random=RETRY_RANDOM) + CHANGED
        if suite in self.lacking:
            return "closed"
        scheme = self._scheme(asked) if self._wants_group(suite) else None
        if version >= TLS12 and self._wants_group(suite) and scheme is None:
            return self._refusal(HANDSHAKE_FAILURE)
        if scheme in self.fails:
            return record(ALERT, TLS10, bytes([2, INTERNAL_ERROR]))
        return flight(version, suite, group if self._wants_group(suite) else None, scheme)

    def _scheme(self, asked: Hello) -> Optional[int]:
        wanted, offered = asked.signatures, self.signs
        if self.sorts:
            wanted, offered = offered, wanted
        return next((scheme for scheme in wanted if scheme in offered), None)

    def _wants_group(self, suite: int) -> bool:
        return bool(self.groups) and suite in (*suites.TLS13, *suites.EPHEMERAL_EC)

    def _version(self, asked: Hello) -> Optional[int]:
        if self.modern and asked.versions is not None:
            return max((v for v in asked.versions if v in self.versions), default=None)
        if self.holes and asked.version not in self.versions:
            return None
        return max((v for v in self.versions if v <= min(asked.version, TLS12)), default=None)

    def _refusal(self, fitting: int) -> Union[bytes, str]:
        if isinstance(self.refuses, (bytes, str)):
            return self.refuses
        number = fitting if self.refuses is None else self.refuses
        return record(ALERT, TLS10, bytes([2, number]))


def _fits(suite: int, version: int) -> bool:
    if (suite in suites.TLS13) != (version == TLS13):
        return False
    return version >= TLS12 or suite not in suites.SINCE_TLS12


def flight(
    version: int,
    suite: int,
    group: Optional[int] = None,
    scheme: Optional[int] = None,
    random: bytes = bytes(32),
) -> bytes:
    """A ServerHello and, up to TLS 1.2, a key exchange with the group, and ServerHelloDone."""
    body = min(version, TLS12).to_bytes(2, "big") + random + b"\0"
    body += suite.to_bytes(2, "big") + b"\0"
    named = group.to_bytes(2, "big") if group is not None else b""
    if version == TLS13:
        share = b"\x00\x33\x00\x02" + named if named else b""
        listed = b"\x00\x2b\x00\x02\x03\x04" + share
        body += len(listed).to_bytes(2, "big") + listed
    message = b"\x02" + len(body).to_bytes(3, "big") + body
    if version == TLS13:
        return record(HANDSHAKE, TLS12, message)
    signed = scheme.to_bytes(2, "big") + b"\0\0" if scheme else b"\0\0"
    key = b"\x03" + named + b"\x01\x04" + signed if named else b""
    exchange = b"\x0c" + len(key).to_bytes(3, "big") + key if key else b""
    return record(HANDSHAKE, version, message + exchange + b"\x0e\0\0\0")


class PeerStream:
    """One connection; before TLS it agrees to whatever it is asked in IMAP."""

    def __init__(self, peer: Peer, greets: bool, dropped: bool) -> None:
        self.stage = "connect"
        self._peer = peer
        self._dropped = dropped
        self._says = b"* OK hi\r\n" if greets else b""
        self._cause = "timeout"

    async def send(self, data: bytes) -> None:
        if data[:1] != bytes([HANDSHAKE]) and self._says and self._peer.deaf:
            return
        if data[:1] != bytes([HANDSHAKE]):
            self._says += data.split()[0] + b" OK begin\r\n"
            return
        answer = "reset" if self._dropped else self._peer.answer(hello(data))
        if isinstance(answer, bytes):
            self._says, self._cause = answer, "closed"
        else:
            self._cause = answer

    async def receive(self) -> bytes:
        said, self._says = self._says, b""
        if not said and self._cause != "closed":
            raise Broken(Failure(self.stage, self._cause))
        return said

    def ticket(self) -> Optional[Ticket]:
        return None

    async def start_tls(
        self,
        server_name: Optional[str],
        early: bytes = b"",
        alpn: str = "",
        ticket: Optional[Ticket] = None,
    ) -> Session:
        raise AssertionError("a hello is never completed")


class PeerNetwork:
    """Connections to one peer, counted; ``greets`` where TLS begins by STARTTLS."""

    def __init__(self, peer: Peer, greets: bool = False) -> None:
        self._peer = peer
        self._greets = greets
        self.count = 0

    def connections(self, address: str, port: int) -> int:
        return self.count

    @contextlib.asynccontextmanager
    async def connect(self, address: str, port: int, rank: int = 0) -> AsyncIterator[PeerStream]:
        self.count += 1
        yield PeerStream(self._peer, self._greets, self.count <= self._peer.drops)
