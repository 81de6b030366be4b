# Copyright (c) 2026, The postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where two views differ, and whether each difference is explained.

An explanation holds for every port that it names: where one of its differences does not show
there, it is stale, and that fails just as a difference without an explanation does. So a mended
tool, and a mended probe, are noticed. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from .view import View

AN_ANSWER = "an answer"
"""What stands for the names of a topic where only one side had an answer at all."""
PROBE, TOOL, NEITHER = "probe", "tool", "neither"
STATES = ("weak", "hardened")


class Difference(NamedTuple):
    """``only`` says who alone has the name: probe or tool, or neither of both an answer."""

    topic: str
    only: str
    name: str


@dataclass(frozen=True)
class Comparison:
    """One tool on one port (``host:port``) beside the probe."""

    target: str
    tool: str
    release: str
    found: tuple[Difference, ...]


@dataclass(frozen=True)
class Explanation:
    """Differences that are known, and why they are there.

    ``where`` are patterns of ``host:port``; ``states`` those of the lab in which it holds.
    """

    tool: str
    releases: tuple[str, ...]
    where: tuple[str, ...]
    topics: tuple[str, ...]
    only: str
    names: tuple[str, ...]
    reason: str
    states: tuple[str, ...] = STATES

    def expected(self) -> Iterable[Difference]:
        """The differences that it explains."""
        return (Difference(t, self.only, name) for t in self.topics for name in self.names)

    def about(self, one: Comparison, state: str) -> bool:
        """Whether it speaks of this comparison."""
        return (
            (self.tool, state in self.states) == (one.tool, True)
            and one.release in self.releases
            and any(fnmatchcase(one.target, pattern) for pattern in self.where)
        )


@dataclass(frozen=True)
class Verdict:
    """What is left of one comparison: it holds where ``unexplained`` and ``stale`` are empty."""

    one: Comparison
    explained: tuple[Difference, ...]
    unexplained: tuple[Difference, ...]
    stale: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is left to explain, and nothing is explained in vain."""
        return not self.unexplained and not self.stale


def differences(ours: View, theirs: View) -> tuple[Difference, ...]:
    """Of all topics that the tool asks for, in a fixed order."""
    return tuple(each for topic in sorted(theirs.topics) for each in _topic(topic, ours, theirs))


def _topic(topic: str, ours: View, theirs: View) -> Iterable[Difference]:
    mine, its = ours.topics[topic], theirs.topics[topic]
    if mine is None or its is None:
        only = NEITHER if mine is its else TOOL if mine is None else PROBE
        return [Difference(topic, only, AN_ANSWER)]
    sides = ((PROBE, mine - its), (TOOL, its - mine))
    return [Difference(topic, only, name) for only, names in sides for name in sorted(names)]


def judge(one: Comparison, explanations: Sequence[Explanation], state: str) -> Verdict:
    """What is explained, what is not, and what is explained in vain."""
    expected = {d for e in explanations if e.about(one, state) for d in e.expected()}
    found = set(one.found)
    return Verdict(
        one,
        explained=tuple(d for d in one.found if d in expected),
        unexplained=tuple(d for d in one.found if d not in expected),
        stale=tuple(sorted(expected - found)),
    )


def explanations(rows: Any) -> tuple[Explanation, ...]:
    """Out of plain data (differences.yml). Raises ValueError naming the row."""
    if not isinstance(rows, list):
        raise ValueError("the differences are no list")
    return tuple(_explanation(number, row) for number, row in enumerate(rows, 1))


def _explanation(number: int, row: Any) -> Explanation:
    known = {f.name for f in fields(Explanation)}
    needed = known - {"states"}
    if not isinstance(row, Mapping) or not needed <= row.keys() <= known:
        raise ValueError(f"difference {number}: its keys are {', '.join(sorted(needed))}")
    values = {key: _value(number, key, value) for key, value in row.items()}
    if row["only"] not in (PROBE, TOOL, NEITHER) or not set(values.get("states", STATES)) <= {
        *STATES
    }:
        raise ValueError(f"difference {number}: only is probe, tool or neither; states {STATES}")
    return Explanation(**values)


def _value(number: int, key: str, value: Any) -> Any:
    if key in ("tool", "only", "reason"):
        if isinstance(value, str) and value.strip():
            return value
        raise ValueError(f"difference {number}: {key} is a text")
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise ValueError(f"difference {number}: {key} is a list of texts")
