# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How each case has to end, whatever it did."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.postmaster.tls.molecule.shared.faults import NAMES, everywhere


@pytest.fixture(scope="module")
def before() -> dict[str, tuple[str, str]]:
    """Each host as it was when these tests began: those of sessions leave other certificates."""
    return everywhere(lambda host: host.look())


@pytest.fixture
def unbroken(before: dict[str, tuple[str, str]]) -> Iterator[None]:
    """Each host as before when the test is over, with nothing left over, whatever it did."""
    yield
    assert everywhere(lambda host: host.doors_closed()) == {name: [] for name in NAMES}
    assert everywhere(lambda host: host.look()) == before
