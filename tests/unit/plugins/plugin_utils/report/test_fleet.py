# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many hosts at a terminal: the same few lines for 100 and for 1,000."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.plugin_utils.report.layout import columns
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.terminal import summary
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    GOOD,
    NOTHING,
    WEAK,
    report,
)


def fleet(weak: int, good: int, unknown: int = 0) -> dict[str, Any]:
    document = report(WEAK, GOOD, NOTHING)
    by_name = {host["host"]: host for host in document["hosts"]}
    kinds = [("weak", weak), ("good", good), ("nothing", unknown)]
    document["hosts"] = [
        {**by_name[f"{kind}.example.org"], "host": f"{kind}-{number:04}.example.org"}
        for kind, count in kinds
        for number in range(count)
    ]
    return document


def test_the_worst_hosts_are_named_and_the_others_counted() -> None:
    text = summary(fleet(400, 590, 10))
    lines = text.splitlines()
    assert lines[0].split() == ["worst", "hosts", "verdict", "critical", "high", "medium", "unseen"]
    assert re.match(r"weak-0000\.example\.org +FAILS +\d+ +\d+ +\d+ +\d+$", lines[1])
    assert "weak-0019" in text
    assert "weak-0020" not in text
    assert "and 980 more: 380 fail, 590 pass, 10 have no mail server" in text


def test_a_worse_host_comes_first() -> None:
    document = fleet(30, 0)
    document["hosts"][7]["summary"] = {
        **document["hosts"][7]["summary"],
        "severities": {"critical": 99, "high": 0, "medium": 0, "low": 0, "info": 0},
    }
    assert summary(document).splitlines()[1].startswith("weak-0007.example.org")


def test_checks_are_told_with_the_hosts_they_fail_on_and_the_cure_once() -> None:
    text = summary(fleet(400, 600))
    assert re.search(r"\ncritical PT-01 on 400 hosts\n +expected LOGINDISABLED", text)
    assert re.search(r"\n +cure +as for [A-Z]+-\d\d\n", text)
    assert re.search(r"\nand \d+ more checks\n", text)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_it_is_short_and_fits(width: int) -> None:
    text = summary(fleet(400, 600), width)
    assert all(columns(line) <= width for line in text.splitlines())
    assert len(text.splitlines()) == len(summary(fleet(100, 900), width).splitlines())
    assert len(summary(fleet(400, 600)).splitlines()) < 80


def test_a_fleet_where_all_is_well() -> None:
    assert summary(fleet(0, 500)).splitlines()[0] == "500 pass"


def test_colours_change_no_word() -> None:
    plain, painted = summary(fleet(20, 20)), summary(fleet(20, 20), colour=True)
    assert re.sub("\x1b\\[[0-9;]*m", "", painted) == plain
    assert "\x1b[31;1mFAILS" in painted
