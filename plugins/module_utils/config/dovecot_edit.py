# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edit a Dovecot configuration as a careful administrator would: one own file, few marked lines.

Pure: texts in, texts out. Wanted settings go into one file that is read after all others; what
would still win over it is commented out where it stands, with a mark that says who did it and why.
Everything else stays byte for byte.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from ..model.configured import Origin
from .dovecot import (
    CONTINUATION,
    INCLUDE,
    SETTING,
    Document,
    Line,
    read_document,
    relative_to,
    setting_name,
    settings,
)
from .dovecot_origin import OLD_NAMES
from .edit import MARK, Stale

DROP_IN = "99-postmaster-tls.conf"
HEADER = (
    "# Written by postmaster.tls: TLS policy of this host's IMAP, POP3 and ManageSieve logins.\n"
    "# Changes made here are overwritten by the next hardening run.\n"
)

INCLUDED = "# The TLS policy of postmaster.tls is read last:\n"

# What Dovecot takes for blank at the ends of a line, and what it needs quotes for in a value.
_WHITE = " \t\r\v\f"
_SPECIAL = re.compile(r"[#'\"\\$]|^<(?!/)|^\s|\s\Z")
# A whole folder of files; one that is not itself a pattern.
_NETWORK, _NAME = re.compile(r"[0-9A-Fa-f.:/]+"), re.compile(r"(\*\.)?[A-Za-z0-9_.-]+")
_SCOPES = {
    "remote": _NETWORK,
    "local": _NETWORK,
    "local_name": _NAME,
    "protocol": re.compile(r"[a-z-]+"),
}
_ANY_CONF = re.compile(r"[^*?\[{]*/\*\.conf\Z")
# Names of 2.3 that still set what has another name by now.
_NEW_NAMES = {old: new for new, olds in OLD_NAMES.items() for old in olds}

Read = Callable[[str], Optional[str]]
Glob = Callable[[str], Sequence[str]]
Scoped = tuple[str, str, str, str]
"""A setting for some clients: scope (``remote=192.0.2.0/24``), name, value, reason."""


@dataclass(frozen=True)
class Wanted:
    """What the edited configuration must say: global settings, and lines that must not stand.

    A ``scoped`` one without a reason keeps the one that it has in our file already.
    """

    settings: tuple[tuple[str, str], ...]
    overrides: tuple[tuple[Origin, str], ...] = ()  # where, and the setting's name
    scoped: tuple[Scoped, ...] = ()


@dataclass(frozen=True)
class Overlay:
    """Files as they would be: new texts over the real ones."""

    new: Mapping[str, str]
    real_read: Read
    real_glob: Glob

    def read(self, path: str) -> Optional[str]:
        """The text of ``path`` in the candidate."""
        return self.new[path] if path in self.new else self.real_read(path)

    def glob(self, pattern: str) -> Sequence[str]:
        """Existing and new paths that match, in the order of glob(3)."""
        depth = pattern.count("/")  # to glob(3) a star is no slash
        near = (p for p in self.new if p.count("/") == depth)
        added = [p for p in near if fnmatch.fnmatchcase(p, pattern)]
        return sorted({*self.real_glob(pattern), *added}, key=_bytes)


def edit(main: str, read: Read, glob: Glob, wanted: Wanted) -> dict[str, str]:
    """The files that have to change, path → whole new text; empty when nothing does.

    Raises :class:`Stale` when a line to neutralise has changed since it was observed, or the main
    file cannot be read.
    """
    if read(main) is None:
        raise Stale(f"{main} cannot be read, so nothing was changed; see to that and run again")
    document = read_document(main, read, glob)
    overlay = Overlay(_drop_in(document, read, wanted), read, glob)
    new = dict(overlay.new)
    _require_fresh(document, wanted)
    doomed = frozenset(origin for origin, _name in wanted.overrides) | _later(main, overlay, wanted)
    doomed |= _continuations(document, doomed)
    for file in sorted({origin.file for origin in doomed}):
        text = overlay.read(file)
        numbers = frozenset(origin.line for origin in doomed if origin.file == file)
        new[file] = neutralise(text or "", numbers)
    return {path: text for path, text in new.items() if text != read(path)}


def drop_in_text(wanted: Sequence[tuple[str, str]], scoped: Sequence[Scoped] = ()) -> str:
    """The whole text of our own file; ValueError for a value that no line can hold."""
    text = HEADER + "".join(f"{name} = {_written(name, value)}\n" for name, value in wanted)
    blocks: dict[tuple[str, str], list[str]] = {}
    for scope, name, value, reason in scoped:
        blocks.setdefault((scope, reason), []).append(f"{_setting(name, value)}\n")
    return text + "".join(_block(*key, lines) for key, lines in blocks.items())


