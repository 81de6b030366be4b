# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a renewal that failed is waited with, and that nothing forgets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import renewal, transaction
from ansible_collections.postmaster.tls.plugins.module_utils.issuance import LEFT
from ansible_collections.postmaster.tls.plugins.module_utils.renewal import Standing

HOUR = 3600.0


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(transaction, "STATE_DIR", str(tmp_path))
    return tmp_path / "certificates"


def waits(number: int) -> list[float]:
    standing, found = Standing(), []
    for _failure in range(number):
        standing = standing.failed(0.0, "why")
        found.append(standing.until / HOUR)
    return found


def test_each_wait_is_twice_the_one_before_up_to_half_a_day() -> None:
    assert waits(8) == [0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 12.0, 12.0]
    assert waits(5000)[-1] == 12.0


@pytest.mark.parametrize("hours", [160, 45 * 24, 64 * 24, 90 * 24, 200 * 24])
def test_there_are_several_tries_before_anybody_is_warned(hours: int) -> None:
    """Due with a third left, warned of with a quarter: between them, every hour one call."""
    standing, tries = Standing(), 0
    for at in range(int(hours * (LEFT - 0.25))):
        if not standing.waits(at * HOUR):
            standing, tries = standing.failed(at * HOUR, "why"), tries + 1
    assert tries >= 4


def test_a_wait_ends_when_its_time_has_come() -> None:
    standing = Standing().failed(1000.0, "why")
    assert standing.waits(1000.0)
    assert standing.waits(1000.0 + 1799)
    assert not standing.waits(1000.0 + 1800)


def test_a_clock_that_was_set_back_makes_nobody_wait() -> None:
    standing = Standing().failed(1e9, "why")
    assert not standing.waits(1e9 - 14 * HOUR)


def test_it_is_kept(state: Path) -> None:
    assert renewal.read("mail") == Standing()
    failed = Standing(pending=True).failed(1000.0, "no\x1b disk")
    renewal.write("mail", failed)
    assert renewal.read("mail") == failed
    assert "\x1b" not in (state / "mail.renewal.json").read_text()
    assert (state / "mail.renewal.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '{"failures": "x"}', '{"failures": 1}', "null"])
def test_what_cannot_be_read_counts_as_nothing(text: str, state: Path) -> None:
    state.mkdir()
    (state / "mail.renewal.json").write_text(text)
    assert renewal.read("mail") == Standing()
