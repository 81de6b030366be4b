# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders for a moment: in memory where /run is, for root alone, and gone also after a kill.

Each is locked while its maker lives (flock(2)), so the next run can tell what a killed one left
from what another is using.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Optional

RUN = "/run"
PREFIX = "postmaster-tls-"


@contextlib.contextmanager
def folder(purpose: str) -> Iterator[str]:
    """A new empty folder with mode 0700; it is removed with all that is in it."""
    directory = tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}.", dir=_parent())
    held = _hold(directory)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        if held is not None:
            os.close(held)


def sweep() -> None:
    """Remove those whose makers are gone."""
    for path in glob.glob(f"{glob.escape(_parent())}/{PREFIX}*.*"):
        if (
            os.path.isdir(path)
            and not os.path.islink(path)
            and os.stat(path).st_uid == os.geteuid()
        ):
            held = _hold(path)
            if held is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(held)


def _parent() -> str:
    return RUN if os.access(RUN, os.W_OK) else tempfile.gettempdir()


def _hold(directory: str) -> Optional[int]:
    """The folder, locked; ``None`` where another has it."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd
