#!/usr/bin/env python3
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looking at the five ports of a host costs: wall time, CPU time and TCP connections.

    benchmarks/probe.py [--runs N] [--rtt MS] [--without TOOL] HOST [HOST...]   HOST: IPv4 address

Each tool is a process of its own, start included, and works through a relay on loopback that
counts connections (relay.py): once as it is, and once with MS milliseconds (default 50) for a round
trip. The tools take turns, so that what else the machine does hits all of them. Figures are medians
over N runs (default 5), and beside them the best wall time, which is nearer to the truth on a
machine that has more to do; the slow ones are run once, and none of them with the round trips
unless --slow-runs says so (0: not at all).

handshake, policy, inventory: the bare loops of bare.py. judge, full: endpoint_info's two depths.
nmap (ssl-enum-ciphers), sslscan (ports side by side), sslyze, and slow: testssl.sh (ports side by
side), where they are installed. They do not know ManageSieve (testssl.sh since 3.2 does, and is not
asked): theirs are four ports, and judge-4 and full-4 are ours on the same four. sslyze wants an
environment of its own: SSLYZE names the program, else .cache/sslyze or PATH. The relay shares this
machine's cores with the tools and the servers: at 0 ms that is part of the wall time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from relay import RELAY, counted, relaying

ROOT = Path(__file__).resolve().parent.parent
OURS = ("judge", "full")
LOOPS = ("handshake", "policy", "inventory")
WARM = ("full", "policy")
"""Run once before anything is counted."""
PEERS = ("nmap", "sslscan", "sslyze", "testssl")
SLOW = frozenset({"testssl"})
TARGETS = {port: f"{RELAY}:{port}" for port in (143, 993, 110, 995)}
HEAD = (
    f"{'host':16}{'rtt':>5}  {'tool':10}{'wall s':>8}{'best':>8}{'CPU s':>8}{'conn.':>8}{'runs':>6}"
)
# Who is set beside whom, and the most that the first may be of the second.
RATIOS = (
    ("wall", "judge", "policy", 1.5),
    ("wall", "judge-4", "nmap", 0.1),
    ("wall", "full-4", "nmap", 0.5),
    ("connections", "full-4", "nmap", 1.0),
    ("cpu", "full", "inventory", 2.0),
)


@dataclass(frozen=True)
class Cost:
    """What a tool took: seconds of wall and CPU, and TCP connections."""

    wall: float
    cpu: float
    connections: float


# ---------------------------------------------------------------------------------------------
# The tools: the commands of each, which run side by side; none where it is not installed


def ours() -> dict[str, list[list[str]]]:
    """The probe, and the bare loops."""
    bare = str(Path(__file__).with_name("bare.py"))
    look = str(Path(__file__).with_name("look.py"))
    loops = {name: [[sys.executable, bare, name, RELAY]] for name in LOOPS}
    own = {name: [[sys.executable, look, name, RELAY]] for name in OURS}
    four = {f"{name}-4": [[*argv, "0", *map(str, TARGETS)]] for name, (argv,) in own.items()}
    return loops | own | four


def nmap() -> list[list[str]]:
    """Its script that lists suites, and the ports that it knows."""
    ports = ",".join(map(str, TARGETS))
    found = shutil.which("nmap")
    return (
        [[found, "-Pn", "-n", "-p", ports, "--script", "ssl-enum-ciphers", RELAY]] if found else []
    )


def sslscan() -> list[list[str]]:
    """All that it does when it is told nothing but the protocol."""
    found, how = shutil.which("sslscan"), {143: ["--starttls-imap"], 110: ["--starttls-pop3"]}
    return [[found, *how.get(p, []), t] for p, t in TARGETS.items()] if found else []


def sslyze() -> list[list[str]]:
    """All that it does when it is told nothing; it goes by the port."""
    own = ROOT / ".cache" / "sslyze" / "bin" / "sslyze"
    found = os.environ.get("SSLYZE") or (str(own) if own.exists() else shutil.which("sslyze"))
    return [[found, *TARGETS.values()]] if found else []


