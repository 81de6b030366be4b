# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of what only depth full sees."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Inventory,
    Listing,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    IMAPS,
    findings,
    port,
)


def full(*versions: int, **seen: Any) -> Any:
    """Port 993 with an inventory."""
    lists = tuple(Listing(version) for version in versions)
    return port(*IMAPS, inventory=Inventory(listings=lists, **seen))


PORTS = [
    # check, port, status, severity, a word of what is said
    ("TLS-09", full(unknown_name=False), "pass", "info", "refused"),
    ("TLS-09", full(unknown_name=True), "fail", "info", "nobody"),
    ("TLS-09", full(), "not_checked", "info", ""),
    ("TLS-12", full(0x0303, renegotiation=False), "pass", "low", "refused"),
    ("TLS-12", full(0x0304, 0x0303, renegotiation=True), "fail", "low", "tried once"),
    ("TLS-12", full(0x0304), "not_applicable", "low", "TLSv1.3"),
    ("TLS-12", full(0x0303), "not_checked", "low", ""),
    ("TLS-12", full(), "not_checked", "low", ""),
]


@pytest.mark.parametrize(("check", "seen", "status", "severity", "word"), PORTS)
def test_port(check: str, seen: Any, status: str, severity: str, word: str) -> None:
    (finding,) = findings(check, seen)
    assert (finding.status.value, finding.severity.value) == (status, severity), finding
    assert word in finding.actual
    assert finding.subject == str(seen.endpoint)


@pytest.mark.parametrize("check", ["TLS-09", "TLS-12"])
def test_depth_judge_does_not_speak_of_it(check: str) -> None:
    assert findings(check, port(*IMAPS)) == []
