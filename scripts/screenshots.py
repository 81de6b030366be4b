#!/usr/bin/env python3
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the README, taken of the reports that `make demo` wrote: `make screenshots`.

They are what Debian's Chromium shows of the first screen of each report; looked at before they are
committed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "reports" / "demo"
IMAGES = ROOT / "docs" / "images"
QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


def main() -> int:
    """Take both."""
    reports = {name: REPORTS / name / "report.html" for name in ("before", "after")}
    for path in reports.values():
        if not path.exists():
            sys.stderr.write(f"{path} is missing: run `make demo` first\n")
            return 1
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=QUIET, chromium_sandbox=False
        )
        page = browser.new_page(viewport={"width": 1100, "height": 760})
        for name, path in reports.items():
            page.goto(path.as_uri())
            page.screenshot(path=str(IMAGES / f"{name}.png"))
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
