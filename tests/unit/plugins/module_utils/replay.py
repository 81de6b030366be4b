# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded conversations played back: the twin of transport.SocketNetwork, without a socket.

A script (tests/fixtures/transcripts/*.txt) has lines ``CONNECT``, ``S: `` what the server says,
``C: `` what it must be told (``*`` matches anything, ``|`` parts lines that are sent as one),
``TLS`` where a handshake is completed, and ``BREAK cause`` where the connection breaks. The bytes
of the server come in pieces of ``piece``.
"""

from __future__ import annotations

import contextlib
import fnmatch
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Optional

from ansible_collections.postmaster.tls.plugins.module_utils.local_tls import Session, Ticket
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Failure,
    Handshake,
)
from ansible_collections.postmaster.tls.plugins.module_utils.transport import Broken

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"
SESSION = Session(Handshake(0x0304, 0x1302), (b"leaf", b"issuer"))


def transcript(name: str) -> list[list[str]]:
    """The conversations of a recorded script, each a list of lines."""
    text = (FIXTURES / "transcripts" / name).read_text(encoding="utf-8")
    return conversations(text)


def conversations(text: str) -> list[list[str]]:
    """The conversations of a script."""
    found: list[list[str]] = []
    for line in text.splitlines():
        if line == "CONNECT":
            found.append([])
        elif line and not line.startswith("#"):
            found[-1].append(line)
    return found


class ReplayStream:
    """One conversation."""

    def __init__(self, lines: list[str], piece: int) -> None:
        self.stage = "connect"
        self._lines = list(lines)
        self._piece = piece
        self._waiting = b""

    async def send(self, data: bytes) -> None:
        said = data.decode("latin-1").splitlines()
        if len(said) > 1 and not self._expects(" | ".join(said)):
            for line in said:  # commands that need not wait for each other's answers
                await self.send(line.encode("latin-1"))
            return
        for line in [" | ".join(said)] if said else []:
            self._hear()
            assert self._expects(line), (line, self._lines[:1])
            self._lines.pop(0)

    def _expects(self, said: str) -> bool:
        expected = next((line for line in self._lines if not line.startswith("S: ")), "")
        return fnmatch.fnmatchcase(f"C: {said}", expected.replace("[", "[[]"))

    def _hear(self) -> None:
        while self._lines and self._lines[0].startswith("S: "):
            self._waiting += self._lines.pop(0)[3:].encode() + b"\r\n"

    async def receive(self) -> bytes:
        if not self._waiting:
            self._hear()
        if not self._waiting and self._lines and self._lines[0].startswith("BREAK"):
            raise Broken(Failure(self.stage, self._lines[0].partition(" ")[2]))
        piece, self._waiting = self._waiting[: self._piece], self._waiting[self._piece :]
        return piece

    def ticket(self) -> Optional[Ticket]:
        return None

    async def start_tls(
        self,
        server_name: Optional[str],
        early: bytes = b"",
        alpn: str = "",
        ticket: Optional[Ticket] = None,
    ) -> Session:
        if self._lines and self._lines[0].startswith("BREAK"):
            raise Broken(Failure(self.stage, self._lines[0].partition(" ")[2]))
        assert self._lines.pop(0) == "TLS"
        return SESSION


class ReplayNetwork:
    """Plays one conversation after the other; where there are no more, connecting is refused."""

    def __init__(self, scripts: list[list[str]], piece: int = 1 << 16) -> None:
        self._scripts = list(scripts)
        self._piece = piece
        self._tried = 0

    def connections(self, address: str, port: int) -> int:
        return self._tried

    @contextlib.asynccontextmanager
    async def connect(self, address: str, port: int, rank: int = 0) -> AsyncIterator[ReplayStream]:
        self._tried += 1
        if not self._scripts:
            raise Broken(Failure("connect", "refused"))
        yield ReplayStream(self._scripts.pop(0), self._piece)
