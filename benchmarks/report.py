#!/usr/bin/env python3
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report as HTML costs for 100, 1,000 and 10,000 hosts: time, peak of memory, bytes.

    PYTHONPATH=collections benchmarks/report.py [REPORT.json] [--hosts N ...]

The hosts are copies of those of REPORT.json, or of a weak and a good one that are made here. Each
size is a process of its own: the document is made in it (the copies share nothing, as if each host
had told its own), dumped as JSON, which is what the time is a ratio to, and rendered, page by page,
to nowhere. Aims: 1,000 hosts in 10 s and 300 MB, and 10,000 in ten times the time.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from ansible_collections.postmaster.tls.plugins.plugin_utils.report.html.page import pages

SIZES = (100, 1_000, 10_000)


def fleet(source: str, hosts: int) -> dict[str, Any]:
    """A document of so many hosts."""
    if source:
        document: dict[str, Any] = json.loads(Path(source).read_text("utf-8"))
    else:  # not an import: the tests are typed by rules of their own
        documents: Any = import_module(
            "ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents"
        )
        document = documents.report(documents.WEAK, documents.GOOD)
    few = [json.dumps(host) for host in document["hosts"]]
    document["hosts"] = [
        {**json.loads(few[number % len(few)]), "host": f"mail{number:05}.example.org"}
        for number in range(hosts)
    ]
    document["summary"]["hosts"] = hosts
    return document


def peak() -> float:
    """The most memory that this process had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(source: str, hosts: int) -> str:
    """One line of figures."""
    document, before = fleet(source, hosts), peak()
    began = time.perf_counter()
    for host in document["hosts"]:
        json.dumps(host)
    dumped, began = time.perf_counter() - began, time.perf_counter()
    sizes = [len(text.encode()) for _path, text in pages(document)]
    made = time.perf_counter() - began
    return (
        f"{hosts:6} hosts {made:7.2f} s ({made / dumped:5.1f} x json.dumps), peak {peak():5.0f} MB "
        f"(document {before:.0f}), report.html {sizes[0] / 1e6:.2f} MB, {len(sizes)} files, "
        f"{sum(sizes) / 1e6:.1f} MB in all"
    )


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="What the report as HTML costs.")
    parser.add_argument("report", nargs="?", default="")
    parser.add_argument("--hosts", type=int, nargs="*", default=list(SIZES))
    options = parser.parse_args()
    if len(options.hosts) == 1:
        print(measure(options.report, options.hosts[0]), flush=True)
        return 0
    for hosts in options.hosts:
        command = [sys.executable, __file__, *([options.report] if options.report else [])]
        subprocess.run([*command, "--hosts", str(hosts)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
