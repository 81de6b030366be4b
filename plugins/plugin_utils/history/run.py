# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run and its history: kept, with what is too old taken away, and how the fleet stood before.

A history that cannot be written is no reason to keep a report from being written: it is a warning.
Only who needs it to decide something (drift) fails for it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Optional

from ..report.trend import Point
from .database import Trouble
from .store import open_history

DAYS = 400


@dataclass(frozen=True)
class Run:
    """What became of keeping: ``id`` is ``None`` where nothing is kept, ``warning`` says why not.

    ``trend`` ends with this run.
    """

    id: Optional[str] = None
    trend: tuple[Point, ...] = ()
    warning: str = ""


def keep(
    place: Optional[str], document: Mapping[str, Any], command: str, at: datetime, days: int = DAYS
) -> Run:
    """Keep a report's document as one run of a command (``audit``, ``verify``, ``drift``)."""
    if place is None:
        return Run()
    name = uuid.uuid4().hex
    try:
        with open_history(place) as history:
            history.keep(name, at, command, document)
            history.expire(at - timedelta(days=days))
            return Run(name, tuple(history.trend(at, days)))
    except Trouble as error:
        return Run(warning=f"this run was not kept: {error}")
