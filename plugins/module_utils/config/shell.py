# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a file of shell assignments as text: lines, words, and what the shell would compute.

Such a file is sourced by /bin/sh, so every line is live code. Nothing is run here: a strict reader
takes in what is a literal assignment (POSIX.1-2017, Shell Command Language, sections 2.2 quoting,
2.3 token recognition, 2.6 word expansions) and says of everything else which variables it may
touch. A plain reference (``A="$B"``) is kept as a reference; all other expansions make a value
*dynamic*. Lines keep their bytes: joining their texts gives the file back. Knows no server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Optional

# Kinds of a line.
BLANK = "blank"
COMMENT = "comment"
MARKER = "marker"  # ##NAME: TLS_PRIORITY:0, upstream's anchor for a setting
ASSIGNMENT = "assignment"
CODE = "code"
CONTINUATION = "continuation"  # further lines of an assignment or a command

ANYTHING = "*"
"""Among ``touches``: the command may change every variable."""

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_MARKER = re.compile(r"##NAME:[ \t]*([A-Za-z_][A-Za-z0-9_]*)")
_REFERENCE = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")
# A dollar sign before anything else stands for itself.
_EXPANSION = re.compile(r"\$[{(0-9@*#?$!-]")
_ASSIGNED = re.compile(r"(?:^|[\s;&|({`])([A-Za-z_][A-Za-z0-9_]*)\+?=")
_PHYSICAL = re.compile(r"[^\n]*\n|[^\n]+")
_SPACED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)[ \t]+=")

# Commands of the shell itself that may change variables that they do not name, or end the reading.
_ENDING = frozenset({"exec", "exit", "return"})
_SWEEPING = _ENDING | {".", "source", "eval"}
# A command or an exported name that is itself quoted or computed may be any.
_COMPUTED = re.compile(r"(?:^|\b(?:export|readonly)[ \t]+)[\"'$`\\]")
_NAMING = frozenset({"unset", "read", "getopts"})
_OPENERS = {"if": 1, "case": 1, "for": 1, "while": 1, "until": 1, "{": 1, "(": 1}
_CLOSERS = {"fi": -1, "esac": -1, "done": -1, "}": -1, ")": -1}
_ENDLESS = 1 << 20
_FUNCTION = re.compile(r"^[ \t]*[A-Za-z_][A-Za-z0-9_]*[ \t]*\([ \t]*\)", re.M)
_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.", re.S)
_COMMENTED = re.compile(r"(?:^|(?<=[\s;]))#.*", re.M)


@dataclass(frozen=True)
class Part:
    """A piece of a value: literal ``text``, or a reference to the variable ``name``."""

    text: str = ""
    name: Optional[str] = None


@dataclass(frozen=True)
class Line:
    """One physical line. ``text`` includes its line end.

    ``value`` is the literal value of an assignment, or the value as written where it refers to
    variables (``parts`` says which) or is ``dynamic``: the shell computes it, or whether the
    assignment happens at all. ``touches`` are the variables that code may change. ``fault`` is a
    clause about a line that the shell reads otherwise than a person would.
    """

    number: int
    text: str
    kind: str
    name: Optional[str] = None
    value: Optional[str] = None
    dynamic: bool = False
    parts: tuple[Part, ...] = ()
    touches: tuple[str, ...] = ()
    fault: Optional[str] = None


def parse(text: str) -> tuple[Line, ...]:
    """The lines of one file. Never raises: what is no assignment is code or a comment."""
    lines: list[Line] = []
    depth = 0
    for body in _logical_lines(text):
        first = _read(body)
        if first.kind == CODE:
            depth = max(0, depth + _nesting(body))
        elif depth and first.kind == ASSIGNMENT:
            first = replace(first, dynamic=True)
        for index, piece in enumerate(_PHYSICAL.findall(body)):
            number = len(lines) + 1
            lines.append(
                replace(first, number=number, text=piece)
                if index == 0
                else Line(number, piece, CONTINUATION)
            )
    return tuple(lines)


# ---------------------------------------------------------------------------------------------
# Lines


def _logical_lines(text: str) -> Iterator[str]:
    """The text cut where the shell ends a command: at line ends outside quotes and ``$(``."""
    at = 0
    while at < len(text):
        end = _end_of_command(text, at)
        yield text[at:end]
        at = end


def _end_of_command(text: str, at: int) -> int:
    """The offset after the line end that closes the command beginning at ``at``.

    A line end inside quotes, inside ``$(`` or after ``|`` and ``&&`` closes nothing.
    """
    quote, depth, fresh, tail = "", 0, True, ""
    while at < len(text):
        char = text[at]
        at += 1
        if char == "\\" and quote != "'":
            at += 1
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"`":
            quote = char
        elif char == "#" and fresh:
            at = _find(text, "\n", at)
            continue
        elif char == "\n" and not depth and not tail.endswith(("|", "&&")):
            return at
        elif text.startswith("$(", at - 1):
            depth += 1
        elif char == ")" and depth:
            depth -= 1
        fresh = char in " \t\n;&|()"
        tail = tail if char in " \t\n" else tail[-1:] + char
    return len(text)


