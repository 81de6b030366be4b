# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of modules as model values; anything else is one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import Problem
from ansible_collections.postmaster.tls.plugins.module_utils.model.posture import Posture, Status
from ansible_collections.postmaster.tls.plugins.module_utils.plain import to_plain
from ansible_collections.postmaster.tls.plugins.plugin_utils.judge import WaiverError
from ansible_collections.postmaster.tls.plugins.plugin_utils.observe import (
    Unreadable,
    judged,
    observations,
    problems,
    servers,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import PolicyError
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    NAME,
    NOW,
    PORTS,
    courier,
    dovecot,
    row,
)

HOSTILE = [
    None,
    3,
    True,
    "text",
    {},
    {"0": {}},
    [None],
    [3],
    ["text"],
    [[]],
    [{}],
    [{"product": "exim"}],
    [{"product": ["dovecot"]}],
    [{"product": "dovecot"}],
    [{"endpoint": None}],
    [{"endpoint": {"host": 3, "port": "143", "service": "imap", "tls_mode": "starttls"}}],
    [{"message": 3}],
]


def test_what_modules_say_is_what_was_seen() -> None:
    seen = (dovecot(), courier())
    answer = {"servers": to_plain(seen), "problems": to_plain((Problem("x"),)), "changed": False}
    assert servers(answer) == seen
    assert problems(answer) == (Problem("x"),)
    assert observations(to_plain(PORTS)) == PORTS


def test_an_answer_without_problems_has_none() -> None:
    assert problems({}) == problems({"problems": None}) == problems({"problems": []}) == ()


@pytest.mark.parametrize("answer", HOSTILE)
def test_anything_else_is_unreadable(answer: Any) -> None:
    with pytest.raises(Unreadable, match=r"^server_info returned"):
        servers({"servers": answer})
    with pytest.raises(Unreadable, match=r"^endpoint_info returned"):
        observations(answer)
    if answer:
        with pytest.raises(Unreadable, match=r"^server_info returned"):
            problems({"problems": answer})


def test_no_answer_at_all_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="returned no list"):
        servers({"failed": True})


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(ANY)
def test_whatever_a_node_says_is_read_or_unreadable(answer: Any) -> None:
    for read in (lambda a: servers({"servers": a}), observations):
        try:
            assert read(answer) == ()
        except Unreadable:
            continue


# ---------------------------------------------------------------------------------------------
# Judged

WEAK = Posture(
    NAME, "2026-11-24T12:00:00Z", "intermediate", (dovecot(row("tls", "yes", name="ssl")),)
)


def of(posture: Posture, check: str) -> list[Status]:
    return [f.status for f in posture.findings if f.check_id == check]


def test_a_posture_gets_the_findings_of_its_profile() -> None:
    found = judged(WEAK, (NAME,), [], NOW)
    assert of(found, "CFG-01") == [Status.FAIL]
    assert found.servers == WEAK.servers


def test_waivers_are_heard() -> None:
    assert of(judged(WEAK, (NAME,), ["CFG-01"], NOW), "CFG-01") == [Status.WAIVED]


@pytest.mark.parametrize("waivers", [["NO-99"], [{"check": "CFG-01"}], "CFG-01", 3])
def test_a_waiver_that_cannot_be_used_stops_it(waivers: Any) -> None:
    with pytest.raises(WaiverError):
        judged(WEAK, (NAME,), waivers, NOW)


def test_an_unknown_profile_stops_it() -> None:
    posture = Posture(NAME, "2026-11-24T12:00:00Z", "../../etc/passwd")
    with pytest.raises(PolicyError, match="there is no profile"):
        judged(posture, (), [], NOW)
