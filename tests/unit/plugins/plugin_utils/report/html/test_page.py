# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as HTML: what it says, that it is well-formed, and that it holds nothing to run.

tests/browser opens it in a real browser.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any, Optional

import html5lib
import pytest

from ansible_collections.postmaster.tls.plugins.plugin_utils.report.html.page import (
    ONE_PAGE,
    page,
    pages,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.trend import Point
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    GOOD,
    NOTHING,
    WEAK,
    report,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.hostile import (
    harmless,
    invisible,
    spoiled,
    with_hostile_text,
)

EARLIER = (Point("2026-01-01T00:00:00+00:00", 4, 1, 9, 3, 40),)
_LINK = re.compile(r"#(s-)?[a-z]+[0-9]*|(\.\./)?report\.html#h[0-9]+|hosts/[0-9]+\.html")
_RUNS = {"script", "iframe", "object", "embed", "form", "img", "link", "base", "video", "audio"}


class Seen(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Optional[str]]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Optional[str]]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for _tag, attrs in self.tags if attribute in attrs]

    @property
    def shape(self) -> set[tuple[str, frozenset[str]]]:
        """Which tags there are, with which attributes."""
        return {(tag, frozenset(attrs)) for tag, attrs in self.tags}


def words(text: str) -> str:
    """The text as a reader has it: blanks do not count."""
    return " ".join(Seen(text).text.split())


@pytest.mark.parametrize("hosts", [(), (WEAK,), (GOOD,), (NOTHING,), (WEAK, GOOD, NOTHING)])
def test_it_is_html(hosts: tuple[Any, ...]) -> None:
    document = report(*hosts) if hosts else {**report(), "hosts": []}
    text = page(document, EARLIER, report(GOOD))
    parser = html5lib.HTMLParser(strict=True)
    parser.parse(text)  # raises for what a browser would have to guess


def test_a_finding_is_told_with_its_place_and_its_cure() -> None:
    text = words(page(report(WEAK)))
    (finding,) = [f for f in report(WEAK)["hosts"][0]["findings"] if f["check_id"] == "CFG-02"]
    assert finding["remediation"].split(". ")[0] in text
    assert all(evidence in text for evidence in finding["evidence"])
    assert re.search(r"/etc/dovecot/\S+:\d+", " ".join(finding["evidence"]))


def test_what_does_not_count_is_noted_and_nothing_to_fix() -> None:
    document = report(WEAK)
    (host,) = document["hosts"]
    host["findings"] = [
        {**f, "fails": False, "status": "fail"} for f in host["findings"] if f["fails"]
    ]
    text = page(document)
    assert "to fix" not in words(text)
    assert "noted, and no reason to fail" in words(text)
    cells = {a["class"] for tag, a in Seen(text).tags if tag == "td" and "data-f" in a}
    assert cells <= {"q noted", "q "}


def test_a_cure_is_told_once() -> None:
    text = words(page(report(WEAK))).split("Host by host")[0]
    assert text.count("Require TLS: ssl = required and no cleartext login") == 2
    assert "As for CFG-02." in text


@pytest.mark.parametrize(
    ("hosts", "verdict"),
    [
        ((GOOD,), "The host meets Mozilla intermediate"),
        ((WEAK,), "The host does not meet Mozilla intermediate"),
        ((WEAK, GOOD), "1 of 2 hosts meet Mozilla intermediate"),
        ((NOTHING,), "No mail server was found"),
    ],
)
def test_the_verdict_comes_first(hosts: tuple[Any, ...], verdict: str) -> None:
    assert f"<h1>{verdict}</h1>" in re.sub(r"</?(em|bdi)>", "", page(report(*hosts)))


def test_a_trend_needs_an_earlier_point() -> None:
    assert 'id="trend"' not in page(report())
    assert 'id="trend"' in page(report(), EARLIER)


def test_what_changed_since_the_last_report_is_told() -> None:
    weak = replace(WEAK, host=GOOD.host)
    better = words(page(report(GOOD, previous=report(weak)), previous=report(weak)))
    worse = words(page(report(weak, previous=report(GOOD)), previous=report(GOOD)))
    alike = words(page(report(weak, previous=report(weak)), previous=report(weak)))
    headings = ("Began to fail", "No longer fails")
    assert [heading in better for heading in headings] == [False, True]
    assert [heading in worse for heading in headings] == [True, False]
    assert "Nothing began to fail, and nothing ended to." in alike
    assert ["Before and now" in text for text in (better, worse, alike)] == [True, True, False]


def test_the_page_allows_itself_its_style_and_nothing_else() -> None:
    text = page(report())
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    (policy,) = [a["content"] for _t, a in Seen(text).tags if "http-equiv" in a]
    assert policy is not None
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")


def _inert(text: str) -> Iterator[str]:
    """Why a page is not inert."""
    seen = Seen(text)
    yield from (f"<{tag}>" for tag, _attrs in seen.tags if tag in _RUNS)
    yield from (name for _t, attrs in seen.tags for name in attrs if name.startswith("on"))
    yield from (
        value for value in seen.values("href") if not _LINK.fullmatch(value) and value[:3] != "#s-"
    )
    yield from (
        name for name in ("src", "style", "srcset", "action", "xlink:href") if seen.values(name)
    )


@with_hostile_text
def test_hostile_text_stays_text(text: str) -> None:
    made = page(spoiled(text), EARLIER, spoiled(text))
    assert list(_inert(made)) == []
    # Long evidence is folded, what is empty is left out, and a check that is named like a family
    # has a cell of its own: nothing but that may change the shape.
    assert Seen(made).shape <= Seen(page(harmless(), EARLIER, spoiled("y"))).shape | {
        ("details", frozenset({"class"})),
        ("summary", frozenset()),
        ("td", frozenset({"class", "data-f"})),
    }
    assert not invisible(made)
    html5lib.HTMLParser(strict=True).parse(made)


def test_a_fleet_has_a_page_for_each_host() -> None:
    document = report(GOOD)
    (host,) = document["hosts"]
    many = [{**host, "host": f"mx{number}"} for number in range(ONE_PAGE + 1)]
    made = dict(pages({**document, "hosts": many}, EARLIER))
    assert set(made) == {"report.html", *(f"hosts/{n}.html" for n in range(1, ONE_PAGE + 2))}
    links = {value for value in Seen(made["report.html"]).values("href") if "/" in value}
    assert links == set(made) - {"report.html"}
    assert all("../report.html#h" in text for name, text in made.items() if "/" in name)
    assert [name for name, _text in pages({**document, "hosts": many[1:]})] == ["report.html"]
