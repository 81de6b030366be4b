# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports on their way to the disk: each file whole, and all files of one run or none of them.

A reader never sees half a file: each is written beside its place and renamed. Nor is one file of
this run and another of the run before: nothing is renamed until all are written, and where a rename
fails the ones before it are taken back.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Set
from contextlib import ExitStack, suppress

from .formats import Made
from .html.page import FOLDER, PAGE


def write(directory: str, files: Iterable[Made]) -> list[str]:
    """Write the files into ``directory``, which is made where it is missing; their paths.

    Raises OSError, and then every file is as it was before.
    """
    directory = directory or "."
    os.makedirs(directory, exist_ok=True)
    with ExitStack() as leftovers:
        staged = []
        for made in files:
            path = os.path.join(directory, made.name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            staged.append((_beside(path, made, leftovers), path))
        _swap(staged, leftovers)
    paths = [path for _temporary, path in staged]
    _tidy(os.path.join(directory, FOLDER), set(paths))
    return paths


def _tidy(folder: str, written: Set[str]) -> None:
    """Take away pages of hosts that an earlier, larger report had: nothing leads to them now."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for name in os.listdir(folder):
            path = os.path.join(folder, name)
            if PAGE.fullmatch(name) and path not in written:
                _remove(path)


def _beside(path: str, made: Made, leftovers: ExitStack) -> str:
    """The file under a name of its own; ``leftovers`` removes what is still there at the end."""
    directory, name = os.path.split(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
    leftovers.callback(_remove, temporary)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as handle:
        os.fchmod(handle.fileno(), made.mode)
        handle.write(made.text)
        handle.flush()
        os.fsync(handle.fileno())
    return temporary


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.remove(path)


def _swap(staged: Iterable[tuple[str, str]], leftovers: ExitStack) -> None:
    """Rename all of them into force; where one fails, the ones before it go back."""
    undo: list[tuple[str, str]] = []
    try:
        for temporary, path in staged:
            old = _kept(path, f"{temporary}.old", leftovers)
            os.replace(temporary, path)
            undo.append((old, path))
    except OSError:
        for old, path in reversed(undo):
            if old:
                os.replace(old, path)
            else:
                os.remove(path)
        raise


def _kept(path: str, old: str, leftovers: ExitStack) -> str:
    """The file of before under the name ``old`` too; empty where there was none."""
    if not os.path.lexists(path):
        return ""
    leftovers.callback(_remove, old)
    try:
        os.link(path, old, follow_symlinks=False)
    except OSError:  # a file system without hard links
        shutil.copy2(path, old)
    return old