def _read(body: str) -> Line:
    """One command or comment as its first line, without number."""
    start = body.lstrip(" \t")
    if start in ("", "\n", "\r\n"):
        return Line(0, body, BLANK)
    if start.startswith("#"):
        marker = _MARKER.match(start)
        return Line(0, body, MARKER, marker.group(1)) if marker else Line(0, body, COMMENT)
    match = _ASSIGNMENT.match(start)
    if match is None:
        return _code(body, start)
    return _assignment(body, match.group(1), start[match.end() :])


def _assignment(body: str, name: str, rest: str) -> Line:
    word = _word(rest)
    after = rest[word.end :]
    if after.strip(" \t\n") and not re.match(r"[ \t]+#", after):
        return _code(body, body.lstrip(" \t"))
    written = rest[: word.end]
    dynamic = word.computed or "\n" in written
    plain = not dynamic and all(part.name is None for part in word.parts)
    return Line(
        number=0,
        text=body,
        kind=ASSIGNMENT,
        name=name,
        value="".join(part.text for part in word.parts) if plain else written,
        dynamic=dynamic,
        parts=() if dynamic else word.parts,
        fault=None if word.closed else "a quote is not closed, so the shell stops reading here",
    )


def _code(body: str, start: str) -> Line:
    spaced = _SPACED.match(start)
    if spaced:
        fault = f"is a command to the shell, not an assignment: no space around = in {spaced[1]}"
        return Line(0, body, CODE, fault=fault)
    bare = _bare(start)
    words = bare.split()
    names = set(_ASSIGNED.findall(start))
    if _NAMING.intersection(words):
        names.update(w for w in words if re.fullmatch(r"[A-Za-z_]\w*", w) and w not in _NAMING)
    # Such a word may be no command where it stands; taking it for one errs on the side of
    # "not observed".
    sweeping = _SWEEPING.intersection(words) or _COMPUTED.search(start)
    if sweeping or "<<" in bare or _FUNCTION.search(bare):
        names.add(ANYTHING)
    return Line(0, body, CODE, touches=tuple(sorted(names)))


def _bare(body: str) -> str:
    """A command without quoted pieces and comments, its separators set apart."""
    return re.sub(r"([;&|]+)", r" \1 ", _COMMENTED.sub("", _QUOTED.sub("", body)))


def _nesting(body: str) -> int:
    """By how much a command opens or closes blocks."""
    weights = {**_OPENERS, **_CLOSERS}
    words = _bare(body).split()
    # The text of a here-document is taken for lines, and after an exit comes nothing.
    endless = any("<<" in word or word in _ENDING for word in words) or _COMPUTED.match(body)
    return sum(weights.get(word, 0) for word in words) + (_ENDLESS if endless else 0)


# ---------------------------------------------------------------------------------------------
# Words


@dataclass(frozen=True)
class _Word:
    parts: tuple[Part, ...]
    end: int
    computed: bool
    closed: bool


def _word(text: str) -> _Word:
    """The word at the beginning of ``text``, quotes removed (POSIX shell, sections 2.2, 2.6.7)."""
    parts: list[Part] = []
    at, quote, computed = 0, "", False
    while at < len(text):
        char = text[at]
        if not quote and char in " \t\n;&|<>()":
            break
        if char == "'" and not quote:
            end = text.find("'", at + 1)
            if end < 0:
                return _Word(tuple(parts), len(text), True, closed=False)
            # $'…' is a C string to some shells and not to others.
            computed = computed or text[at - 1 : at] == "$"
            parts.append(Part(text[at + 1 : end]))
            at = end + 1
            continue
        if char == '"':
            quote, at = ("" if quote else '"'), at + 1
            continue
        part, at, by_shell = _piece(text, at, bool(quote))
        computed = computed or by_shell
        parts.append(part)
    return _Word(tuple(parts), at, bool(computed or quote or _tilde(text)), closed=not quote)


def _piece(text: str, at: int, quoted: bool) -> tuple[Part, int, bool]:
    """One character, escape or expansion: the part, the offset after it, and if it is computed."""
    char = text[at]
    if char == "\\" and at + 1 < len(text):
        following = text[at + 1]
        kept = quoted and following not in '$`"\\\n'
        return Part(char + following if kept else following), at + 2, following == "\n"
    reference = _REFERENCE.match(text, at)
    if reference:
        return Part(name=reference.group(1) or reference.group(2)), reference.end(), False
    if char != "`" and not _EXPANSION.match(text, at):
        return Part(char), at + 1, False
    end = _end_of_expansion(text, at)
    return Part(text[at:end]), end, True


def _end_of_expansion(text: str, at: int) -> int:
    """The offset after ``$(…)``, ``${…}``, backticks or a special parameter beginning at ``at``."""
    if text[at] == "`":
        return min(_find(text, "`", at + 1) + 1, len(text))
    opener = text[at + 1]
    closer = {"(": ")", "{": "}"}.get(opener)
    if closer is None:
        return at + 2
    depth = 0
    for end in range(at + 1, len(text)):
        depth += (text[end] == opener) - (text[end] == closer)
        if depth == 0:
            return end + 1
    return len(text)


def _find(text: str, wanted: str, at: int) -> int:
    """The offset of ``wanted`` from ``at`` on, or the end."""
    found = text.find(wanted, at)
    return len(text) if found < 0 else found


def _tilde(text: str) -> bool:
    """Whether the shell may put a home directory here: ``~`` first, or after an unquoted colon."""
    return text.startswith("~") or ":~" in text
