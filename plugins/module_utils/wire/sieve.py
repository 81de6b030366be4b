# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ManageSieve as far as a client goes that never logs in: greeting, STARTTLS, refusals.

Source: RFC 5804 (sections 1.2, 1.7, 2.1, 2.2, 2.4, 4). The greeting is a list of capabilities
that ends with OK, and the same list comes unasked after TLS has begun. Refuses to know scripts.
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

_STATUS = re.compile(rb"(OK|NO|BYE)(?:\s+(.*))?\Z", re.I | re.S)
_CODE = re.compile(rb"\(([A-Za-z0-9_/-]+)[^)]*\)")
_STRING = re.compile(rb'\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))', re.S)


class Dialogue:
    """A ManageSieve conversation: see :class:`.dialogue.Dialogue`."""

    alpn = "managesieve"
    # Dovecot lets lie what came with a refused AUTHENTICATE until more comes (2.3.19, 2.4.1).
    follows = False

    def __init__(self, greeted: bool = False) -> None:
        self._lines = LineReader(literals=True)
        self._greeted = greeted
        self._listed: list[list[bytes]] = []

    def receive(self, data: bytes) -> None:
        """Takes in what the server sent."""
        self._lines.receive(data)

    def trailing(self) -> bytes:
        """What the server sent after the last event."""
        return self._lines.trailing()

    def next_event(self) -> Union[Event, NeedMore]:
        """The next event or NEED_MORE; raises WireError for what is not ManageSieve."""
        while True:
            line = self._lines.next_line()
            if line is None:
                return NEED_MORE
            at = self._lines.line_at
            event = self._event(line, at)
            if event is not None:
                return event

    def capability(self) -> bytes:
        """Asks for the capabilities (section 2.4)."""
        return b"CAPABILITY\r\n"

    def starttls(self) -> bytes:
        """Begins TLS (section 2.2)."""
        return b"STARTTLS\r\n"

    def logout(self) -> bytes:
        """Says good-bye (section 2.3)."""
        return b"LOGOUT\r\n"

    def inert(self) -> bytes:
        """Does nothing (section 2.13)."""
        return b"NOOP\r\n"

    def pipelines(self, seen: Capabilities) -> bool:
        """Nothing is said against it (section 1.2), but for what comes behind STARTTLS."""
        return True

    def promises(self, seen: Capabilities) -> bool:
        """By listing no mechanism (section 1.7)."""
        return not seen.mechanisms

    def attempts(self, seen: Capabilities, name: str) -> tuple[Attempt, ...]:
        """AUTHENTICATE without a message; the protocol has no other login."""
        return (Attempt("AUTHENTICATE PLAIN", b'AUTHENTICATE "PLAIN"\r\n', exchange=True),)

    def refused(self, command: str, answer: Union[Answer, Challenge]) -> Optional[bool]:
        """Whether the attempt was refused."""
        if isinstance(answer, Challenge) or answer.ok:
            return False
        return True if answer.status == "NO" else None

    def _event(self, line: bytes, at: int) -> Optional[Event]:
        status = _STATUS.match(line)
        if status is not None:
            return self._finished(line, status)
        words = _strings(line, at)
        if self._greeted and not self._listed and _is_challenge(words):
            return Challenge(clean(words[0]))
        self._listed.append(words)
        if len(self._listed) > ANSWER_LIMIT:
            raise TooMuchError(f"more than {ANSWER_LIMIT} capabilities", at)
        return None

    def _finished(self, line: bytes, status: re.Match[bytes]) -> Event:
        listed, self._listed = self._listed, []
        word = status.group(1).decode("ascii").upper()
        seen = _capabilities(listed) if listed else None
        if not self._greeted:
            self._greeted = True
            software = next((w[1] for w in listed if w[0].upper() == b"IMPLEMENTATION"), b"")
            text = clean(software + b" " + line if software else line)
            return Greeting(text, ok=word == "OK", capabilities=seen)
        code = _CODE.match(status.group(2) or b"")
        name = clean(code.group(1), 64).upper() if code else ""
        return Answer(word, name, clean(line), seen)


# A lone string is a challenge or a capability without a value: these have none (section 1.7).
_VALUELESS = frozenset({b"STARTTLS", b"UNAUTHENTICATE", b"RENAME", b"NOOP"})


def _is_challenge(words: list[bytes]) -> bool:
    return len(words) == 1 and words[0].upper() not in _VALUELESS


def _strings(line: bytes, at: int) -> list[bytes]:
    words: list[bytes] = []
    end = 0
    while line[end:].strip():
        match = _STRING.match(line, end)
        if match is None or (match.group(1) is None and not words):
            raise WireError(f"no ManageSieve answer: {clean(line, 64)!r}", at)
        quoted, atom = match.group(1), match.group(2)
        words.append(atom if quoted is None else re.sub(rb"\\(.)", rb"\1", quoted, flags=re.S))
        end = match.end()
    if not words:
        raise WireError("an empty line", at)
    return words


def _capabilities(listed: list[list[bytes]]) -> Capabilities:
    names = [words[0].upper() for words in listed]
    sasl = [words[1] for words in listed if words[0].upper() == b"SASL" and len(words) > 1]
    return Capabilities(
        names=cleaned([b" ".join(words).strip() for words in listed]),
        mechanisms=cleaned([m for words in sasl for m in words.upper().split()]),
        starttls=b"STARTTLS" in names,
    )
