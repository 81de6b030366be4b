# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handshakes that Python's ``ssl`` cannot make: one that is renegotiated, one for one kind of key.

What TLS 1.3 encrypts is seen on them, too.

A client that may renegotiate makes the server work at will, for little of its own work
(CVE-2011-1473); so one attempt is made, on one connection, and counted. A server refuses by the
alert no_renegotiation or by hanging up (RFC 5246 sections 7.2.2 and 7.4.1.1); who says nothing at
all was not seen to refuse. TLS 1.3 has no renegotiation (RFC 8446 section 4.1.2).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Optional

from .local_tls import TlsFailed
from .model.observed import Failure
from .openssl_client import OpenSslClient
from .talk import Target, begin_tls
from .transport import Broken, Network, Stream
from .wire.hello import TLS12, TLS13

KINDS = {
    "rsa": "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512",
    "ecdsa": "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512",
}
"""Signature schemes of TLS 1.3 (RFC 8446 section 4.2.3) by the kind of key that makes them, as
OpenSSL calls them."""


@dataclass(frozen=True)
class Renegotiation:
    """``served`` is False where an alert ended the first handshake, ``None`` where else it ended.

    ``accepted``: the second was carried out. ``stapled``: an OCSP response came with the chain;
    ``asked``: a client certificate was asked for.
    """

    served: Optional[bool]
    chain: tuple[bytes, ...] = ()
    accepted: Optional[bool] = None
    stapled: Optional[bool] = None
    asked: Optional[bool] = None


async def renegotiate(target: Target, network: Network, newest: int = TLS12) -> Renegotiation:
    """A handshake of ``newest`` or older, and one attempt to begin another on it up to TLS 1.2."""
    seen = Renegotiation(None)
    try:
        async with _shaken(target, network, newest) as (client, stream):
            chain, stapled, asked = client.chain(), client.stapled(), client.asked
            seen = Renegotiation(True, chain, None, stapled, asked)
            if client.version() >= TLS13:
                return seen
            return replace(seen, accepted=await _again(client, stream))
    except Broken as broken:
        refused = broken.failure.cause == "alert" and not seen.served
        return Renegotiation(False) if refused else seen


async def chain_for(target: Target, network: Network, kind: str) -> tuple[bytes, ...]:
    """The chain that TLS 1.3 serves for one kind of key; none where it could not be had."""
    try:
        async with _shaken(target, network, TLS13, KINDS[kind]) as (client, _stream):
            return client.chain()
    except Broken:
        return ()


@asynccontextmanager
async def _shaken(
    target: Target, network: Network, newest: int, signatures: str = ""
) -> AsyncIterator[tuple[OpenSslClient, Stream]]:
    """A client that has shaken hands, on a connection of its own. Raises Broken."""
    async with network.connect(target.endpoint.host, target.endpoint.port) as stream:
        early = await begin_tls(target, stream)
        stream.stage = "handshake"
        client = OpenSslClient(target.server_name, newest, signatures)
        try:
            client.receive(early)
            while not await _step(client, stream, client.handshake()):
                pass
            yield client, stream
        except TlsFailed as failed:
            await stream.send(client.to_send())
            failure = Failure(stream.stage, failed.cause, failed.detail, failed.alert)
            raise Broken(failure) from None
        finally:
            client.close()


async def _again(client: OpenSslClient, stream: Stream) -> Optional[bool]:
    stream.stage = "renegotiation"
    client.renegotiate()
    try:
        while not await _step(client, stream, client.renegotiated()):
            pass
    except TlsFailed as failed:
        return False if failed.cause in ("alert", "closed") else None
    except Broken as broken:
        return False if broken.failure.cause in ("closed", "reset") else None
    return True


async def _step(client: OpenSslClient, stream: Stream, done: bool) -> bool:
    """Sends what is to be sent and, unless all is done, hears what comes. Raises Broken."""
    await stream.send(client.to_send())
    if not done:
        data = await stream.receive()
        if not data:
            raise Broken(Failure(stream.stage, "closed"))
        client.receive(data)
    return done
