# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Chromium, driven by Playwright, and the reports that it opens.

The reports are documents of real judgements, made here. Screenshots go to .cache/browser: they are
to be looked at by people, and no test compares them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / ".cache" / "browser"
CHROMIUM = "/usr/bin/chromium"
QUIET = (
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests; as root it has no sandbox, and it opens our own files only."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(QUIET), chromium_sandbox=False
        )
        yield started
        started.close()


class Reader:
    """A page, what it asked the network for, and what it said or ran."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.noise: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.noise.append(message.text))
        page.on("pageerror", lambda error: self.noise.append(str(error)))
        page.on("dialog", lambda dialog: self.noise.append(f"dialog: {dialog.message}"))

    def picture(self, name: str) -> None:
        """Keep what is seen, for people to look at."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(PICTURES / f"{name}.png"), full_page=True)


@pytest.fixture
def read(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    """Opens a page as a file, in a window of a size and a colour scheme."""
    contexts = []

    def opened(text: str, width: int = 1200, scheme: Optional[Any] = None) -> Reader:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme or "light"
        )
        contexts.append(context)
        reader = Reader(context.new_page())
        path = tmp_path / f"{len(contexts)}.html"
        path.write_text(text, "utf-8")
        reader.page.goto(path.as_uri(), wait_until="load")
        return reader

    yield opened
    for context in contexts:
        context.close()