def testssl() -> list[list[str]]:
    """All that it does when it is told nothing but the protocol."""
    found = shutil.which("testssl") or shutil.which("testssl.sh")
    how = {143: ["-t", "imap"], 110: ["-t", "pop3"]}
    usual = ["--quiet", "--color", "0", "--warnings", "batch", "--ip", "one"]
    return [[found, *usual, *how.get(p, []), t] for p, t in TARGETS.items()] if found else []


def tools(without: Sequence[str]) -> dict[str, list[list[str]]]:
    """The commands of all tools that are to be run; says which are left out."""
    peers = {"nmap": nmap(), "sslscan": sslscan(), "sslyze": sslyze(), "testssl": testssl()}
    found = {name: commands for name, commands in (ours() | peers).items() if commands}
    for name in peers:
        if name in without or name not in found:
            print(f"left out: {name} ({'asked for' if name in without else 'not installed'})")
    return {name: commands for name, commands in found.items() if name not in without}


# ---------------------------------------------------------------------------------------------
# Measuring


def cost(commands: list[list[str]]) -> Cost:
    """Runs the processes of a tool side by side, to the end of the last."""
    before, connections = resource.getrusage(resource.RUSAGE_CHILDREN), asyncio.run(counted())
    began = time.monotonic()
    null = subprocess.DEVNULL
    # What is installed is compiled: the first run, which is not counted, leaves the bytecode there.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    running = [
        subprocess.Popen(argv, stdin=null, stdout=null, stderr=null, env=environment)
        for argv in commands
    ]
    for process in running:
        process.wait()
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, asyncio.run(counted()) - connections)


def measure(commands: dict[str, list[list[str]]], runs: int, slow: int) -> dict[str, list[Cost]]:
    """The costs of each tool, a run of each after the other."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for name in set(WARM) & set(commands):
        cost(commands[name])
    for turn in range(max(runs, slow)):
        for name in commands:
            if turn < (slow if name in SLOW else runs):
                costs[name].append(cost(commands[name]))
    return {name: each for name, each in costs.items() if each}


def median(costs: Sequence[Cost]) -> Cost:
    """Of each figure its own."""
    walls, cpus, numbers = zip(*((c.wall, c.cpu, c.connections) for c in costs))
    return Cost(*(float(statistics.median(each)) for each in (walls, cpus, numbers)))


def tell(host: str, rtt: float, found: dict[str, list[Cost]]) -> None:
    """One table row for each tool, and how we stand to what is set beside us."""
    middle = {name: median(costs) for name, costs in found.items()}
    for name, mid in middle.items():
        best = min(each.wall for each in found[name])
        row = f"{mid.wall:8.2f}{best:8.2f}{mid.cpu:8.2f}{mid.connections:8.0f}{len(found[name]):6}"
        print(f"{host:16}{rtt * 1000:5.0f}  {name:10}{row}")
    for figure, one, other, most in RATIOS:
        if one in middle and other in middle and (rtt or figure != "wall"):
            ratio = getattr(middle[one], figure) / getattr(middle[other], figure)
            print(f"  {figure} of {one} / {other}: {ratio:.2f} (at most {most})")
    sys.stdout.flush()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Costs of looking at a host's five ports.")
    parser.add_argument("hosts", nargs="*")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--slow-runs", type=int, help="runs of the slow ones, at both round trips")
    parser.add_argument("--rtt", type=float, default=50.0, help="milliseconds")
    parser.add_argument("--without", action="append", default=[], choices=[*LOOPS, *PEERS])
    arguments = parser.parse_args()
    commands, slow = tools(arguments.without), arguments.slow_runs
    print(HEAD)
    for host in arguments.hosts:
        for rtt in (0.0, arguments.rtt / 1000):
            with relaying(host, rtt):
                tell(host, rtt, measure(commands, arguments.runs, _slow(slow, rtt)))


def _slow(asked: Optional[int], rtt: float) -> int:
    return asked if asked is not None else int(rtt == 0)


if __name__ == "__main__":
    main()
