# Copyright (c) 2026, The postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose exceptions are seen: those of the network that the ports are looked at from."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.action import posture

EXCEPTION = {
    "network": "198.51.100.0/24",
    "allow": "plaintext",
    "reason": "the till",
    "until": "2027-03-31",
}


def ports(**args: Any) -> set[str]:
    """The ports that are excepted."""
    given = {"addresses": ["192.0.2.1"], "exceptions": [EXCEPTION], "sources": {}, **args}
    return {w["subject"] for w in posture._held(given) if "://" in w["subject"]}


def test_a_vantage_host_within_an_exception_sees_it() -> None:
    told = {"192.0.2.1": "198.51.100.7"}
    assert ports(observations=[], sources=told) == {"*://192.0.2.1:*"}


@pytest.mark.parametrize("told", [{}, {"192.0.2.1": None}, {"192.0.2.1": "203.0.113.7"}])
def test_one_outside_does_not(told: dict[str, Any]) -> None:
    assert ports(observations=[], sources=told) == set()


def test_what_others_see_is_nothing_to_who_looks_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posture, "source", lambda _address: "203.0.113.7")
    assert ports(observations=None, sources={"192.0.2.1": "198.51.100.7"}) == set()
