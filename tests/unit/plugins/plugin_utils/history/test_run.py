# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run is kept, too old ones go, and a history that cannot be had is a warning."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.postmaster.tls.plugins.plugin_utils.history.run import Run, keep
from ansible_collections.postmaster.tls.plugins.plugin_utils.history.store import open_history
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    GOOD,
    WEAK,
    report,
)

from .test_crash import runs
from .test_store import day


def test_a_run_is_kept_and_old_ones_go(place: str) -> None:
    first = keep(place, report(WEAK), "audit", day(0))
    second = keep(place, report(WEAK), "verify", day(400))
    third = keep(place, report(GOOD), "verify", day(401), days=400)
    with open_history(place) as history:
        assert sorted(runs(history)) == sorted(str(run.id) for run in (second, third))
    assert first.warning == second.warning == third.warning == ""
    assert [point.at[:10] for point in first.trend] == ["2026-11-01"]
    assert [point.hosts for point in third.trend] == [1, 2]


def test_nowhere_is_no_warning_and_a_place_that_cannot_be_had_is_one(tmp_path: Path) -> None:
    assert keep(None, report(WEAK), "audit", day(0)) == Run()
    (tmp_path / "file").write_text("no folder")
    told = keep(str(tmp_path / "file" / "history"), report(WEAK), "audit", day(0))
    assert told.id is None
    assert told.warning.startswith("this run was not kept: the history ")
