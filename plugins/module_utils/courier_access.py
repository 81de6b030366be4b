# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Courier's exceptions for networks as new states of files: sources, database, and the option.

couriertcpd reads a database (``-access=FILE.dat``) that ``makedat`` makes of a file or a folder.
IMAP's start scripts name it by IMAPACCESSFILE; POP3's name none, but hand TCPDOPTS on, which gets
``-access`` of its own. An administrator's files in the folder stay and go into the database as
``makeimapaccess`` would put them. A database that cannot be opened excepts nobody.

Sources: config/courier_access.py; the start scripts of 5.0.13, 5.2.11 and 6.0.5.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Optional

from . import host, scratch
from .config import courier_access as access
from .config.courier import SourceFile, evaluate, parse
from .config.courier_edit import edit
from .text import clean
from .transaction import FileState, capture, rewritten, write_new

MAKEDAT = ("/usr/bin/makedat", "/usr/lib/courier/makedat", "/usr/lib/courier-imap/bin/makedat")
DATABASE = "the database of the access files, made by makedat"
LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Access:
    """``texts`` of Courier's files that change, and ``states`` of access files and databases."""

    texts: Mapping[str, str] = field(default_factory=dict)
    states: tuple[FileState, ...] = ()

    @property
    def hidden(self) -> dict[str, str]:
        """Databases are no text to show in a diff."""
        return {s.path: DATABASE for s in self.states if s.path.endswith(".dat")}


def candidate(folder: str, scoped: Sequence[access.Given], texts: Mapping[str, str]) -> Access:
    """What changes so that exactly ``scoped`` is excepted. ``texts`` are changed already.

    Raises ValueError or OSError with a sentence where an exception cannot be made.
    """
    found = [_service(folder, service, scoped, texts) for service in access.OURS]
    return Access(
        {path: text for one in found for path, text in one.texts.items()},
        tuple(state for one in found for state in one.states),
    )


def _service(
    folder: str, service: str, scoped: Sequence[access.Given], texts: Mapping[str, str]
) -> Access:
    new = access.written(service, scoped)
    name, variable = _PLACES[service]
    value = _value(folder, name, variable, texts)
    if value is None:
        if new:
            raise ValueError(
                f"{folder}/{name}: {variable} is not a literal, so no exception can be made"
            )
        return Access()
    return _MAKE[service](folder, value, new, texts)


def _imap(folder: str, value: str, new: str, _texts: Mapping[str, str]) -> Access:
    return Access(states=_states(value or f"{folder}/imapaccess", "imap", new))


def _pop3(folder: str, options: str, new: str, texts: Mapping[str, str]) -> Access:
    own = f"{folder}/pop3access"
    place = access.place(options) or own
    states = _states(place, "pop3", new)
    if place != own:
        return Access(states=states)
    if new:
        _require_one_place(folder, texts)
        wanted = f"{access.without(options)} -access={own}.dat".strip()
        return Access(_options(folder, options, wanted, texts), states)
    if _others(own, "pop3"):
        return Access(states=states)
    gone = tuple(replace(state, content=None, missing=(own,)) for state in states)
    return Access(_options(folder, options, access.without(options), texts), gone)


# Service → the file and the variable that name its access files; and what is made of its value.
_PLACES = {"imap": ("imapd", "IMAPACCESSFILE"), "pop3": ("pop3d", "TCPDOPTS")}
_MAKE = {"imap": _imap, "pop3": _pop3}


def _require_one_place(folder: str, texts: Mapping[str, str]) -> None:
    if _value(folder, "pop3d-ssl", "TCPDOPTS", texts) != "":
        raise ValueError(
            f"{folder}/pop3d-ssl sets TCPDOPTS as {folder}/pop3d does, so an exception for a "
            "network would not count on every port; set it in pop3d alone and run again"
        )


def _options(folder: str, old: str, new: str, texts: Mapping[str, str]) -> dict[str, str]:
    """The file with other options for couriertcpd; none where they stay."""
    path = f"{folder}/pop3d"
    if old == new:
        return {}
    return {path: edit(path, _text(path, texts), {"TCPDOPTS": new}, {})}


def _text(path: str, texts: Mapping[str, str]) -> str:
    return texts[path] if path in texts else host.read_text(path, LIMIT) or ""


def _value(folder: str, name: str, variable: str, texts: Mapping[str, str]) -> Optional[str]:
    """A variable as one file sets it; ``None`` where only the shell knows."""
    path = f"{folder}/{name}"
    return evaluate([SourceFile(name, path, parse(_text(path, texts)))])[variable].text


def _states(place: str, service: str, new: str) -> tuple[FileState, ...]:
    """Our source file and the database of the whole folder, where they have to change."""
    path, database = os.path.join(place, access.OURS[service]), f"{place}.dat"
    old = host.read_text(path, LIMIT) or ""
    if new == old and (not new or os.path.exists(database)):
        return ()
    if os.path.lexists(place) and not os.path.isdir(place):
        raise ValueError(
            f"{place} is one access file; make it a folder with that file in it "
            "(makedat(1) takes both), so that an exception can be put beside it"
        )
    others = _others(place, service)
    _require_apart(others, new)
    content = _database({**others, **({access.OURS[service]: new} if new else {})})
    (source,) = rewritten({path: new})
    made = replace(capture(database), content=content)
    return (source if new else replace(source, content=None), made)


def _others(place: str, service: str) -> dict[str, str]:
    """The administrator's files, as makedat finds them: name → text."""
    paths = [os.path.join(place, name) for name in sorted(_names(place))]
    found = {}
    for path in paths:
        name = os.path.basename(path)
        if name != access.OURS[service] and not name.endswith("~") and os.path.isfile(path):
            text = host.read_text(path, LIMIT)
            if text is None:
                raise OSError(f"{path} cannot be read")
            found[name] = text
    return found


def _names(place: str) -> Iterator[str]:
    try:
        yield from os.listdir(place)
    except (FileNotFoundError, NotADirectoryError):
        return


def _require_apart(others: Mapping[str, str], new: str) -> None:
    """couriertcpd takes one line for a client: ours would hide theirs, or theirs ours."""
    ours = access.parse(new)
    for name, text in others.items():
        line = access.overlapping(access.parse(text), ours)
        if line is not None:
            raise ValueError(
                f"{name}:{line.line} of the access files speaks to clients of an exception "
                f"already, and couriertcpd takes one line only; write the exception there yourself"
            )


def _database(files: Mapping[str, str]) -> bytes:
    """What ``makedat`` makes of these files."""
    program = next((path for path in MAKEDAT if os.access(path, os.X_OK)), MAKEDAT[0])
    with scratch.folder("access") as directory:
        source, made = os.path.join(directory, "source"), os.path.join(directory, "made")
        os.mkdir(source, 0o700)
        for name, text in files.items():
            _write(os.path.join(source, name), text)
        answer = host.run([program, f"-src={source}", f"-file={made}", f"-tmp={made}.tmp", "-cidr"])
        if answer.rc or not os.path.exists(made):
            raise OSError(f"{program} failed: {clean(answer.stderr.strip(), 300)}")
        with open(made, "rb") as handle:
            return handle.read()


def _write(path: str, text: str) -> None:
    content = text.encode("utf-8", "surrogateescape")
    write_new(path, FileState(path, content, 0o600, os.geteuid(), os.getegid()))
