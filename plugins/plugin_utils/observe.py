# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of an observation: plain data of modules as model values, and posture.

Where Ansible ends: the action plugins call modules and hand the answers in here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Optional

from ..module_utils.model.configured import Problem, ServerConfig
from ..module_utils.model.observed import EndpointObservation
from ..module_utils.model.posture import Posture
from ..module_utils.plain import from_plain
from .judge import judge, read_waivers, waive
from .policy import load_checks, load_profile
from .trust import Trust


class Unreadable(Exception):
    """A module's answer that is none of ours; the message is a sentence."""


def servers(answer: Mapping[str, Any]) -> tuple[ServerConfig, ...]:
    """The servers in the answer of ``server_info``; Unreadable for anything else."""
    return _read(ServerConfig, answer.get("servers"), "server_info")


def problems(answer: Mapping[str, Any]) -> tuple[Problem, ...]:
    """What ``server_info`` could not see."""
    return _read(Problem, answer.get("problems") or [], "server_info")


def observations(entries: Any) -> tuple[EndpointObservation, ...]:
    """The observations of ``endpoint_info``."""
    return _read(EndpointObservation, entries, "endpoint_info")


def _read(kind: type, entries: Any, module: str) -> tuple[Any, ...]:
    if not isinstance(entries, (list, tuple)):
        raise Unreadable(f"{module} returned no list; is the collection the same on both sides?")
    try:
        return tuple(from_plain(kind, entry) for entry in entries)
    except ValueError as error:
        raise Unreadable(f"{module} returned something else than expected: {error}") from None


def judged(
    posture: Posture,
    names: Sequence[str],
    waivers: Any,
    now: datetime,
    domains: Sequence[str] = (),
    trust: Optional[Trust] = None,
) -> Posture:
    """The posture with its findings, judged by the profile it names.

    Raises PolicyError for an unknown profile and WaiverError for a bad waiver.
    """
    catalogue = load_checks()
    profile = load_profile(posture.profile)
    found = judge(posture, profile, catalogue, now, names, domains, trust)
    return replace(posture, findings=waive(found, read_waivers(waivers, catalogue), now.date()))
