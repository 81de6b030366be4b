#!/usr/bin/env python3
# Copyright (c) 2026, The postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate: every check that stands between a change and the users.

    scripts/gate.py               all of it: what `make test` and CI run
    scripts/gate.py --no-lab      what needs no container and nothing but .venv: `make check`
    scripts/gate.py --only WORD   the steps whose name has this word in it (and what they need)
    scripts/gate.py --list        the names of the steps

STEPS says what is run. A step is one line when it passes; when it fails, what it said follows.
All of that is kept in .cache/gate. Exit code 77 of a step means: could not be done here, and its
last line says why. The last line of all is `N passed, N failed` (and `, N skipped`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".cache" / "gate"
NOT_POSSIBLE_HERE = 77
SHOWN = 150
LANES = os.cpu_count() or 2
NETWORKS = 2
"""As many scenarios run beside each other, each of them in a network of its own."""

TYPED = ("collections/ansible_collections/postmaster/tls/plugins", "benchmarks", "lab", "scripts")
ONE_OF_EACH = "dovecot-bookworm,courier-trixie"
FILES = "git ls-files -z --cached --others --exclude-standard"
CORES = ("2.16", "2.19", "2.21")
LONGEST = ("faults", "certificate")
"""Scenarios that take longest, so they begin first."""


@dataclass(frozen=True)
class Step:
    """One check: passes when its command exits with 0."""

    name: str
    command: str
    needs: str | None = None
    lab: bool = False
    beside: bool = False
    other: bool = False  # needs more than .venv: another Python, another ansible-core, Chromium
    minutes: float = 10


def python(paths: Iterable[str]) -> str:
    """Those of the paths under which there is Python."""
    return " ".join(path for path in paths if any((ROOT / path).glob("**/*.py")))


def scenarios() -> list[str]:
    """The names of all Molecule scenarios, the longest first."""
    found = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
    return sorted(found, key=lambda name: LONGEST.index(name) if name in LONGEST else len(LONGEST))


def network(lane: int) -> str:
    """The network of Molecule's hosts, one for each lane."""
    head, _, last = os.environ.get("LAB_PREFIX", "10.203.8").rpartition(".")
    return f"{head}.{int(last) + lane}"


# Steps without the lab run side by side, the long ones first; those with the lab run one by one,
# but for those that are beside each other, each lane of them in a network of its own.
STEPS = (
    Step("artefact", "scripts/artefact.sh"),
    Step("ansible-test sanity", "scripts/sanity.sh", needs="artefact"),
    Step("ansible-lint, profile production", "ansible-lint --offline -q"),
    Step("types", f"mypy {python(TYPED)}"),
    Step("unit tests and layers", "pytest -q -n 3"),  # many wait for a server that says nothing
    Step("unit tests, Python 3.9 of the oldest node", "scripts/unit_oldest.sh", other=True),
    Step("documentation of the plugins", "scripts/docs.sh", needs="artefact"),
    *(
        Step(f"ansible-core {core} alone", f"scripts/core.sh {core}", needs="artefact", other=True)
        for core in CORES
    ),
    Step("reports in a browser", "pytest -q tests/browser", other=True),
    Step("format", "ruff format --check --diff -q"),
    Step("lint", "ruff check -q"),
    Step("YAML", "yamllint --strict ."),
    Step("shell", f"{FILES} '*.sh' .ci/run | xargs -0 shellcheck -x -e SC1091"),
    Step("changelog", "antsibull-changelog lint"),
    Step("lab", f"lab/lab.py up {ONE_OF_EACH.replace(',', ' ')}", lab=True, minutes=20),
    Step(
        "differential test of the probe",
        f"scripts/differential.sh {ONE_OF_EACH.replace(',', ' ')}",
        needs="lab",
        lab=True,
        minutes=15,
    ),
    *(
        Step(
            f"ansible-core {core} on the lab",
            f"scripts/core.sh {core} {ONE_OF_EACH}",
            needs="lab",
            lab=True,
        )
        for core in CORES
    ),
    *(
        Step(
            f"Molecule {name}",
            f"molecule test -s {name} --no-command-borders",
            lab=True,
            beside=True,
            minutes=25,
        )
        for name in scenarios()
    ),
)


@dataclass(frozen=True)
class Result:
    """What came of a step."""

    step: Step
    code: int
    seconds: float
    said: str

    @property
    def word(self) -> str:
        """passed, failed or skipped."""
        return {0: "passed", NOT_POSSIBLE_HERE: "skipped"}.get(self.code, "failed")

    @property
    def end(self) -> str:
        """What the step said, or the last lines of it."""
        lines = self.said.rstrip().splitlines()
        left_out = [f"[{len(lines) - SHOWN} lines before]"] if len(lines) > SHOWN else []
        return "\n".join([*left_out, *lines[-SHOWN:]])

    def __str__(self) -> str:
        line = f"{self.word:8}{self.seconds:7.1f} s  {self.step.name}"
        if self.word == "failed":
            return f"{line}\n\n$ {self.step.command}\n{self.end}\n"
        if self.word == "skipped":
            return f"{line}: {(self.said.strip() or 'no reason given').splitlines()[-1]}"
        return line


def environment(step: Step, lane: int) -> dict[str, str]:
    """The tools of .venv first, this checkout's ansible.cfg, and no colours in what is kept."""
    own = {"LAB_PREFIX": network(lane)} if step.beside else {}
    return (
        os.environ
        | own
        | {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "ANSIBLE_NOCOLOR": "1",
            "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}",
        }
    )


def run(step: Step, lane: int) -> Result:
    """Run one step to its end, or to the end of its minutes."""
    began = time.monotonic()
    log = LOGS / f"{step.name.replace(' ', '-').replace(',', '')}.log"
    with log.open("w", encoding="utf-8") as sink:
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", step.command],
            cwd=ROOT,
            env=environment(step, lane),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(step.minutes * 60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
            sink.write(f"\nstopped: not done after {step.minutes:g} minutes\n")
    said = log.read_text(encoding="utf-8", errors="replace")
    return Result(step, code, time.monotonic() - began, said)


def results(steps: list[Step]) -> Iterator[Result]:
    """Run all steps, each after what it needs; yield them as they end."""
    done: dict[str, Result] = {}
    free: SimpleQueue[int] = SimpleQueue()

    def after_its_need(step: Step) -> Result:
        need = done.get(step.needs or "")
        if need is not None and need.word != "passed":
            return Result(step, need.code, 0.0, f"needs '{need.step.name}', which {need.word}")
        lane = free.get()
        try:
            return run(step, lane)
        finally:
            free.put(lane)

    for lane in range(max(LANES, NETWORKS)):
        free.put(lane)

    def several(batch: list[Step], lanes: int) -> Iterator[Result]:
        with ThreadPoolExecutor(lanes) as pool:
            waiting: list[Future[Result]] = [pool.submit(after_its_need, step) for step in batch]
            for future in waiting:
                yield future.result()

    first = {step.needs for step in steps}
    for lab in (False, True):
        part = [step for step in steps if step.lab == lab]
        roots = [step for step in part if step.name in first]
        others = [step for step in part if step.name not in first and not step.beside]
        beside = [step for step in part if step.beside]
        for batch, lanes in ((roots, 1), (others, 1 if lab else LANES), (beside, NETWORKS)):
            for result in several(batch, lanes):
                done[result.step.name] = result
                yield result


def chosen(word: str | None, lab: bool) -> list[Step]:
    """The steps to run, in the order of the table."""
    steps = [step for step in STEPS if lab or not (step.lab or step.other)]
    if word is None:
        return steps
    wanted = [step for step in steps if word in step.name]
    needs = {step.needs for step in wanted}
    return [step for step in steps if step in wanted or step.name in needs]


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Every check between a change and the users.")
    parser.add_argument("--no-lab", action="store_true", help="what needs only .venv")
    parser.add_argument("--only", metavar="WORD", help="only steps with this word in their name")
    parser.add_argument("--list", action="store_true", help="name the steps and stop")
    arguments = parser.parse_args()
    steps = chosen(arguments.only, lab=not arguments.no_lab)
    if arguments.list:
        print("\n".join(step.name for step in steps))
        return 0
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    began = time.monotonic()
    words = []
    for result in results(steps):
        print(result, flush=True)
        words.append(result.word)
    passed, failed, skipped = (words.count(word) for word in ("passed", "failed", "skipped"))
    print(f"\n{time.monotonic() - began:.0f} s; what each step said is in {LOGS.relative_to(ROOT)}")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
