#!/usr/bin/env python3
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit and a second hardening cost, as ratios to `ansible -m ping` on the same hosts.

    benchmarks/ratio_to_ping.py [--runs N] [HOSTS]     HOSTS: an inventory pattern, default demo

The hosts are hardened first, so that what is timed is a run over hosts that are hard already. Each
round runs ping, audit and harden one after the other; the figures are medians over the rounds. The
lab's servers share the cores of this machine with the controller, so on hosts of their own the
ratios are lower: the CPU seconds that the controller and the hosts took are told apart.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "lab" / "lab.py"


def commands(hosts: str, reports: str) -> dict[str, list[str]]:
    """What is timed, by name."""
    playbook = ["ansible-playbook", "--limit", hosts]
    return {
        "ping": ["ansible", hosts, "-m", "ansible.builtin.ping"],
        "audit": [*playbook, "audit.yml", "-e", f"mail_tls_report_dir={reports}"],
        "harden": [*playbook, "harden.yml"],
    }


@dataclass(frozen=True)
class Cost:
    """Seconds: of wall time, of CPU on the controller, and of CPU on all hosts together."""

    wall: float
    controller: float
    hosts: float


def cost(argv: Sequence[str], hosts: Sequence[str]) -> Cost:
    """What a command costs that must succeed."""
    own, theirs = children(), cpu(hosts)
    began = time.monotonic()
    run(argv)
    wall = time.monotonic() - began
    return Cost(wall, children() - own, cpu(hosts) - theirs)


def run(argv: Sequence[str]) -> str:
    """Standard output of a command that must succeed."""
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(
        argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(argv)} failed with {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout


def children() -> float:
    """CPU seconds of all that this process started and that is over."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu(hosts: Sequence[str]) -> float:
    """CPU seconds of all processes of these lab hosts, those included that they waited for."""
    ticks = 0
    for host in hosts:
        stats = run([str(LAB), "exec", host, "--", "sh", "-c", "cat /proc/[0-9]*/stat"])
        for stat in stats.splitlines():
            fields = stat.rpartition(")")[2].split()  # proc(5): field 3, the state, comes first
            ticks += sum(int(value) for value in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def members(pattern: str) -> list[str]:
    """The hosts that an inventory pattern names."""
    listed = run(["ansible", pattern, "--list-hosts"]).splitlines()
    return [line.strip() for line in listed[1:]]


def median(costs: Sequence[Cost]) -> Cost:
    """Each figure's own."""
    return Cost(*(statistics.median(column) for column in zip(*map(astuple, costs))))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Ratios to ansible -m ping.")
    parser.add_argument("hosts", nargs="?", default="demo")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    hosts = members(arguments.hosts)
    with tempfile.TemporaryDirectory() as reports:
        timed = commands(arguments.hosts, reports)
        run(timed["harden"])
        rounds = [{n: cost(c, hosts) for n, c in timed.items()} for _ in range(arguments.runs)]
    found = {name: median([costs[name] for costs in rounds]) for name in timed}
    for name, each in found.items():
        print(
            f"{name:8}{each.wall:7.2f} s {each.wall / found['ping'].wall:7.2f} pings"
            f"   CPU: controller {each.controller:6.2f} s, hosts {each.hosts:6.2f} s"
        )


if __name__ == "__main__":
    main()
