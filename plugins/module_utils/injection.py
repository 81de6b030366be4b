# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a command that was sent in clear count inside TLS? Asked with one that is inert.

STARTTLS and the inert command leave in one segment; a server must forget what came behind STARTTLS
(RFC 9051 section 6.2.1, RFC 2595 section 4, RFC 5804 section 2.2; CVE-2011-0411 was the first that
did not). After the handshake only the capabilities are asked for. Their answer comes first where
the server forgot, and that of the inert command where it did not, so that nobody has to wait.
Most servers end the connection instead: Dovecot takes the command for the client's first record.
Known to be vulnerable: Courier POP3 up to 1.0.16-3 of Debian (CVE-2021-38084).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional, Union

from .model.observed import Failure, Service
from .talk import BEFORE_TLS, Talk, Target, dialogue
from .transport import Broken, Network, Stream
from .wire.dialogue import Answer, Challenge

STAGE = "injection"
LAST = 1
"""The rank of who is the quickest, and asked by nobody else: what takes long begins before."""
_FORGOTTEN = frozenset({"closed", "reset", "alert", "not_tls"})
"""How a server ends a connection in which TLS does not begin behind STARTTLS at once."""

# ManageSieve lists its capabilities unasked after the handshake (section 2.2): one list more.
_LISTS = {Service.IMAP: 1, Service.POP3: 1, Service.SIEVE: 2}


@dataclass(frozen=True)
class Injection:
    """Whether the slipped-in command was answered inside TLS; ``failure`` where that is open."""

    answered: Optional[bool]
    failure: Optional[Failure] = None


async def slip_in(target: Target, network: Network) -> Injection:
    """Asks a port on which TLS begins by command and capabilities are told inside it.

    Where that does not work out before the greeting (``eager``), it is asked again after it.
    """
    try:
        async with network.connect(target.endpoint.host, target.endpoint.port, LAST) as stream:
            return await _slipped(target, stream)
    except Broken as broken:
        if target.eager and broken.failure.stage in BEFORE_TLS:
            return await slip_in(replace(target, eager=False), network)
        return Injection(None, replace(broken.failure, stage=STAGE))


async def _slipped(target: Target, stream: Stream) -> Injection:
    """Raises Broken for what happens before the command is sent, and for a server that stalls."""
    talk = Talk(stream, dialogue(target))
    both = talk.dialogue.starttls() + talk.dialogue.inert()
    if target.eager:
        await stream.send(both)
    await talk.greeting()
    try:
        answer = await talk.ask("starttls", b"" if target.eager else both)
        if not (isinstance(answer, Answer) and answer.ok):
            return Injection(False)  # it takes both for one command that it does not know
        stream.stage = "handshake"
        await stream.start_tls(target.server_name, talk.dialogue.trailing())
        return Injection(await _comes_first(target, stream))
    except Broken as broken:
        if broken.failure.cause in _FORGOTTEN:
            return Injection(False)
        raise


async def _comes_first(target: Target, stream: Stream) -> bool:
    """Whether another answer comes before the capabilities. Raises Broken."""
    talk, lists = Talk(stream, dialogue(target, greeted=True)), _LISTS[target.endpoint.service]
    questions = b"".join(talk.dialogue.capability() for _list in range(lists))
    answers = [await talk.ask("capability", questions)]
    while _is_list(answers[-1]) and len(answers) < lists:
        answers.append(await talk.answer())
    await stream.send(talk.dialogue.logout())
    return not all(map(_is_list, answers))


def _is_list(answer: Union[Answer, Challenge]) -> bool:
    """Whether these are capabilities; POP3's own words among them belong to another answer."""
    listed = answer.capabilities if isinstance(answer, Answer) else None
    return listed is not None and not any(n.startswith(("+OK", "-ERR")) for n in listed.names[:1])
