# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a server says becomes one bounded, printable line."""

from __future__ import annotations

import unicodedata
from typing import Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.module_utils.text import BANNER, clean


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"", ""),
        ("* OK ready", "* OK ready"),
        (b"caf\xc3\xa9", "café"),
        (b"caf\xe9", "caf\\xe9"),
        ("a\r\nb\tc\0", "a\\x0d\\x0ab\\x09c\\x00"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b1m", "\\x9b1m"),
        ("mail\u202eexample", "mail\\u202eexample"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("\u2028", "\\u2028"),
        ("\U000e0001", "\\U000e0001"),
        ("\ud800", "\\ud800"),
        ("e\u0301", "é"),
        ("\ue000", "\\ue000"),
    ],
)
def test_what_is_not_printable_is_shown_by_its_number(raw: Union[bytes, str], shown: str) -> None:
    assert clean(raw) == shown


@pytest.mark.parametrize("raw", ["x" * 20, b"x" * 20, "\0" * 20, b"\xff" * 200])
def test_a_cut_is_shown(raw: Union[bytes, str]) -> None:
    shown = clean(raw, 10)
    assert len(shown) == 10
    assert shown.endswith("…")


def test_what_just_fits_is_not_cut() -> None:
    assert clean("x" * 10, 10) == "x" * 10


@given(st.one_of(st.text(), st.binary()), st.integers(1, 40))
def test_the_promise_holds_for_anything(raw: Union[bytes, str], limit: int) -> None:
    shown = clean(raw, limit)
    assert len(shown) <= limit
    assert not {"Cc", "Cf", "Cs", "Zl", "Zp"} & {unicodedata.category(c) for c in shown}


def test_a_huge_text_is_not_read_to_its_end() -> None:
    assert len(clean("\u0301" * 10**7)) <= BANNER
