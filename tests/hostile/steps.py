# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server of the corpus can do: one step after the other, decent ones and others.

``Decent`` is decent in one of the three protocols but for one stage, named as in model.Failure.
When the steps are over, the server hangs up. In what is said, ``%t`` stands for the tag of the
command that is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service, TlsMode
from ansible_collections.postmaster.tls.tests.hostile.server import Left, Peer, Step
from ansible_collections.postmaster.tls.tests.hostile.tls_bytes import SESSION

IMAP, POP3, SIEVE = Service.IMAP, Service.POP3, Service.SIEVE
STARTTLS, IMPLICIT = TlsMode.STARTTLS, TlsMode.IMPLICIT
PEM = Path(__file__).resolve().parents[1] / "fixtures" / "certificates" / "loopback-server.pem"
ENOUGH = 100 * 1024 * 1024
"""Where "endless" ends, in case that somebody listens so long."""


# ---------------------------------------------------------------------------------------------
# Single steps


def say(data: bytes) -> Step:
    """Sends this."""

    async def step(peer: Peer) -> None:
        await peer.send(_filled(data, peer))

    return step


def _filled(data: bytes, peer: Peer) -> bytes:
    return data.replace(b"%t", peer.tag).replace(SESSION, peer.session)


def say_raw(data: bytes) -> Step:
    """Sends this as it is, also where TLS has begun."""

    async def step(peer: Peer) -> None:
        await peer.send_raw(data)

    return step


def say_and_hear(data: bytes) -> Step:
    """Says it and waits for the answer, so that hanging up then is no reset."""

    async def step(peer: Peer) -> None:
        await say(data)(peer)
        await hear(peer)

    return step


def drip(data: bytes, pause: float = 0.2) -> Step:
    """Sends this one byte at a time."""

    async def step(peer: Peer) -> None:
        for byte in data:
            await peer.send(bytes([byte]))
            await asyncio.sleep(pause)

    return step


