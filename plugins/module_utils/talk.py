# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dialogue on a stream: what is said to a mail server before and after TLS.

The protocols are in wire/ and know no stream, the sockets are in transport.py and know no
protocol; here they meet. Every end of a conversation is a Broken with its stage and cause.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Optional, Union

from .model.observed import Endpoint, Failure, Service, TlsMode
from .transport import Broken, Stream
from .wire import imap, pop3, sieve
from .wire.dialogue import Answer, Capabilities, Challenge, Dialogue, Event, Greeting
from .wire.reader import NeedMore, WireError

DIALOGUES: dict[Service, type[Dialogue]] = {
    Service.IMAP: imap.Dialogue,
    Service.POP3: pop3.Dialogue,
    Service.SIEVE: sieve.Dialogue,
}


BEFORE_TLS = ("greeting", "starttls")
"""Stages in which it shows that a command sent before the greeting was lost."""


class Depth(enum.Enum):
    """How much is asked of a port.

    SWEEP: one connection. JUDGE: what a profile needs to decide. FULL: all that can be seen.
    """

    SWEEP = "sweep"
    JUDGE = "judge"
    FULL = "full"


@dataclass(frozen=True)
class Target:
    """One address and port, the name to send in TLS, and a name that nobody has.

    Without the latter no login is attempted. ``eager``: whoever asks this port for TLS only need
    not wait for the greeting first.
    """

    endpoint: Endpoint
    server_name: Optional[str]
    nobody: str
    resolved: bool = True
    depth: Depth = Depth.JUDGE
    eager: bool = False


class Talk:
    """A stream and the dialogue on it."""

    def __init__(self, stream: Stream, dialogue: Dialogue) -> None:
        self.stream = stream
        self.dialogue = dialogue

    async def greeting(self) -> Greeting:
        """The server's first words; raises Broken where it turns the client away."""
        self.stream.stage = "greeting"
        event = await self._hear()
        if not isinstance(event, Greeting):
            raise Broken(Failure("greeting", "unexpected", event.text))
        if not event.ok:
            raise Broken(Failure("greeting", "refused", event.text))
        return event

    async def ask(self, stage: str, command: bytes) -> Union[Answer, Challenge]:
        """The answer to a command; raises Broken where the server says good-bye instead."""
        await self.send(stage, command)
        return await self.answer()

    async def send(self, stage: str, *commands: bytes) -> None:
        """Sends commands at once, if there are any; their answers come in the same order."""
        self.stream.stage = stage
        data = b"".join(commands)
        if data:
            await self.stream.send(data)

    async def answer(self) -> Union[Answer, Challenge]:
        """The next answer; raises Broken where the server says good-bye instead."""
        stage, event = self.stream.stage, await self._hear()
        if isinstance(event, Greeting):
            raise Broken(Failure(stage, "unexpected", event.text))
        if isinstance(event, Answer) and event.status == "BYE":
            raise Broken(Failure(stage, "closed", event.text))
        return event

    async def capabilities(self) -> Capabilities:
        """What the server says that it can do; none where it does not know the question."""
        await self.send("capability", self.dialogue.capability())
        return await self.listed()

    async def listed(self) -> Capabilities:
        """The next answer, which is to tell the capabilities."""
        answer = await self.answer()
        known = answer.capabilities if isinstance(answer, Answer) else None
        return known or Capabilities(())

    async def _hear(self) -> Event:
        while True:
            try:
                event = self.dialogue.next_event()
            except WireError as error:
                raise Broken(Failure(self.stream.stage, error.cause, str(error))) from None
            if not isinstance(event, NeedMore):
                return event
            data = await self.stream.receive()
            if not data:
                raise Broken(Failure(self.stream.stage, "closed"))
            self.dialogue.receive(data)


def dialogue(target: Target, greeted: bool = False) -> Dialogue:
    """A dialogue in the target's protocol; ``greeted`` for one that goes on inside TLS."""
    return DIALOGUES[target.endpoint.service](greeted)


async def begin_tls(target: Target, stream: Stream) -> bytes:
    """Comes to where TLS begins; what was received beyond that. Raises Broken."""
    if target.endpoint.tls_mode is TlsMode.IMPLICIT:
        return b""
    talk = Talk(stream, dialogue(target))
    starttls = talk.dialogue.starttls()
    if target.eager:
        await stream.send(starttls)
    await talk.greeting()
    await talk.send("starttls", b"" if target.eager else starttls)
    answer = await talk.answer()
    if not (isinstance(answer, Answer) and answer.ok):
        raise Broken(Failure("starttls", "refused", answer.text))
    return talk.dialogue.trailing()
