# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generations: the files of before each change, kept on the host, the last three of them.

A generation holds what one change replaced. To have the host as it was before an older change, the
newer ones are taken back as well: see :func:`before`. Their order is a number that each carries,
one more than the last, and not its name: that begins with the time, and a clock may be set back.
One that was being written when its writer died is never seen: it has its name only when it is
whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from . import transaction
from .model.observed import Endpoint
from .plain import from_plain
from .transaction import FileState, Refused, sync_directory, write_new

KEPT = 3
_MANIFEST = "manifest.json"


def place(name: str) -> str:
    """The directory of a generation."""
    return os.path.join(_parent(), name)


def keep(old: Sequence[FileState], name: str, noted: Mapping[str, Any]) -> str:
    """Write captured states below STATE_DIR as generation ``name``; returns its directory.

    The directory is readable by root alone.
    """
    parent = _parent()
    os.makedirs(parent, mode=0o700, exist_ok=True)
    final, directory = place(name), os.path.join(parent, f".{name}")
    if os.path.lexists(final):
        raise FileExistsError(f"{final} is there already")
    os.mkdir(directory, 0o700)
    entries = []
    for index, state in enumerate(old):
        blob = str(index)
        if state.content is not None:
            write_new(os.path.join(directory, blob), FileState(blob, state.content, 0o600))
        entries.append(
            {
                "path": state.path,
                "file": None if state.content is None else blob,
                "mode": state.mode,
                "uid": state.uid,
                "gid": state.gid,
                "xattrs": [[n, v.hex()] for n, v in state.xattrs],
                "only_attributes": state.only_attributes,
                "missing": list(state.missing),
            }
        )
    number = max((_number(other) for other in generations()), default=0) + 1
    whole = {"number": number, "note": dict(noted), "files": entries}
    manifest = json.dumps(whole, indent=2).encode() + b"\n"
    write_new(os.path.join(directory, _MANIFEST), FileState(_MANIFEST, manifest, 0o600))
    sync_directory(directory)
    os.rename(directory, final)
    sync_directory(parent)
    return final


def load(directory: str) -> tuple[FileState, ...]:
    """The states that :func:`keep` wrote; OSError or ValueError when they cannot be read."""
    try:
        return tuple(_entry(directory, entry) for entry in _manifest(directory)["files"])
    except (KeyError, TypeError):
        raise ValueError(f"{directory}/{_MANIFEST} is of another shape than expected") from None


def _entry(directory: str, entry: Mapping[str, Any]) -> FileState:
    content = None
    if entry["file"] is not None:
        with open(os.path.join(directory, str(entry["file"])), "rb") as handle:
            content = handle.read()
    xattrs = tuple((n, bytes.fromhex(v)) for n, v in entry["xattrs"])
    return FileState(
        path=str(entry["path"]),
        content=content,
        mode=entry["mode"],
        uid=entry["uid"],
        gid=entry["gid"],
        xattrs=xattrs,
        only_attributes=entry["only_attributes"],
        missing=tuple(entry.get("missing", ())),
    )


def note(directory: str) -> dict[str, Any]:
    """What was noted with a generation; OSError or ValueError when it cannot be read."""
    noted = _manifest(directory).get("note")
    return noted if isinstance(noted, dict) else {}


def generations() -> list[str]:
    """Directories of the kept generations, oldest first."""
    parent = _parent()
    names = sorted(os.listdir(parent)) if os.path.isdir(parent) else []
    kept = [os.path.join(parent, name) for name in names if not name.startswith(".")]
    return sorted(kept, key=_number)


def _number(directory: str) -> int:
    """Its place among the others; 0, before all, for one that has none or cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        number = _manifest(directory).get("number")
        return number if isinstance(number, int) else 0
    return 0


def _manifest(directory: str) -> dict[str, Any]:
    with open(os.path.join(directory, _MANIFEST), encoding="utf-8") as handle:
        manifest = json.load(handle)
    return manifest if isinstance(manifest, dict) else {}


def before(
    wanted: str,
) -> tuple[tuple[FileState, ...], tuple[str, ...], tuple[Endpoint, ...]]:
    """The states of before a change, the servers that it and later ones concern, and its ports.

    The ports are those that shook hands before that change.

    ``wanted`` is a number (1 is the last change), a generation's name or its directory. Raises
    :class:`Refused` naming those that are kept.
    """
    kept = generations()[::-1]
    names = [os.path.basename(directory) for directory in kept]
    name = os.path.basename(wanted.rstrip("/"))
    if name.isdigit() and 0 < int(name) <= len(names):
        name = names[int(name) - 1]
    if name not in names:
        known = ", ".join(f"{number} ({each})" for number, each in enumerate(names, 1)) or "none"
        raise Refused(f"generation {wanted} is not kept on this host; there are: {known}")
    undone = kept[: names.index(name) + 1]
    states = {state.path: state for directory in undone for state in load(directory)}
    notes = [note(directory) for directory in undone]
    products = dict.fromkeys(product for each in notes for product in each.get("products", ()))
    served = (from_plain(Endpoint, entry) for entry in notes[-1].get("served", ()))
    return tuple(states.values()), tuple(products), tuple(served)


def drop(directory: str) -> None:
    """Forget a generation: its change was taken back, so it is what the host is like."""
    shutil.rmtree(directory, ignore_errors=True)


def prune() -> None:
    """Take the oldest beyond KEPT away."""
    for directory in generations()[:-KEPT]:
        shutil.rmtree(directory)


def sweep() -> None:
    """Take away what writers left that died."""
    parent = _parent()
    for name in os.listdir(parent) if os.path.isdir(parent) else ():
        if name.startswith("."):
            shutil.rmtree(os.path.join(parent, name), ignore_errors=True)


def _parent() -> str:
    return os.path.join(transaction.STATE_DIR, "generations")
