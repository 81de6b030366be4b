# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingerprints: those that were given out stay, and no two findings share one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.plugin_utils.fingerprint import LENGTH, finding

WORDS = st.text(st.characters(exclude_characters="\0"))


def test_a_value_that_was_given_out_stays() -> None:
    # printf 'mx1\0PT-01\0imap://192.0.2.1:143' | sha256sum | cut -c-32
    assert finding("mx1", "PT-01", "imap://192.0.2.1:143") == "26ddb55bf7cbfdd01d9c061866742957"


def test_the_parts_do_not_run_into_each_other() -> None:
    assert finding("a", "b", "c") != finding("ab", "", "c")


@given(st.tuples(WORDS, WORDS, WORDS), st.tuples(WORDS, WORDS, WORDS))
def test_any_text_has_one_of_its_own(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    made = finding(*one)
    assert len(made) == LENGTH
    assert set(made) <= set("0123456789abcdef")
    assert (made == finding(*other)) == (one == other)


def test_a_lone_surrogate_has_one() -> None:
    assert finding("\udc80", "", "") != finding("?", "", "")
