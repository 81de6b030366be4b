# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of limits, with a clock that is a number."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.limits import (
    OWN,
    SWEEP,
    Budget,
    Limits,
    Pace,
)


def test_what_is_promised_to_others() -> None:
    """Numbers that the documentation names: who changes them, changes a promise."""
    assert (OWN.per_port, OWN.per_address, OWN.rate, OWN.address_rate) == (2, 8, None, None)
    assert (SWEEP.per_address, SWEEP.address_rate, SWEEP.rate) == (2, 5.0, 50.0)
    polite = {"per_address", "parallel", "rate", "address_rate", "pause"}
    same = {field.name for field in dataclasses.fields(Limits)} - polite
    assert [getattr(OWN, name) for name in same] == [getattr(SWEEP, name) for name in same]


@pytest.mark.parametrize(
    ("per_second", "asked", "begun"),
    [
        (4.0, [0, 0, 0, 0], [0, 0.25, 0.5, 0.75]),
        (4.0, [0, 0.125, 0.5, 0.5], [0, 0.25, 0.5, 0.75]),
        (4.0, [0, 10, 10, 10], [0, 10, 10.25, 10.5]),  # who was idle has saved nothing
        (0.5, [7, 7, 7], [7, 9, 11]),
        (None, [0, 0, 0, 3], [0, 0, 0, 3]),
    ],
)
def test_a_pace(per_second: Optional[float], asked: list[float], begun: list[float]) -> None:
    pace, now, found = Pace(per_second), 0.0, []
    for instant in asked:
        now = max(now, instant)
        now += pace.wait(now)
        assert pace.wait(now) == 0
        pace.begin(now)
        found.append(now)
    assert found == begun


def test_no_second_has_more_than_its_share() -> None:
    pace, now, begun = Pace(8.0), 0.0, []
    for step in itertools.islice(itertools.cycle([0.0, 0.0, 0.3, 0.01, 2.0, 0.0]), 300):
        now += step
        now += pace.wait(now)
        pace.begin(now)
        begun.append(now)
    # A beginning and the eighth after it are never within one second.
    assert min(late - early for early, late in zip(begun, begun[8:])) >= 1.0 - 1e-9


def test_a_late_beginning_moves_the_next_one() -> None:
    """Timers are late; two connections must not move together because of it."""
    pace = Pace(4.0)
    pace.begin(0.0)
    pace.begin(0.4)
    assert pace.wait(0.5) == pytest.approx(0.15)


def test_a_budget_is_spent_only_while_something_is_under_way() -> None:
    budget = Budget(10.0)
    assert budget.end(100.0) == 110.0
    budget.begin(100.0)
    budget.begin(103.0)  # two at once spend the time once
    assert budget.end(104.0) == 110.0
    budget.finish(105.0)
    budget.finish(106.0)
    assert budget.end(200.0) == 204.0
    budget.begin(200.0)
    budget.finish(204.0)
    assert budget.end(300.0) == 300.0
