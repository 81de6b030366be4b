#!/usr/bin/env python3
# Copyright (c) 2026, The postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our probe beside sslscan, testssl.sh and sslyze, on hosts of the lab that are up.

    tests/differential/run.py [--state weak|hardened] [--all] HOST...

Each port that is open and that all tools know (not ManageSieve) is looked at by the probe at depth
full and then by each tool: versions, suites and groups must be the same, or the difference stands
in differences.yml. testssl.sh takes up to a minute, so without --all it looks at one port a host.
A line for each comparison; exit code 1 where one does not hold, 77 where a tool is not installed
and nothing else is wrong. docs/correctness.md says more.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "collections"), str(ROOT / "lab")]
# E402 of the imports that follow: they are found by the line above.

from containers import answers, await_port  # noqa: E402
from hosts import GROUPS, HOSTS, ipv4  # noqa: E402

from ansible_collections.postmaster.tls.plugins.module_utils.probe import probe  # noqa: E402
from ansible_collections.postmaster.tls.plugins.module_utils.talk import Depth  # noqa: E402
from ansible_collections.postmaster.tls.tests.differential import (  # noqa: E402
    compare,
    ours,
    sslscan,
    sslyze,
    testssl,
)
from ansible_collections.postmaster.tls.tests.differential.target import KINDS, Target  # noqa: E402
from ansible_collections.postmaster.tls.tests.differential.view import (  # noqa: E402
    LISTED,
    Unreadable,
    View,
)

DIFFERENCES = Path(__file__).with_name("differences.yml")
SSLYZE = [str(ROOT / "scripts" / "sslyze.sh")]
MINUTES = 10
AT_ONCE = 3
NOT_POSSIBLE_HERE = 77
COURIER_ROOM = (
    ("sed", "-i", "s/^MAXPERIP=.*/MAXPERIP=40/", "/etc/courier/pop3d"),
    ("systemctl", "try-restart", "courier-pop.service", "courier-pop-ssl.service"),
)


# ---------------------------------------------------------------------------------------------
# Running the tools


