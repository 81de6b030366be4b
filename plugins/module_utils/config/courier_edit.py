# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edit one of Courier's shell files as a careful administrator would: the line that decides.

Pure: text in, text out. The last assignment of a variable gets the new value where it stands; a
value that only the shell knew, and an assignment in the wrong file, stay as marked comments. What
is not there yet comes at the end. Everything else, ``##NAME`` anchors included, stays byte for
byte. Source: POSIX.1-2017, Shell Command Language 2.2 (quoting) and 2.9.1 (assignments).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from . import shell
from .courier import SourceFile, evaluate

MARK = "# postmaster.tls: weaker than the policy, was: "
_BARE = re.compile(r"[A-Za-z0-9_/.-]+\Z")


class Stale(ValueError):
    """A line to be neutralised is no longer what was observed; the message is a sentence."""


def edit(path: str, text: str, wants: Mapping[str, str], overrides: Mapping[int, str]) -> str:
    """``text`` with every variable of ``wants`` set and the lines of ``overrides`` neutralised.

    ``overrides`` maps line numbers to the variable expected there; :class:`Stale` where another
    stands. A value that shell quoting cannot carry on one line raises ValueError.
    """
    lines = list(shell.parse(text))
    for number, name in overrides.items():
        if not 0 < number <= len(lines) or lines[number - 1].name != name:
            raise Stale(
                f"{path}:{number} no longer sets {name}: "
                "the configuration changed since it was read; run again"
            )
    edited = "".join(_edited(lines, wants, overrides))
    for name, value in wants.items():
        if _held(path, edited, name) != value:
            gap = "" if edited.endswith("\n") or not edited else "\n"
            edited += f"{gap}{assignment(name, value)}\n"
    return edited


def assignment(name: str, value: str) -> str:
    """``NAME=value``, quoted where the shell needs it."""
    if _BARE.match(value):
        return f"{name}={value}"
    if any(character in value for character in "\"'`$\\\n"):
        raise ValueError(f"{name}: a value with quotes, $ or line ends is not supported")
    return f'{name}="{value}"'


def _edited(
    lines: Sequence[shell.Line], wants: Mapping[str, str], overrides: Mapping[int, str]
) -> list[str]:
    last = {line.name: line.number for line in lines if line.kind == shell.ASSIGNMENT}
    deciding = {number: wants[name] for name, number in last.items() if name and name in wants}
    shown, commenting = [], False
    for line in lines:
        commenting = line.number in overrides or (commenting and line.kind == shell.CONTINUATION)
        if commenting:
            shown.append(MARK + line.text)
        elif line.number in deciding:
            shown += _replaced(line, deciding[line.number])
            commenting = line.dynamic
        else:
            shown.append(line.text)
    return shown


def _replaced(line: shell.Line, value: str) -> list[str]:
    """The line with the new value; unchanged when it holds it already."""
    if not line.dynamic and not any(p.name for p in line.parts) and line.value == value:
        return [line.text]
    body = line.text.rstrip("\r\n")
    ending = line.text[len(body) :] or "\n"
    new = assignment(line.name or "", value) + ending
    computed = line.dynamic or any(part.name for part in line.parts)
    return [MARK + body + ending, new] if computed else [new]


def _held(path: str, text: str, name: str) -> str | None:
    """What the variable holds after the shell has read this file alone."""
    return evaluate([SourceFile(path, path, shell.parse(text))])[name].text
