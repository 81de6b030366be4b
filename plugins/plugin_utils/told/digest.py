# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told: everything that opened or recovered since a channel last heard, as one digest.

Pure. Text in it came from servers and files: it is bounded and of one line where it enters
(module_utils/text.py), and each channel escapes it for its own format.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..history.rows import FINDING, Item
from ..judge import SEVERITIES, THRESHOLD

MOST = 60
"""Lines of one sort in a digest: whoever has more reads the report."""
_LONGEST = 300
_WORTH = frozenset(s.value for s in SEVERITIES[: SEVERITIES.index(THRESHOLD) + 1])


@dataclass(frozen=True)
class Digest:
    """What opened and what recovered, each by host; ``open`` counts what is open in all."""

    new: tuple[Item, ...]
    recovered: tuple[Item, ...]
    open: int

    @property
    def empty(self) -> bool:
        """Whether nothing changed, so that nothing is to be said."""
        return not self.new and not self.recovered


def worth_telling(items: Iterable[Item]) -> tuple[Item, ...]:
    """Differences, and findings that matter enough to fail a host."""
    return tuple(item for item in items if item.kind != FINDING or item.grade in _WORTH)


def subject(digest: Digest) -> str:
    """One line: how many, on how many hosts."""
    hosts = len({item.host for item in (*digest.new, *digest.recovered)})
    said = [
        f"{len(those)} {word}"
        for those, word in ((digest.new, "new"), (digest.recovered, "recovered"))
        if those
    ]
    return f"Mail TLS: {', '.join(said)} on {hosts} host{'' if hosts == 1 else 's'}"


def text(digest: Digest) -> str:
    """The digest for people, as plain text."""
    lines = [subject(digest), ""]
    for title, those in (("New", digest.new), ("Recovered", digest.recovered)):
        if those:
            lines += [f"{title}:", *_lines(those), ""]
    lines.append(
        f"Open in all: {digest.open}. The report of the run has the evidence and the cures."
    )
    return "\n".join(lines) + "\n"


def _lines(items: Sequence[Item]) -> list[str]:
    lines: list[str] = []
    host = None
    for item in items[:MOST]:
        if item.host != host:
            host = item.host
            lines.append(f"  {host}")
        words = item.words if len(item.words) <= _LONGEST else item.words[: _LONGEST - 1] + "…"
        lines.append(f"    {item.grade:8}  {item.what} {item.subject}: {words}")
    left_out = len(items) - MOST
    return [*lines, f"  and {left_out} more"] if left_out > 0 else lines


def plain(digest: Digest) -> dict[str, Any]:
    """The digest for programs; never cut."""
    return {
        "schema": "postmaster.tls/digest",
        "schema_version": 1,
        "text": subject(digest),
        "open": digest.open,
        "new": [_plain(item) for item in digest.new],
        "recovered": [_plain(item) for item in digest.recovered],
    }


def _plain(item: Item) -> dict[str, Any]:
    return {key: value for key, value in vars(item).items() if key != "seen"}
