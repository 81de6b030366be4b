# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of an observation: findings, the report document and its text for a terminal."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    EndpointObservation,
)
from ansible_collections.postmaster.tls.plugins.module_utils.plain import to_plain
from ansible_collections.postmaster.tls.plugins.module_utils.text import BANNER
from ansible_collections.postmaster.tls.plugins.plugin_utils.judge import judge
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import load_profile
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.json import document
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.layout import columns
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.terminal import summary
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    CATALOGUE,
    NAME,
    NOW,
    TRUST,
    posture,
)

WIDTH = 80
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_DER = ("chain", "der", "certificates")


def reported(seen: Sequence[EndpointObservation]) -> dict[str, Any]:
    """The report of one host with these ports, and ``lines``: the same for a terminal."""
    profile = load_profile("intermediate")
    host = posture(*seen)
    judged = replace(host, findings=judge(host, profile, CATALOGUE, NOW, (), (NAME,), TRUST))
    made = json.loads(json.dumps(document([judged], profile, NOW)))
    return {"document": made, "lines": summary(made, WIDTH).splitlines()}


def unclean(value: Any, where: str = "") -> Iterator[str]:
    """Each text in it that holds what a reader cannot see, or that has no bound."""
    plain = to_plain(value)
    if isinstance(plain, dict):
        for key, each in plain.items():
            yield from unclean(each, f"{where}.{key}")
    elif isinstance(plain, list):
        for each in plain:
            yield from unclean(each, where)
    elif isinstance(plain, str):
        if any(unicodedata.category(character) in _UNSEEN for character in plain):
            yield f"{where}: {plain!r} holds what cannot be seen"
        if len(plain) > 4 * BANNER and not where.endswith(_DER):
            yield f"{where}: {len(plain)} characters"
        if where == ".lines" and columns(plain) > WIDTH:
            yield f"{where}: {plain!r} is too long"