def run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Runs a tool to its end; what it says is not trusted to be text."""
    return subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=MINUTES * 60,
        check=False,
    )


def by_sslscan(target: Target) -> View:
    """sslscan. What it lost it leaves out without a word in its XML."""
    done = run(sslscan.command(target))
    if sslscan.lost(done.stderr):
        raise Unreadable(f"sslscan lost a connection: {done.stderr.strip()[-120:]!r}")
    return sslscan.view(done.stdout)


def by_sslyze(target: Target) -> View:
    """sslyze."""
    with tempfile.NamedTemporaryFile() as output:
        run([*SSLYZE, *sslyze.options(target, output.name)])
        return sslyze.view(Path(output.name).read_text(encoding="utf-8", errors="replace"))


def by_testssl(target: Target) -> View:
    """testssl.sh."""
    program = next(filter(shutil.which, testssl.PROGRAMS))
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "findings.json"
        run([program, *testssl.options(target, str(output))])
        text = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
    return testssl.view(text, testssl.release(run([program, "--version"]).stdout))


@dataclass(frozen=True)
class Tool:
    """``look`` raises Unreadable; ``missing`` says why the tool cannot be had, or nothing."""

    look: Callable[[Target], View]
    missing: Callable[[], str]


def _installed(programs: Sequence[str], package: str) -> Callable[[], str]:
    there = any(shutil.which(program) for program in programs)
    return lambda: "" if there else f"{package} is not installed: apt-get install {package}"


def _without_sslyze() -> str:
    done = run([*SSLYZE, "--help"])
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return "" if done.returncode == 0 else f"no sslyze: {said[-1] if said else 'no reason given'}"


TOOLS = {
    sslscan.TOOL: Tool(by_sslscan, _installed([sslscan.TOOL], "sslscan")),
    sslyze.TOOL: Tool(by_sslyze, _without_sslyze),
    testssl.TOOL: Tool(by_testssl, _installed(testssl.PROGRAMS, "testssl.sh")),
}


# ---------------------------------------------------------------------------------------------
# The hosts


def make_room(name: str) -> None:
    """Lets Courier's POP3 take more than four connections at once from one address.

    sslscan leaves connections open that failed, and sslyze does not wait until the last are gone;
    both then take the fifth, which is closed at once, for a refusal, and say nothing of it.
    """
    host = HOSTS[name]
    served = [port for port in (110, 995) if answers(ipv4(host), port)]
    for argv in COURIER_ROOM:
        done = run([str(ROOT / "lab" / "lab.py"), "exec", name, "--", *argv])
        if done.returncode != 0:
            sys.exit(f"{name}: {done.stderr.strip()[-200:]}")
    for port in served:
        await_port(host, ipv4(host), port)


# ---------------------------------------------------------------------------------------------
# Comparing


def targets(names: Sequence[str]) -> list[Target]:
    """The ports of these hosts that all tools could speak to."""
    return [Target(name, ipv4(HOSTS[name]), port) for name in names for port in KINDS]


def looked_at(wanted: Sequence[Target]) -> dict[Target, View]:
    """What our probe says of those that are open."""
    seen = probe([target.endpoint for target in wanted], depth=Depth.FULL)
    return {t: ours.view(each) for t, each in zip(wanted, seen) if each.open}


def work(
    mine: Mapping[Target, View], tools: Sequence[str], every: bool
) -> list[tuple[Target, str]]:
    """Which tool looks at which port; testssl.sh first, it takes longest."""
    with_tls = [t for t, view in mine.items() if any(view.topics[v] for v in LISTED)]
    one_each = {target.host: target for target in reversed(with_tls)}.values()
    pairs = [(target, tool) for tool in sorted(tools, reverse=True) for target in mine]
    return [(t, tool) for t, tool in pairs if every or tool != testssl.TOOL or t in one_each]


def compared(mine: View, target: Target, name: str) -> tuple[compare.Comparison | str, float]:
    """The comparison, or what kept the tool from seeing anything; and how long that took."""
    began = time.monotonic()
    try:
        theirs = TOOLS[name].look(target)
    except (Unreadable, subprocess.TimeoutExpired) as error:
        return f"failed   {name} on {target}: {error}", time.monotonic() - began
    found = compare.differences(mine, theirs)
    one = compare.Comparison(str(target), theirs.tool, theirs.release, found)
    return one, time.monotonic() - began


def lines(verdict: compare.Verdict, seconds: float) -> Iterator[str]:
    """What to print of a verdict."""
    one, word = verdict.one, "equal" if verdict.holds else "DIFFERS"
    count = f", {len(verdict.explained)} differences explained" if verdict.explained else ""
    yield f"{word:9}{seconds:4.0f} s  {one.tool} {one.release} on {one.target}{count}"
    for only, name, topic in ((d.only, d.name, d.topic) for d in verdict.unexplained):
        yield f"         not explained: {topic}: only {only} has {name}"
    for only, name, topic in ((d.only, d.name, d.topic) for d in verdict.stale):
        yield f"         stale: {topic}: only {only} has {name}"


def check(names: Sequence[str], state: str, every: bool) -> int:
    """Compares, prints, and counts what does not hold."""
    known = compare.explanations(yaml.safe_load(DIFFERENCES.read_text(encoding="utf-8")))
    missing = {name: tool.missing() for name, tool in TOOLS.items()}
    for name in names:
        if name in GROUPS["courier"]:
            make_room(name)
    mine = looked_at(targets(names))
    pairs = work(mine, [name for name, why in missing.items() if not why], every)
    wrong = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for one, seconds in pool.map(lambda pair: compared(mine[pair[0]], *pair), pairs):
            if isinstance(one, str):
                wrong += 1
                print(one, flush=True)
                continue
            verdict = compare.judge(one, known, state)
            wrong += not verdict.holds
            print(*lines(verdict, seconds), sep="\n", flush=True)
    reasons = "; ".join(filter(None, missing.values()))
    print(f"{len(pairs)} comparisons, {wrong} of them not in agreement")
    if reasons:
        print(reasons)
    return 1 if wrong or not mine else NOT_POSSIBLE_HERE if reasons else 0


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Our probe beside other tools, on the lab.")
    parser.add_argument("hosts", nargs="+", choices=HOSTS, metavar="HOST", help="a host of the lab")
    parser.add_argument("--state", choices=compare.STATES, default=compare.STATES[0])
    parser.add_argument("--all", action="store_true", help="testssl.sh on every port")
    arguments = parser.parse_args()
    began = time.monotonic()
    code = check(arguments.hosts, arguments.state, arguments.all)
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
