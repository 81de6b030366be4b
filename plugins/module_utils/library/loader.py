# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load a TLS library by its path, and say how it refuses a string.

Every function is declared with its prototype; a library that lacks one is not asked at all.
Knows nothing of what the libraries do.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Optional

from .. import host

_MAPS_CAP = 4 * 1024 * 1024

Prototypes = Mapping[str, tuple[Any, tuple[Any, ...]]]


def load(path: str, prototypes: Prototypes, prefix: str = "") -> Optional[SimpleNamespace]:
    """The functions of a shared library by name without prefix; ``None`` if one is missing."""
    try:
        library = ctypes.CDLL(path)
        functions = {}
        for name, (result, arguments) in prototypes.items():
            function = getattr(library, prefix + name)
            function.restype, function.argtypes = result, arguments
            functions[name] = function
    except (OSError, AttributeError):
        return None
    return SimpleNamespace(**functions)


def shadowed(path: str) -> bool:
    """Whether this process already holds another library of that file name.

    The loader would then bind ours to it, and the answers would be the other's.
    """
    name, real = os.path.basename(path), os.path.realpath(path)
    mapped = {line.split(None, 5)[-1] for line in _maps() if "/" in line}
    aliases = {name, os.path.basename(real)}
    return any(os.path.basename(m) in aliases and os.path.realpath(m) != real for m in mapped)


def _maps() -> list[str]:
    return (host.read_text("/proc/self/maps", _MAPS_CAP) or "").splitlines()


class Rejected(ValueError):
    """The library refuses a string: its reason, and the offset of the fault where it tells one."""

    def __init__(self, what: str, reason: str, position: Optional[int] = None) -> None:
        self.what = what
        self.reason = reason
        self.position = position
        where = "" if position is None else f" at character {position + 1}"
        super().__init__(f"{what}: {reason}{where}")
