# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dovecot's configuration language: files in, every physical line with its meaning out.

It knows how 2.3 and 2.4 read their files: comments, quotes, ``\\`` continuation, ``<file``,
includes and blocks. It refuses to know settings, their types and their defaults (``doveconf``
does), and it never evaluates a variable. dovecot.py is the door to it and says what follows from
the lines. No I/O: the caller gives two functions that read a file and expand a pattern.

Source: ``src/config/config-parser.c`` of 2.3.13 to 2.4.4 (``config_parse_line``,
``settings_include``), whose behaviour is followed where it surprises:

- a comment or blank line within a ``\\`` continuation throws away what came before it;
- a continuation goes on in the next file when a file ends in ``\\``;
- all matches of an include are open at once, so that none of them may include another;
- a quote that is not closed keeps a ``#`` on its line from being a comment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Callable, Optional

from ..model.configured import Origin, Problem
from ..text import clean

SETTING = "setting"
OPEN = "open"
CLOSE = "close"
INCLUDE = "include"
COMMENT = "comment"
BLANK = "blank"
CONTINUATION = "continuation"
ERROR = "error"

# How a value was written (Line.form); only includes have MISSING.
PLAIN = "plain"
QUOTED = "quoted"
FILE = "file"  # key = <path: the value is "<path"
VARIABLE = "variable"  # holds a "$": 2.3 $name, 2.4 $SET:name, both $ENV:NAME
MISSING = "missing"  # an include that Dovecot cannot follow

# Real configurations have some thousand lines in some dozen files.
LINE_LIMIT = 200_000
FILE_LIMIT = 2_000
DEPTH_LIMIT = 200
PROBLEM_LIMIT = 20

_WHITE = " \t\r\v\f"
_SPECIAL = re.compile(r"['\"#]")
_TO_QUOTE = {
    "'": re.compile(r"(?:[^'\\]|\\.)*'", re.DOTALL),
    '"': re.compile(r'(?:[^"\\]|\\.)*"', re.DOTALL),
}
_KEY = re.compile(r"[^ \t\r\v\f=]*")
_QUOTED_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"?', re.DOTALL)
_WORD = re.compile(r"[^ \t\r\v\f]*")
_INCLUDES = ("!include", "!include_try")

Read = Callable[[str], Optional[str]]
Glob = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class Block:
    """An enclosing block: ``service imap-login {`` is Block("service", "imap-login").

    ``number`` counts blocks without a name in reading order, from 0, as Dovecot 2.3 does;
    a 2.4 ``group @tls strict {`` is Block("@tls", "strict").
    """

    kind: str
    name: str
    number: int = 0


@dataclass(frozen=True)
class Line:
    """One physical line. ``text`` is exact, without its newline.

    A logical line that spans several physical ones has its kind, name and value on the first,
    the others are ``continuation``. ``scope`` holds the enclosing blocks, outermost first; a
    block's own open and close lines stand in the scope around it.
    """

    file: str
    number: int
    text: str
    kind: str = COMMENT
    name: str = ""
    value: str = ""
    scope: tuple[Block, ...] = ()
    form: str = PLAIN

    @property
    def origin(self) -> Origin:
        """Where the line stands."""
        return Origin(self.file, self.number)


@dataclass(frozen=True)
class Document:
    """All lines of a configuration in the order Dovecot reads them.

    ``problems`` are those that the language itself has (a broken brace, a missing include): Dovecot
    would stop at the first one. Unknown settings are not found here.
    """

    main: str
    lines: tuple[Line, ...]
    problems: tuple[Problem, ...] = ()


def read_document(main: str, read: Read, glob: Glob) -> Document:
    """The configuration that begins in the file ``main``.

    ``read`` gives a file's text or ``None``, ``glob`` the sorted paths that match a pattern
    (glob(3) with GLOB_BRACE). Never raises on what the files say.
    """
    reader = _Reader(main, read, glob)
    reader.run()
    return Document(main, tuple(reader.lines), tuple(reader.problems[:PROBLEM_LIMIT]))


@dataclass(frozen=True)
class _Logical:
    """A logical line understood: config_parse_line's answer."""

    kind: str
    name: str = ""
    value: str = ""
    form: str = PLAIN


def parse_logical(text: str) -> _Logical:
    """A joined line without comment and outer white space, as Dovecot takes it apart."""
    name, rest = _key(text)
    if name in _INCLUDES:
        return _Logical(INCLUDE, name, rest)
    if rest.startswith("="):
        form, value = _value(rest[1:].lstrip(_WHITE))
        return _Logical(SETTING, name, value, form)
    if name == "}" and not rest:
        return _Logical(CLOSE)
    return _open(name, rest)


def _key(text: str) -> tuple[str, str]:
    if text.startswith('"'):  # 2.4
        quoted = _QUOTED_KEY.match(text)
        if quoted is not None:
            return quoted.group(1), text[quoted.end() :].lstrip(_WHITE)
    name = _taken(_KEY, text)
    return name, text[len(name) :].lstrip(_WHITE)


def _taken(pattern: re.Pattern[str], text: str) -> str:
    """What a pattern takes from the beginning of a text, which may be nothing."""
    found = pattern.match(text)
    return found.group(0) if found is not None else ""


def _value(text: str) -> tuple[str, str]:
    """How the value is written, and the value."""
    if text.startswith("<"):
        return FILE, "<" + text[1:].lstrip(_WHITE)
    if text[:1] not in ("'", '"'):
        return (VARIABLE if "$" in text else PLAIN), text
    if text[-1] == text[0]:
        return QUOTED, _unescape(text[1:-1])
    return PLAIN, text


def _unescape(text: str) -> str:
    return re.sub(r"\\(.?)", r"\1", text, flags=re.DOTALL)


def _open(name: str, rest: str) -> _Logical:
    """``name {``, ``name section {``, ``name "section" {``, ``group @name section {``."""
    if name == "group" and rest.startswith("@"):
        name = _taken(_WORD, rest)
        rest = rest[len(name) :].lstrip(_WHITE)
    section, tail = _section(rest)
    if not tail.startswith("{"):
        return _Logical(ERROR, name, "Expecting '{'")
    if tail[1:]:
        return _Logical(ERROR, name, "Garbage after '{'")
    return _Logical(OPEN, name, section)


def _section(rest: str) -> tuple[str, str]:
    if rest.startswith("{"):
        return "", rest
    if rest.startswith('"'):
        section, closed, tail = rest[1:].partition('"')
        return (_unescape(section), tail.lstrip(_WHITE)) if closed else ("", "")
    section = _taken(_WORD, rest)
    return section, rest[len(section) :].lstrip(_WHITE)


def _without_comment(text: str) -> str:
    """Dovecot's own simple way: a ``#`` outside of quotes ends the line."""
    position = 0
    while True:
        found = _SPECIAL.search(text, position)
        if found is None:
            return text
        if found.group(0) == "#":
            return text[: found.start()]
        closed = _TO_QUOTE[found.group(0)].match(text, found.end())
        if closed is None:
            return text
        position = closed.end()


@dataclass
class _Source:
    """An open file: its lines and how many of them are read."""

    path: str
    texts: list[str]
    number: int = 0


