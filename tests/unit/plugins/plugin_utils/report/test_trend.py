# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The point that a document makes."""

from __future__ import annotations

from dataclasses import astuple

from ansible_collections.postmaster.tls.plugins.plugin_utils.report.trend import of
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    GOOD,
    NOTHING,
    WEAK,
    report,
)


def test_a_good_host_passes_with_all_its_ports() -> None:
    assert astuple(of(report(GOOD))) == ("2026-11-24T12:00:00Z", 1, 1, 5, 5, 0)


def test_a_host_without_a_mail_server_is_not_counted() -> None:
    assert of(report(GOOD, NOTHING)).hosts == 1


def test_closed_ports_are_not_counted_and_weak_ones_do_not_pass() -> None:
    point = of(report(WEAK))
    assert (point.hosts_passing, point.ports, point.ports_passing) == (0, 3, 0)
    assert point.failing == sum(
        finding["fails"] for finding in report(WEAK)["hosts"][0]["findings"]
    )
