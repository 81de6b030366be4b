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
from typing import Optional

from . import shell
from .courier import SourceFile, evaluate
from .edit import MARK, Stale

_BARE = re.compile(r"[A-Za-z0-9_/.-]+\Z")


def edit(path: str, text: str, wants: Mapping[str, str], overrides: Mapping[int, str]) -> str:
    """``text`` with every variable of ``wants`` set and the lines of ``overrides`` neutralised.

    ``overrides`` maps line numbers to the variable expected there; :class:`Stale` where another
    stands. A value that shell quoting cannot carry on one line raises ValueError.
    """
    lines = list(shell.parse(text))
    for number, name in overrides.items():
        line = lines[number - 1] if 0 < number <= len(lines) else None
        if line is None or line.kind != shell.ASSIGNMENT or line.name != name:
            raise Stale(
                f"{path}:{number} no longer sets {name}: "
                "the configuration changed since it was read; run again"
            )
    edited = "".join(_edited(lines, wants, overrides))
    for name, value in wants.items():
        if _held(path, edited, name) != value and not _ends_with(edited, name, value):
            edited = _line(edited) + assignment(name, value) + "\n"
    return edited


def assignment(name: str, value: str) -> str:
    """``NAME=value``, quoted where the shell needs it."""
    if _BARE.match(value):
        return f"{name}={value}"
    if any(character in value for character in "\"'`$\\\n\r\0"):
        raise ValueError(f"{name}: a value with quotes, $ or line ends is not supported")
    return f'{name}="{value}"'


def _edited(
    lines: Sequence[shell.Line], wants: Mapping[str, str], overrides: Mapping[int, str]
) -> list[str]:
    last = {line.name: line.number for line in lines if line.kind == shell.ASSIGNMENT}
    deciding = {number: wants[name] for name, number in last.items() if name and name in wants}
    shown: list[str] = []
    keep, comment, after = True, False, list[str]()
    for line in lines:
        if line.kind != shell.CONTINUATION:
            shown += after
            keep, comment, after = True, False, []
            if line.number in overrides:
                # A block must hold a command: POSIX.1-2017, Shell Command Language 2.9.4.
                comment, after = True, [":\n"] if line.dynamic else []
            elif line.number in deciding and _literal(line) != deciding[line.number]:
                keep = comment = _worth_keeping(line)
                after = [_indent(line) + assignment(line.name or "", deciding[line.number]) + "\n"]
        if keep:
            text = _line(line.text) if after else line.text
            shown.append(MARK + text if comment else text)
    return shown + after


def _literal(line: shell.Line) -> Optional[str]:
    """What an assignment says in so many words; ``None`` where the shell computes it."""
    computed = any(part.name for part in line.parts) or (line.dynamic and not line.parts)
    return None if computed else "".join(part.text for part in line.parts)


def _worth_keeping(line: shell.Line) -> bool:
    """Whether an old value says more than a value: how it was computed, when, or why."""
    return _literal(line) is None or line.dynamic or "#" in line.text


def _indent(line: shell.Line) -> str:
    return line.text[: len(line.text) - len(line.text.lstrip(" \t"))]


def _line(text: str) -> str:
    """``text`` with a line end at its end."""
    return text if text.endswith("\n") or not text else text + "\n"


def _ends_with(text: str, name: str, value: str) -> bool:
    """Whether an assignment of the value stands after all commands of the file.

    It decides, as far as anything does: what the shell makes of the commands is not known.
    """
    tail: list[shell.Line] = []
    for line in shell.parse(text):
        tail = [] if line.kind == shell.CODE else [*tail, line]
    found = [line for line in tail if line.kind == shell.ASSIGNMENT and line.name == name]
    return bool(found) and _literal(found[-1]) == value


def _held(path: str, text: str, name: str) -> Optional[str]:
    """What the variable holds after the shell has read this file alone."""
    return evaluate([SourceFile(path, path, shell.parse(text))])[name].text
