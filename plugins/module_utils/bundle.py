# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same code as a program that stays on the host when the module is gone.

A module comes to the host in an archive that Ansible takes away again. What a switch needs is put
together from there: program.py and every part of module_utils that it imports, as one executable
archive (zipapp, PEP 441), so that nothing exists twice. Each part is there as its source, and
compiled for the Python that it was put together by (PEP 552, not checked against the source), since
a program that is wanted because mail is down should not begin with compiling itself; another Python
takes the source.

What it is made of is read off the import statements; nothing is imported for it. It ends with a
digest of its sources and one of itself, so whether the one on the host is this one is known without
making it again.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import marshal
import os
import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any, Optional

from . import transaction
from .transaction import FileState

_PACKAGE = __name__.rpartition(".")[0]
_START = f"{_PACKAGE}.program"
COMMAND = "/usr/local/sbin/postmaster-tls"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is made
_IMPORT = re.compile(r"^[ \t]*from (\.+)([\w.]*) import (\([^)]*\)|[^\n]+)", re.MULTILINE)
_UNCHECKED = (1).to_bytes(4, "little")  # PEP 552: by hash, and not compared with the source
_DIGEST = 64  # hexadecimal digits of SHA-256


def path() -> str:
    """Where the program is on the host."""
    return os.path.join(transaction.STATE_DIR, "postmaster-tls.pyz")


def install() -> None:
    """Have the program on the host, as it is now; one that is made of the same stays."""
    os.makedirs(transaction.STATE_DIR, mode=0o700, exist_ok=True)
    if not _is_there():
        transaction.install(replace(_wanted(), content=content()), "new")


def _wanted() -> FileState:
    return FileState(transaction.resolve(path()), None, 0o600, os.geteuid(), os.getegid())


def _is_there() -> bool:
    """Whether the program on the host is whole, made of these sources and by this Python."""
    now = transaction.capture(path())
    if now.content is None or replace(now, content=None) != _wanted():
        return False
    whole, end = now.content[:-_DIGEST], now.content[-_DIGEST:]
    return whole.endswith(_made_of()) and end == _digest(whole)


def install_command(check_mode: bool = False) -> bool:
    """Have the program and a command that starts it on the host; whether one is (or would be) new.

    The command is for hooks: two lines of shell, isolated from the environment (python -I).
    """
    text = (
        "#!/bin/sh\n# Written by postmaster.tls; see docs/certificates.md of the collection.\n"
        f'exec {sys.executable} -I {path()} "$@"\n'
    )
    place = transaction.resolve(COMMAND)
    command = FileState(place, text.encode(), 0o755, os.geteuid(), os.getegid())
    new = transaction.capture(COMMAND) != command
    archive = not _is_there()
    if not check_mode:
        install()
        if new:
            transaction.install(command, "new")
    return new or archive


def content() -> bytes:
    """The archive. ImportError where the module did not bring program.py along."""
    files: dict[str, bytes] = {"__main__.py": f"from {_START} import main\n\nmain()\n".encode()}
    for name, text in sources().items():
        place = name.replace(".", "/")
        files[f"{place}.py"] = text.encode()
        files[f"{place}.pyc"] = _compiled(name, text)
        folders = name.split(".")[:-1]
        for depth in range(1, len(folders) + 1):
            files.setdefault("/".join([*folders[:depth], "__init__.py"]), b"")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), files[name], zipfile.ZIP_DEFLATED)
        archive.comment = _made_of() + b"0" * _DIGEST
    whole = packed.getvalue()[:-_DIGEST]
    return whole + _digest(whole)


def _compiled(name: str, text: str) -> bytes:
    """The .pyc of a part. Source: PEP 552."""
    code = compile(text, f"{name}.py", "exec", dont_inherit=True)
    magic, of = importlib.util.MAGIC_NUMBER, importlib.util.source_hash(text.encode())
    return magic + _UNCHECKED + of + marshal.dumps(code)


@functools.lru_cache(maxsize=1)
def _made_of() -> bytes:
    """A digest of all sources, and of the Python that compiles them."""
    parts = "".join(f"{name}\0{text}\0" for name, text in sources().items())
    return _digest(importlib.util.MAGIC_NUMBER + parts.encode())


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


@functools.lru_cache(maxsize=1)
def sources() -> dict[str, str]:
    """The sources of program.py and of all that it imports, by module, sorted.

    Read once: the file that this process was started from may be replaced meanwhile. ImportError
    where the module did not bring program.py along.
    """
    found: dict[str, str] = {}
    todo = [_START]
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = _source(name)
            todo += [other for other in _imported(name, found[name]) if other not in found]
    return dict(sorted(found.items()))


def _source(name: str) -> str:
    """The source of a part of module_utils, by its full name. ImportError where there is none."""
    spec = _found(name)
    loader: Any = spec.loader if spec else None
    text = loader.get_source(name) if hasattr(loader, "get_source") else None
    if text is None:
        raise ImportError(f"{name} did not come along")
    return str(text)


def _imported(name: str, text: str) -> Iterator[str]:
    """The parts that a source imports, at its top or later."""
    for dots, module, names in _IMPORT.findall(text):
        base = ".".join([*name.split(".")[: -len(dots)], *filter(None, [module])])
        for candidate in (base, *(f"{base}.{each}" for each in re.findall(r"\w+", names))):
            spec = _found(candidate)
            if spec is not None and spec.submodule_search_locations is None:
                yield candidate


@functools.cache
def _found(name: str) -> Optional[ModuleSpec]:
    """Where a part is, if there is one of that name; nothing is run to find it."""
    spec: Optional[ModuleSpec] = None
    places: Optional[Sequence[str]] = sys.modules[_PACKAGE].__path__
    parent = _PACKAGE
    for part in name[len(_PACKAGE) + 1 :].split("."):
        parent = f"{parent}.{part}"
        spec = PathFinder.find_spec(parent, places) if places is not None and part else None
        if spec is None:
            return None
        places = spec.submodule_search_locations
    return spec
