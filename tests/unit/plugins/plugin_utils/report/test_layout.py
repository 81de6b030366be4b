# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Widths, cuts, and the words of a port."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.plugin_utils.report.layout import (
    certificate,
    columns,
    cut,
    pad,
    plaintext,
    safe,
    state,
    versions,
    wrap,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils import postures
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    CA,
    IMAPS,
    POP3,
    SELF_SIGNED,
    port,
    posture,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    CLOSED,
    WEAK_143,
    report,
)

WIDTHS = [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0), ("…", 1)]


@pytest.mark.parametrize(("text", "width"), WIDTHS)
def test_columns(text: str, width: int) -> None:
    assert columns(text) == width


CUTS = [("abcdef", 6, "abcdef"), ("abcdef", 4, "abc…"), ("日本語", 4, "日…"), ("abc", 0, "")]


@pytest.mark.parametrize(("text", "width", "shown"), CUTS)
def test_cut(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown
    assert columns(pad(text, width)) == width


def test_wrap() -> None:
    assert list(wrap("one two three", 7)) == ["one two", "three"]
    assert list(wrap("abcdefgh ij", 3)) == ["abc", "def", "gh", "ij"]
    assert list(wrap("", 5)) == []


@given(st.text(max_size=200), st.integers(2, 60))
def test_no_line_is_too_wide(text: str, width: int) -> None:
    shown = safe(text)
    lines = list(wrap(shown, width))
    assert all(columns(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(shown.split())
    assert columns(cut(shown, width)) <= width
    assert columns(pad(shown, width)) == width


def endpoint(seen: Any) -> Any:
    return report(posture(seen))["hosts"][0]["endpoints"][0]


EXPIRED = postures.certificate(age=91)
THREE = postures.certificate(names=("a", "b", "c"))
LEFT = "mail.example.org, 80 d"
NO_TLS: Any = {"offers": (), "handshake": None, "chain": ()}

WORDS = [
    (port(), "1.2 1.3", "refused", LEFT, "open"),
    (port(*IMAPS), "1.2 1.3", "-", LEFT, "open"),
    (WEAK_143, "1.0 1.2 1.3", "TAKEN", "mail.example.org, self-signed 80 d", "open"),
    (port(starttls=False, **NO_TLS), "no TLS", "refused", "none seen", "open"),
    (port(capabilities=("IMAP4rev1",), attempts=()), "1.2 1.3", "TAKEN", LEFT, "open"),
    (port(*POP3, capabilities=("USER",), attempts=()), "1.2 1.3", "?", LEFT, "open"),
    (port(**NO_TLS), "?", "refused", "none seen", "open"),
    (port(chain=(EXPIRED,)), "1.2 1.3", "refused", "mail.example.org, EXPIRED", "open"),
    (port(chain=(THREE,)), "1.2 1.3", "refused", "a +2, 80 d", "open"),
    (port(chain=(CA,)), "1.2 1.3", "refused", "Example CA, 3640 d", "open"),
    (port(chain=("AAAA",)), "1.2 1.3", "refused", "unreadable", "open"),
    (CLOSED, "-", "-", "-", "closed"),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "spoken", "login", "held", "open_"), WORDS)
def test_words_of_a_port(seen: Any, spoken: str, login: str, held: str, open_: str) -> None:
    told = endpoint(seen)
    shown = versions(told), plaintext(told), certificate(told), state(told)
    assert shown == (spoken, login, held, open_)


def test_ssl3_has_its_name() -> None:
    told = {**endpoint(port()), "versions": ["SSLv3", "TLSv1", "TLSv1.1"]}
    assert versions(told) == "SSLv3 1.0 1.1"
    assert "self-signed" in certificate(endpoint(port(chain=(SELF_SIGNED,))))
