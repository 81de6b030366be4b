# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the three mail protocols have in common, as seen by a client that never logs in.

Each of imap.py, pop3.py and sieve.py has a ``Dialogue``: methods that give the bytes to send, and
``receive`` / ``next_event`` for what comes back. These are its events. Texts are clean
(text.clean) and lists are bounded where the event is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Protocol, Union

from ..text import NAME, clean
from .reader import NeedMore

CAPABILITY_LIMIT = 200
"""The most capabilities and the most mechanisms that are kept."""
ANSWER_LIMIT = 256
"""The most lines one command may be answered with."""


@dataclass(frozen=True)
class Capabilities:
    """What a server says that it can do. ``mechanisms`` are SASL mechanisms, in capitals."""

    names: tuple[str, ...]
    mechanisms: tuple[str, ...] = ()
    starttls: bool = False
    login_disabled: bool = False


@dataclass(frozen=True)
class Greeting:
    """The first words of a server. ``ok`` is False where it turns the client away.

    ``capabilities`` are those that it tells unasked, ``None`` where it does not.
    """

    text: str
    ok: bool = True
    preauth: bool = False
    capabilities: Optional[Capabilities] = None


@dataclass(frozen=True)
class Answer:
    """The end of the answer to a command.

    ``status`` is the server's word (``OK``, ``NO``, ``BAD``, ``BYE``, ``+OK``, ``-ERR``), ``code``
    the response code in capitals without its brackets, ``text`` the whole line without a tag.
    """

    status: str
    code: str
    text: str
    capabilities: Optional[Capabilities] = None

    @property
    def ok(self) -> bool:
        """Whether the command was carried out."""
        return self.status in ("OK", "+OK")


@dataclass(frozen=True)
class Challenge:
    """The server asks for the next message of a SASL exchange."""

    text: str


Event = Union[Greeting, Answer, Challenge]


@dataclass(frozen=True)
class Attempt:
    """An inert login attempt: its name and the bytes to send; no real user, no password.

    ``exchange``: a SASL exchange, which a server that enters it can only be left in by hanging up.
    """

    command: str
    data: bytes
    exchange: bool = False


class Dialogue(Protocol):
    """One conversation in one of the protocols; ``greeted`` is set for one that goes on in TLS.

    ``alpn`` is the protocol's name in ALPN (IANA registry "TLS ALPN Protocol IDs").
    ``follows``: a command may be sent behind a login attempt, before that is answered.
    """

    alpn: str
    follows: bool

    def __init__(self, greeted: bool = False) -> None: ...

    def receive(self, data: bytes) -> None:
        """Takes in what the server sent."""

    def next_event(self) -> Union[Event, NeedMore]:
        """The next event or NEED_MORE; raises WireError for what is not the protocol."""

    def trailing(self) -> bytes:
        """What the server sent after the last event; it is forgotten here."""

    def capability(self) -> bytes:
        """The command that asks for the capabilities."""

    def starttls(self) -> bytes:
        """The command that begins TLS."""

    def inert(self) -> bytes:
        """A command that changes nothing and is never answered with capabilities."""

    def pipelines(self, seen: Capabilities) -> bool:
        """Whether commands may be sent before the answer to the last one has come."""

    def promises(self, seen: Capabilities) -> bool:
        """Whether the server promises by its capabilities that no login is taken."""

    def attempts(self, seen: Capabilities, name: str) -> tuple[Attempt, ...]:
        """The inert attempts, given the capabilities, in order; ``name`` is nobody's name.

        They end with the first that is not refused, and a SASL exchange that the server enters is
        left by closing the connection: Courier takes a cancelled one for a failed login.
        """

    def refused(self, command: str, answer: Union[Answer, Challenge]) -> Optional[bool]:
        """Whether the answer to an attempt says that it is not taken without TLS."""

    def logout(self) -> bytes:
        """The command that says good-bye."""


def cleaned(words: list[bytes]) -> tuple[str, ...]:
    """Words of a server as a bounded list of clean texts."""
    return tuple(clean(word, NAME) for word in words[:CAPABILITY_LIMIT])
