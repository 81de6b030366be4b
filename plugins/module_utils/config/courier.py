# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Courier's configuration files: which are read, which settings matter, what they add up to.

imapd, imapd-ssl, pop3d, pop3d-ssl and authdaemonrc are sourced by /bin/sh; they are read here, by
config/shell.py, and never run. A reference to a variable that the files set before
(``TLS_STARTTLS_PROTOCOL="$TLS_PROTOCOL"``, as upstream ships it) is resolved as the shell would at
that point; a value that the shell computes otherwise stays unknown, and so does everything after a
command that may change it. What the start scripts make of it is config/courier_services.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

from ..model.configured import Origin, Setting
from ..text import NAME, clean
from .shell import ANYTHING, ASSIGNMENT, Line, parse

__all__ = ["FILES", "Environment", "Line", "SourceFile", "Value", "evaluate", "faults", "parse"]
__all__ += ["settings"]

# No list of suites is as long; a cut value ends in "…".
VALUE = 2048

FILES = ("imapd", "imapd-ssl", "pop3d", "pop3d-ssl", "authdaemonrc")
"""The files that are read. Never those of the authentication back ends: they hold passwords."""

_OF_INTEREST = re.compile(
    r"(?:TLS_|IMAP_TLS|IMAPD|IMAP_CAPABILITY|POP3_|POP3D|POP3AUTH|SSL|AUTHSERVICE)\w*\Z"
    r"|(?:PORT|ADDRESS|COURIERTLS|TCPDOPTS|MAXDAEMONS|MAXPERIP|IMAPACCESSFILE)\Z"
    r"|(?:authmodulelist|DEBUG_LOGIN|IMAP_STARTTLS)\Z"
)


@dataclass(frozen=True)
class SourceFile:
    """A file by the name that scopes carry (``imapd-ssl``), its path and its lines."""

    name: str
    path: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Value:
    """What a variable holds at the end of the reading.

    ``text`` is ``None`` where it cannot be known; an unset variable is empty, without ``origin``.
    ``native`` is the value, or the words in the file that keep it from being known.
    """

    text: Optional[str]
    origin: Optional[Origin] = None
    native: str = ""


def evaluate(files: Sequence[SourceFile]) -> Environment:
    """The variables after sourcing ``files`` in this order."""
    environment = Environment()
    for file in files:
        for line in file.lines:
            environment.take(file.path, line)
    return environment


def settings(files: Sequence[SourceFile]) -> tuple[Setting, ...]:
    """Every assignment that matters for TLS and logins, file by file, as its scope.

    ``wins`` holds for the last assignment in its file; which file wins for a service is said by
    the service's effective rows. A reference is resolved within its own file where that can be.
    """
    found: list[Setting] = []
    for file in files:
        environment = Environment()
        last = {line.name: line.number for line in file.lines if line.kind == ASSIGNMENT}
        for line in file.lines:
            environment.take(file.path, line)
            if line.kind == ASSIGNMENT and line.name and _OF_INTEREST.match(line.name):
                found.append(_setting(file, line, environment, last[line.name] == line.number))
    return tuple(found)


def faults(file: SourceFile) -> Iterator[tuple[Origin, str]]:
    """Lines that do not mean to the shell what they look like; line ends once per file."""
    for line in file.lines:
        if line.fault:
            yield Origin(file.path, line.number), line.fault
    first = next((x.number for x in file.lines if x.text.endswith("\r\n") and x.value), None)
    if first is not None:
        yield (
            Origin(file.path, first),
            "lines end in CR LF, and to the shell the CR belongs to the value",
        )


class Environment:
    """Variables as the shell would hold them while files are sourced one after the other."""

    def __init__(self) -> None:
        self._values: dict[str, Value] = {}
        self._swept: Optional[Value] = None

    def __getitem__(self, name: str) -> Value:
        """The value of a variable; one that no file sets is empty, but for the shell's own."""
        value = self._values.get(name) or self._swept
        if value is not None:
            return value
        return Value("") if _OF_INTEREST.match(name) else Value(None, None, f"${name}")

    def take(self, path: str, line: Line) -> None:
        """Apply one line of the file at ``path``."""
        origin = Origin(path, line.number)
        written = clean(line.text.strip(), NAME)
        if line.kind == ASSIGNMENT and line.name:
            self._values[line.name] = self._assigned(line, origin)
        for name in line.touches:
            if name == ANYTHING:
                self._swept = Value(None, origin, written)
                self._values = dict.fromkeys(self._values, self._swept)
            else:
                self._values[name] = Value(None, origin, written)

    def _assigned(self, line: Line, origin: Origin) -> Value:
        written = line.value or ""
        if line.dynamic:
            return Value(None, origin, written)
        texts = [part.text if part.name is None else self[part.name].text for part in line.parts]
        known = [text for text in texts if text is not None]
        if len(known) < len(texts):
            return Value(None, origin, written)
        return Value("".join(known), origin, "".join(known))


def _setting(file: SourceFile, line: Line, environment: Environment, wins: bool) -> Setting:
    value = environment[line.name or ""]
    return Setting(
        name=line.name or "",
        value=clean(value.native, VALUE),
        scope=file.name,
        origin=Origin(file.path, line.number),
        wins=wins,
        dynamic=value.text is None,
    )
