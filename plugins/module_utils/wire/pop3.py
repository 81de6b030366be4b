# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""POP3 as far as a client goes that never logs in: greeting, CAPA, STLS, refusals.

Source: RFC 1939 (sections 3, 4, 7), RFC 2449 (CAPA, response codes), RFC 2595 section 4 (STLS),
RFC 5034 (AUTH). Refuses to know the mail drop. PASS is never sent.
"""

from __future__ import annotations

import re
from typing import Optional, Union

from ..text import clean
from .dialogue import (
    ANSWER_LIMIT,
    Answer,
    Attempt,
    Capabilities,
    Challenge,
    Event,
    Greeting,
    cleaned,
)
from .reader import NEED_MORE, LineReader, NeedMore, TooMuchError, WireError

_STATUS = re.compile(rb"(\+OK|-ERR)(?:\s+(.*))?\Z", re.I | re.S)
_CODE = re.compile(rb"\[([A-Za-z0-9_/-]+)\]")
# Some servers refuse an unknown name at USER already, TLS or not: that says nothing about TLS.
_NAME_UNKNOWN = re.compile(r"no such|unknown|not exist|invalid user|mailbox|never heard", re.I)


class Dialogue:
    """A POP3 conversation: see :class:`.dialogue.Dialogue`."""

    alpn = "pop3"
    follows = True

    def __init__(self, greeted: bool = False) -> None:
        self._lines = LineReader(literals=False)
        self._greeted = greeted
        self._asked_capa = False
        self._capa: Optional[list[bytes]] = None
        self._opened: tuple[bytes, str, str] = (b"", "", "")

    def receive(self, data: bytes) -> None:
        """Takes in what the server sent."""
        self._lines.receive(data)

    def trailing(self) -> bytes:
        """What the server sent after the last event."""
        return self._lines.trailing()

    def next_event(self) -> Union[Event, NeedMore]:
        """The next event or NEED_MORE; raises WireError for what is not POP3."""
        while True:
            line = self._lines.next_line()
            if line is None:
                return NEED_MORE
            at = self._lines.line_at
            event = self._status(line, at) if self._capa is None else self._listed(line, at)
            if event is not None:
                return event

    def capability(self) -> bytes:
        """Asks for the capabilities (RFC 2449 section 5)."""
        self._asked_capa = True
        return b"CAPA\r\n"

    def starttls(self) -> bytes:
        """Begins TLS (RFC 2595 section 4)."""
        return b"STLS\r\n"

    def logout(self) -> bytes:
        """Says good-bye."""
        return b"QUIT\r\n"

    def inert(self) -> bytes:
        """Does nothing, and that only after a login (RFC 1939 section 5)."""
        return b"NOOP\r\n"

    def pipelines(self, seen: Capabilities) -> bool:
        """Where the server says so (RFC 2449 section 6.6)."""
        return "PIPELINING" in seen.names

    def promises(self, seen: Capabilities) -> bool:
        """By listing neither USER nor a mechanism (RFC 2449 sections 6.3 and 6.4)."""
        return not seen.mechanisms and "USER" not in seen.names

    def attempts(self, seen: Capabilities, name: str) -> tuple[Attempt, ...]:
        """USER, then AUTH without a message. CAPA is no evidence: Courier always lists USER."""
        return (
            Attempt("USER", b"USER %b\r\n" % name.encode()),
            Attempt("AUTH PLAIN", b"AUTH PLAIN\r\n", exchange=True),
        )

    def refused(self, command: str, answer: Union[Answer, Challenge]) -> Optional[bool]:
        """Whether the attempt was refused; ``None`` where the name may have been the reason."""
        if isinstance(answer, Challenge) or answer.ok:
            return False
        return None if command == "USER" and _NAME_UNKNOWN.search(answer.text) else True

    def _status(self, line: bytes, at: int) -> Optional[Event]:
        match = _STATUS.match(line)
        if match is None and self._greeted and line.startswith(b"+"):
            return Challenge(clean(line[1:].strip()))
        if match is None:
            raise WireError(f"no POP3 answer: {clean(line, 64)!r}", at)
        status, text = match.group(1).decode("ascii").upper(), clean(line)
        if not self._greeted:
            self._greeted = True
            return Greeting(text, ok=status == "+OK")
        code = _CODE.match(match.group(2) or b"")
        name = clean(code.group(1), 64).upper() if code else ""
        if self._asked_capa and status == "+OK":
            self._capa, self._opened = [], (line, status, name)
            return None
        self._asked_capa = False
        return Answer(status, name, text)

    def _listed(self, line: bytes, at: int) -> Optional[Event]:
        listed = self._capa if self._capa is not None else []
        if line != b".":
            listed.append(line[1:] if line.startswith(b".") else line)
            if len(listed) > ANSWER_LIMIT:
                raise TooMuchError(f"more than {ANSWER_LIMIT} capabilities", at)
            return None
        first, status, code = self._opened
        self._capa, self._asked_capa = None, False
        return Answer(status, code, clean(first), _capabilities(listed))


def _capabilities(lines: list[bytes]) -> Capabilities:
    words = [line.upper().split() for line in lines if line.strip()]
    return Capabilities(
        names=cleaned([line.strip() for line in lines if line.strip()]),
        mechanisms=cleaned([m for line in words if line[0] == b"SASL" for m in line[1:]]),
        starttls=[b"STLS"] in words,
    )