class _Reader:
    """The state that Dovecot keeps while it reads: open files, open blocks, a joined line."""

    def __init__(self, main: str, read: Read, glob: Glob) -> None:
        self.lines: list[Line] = []
        self.problems: list[Problem] = []
        self._read = read
        self._glob = glob
        self._sources: list[_Source] = []
        self._blocks: list[tuple[Block, Origin]] = []
        self._joined = ""
        self._first: Optional[int] = None  # index of the logical line's first physical line
        self._unnamed = 0
        self._files = 0
        if not self._enter(main):
            self._problem(f"{clean(main)} cannot be read", None)

    def run(self) -> None:
        while self._sources:
            source = self._sources[-1]
            if source.number >= len(source.texts):
                self._sources.pop()
            elif len(self.lines) >= LINE_LIMIT:
                self._problem(f"more than {LINE_LIMIT} lines, the rest was not read", None)
                self._sources.clear()
            else:
                source.number += 1
                self._take(source.path, source.number, source.texts[source.number - 1])
        for block, origin in self._blocks:
            self._problem(f"Missing '}}' of the block {clean(block.kind)} that begins here", origin)

    def _take(self, path: str, number: int, raw: str) -> None:
        """One physical line: config_parse_line up to the joined line."""
        text = raw.strip(_WHITE)
        scope = tuple(block for block, _origin in self._blocks)
        self.lines.append(Line(path, number, raw, BLANK if not text else COMMENT, scope=scope))
        if not text or text.startswith("#"):
            self._forget()
            return
        if self._first is None:
            self._first = len(self.lines) - 1
        text = _without_comment(text).rstrip(_WHITE)
        if text.endswith("\\"):
            text = text[:-1].rstrip(_WHITE)
            self._joined += text + " " if text else ""
            return
        self._finish(self._joined + text)

    def _forget(self) -> None:
        self._joined, self._first = "", None

    def _finish(self, joined: str) -> None:
        first = self._first if self._first is not None else len(self.lines) - 1
        self._forget()
        logical = parse_logical(joined)
        for index in range(first + 1, len(self.lines)):
            self.lines[index] = replace(self.lines[index], kind=CONTINUATION)
        self.lines[first] = replace(
            self.lines[first],
            kind=logical.kind,
            name=logical.name,
            value=logical.value,
            form=logical.form,
        )
        action = {OPEN: self._begin, CLOSE: self._end, INCLUDE: self._include, ERROR: self._error}
        action.get(logical.kind, _nothing)(first)

    def _begin(self, index: int) -> None:
        line = self.lines[index]
        number = self._unnamed
        self._unnamed += 0 if line.value else 1
        self._blocks.append((Block(line.name, line.value, number), line.origin))

    def _end(self, index: int) -> None:
        if not self._blocks:
            self.lines[index] = replace(self.lines[index], kind=ERROR, value="Unexpected '}'")
            self._error(index)
            return
        self._blocks.pop()
        scope = tuple(block for block, _origin in self._blocks)
        self.lines[index] = replace(self.lines[index], scope=scope)

    def _error(self, index: int) -> None:
        self._problem(self.lines[index].value, self.lines[index].origin)

    def _include(self, index: int) -> None:
        line = self.lines[index]
        pattern = relative_to(self._sources[-1].path, line.value)
        optional = line.name == "!include_try"
        paths = list(self._glob(pattern))
        failed = "" if paths or optional else f"No matches for {clean(pattern)}"
        for path in reversed(paths):
            failed = failed or self._follow(path, optional)
        if failed:
            self.lines[index] = replace(line, form=MISSING)
            self._problem(failed, line.origin)

    def _follow(self, path: str, optional: bool) -> str:
        """Open an included file; the clause that says why not, else ``""``."""
        if any(source.path == path for source in self._sources):
            return f"Recursive include file: {clean(path)}"
        if len(self._sources) >= DEPTH_LIMIT or self._files >= FILE_LIMIT:
            return f"Too many include files, {clean(path)} was not read"
        if not self._enter(path) and not optional:
            return f"Couldn't open include file {clean(path)}"
        return ""

    def _enter(self, path: str) -> bool:
        text = self._read(path)
        if text is None:
            return False
        texts = text.split("\n")
        if texts[-1] == "":
            texts.pop()
        self._files += 1
        self._sources.append(_Source(path, texts))
        return True

    def _problem(self, message: str, origin: Optional[Origin]) -> None:
        if len(self.problems) < PROBLEM_LIMIT:
            self.problems.append(Problem(clean(message), origin))


def _nothing(_index: int) -> None:
    """A setting changes nothing in the reader's state."""


def relative_to(file: str, path: str) -> str:
    """``path`` as Dovecot resolves it when it is written in ``file``."""
    return path if path.startswith("/") else file[: file.rfind("/") + 1] + path
