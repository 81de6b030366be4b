#!/usr/bin/env python3
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit and a second hardening cost, as ratios to `ansible -m ping` on the same hosts.

    benchmarks/ratio_to_ping.py [--runs N] [HOSTS]     HOSTS: an inventory pattern, default demo

The hosts are hardened first, so that what is timed is a run over hosts that are hard already. Each
round runs ping, audit and harden one after the other; the figures are medians over the rounds. The
lab's servers share the cores of this machine with the controller, so on hosts of their own the
ratios are lower.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def commands(hosts: str, reports: str) -> dict[str, list[str]]:
    """What is timed, by name."""
    playbook = ["ansible-playbook", "--limit", hosts]
    return {
        "ping": ["ansible", hosts, "-m", "ansible.builtin.ping"],
        "audit": [*playbook, "audit.yml", "-e", f"mail_tls_report_dir={reports}"],
        "harden": [*playbook, "harden.yml"],
    }


def seconds(argv: list[str]) -> float:
    """Wall time of a command that must succeed."""
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    began = time.monotonic()
    done = subprocess.run(
        argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(argv)} failed with {done.returncode}:\n{done.stdout[-2000:]}")
    return time.monotonic() - began


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Ratios to ansible -m ping.")
    parser.add_argument("hosts", nargs="?", default="demo")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as reports:
        timed = commands(arguments.hosts, reports)
        seconds(timed["harden"])
        rounds = [{n: seconds(c) for n, c in timed.items()} for _ in range(arguments.runs)]
    median = {name: statistics.median(r[name] for r in rounds) for name in timed}
    for name, value in median.items():
        print(f"{name:8}{value:7.2f} s {value / median['ping']:7.2f} pings")


if __name__ == "__main__":
    main()
