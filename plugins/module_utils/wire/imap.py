# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IMAP as far as a client goes that never logs in: greeting, CAPABILITY, STARTTLS, refusals.

Source: RFC 9051 (sections 2.2, 4.3, 6.1.1, 6.2, 7.1, 7.5) and RFC 3501 for older servers.
Refuses to know mailboxes and messages; untagged data is skipped, but counted.
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

_GREETING = re.compile(rb"\* (OK|PREAUTH|BYE)(?: (.*))?\Z", re.I | re.S)
_UNTAGGED = re.compile(rb"\* (\S+)(?: (.*))?\Z", re.S)
_TAGGED = re.compile(rb"([!-~]+) (OK|NO|BAD)(?: (.*))?\Z", re.I | re.S)
_CODE = re.compile(rb"\[([A-Za-z0-9_-]+)[^\]]*\]")
_TOLD = re.compile(rb"\[CAPABILITY ([^\]]*)\]", re.I)

# LOGIN is only tried where LOGINDISABLED is advertised. These answers mean that it was looked at
# nevertheless (RFC 5530 section 3).
_LOOKED_AT = frozenset({"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "UNAVAILABLE"})


class Dialogue:
    """An IMAP conversation: see :class:`.dialogue.Dialogue`."""

    alpn = "imap"
    follows = True

    def __init__(self, greeted: bool = False) -> None:
        self._lines = LineReader(literals=True)
        self._greeted = greeted
        self._tag = 0
        self._skipped = 0
        self._capabilities: Optional[Capabilities] = None

    def receive(self, data: bytes) -> None:
        """Takes in what the server sent."""
        self._lines.receive(data)

    def trailing(self) -> bytes:
        """What the server sent after the last event."""
        return self._lines.trailing()

    def next_event(self) -> Union[Event, NeedMore]:
        """The next event or NEED_MORE; raises WireError for what is not IMAP."""
        while True:
            line = self._lines.next_line()
            if line is None:
                return NEED_MORE
            at = self._lines.line_at
            event = self._answer(line, at) if self._greeted else self._greeting(line, at)
            if event is not None:
                self._skipped = 0
                return event
            self._skipped += 1
            if self._skipped > ANSWER_LIMIT:
                raise TooMuchError(f"more than {ANSWER_LIMIT} untagged lines", at)

    def capability(self) -> bytes:
        """Asks for the capabilities (section 6.1.1)."""
        return self._command(b"CAPABILITY")

    def starttls(self) -> bytes:
        """Begins TLS (section 6.2.1)."""
        return self._command(b"STARTTLS")

    def logout(self) -> bytes:
        """Says good-bye (section 6.1.3)."""
        return self._command(b"LOGOUT")

    def inert(self) -> bytes:
        """Does nothing (section 6.1.2)."""
        return self._command(b"NOOP")

    def pipelines(self, seen: Capabilities) -> bool:
        """They may, but for those whose answers change what is meant (section 5.5)."""
        return True

    def promises(self, seen: Capabilities) -> bool:
        """By LOGINDISABLED alone: Courier lists no mechanism without TLS, and takes PLAIN."""
        return seen.login_disabled and not seen.mechanisms

    def attempts(self, seen: Capabilities, name: str) -> tuple[Attempt, ...]:
        """LOGIN where the server promises not to look at it; AUTHENTICATE without a message."""
        found = []
        if seen.login_disabled:
            login = b"LOGIN %b %b" % (name.encode(), name[::-1].encode())
            found.append(Attempt("LOGIN", self._command(login)))
        begin = self._command(b"AUTHENTICATE PLAIN")
        found.append(Attempt("AUTHENTICATE PLAIN", begin, exchange=True))
        return tuple(found)

    def refused(self, command: str, answer: Union[Answer, Challenge]) -> Optional[bool]:
        """Whether the attempt was refused before anything was looked at (section 6.2.3)."""
        if isinstance(answer, Challenge) or answer.ok:
            return False
        if answer.status == "BYE":
            return None
        return not (command == "LOGIN" and answer.code in _LOOKED_AT)

    def _command(self, words: bytes) -> bytes:
        self._tag += 1
        return b"p%d %b\r\n" % (self._tag, words)

    def _greeting(self, line: bytes, at: int) -> Greeting:
        match = _GREETING.match(line)
        if match is None:
            raise WireError(f"no IMAP greeting: {clean(line, 64)!r}", at)
        self._greeted = True
        word, told = match.group(1).upper(), _TOLD.match(match.group(2) or b"")
        return Greeting(
            clean(line[2:]),
            ok=word != b"BYE",
            preauth=word == b"PREAUTH",
            capabilities=_capabilities(told.group(1)) if told else None,
        )

    def _answer(self, line: bytes, at: int) -> Optional[Event]:
        if line.startswith(b"+"):
            return Challenge(clean(line[1:].strip()))
        untagged = _UNTAGGED.match(line)
        if untagged is not None:
            return self._untagged(untagged.group(1).upper(), untagged.group(2) or b"")
        tagged = _TAGGED.match(line)
        if tagged is None:
            raise WireError(f"no IMAP answer: {clean(line, 64)!r}", at)
        code = _CODE.match(tagged.group(3) or b"")
        seen, self._capabilities = self._capabilities, None
        return Answer(
            status=tagged.group(2).decode("ascii").upper(),
            code=clean(code.group(1), 64).upper() if code else "",
            text=clean(line[len(tagged.group(1)) + 1 :]),
            capabilities=seen,
        )

    def _untagged(self, word: bytes, text: bytes) -> Optional[Event]:
        if word == b"BYE":
            return Answer("BYE", "", clean(b"BYE " + text))
        if word == b"CAPABILITY":
            self._capabilities = _capabilities(text)
        return None


def _capabilities(text: bytes) -> Capabilities:
    words = text.split()
    upper = [word.upper() for word in words]
    return Capabilities(
        names=cleaned(words),
        mechanisms=cleaned([word[5:] for word in upper if word.startswith(b"AUTH=")]),
        starttls=b"STARTTLS" in upper,
        login_disabled=b"LOGINDISABLED" in upper,
    )