def _block(scope: str, reason: str, lines: Sequence[str]) -> str:
    # A comment goes on in the next line where it ends with a backslash.
    said = f"# {' '.join(reason.split())}".rstrip("\\ ") + "\n" if reason.strip() else ""
    return f"{said}{_opening(scope)}\n{''.join(lines)}}}\n"


def _opening(scope: str) -> str:
    kind, _equals, value = scope.partition("=")
    if kind not in _SCOPES or not _SCOPES[kind].fullmatch(value):
        raise ValueError(f"{scope!r} is no scope that can be written")
    return f"{kind} {value} {{"


def _setting(name: str, value: str) -> str:
    return f"  {name} = {_written(name, value)}"


def _explained(text: str, scoped: Sequence[Scoped]) -> list[Scoped]:
    """``scoped`` with the reasons that ``text``, our own file, gives for what comes without one.

    Whoever writes that file for something else (a certificate, stage 0) knows the settings in it
    and not why somebody asked for them.
    """
    given = _reasons(text)
    return [(s, n, v, r or given.get((_opening(s), _setting(n, v)), "")) for s, n, v, r in scoped]


def _reasons(text: str) -> dict[tuple[str, str], str]:
    """The line that opens a block and a line in it → the comment above the block."""
    found, opening, reason = dict[tuple[str, str], str](), "", ""
    for line in text.removeprefix(HEADER).split("\n"):
        if line.startswith("# ") and not opening:
            reason = line[2:]
        elif line.endswith(" {"):
            opening = line
        elif opening and line != "}":
            found[opening, line] = reason
        else:
            opening = reason = ""
    return found


def _written(name: str, value: str) -> str:
    """The value as it must stand for Dovecot to read it back the same."""
    if any(character in value for character in "\n\r\0"):
        raise ValueError(f"{name}: a value with line ends is not supported")
    if not _SPECIAL.search(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def neutralise(text: str, numbers: frozenset[int]) -> str:
    """``text`` with these lines (counted from 1) commented out and marked."""
    lines = text.split("\n")
    return "\n".join(
        _commented(line) if number in numbers else line for number, line in enumerate(lines, 1)
    )


def _commented(line: str) -> str:
    indent = line[: len(line) - len(line.lstrip(_WHITE))]
    ending = "\r" if line.endswith("\r") else ""
    return f"{indent}{MARK}{line.strip(_WHITE)}{ending}"


def _continuations(document: Document, origins: frozenset[Origin]) -> frozenset[Origin]:
    """The further lines of the assignments that begin at ``origins``."""
    found, inside = set(), False
    for line in document.lines:
        inside = line.origin in origins or (inside and line.kind == CONTINUATION)
        if inside:
            found.add(line.origin)
    return frozenset(found)


def _drop_in(document: Document, read: Read, wanted: Wanted) -> dict[str, str]:
    """Our own file, and the line that includes it where no include does yet."""
    if not (wanted.settings or wanted.scoped):
        return {}
    included = [
        relative_to(line.file, line.value)
        for line in document.lines
        if line.kind == INCLUDE and not line.scope and line.file == document.main
    ]
    folders = [pattern[: -len("*.conf")] for pattern in included if _ANY_CONF.match(pattern)]
    path = folders[-1] + DROP_IN if folders else relative_to(document.main, DROP_IN)
    scoped = _explained(read(path) or "", wanted.scoped)
    new = {path: drop_in_text(wanted.settings, scoped)}
    if not folders and path not in included:
        text = read(document.main) or ""
        gap = "" if text.endswith("\n") or not text else "\n"
        # A comment first: it ends an assignment that would go on in the next line.
        new[document.main] = f"{text}{gap}{INCLUDED}!include {DROP_IN}\n"
    return new


def _later(main: str, overlay: Overlay, wanted: Wanted) -> frozenset[Origin]:
    """Global assignments read after our file that say something else."""
    document = read_document(main, overlay.read, overlay.glob)
    order = {line.origin: i for i, line in enumerate(document.lines)}
    ours = [i for o, i in order.items() if posixpath.basename(o.file) == DROP_IN]
    values = dict(wanted.settings)
    return frozenset(
        s.origin
        for s in settings(document)
        if not s.scope and _NEW_NAMES.get(s.name, s.name) in values
        if s.value != values.get(s.name)
        if ours and order[s.origin] > max(ours)
    )


def _require_fresh(document: Document, wanted: Wanted) -> None:
    lines: dict[Origin, Line] = {line.origin: line for line in document.lines}
    for origin, name in wanted.overrides:
        line = lines.get(origin)
        if line is None or line.kind != SETTING or setting_name(line) != name:
            raise Stale(
                f"{origin.file}:{origin.line} no longer sets {name}: "
                "the configuration changed since it was read; run again"
            )


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