def endless(piece: bytes, most: int = ENOUGH) -> Step:
    """Sends the same again and again."""

    async def step(peer: Peer) -> None:
        block = _filled(piece, peer)
        block *= max(1, 16384 // len(block))
        for _ in range(most // len(block)):
            await peer.send(block)

    return step


async def hear(peer: Peer) -> None:
    """Waits until the client says something."""
    await peer.receive()


async def pause(peer: Peer) -> None:
    """Gives the client the time to read what was said, before the connection is reset."""
    await asyncio.sleep(0.1)


async def stall(peer: Peer) -> None:
    """Says nothing until the client leaves."""
    while True:
        await peer.receive_raw()


async def close(peer: Peer) -> None:
    """Hangs up; it is what the end of the steps does."""


async def reset(peer: Peer) -> None:
    """Hangs up with RST."""
    peer.reset()


def where_offered(version: bytes, step: Step, otherwise: bytes) -> Step:
    """That step for hellos with these bytes in supported_versions, and something said to others."""

    async def choose(peer: Peer) -> None:
        heard = await peer.receive()
        peer.session = heard[44:76]
        listed = heard.partition(b"\x00\x2b")[2][:12]
        await (step if version in listed else say(otherwise))(peer)

    return choose


def tls(context: ssl.SSLContext, pause: float = 0.0) -> Step:
    """Completes a handshake."""

    async def step(peer: Peer) -> None:
        await peer.start_tls(context, pause)

    return step


def tls_cut(context: ssl.SSLContext, most: int) -> Step:
    """Begins a handshake, and says no more than this many bytes of its first flight."""

    async def step(peer: Peer) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        made = context.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(await peer.receive_raw())
        with contextlib.suppress(ssl.SSLWantReadError):
            made.do_handshake()
        await peer.send_raw(outgoing.read()[:most])

    return step


@functools.cache
def decent_tls(pem: Path = PEM, ciphers: str = "ECDHE+AESGCM") -> ssl.SSLContext:
    """A TLS server of TLS 1.2 and 1.3."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pem)
    context.set_ciphers(ciphers)
    return context


# ---------------------------------------------------------------------------------------------
# Decent dialogues

GREETING = {
    IMAP: b"* OK hi\r\n",
    POP3: b"+OK hi\r\n",
    SIEVE: b'"IMPLEMENTATION" "x"\r\n"SASL" ""\r\n"STARTTLS"\r\nOK\r\n',
}
CAPABLE = {
    IMAP: b"* CAPABILITY IMAP4rev1 STARTTLS\r\n%t OK\r\n",
    POP3: b"+OK\r\nSTLS\r\nUSER\r\n.\r\n",
    SIEVE: GREETING[SIEVE],
}
INSIDE = {
    IMAP: b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n%t OK\r\n",
    POP3: b"+OK\r\nUSER\r\n.\r\n",
    SIEVE: b'"IMPLEMENTATION" "x"\r\n"SASL" "PLAIN"\r\nOK\r\n',
}
YES = {IMAP: b"%t OK\r\n", POP3: b"+OK\r\n", SIEVE: b"OK\r\n"}
NO = {IMAP: b"%t NO no\r\n", POP3: b"-ERR no\r\n", SIEVE: b"NO\r\n"}
_STAGES = {
    **dict.fromkeys((b"CAPABILITY", b"CAPA"), "capability"),
    **dict.fromkeys((b"LOGIN", b"AUTHENTICATE", b"USER", b"AUTH"), "login"),
    **dict.fromkeys((b"STARTTLS", b"STLS"), "starttls"),
    **dict.fromkeys((b"LOGOUT", b"QUIT"), "logout"),
}


def _stage_of(service: Service, peer: Peer, line: bytes) -> str:
    """The stage that a command belongs to; its tag is kept."""
    words = line.split()
    if service is IMAP:
        peer.tag, words = (words or [b""])[0], words[1:]
    return _STAGES.get(words[0].upper() if words else b"", "other")


@dataclass(frozen=True)
class Decent:
    """A server that lets nobody in, and misbehaves nowhere but at ``stage``.

    Stages: greeting, capability, login, starttls, handshake, inside (the first question inside
    TLS), again (STARTTLS inside TLS). There, ``fault`` takes the place of the answer, and then the
    server hangs up. As the hellos go past most stages, they meet a decent server.
    """

    service: Service
    mode: TlsMode
    stage: str = ""
    fault: tuple[Step, ...] = ()
    greeting: bytes = b""
    capable: bytes = b""
    inside: bytes = b""
    refusal: bytes = b""
    context: Optional[ssl.SSLContext] = None

    async def __call__(self, peer: Peer) -> None:
        """Serves one connection."""
        if self.mode is STARTTLS:
            await self._greet(peer)
            if not await self._answers(peer, self.capable or CAPABLE[self.service]):
                return
        await self._at("handshake", peer)
        await peer.start_tls(self.context or decent_tls())
        if self.mode is IMPLICIT:
            await self._greet(peer)
        elif self.service is SIEVE:
            await self._at("inside", peer)  # the list comes unasked (RFC 5804 section 2.2)
            await peer.send(self.inside or INSIDE[SIEVE])
        await self._answers(peer, self.inside or INSIDE[self.service], inside=True)

    async def _greet(self, peer: Peer) -> None:
        await self._at("greeting", peer)
        await peer.send(self.greeting or GREETING[self.service])

    async def _answers(self, peer: Peer, capable: bytes, inside: bool = False) -> bool:
        """Answers commands; whether TLS begins now."""
        answers = {"capability": capable, "login": self.refusal or NO[self.service]}
        if inside:
            answers["starttls"] = answers["login"]
        lines: list[bytes] = []  # several where the client need not wait for an answer
        while True:
            lines = lines or (await peer.receive()).splitlines()
            found = _stage_of(self.service, peer, lines.pop(0))
            await self._at(_INSIDE.get(found, found) if inside else found, peer)
            await peer.send(answers.get(found, YES[self.service]).replace(b"%t", peer.tag))
            if found == "logout" or (found == "starttls" and not inside):
                return found == "starttls"

    async def _at(self, stage: str, peer: Peer) -> None:
        if stage == self.stage:
            for step in self.fault:
                await step(peer)
            raise Left


_INSIDE = {"capability": "inside", "starttls": "again", "login": "", "logout": "logout"}
