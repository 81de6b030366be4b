# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units that ran before a change run after it, with the configuration that is on disk then.

A server may have died meanwhile: killed, or stopped by a configuration it could not start with. So
the units are named by whoever saw them run, and one that does not run any more is started, past
the limit that systemd sets to starts in a short time (systemctl(1) ``reset-failed``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from . import drain, host
from .text import clean

SECONDS = 90.0
"""What systemd gives a unit to start or stop: systemd.service(5), DefaultTimeoutStartSec."""


def bring(
    units: Sequence[str], verb: str, concerned: Optional[Sequence[str]] = None
) -> Optional[str]:
    """``reload`` or ``restart`` those of ``units`` that run, start the others.

    Where only some are ``concerned``, the others are left alone while they run. ``None`` when
    systemd says it is done, else a sentence. Restarts come one after the other: each port is
    closed for a shorter time, and the first one that fails keeps the sessions of the others. Before
    each, who has just come is let finish the handshake (drain.py).
    """
    active = [unit.name for unit in host.units(units) if unit.active] if units else []
    dead = [name for name in units if name not in active]
    active = [name for name in active if concerned is None or name in concerned]
    if verb == "restart":
        _forget_starts(active)
    problem = _TELL[verb](active)
    if problem:
        dead += [unit.name for unit in host.units(active) if not unit.active]
    _forget_starts(dead)
    return _systemctl("start", dead) or (None if set(active) <= set(dead) else problem)


def _reload(units: Sequence[str]) -> Optional[str]:
    return _systemctl("reload", units)


def _restart_in_turn(units: Sequence[str]) -> Optional[str]:
    for unit in units:
        drain.finish(unit)
        problem = _systemctl("restart", [unit])
        if problem:
            drain.hear_again(unit)
            return problem
    return None


_TELL = {"reload": _reload, "restart": _restart_in_turn}


def _forget_starts(units: Sequence[str]) -> None:
    """Past the limit of starts, which a few changes and rollbacks in ten seconds reach."""
    if units:
        host.run(["systemctl", "reset-failed", *units], 10.0)


def _systemctl(verb: str, units: Sequence[str]) -> Optional[str]:
    if not units:
        return None
    answer = host.run(["systemctl", verb, *units], SECONDS + 30.0)
    if answer.rc == 0:
        return None
    return f"systemctl {verb} {' '.join(units)} failed: {clean(answer.stderr, 200)}"
