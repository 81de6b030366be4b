# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as a person has it: opened in a browser, before and after a hardening.

Contrast by WCAG 2.2, 1.4.3: 4.5 to 1, and 3 to 1 for large text (24 px, or 18.66 px in bold).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.plugin_utils.report.html.page import page
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.trend import Point
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    GOOD,
    WEAK,
    report,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.hostile import (
    PIECES,
    spoiled,
)

TREND = tuple(
    Point(f"2026-{month:02}-01T00:00:00+00:00", 4, month // 3, 14, 2 * month, 40 - 4 * month)
    for month in range(1, 8)
)
BEFORE = report(replace(WEAK, host=GOOD.host), WEAK)
AFTER = report(GOOD, WEAK, previous=BEFORE)
WEAK_PAGE, BETTER_PAGE = page(BEFORE), page(AFTER, TREND, BEFORE)

_CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgba(getComputedStyle(e).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const told = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    const text = node.data.trim();
    if (!text || element.closest(".vh, .skip, svg") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const [a, b] = [light(rgba(style.color)), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) told.push(`${ratio} ${style.color} ${text}`);
  }
  return told;
}"""


def unfold(reader: Any) -> None:
    """Open all that is folded, as a reader would by hand."""
    reader.page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")


def test_what_a_person_sees_before(read: Any) -> None:
    reader = read(WEAK_PAGE)
    assert reader.page.locator("h1").inner_text() == "None of 2 hosts meets Mozilla intermediate"
    first = reader.page.locator("ol.faults > li").first
    assert first.locator(".sev").inner_text() == "critical"
    assert "Require TLS: ssl = required" in first.inner_text()
    first.locator("summary").click()
    assert first.locator("code").first.is_visible()
    assert "/etc/dovecot/" in first.locator("code").first.inner_text()
    reader.picture("before")
    assert (reader.noise, reader.requests[1:]) == ([], [])


def test_what_a_person_sees_after(read: Any) -> None:
    reader = read(BETTER_PAGE)
    assert reader.page.locator("h1").inner_text() == "1 of 2 hosts meet Mozilla intermediate"
    assert "No longer fails" in reader.page.locator("#changes").inner_text()
    assert reader.page.locator("#trend svg polyline").count() == 2
    unfold(reader)
    verdict = reader.page.locator("#h1 table.before tbody tr").first
    cells = verdict.locator("th, td").all_text_contents()
    assert cells == ["host", "verdict", "FAILS", "passes"]
    reader.picture("after")
    assert (reader.noise, reader.requests[1:]) == ([], [])


def test_the_filter_needs_no_script(read: Any) -> None:
    reader = read(BETTER_PAGE)
    rows = reader.page.locator("#hosts tbody tr")
    assert [row.is_visible() for row in rows.all()] == [True, True]
    reader.page.locator("#f-fail").check()
    assert [row.get_attribute("class") for row in rows.all() if row.is_visible()] == ["r-fail"]
    reader.page.locator("#f-pass").check()
    assert [row.get_attribute("class") for row in rows.all() if row.is_visible()] == ["r-pass"]


def test_a_link_leads_to_the_host(read: Any) -> None:
    reader = read(BETTER_PAGE)
    reader.page.locator("#hosts tbody a").first.click()
    target = reader.page.evaluate("location.hash")
    assert reader.page.locator(target).is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(read: Any, scheme: str) -> None:
    reader = read(BETTER_PAGE, scheme=scheme)
    unfold(reader)
    reader.picture(scheme)
    assert reader.page.evaluate(_CONTRAST) == []


@pytest.mark.parametrize("width", [320, 360, 768])
def test_a_small_screen_is_not_scrolled_sideways(read: Any, width: int) -> None:
    reader = read(BETTER_PAGE, width=width)
    unfold(reader)
    reader.picture(f"width-{width}")
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= width


def test_headings_landmarks_and_tables_have_names(read: Any) -> None:
    reader = read(BETTER_PAGE)
    unfold(reader)
    levels = reader.page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4,h5')].map((h) => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))
    assert reader.page.locator("main").count() == 1
    assert reader.page.locator("table:not(:has(caption))").count() == 0
    assert reader.page.locator("th:not([scope])").count() == 0
    assert reader.page.locator("svg[role=img]:not([aria-label])").count() == 0


def test_it_prints_with_all_that_was_folded(read: Any) -> None:
    reader = read(BETTER_PAGE)
    assert reader.page.pdf().startswith(b"%PDF-")
    reader.page.emulate_media(media="print")
    assert not reader.page.locator("nav").first.is_visible()


_MADE_OF_TEXT = "script, img, iframe, object, video, link, input:not([type=radio])"


def payloads() -> list[str]:
    """300 and more texts that want to be something else than text."""
    names = (
        "onload",
        "onerror",
        "onfocus",
        "ontoggle",
        "onmouseover",
        "onanimationstart",
        "onbegin",
    )
    tags = (
        "svg",
        "img src=x",
        "details open",
        "video",
        "body",
        "input autofocus",
        "iframe",
        "object",
    )
    breaks = ("", '">', "'>", "-->", "]]>", "</style>", "</title>", "</svg>", "</bdi></td>")
    made = [f"{b}<{t} {n}=window.ran=1>" for b in breaks for t in tags for n in names]
    made += [f"{b}<script>window.ran=1</script>" for b in breaks]
    made += [f"{b}<link rel=stylesheet href=http://127.0.0.1:9/x>" for b in breaks]
    made += [f"{b}<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>" for b in breaks]
    return [*made, *PIECES]


def test_nothing_hostile_runs_or_asks(read: Any) -> None:
    texts = payloads()
    assert len(texts) >= 300
    for part in range(0, len(texts), 60):
        reader = read(page(spoiled(" ".join(texts[part : part + 60])), TREND))
        unfold(reader)
        reader.page.mouse.wheel(0, 4000)
        assert reader.page.evaluate("window.ran") is None
        assert (reader.noise, reader.requests[1:]) == ([], [])
        assert (
            reader.page.locator(
                "script, img, iframe, object, video, link, input:not([type=radio])"
            ).count()
            == 0
        )
