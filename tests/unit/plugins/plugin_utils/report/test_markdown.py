# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as Markdown: rendered, it holds nothing but what this program means."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any, Optional

import pytest
from hypothesis import assume
from markdown_it import MarkdownIt

from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import load_checks
from ansible_collections.postmaster.tls.plugins.plugin_utils.report import markdown
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.layout import safe
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    GOOD,
    WEAK,
    report,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.hostile import (
    PIECES,
    harmless,
    invisible,
    spoiled,
    with_hostile_text,
)

CHECKS = load_checks()
RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
ALLOWED = {"h1", "h2", "p", "ul", "li", "strong", "code"}
ALLOWED |= {"table", "thead", "tbody", "tr", "th", "td"}
LIMIT = 60_000  # an issue takes 65,536 characters


class Seen(HTMLParser):
    """The tags of a page, and its text outside of code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.outside = ""
        self.code: list[str] = []
        self._within = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Optional[str]]]) -> None:
        self.tags.append(tag)
        assert all(name == "style" for name, _value in attrs)  # the alignment of a column
        self._within = tag == "code" or self._within
        if tag == "code":
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        self._within = self._within and tag != "code"

    def handle_data(self, data: str) -> None:
        if self._within:
            self.code[-1] += data
        else:
            self.outside += data


def page(document: dict[str, Any]) -> Seen:
    text = markdown.summary(document, CHECKS)
    assert len(text) < LIMIT
    return Seen(RENDERER.render(text))


def test_a_page() -> None:
    seen = page(report())
    assert set(seen.tags) <= ALLOWED
    assert "Mail TLS: 1 of 4 hosts pass" in seen.outside
    assert "weak.example.org" in seen.code
    assert "ssl_min_protocol" in seen.outside  # and no emphasis of "min"
    order = [seen.outside.index(word) for word in ("What fails", "could not be seen", "time left")]
    assert order == sorted(order)


def test_a_page_where_all_is_well() -> None:
    seen = page(report(GOOD))
    assert "1 of 1 hosts pass" in seen.outside
    assert "What fails" not in seen.outside
    assert "80 days: " in seen.outside


def test_a_fleet_fits_into_an_issue() -> None:
    document = report(WEAK)
    (host,) = document["hosts"]
    document["hosts"] = [{**host, "host": f"mx-{number}.example.org"} for number in range(1000)]
    seen = page(document)
    assert "And 975 more: 975 fails" in seen.outside
    assert "1000 hosts" in seen.outside


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a", "`a`"),
        ("`a`", "`` `a` ``"),
        ("a``b", "``` a``b ```"),
        ("", "(empty)"),
        ("  ", "(empty)"),
        ("a|b", "`a\u00a6b`"),
        ("a\nb", "`a\\x0ab`"),
    ],
)
def test_code(text: str, shown: str) -> None:
    assert markdown.code(text) == shown


@pytest.mark.parametrize("text", [piece for piece in PIECES if piece.strip() and "|" not in piece])
def test_code_shows_what_was_said(text: str) -> None:
    (said,) = Seen(RENDERER.render(markdown.code(text))).code
    assert said.strip() == markdown.cut(safe(text), 160).strip()


def test_prose_mentions_nobody() -> None:
    assert markdown.prose("take @SECLEVEL=0 out of a_b") == "take `@SECLEVEL=0` out of a\\_b"


@with_hostile_text
def test_hostile_text_is_code_and_nothing_else(text: str) -> None:
    assume(safe(text) not in CHECKS)  # of a check that it knows it tells the cure, too
    made = markdown.summary(spoiled(text), CHECKS)
    assert invisible(made) == set()
    seen, plain = page(spoiled(text)), page(harmless())
    blank = not safe(text).strip()
    assert [t for t in seen.tags if t != "code"] == [t for t in plain.tags if t != "code"]
    assert blank or seen.tags == plain.tags
    assert blank or seen.outside == plain.outside
