# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a change makes a host weaker, stronger, or neither: a table by the name of the fact.

A name with no row is neutral: something else is so than was accepted, and a person has to say
whether that is good. ``None`` stands for a fact that was not there.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from typing import Any, Optional

from ...module_utils.config.vocabulary import PROTOCOLS

Judge = Callable[[Any, Any], "Direction"]


class Direction(enum.Enum):
    """Which way a change goes."""

    WEAKER = "weaker"
    NEUTRAL = "neutral"
    STRONGER = "stronger"


def direction(name: str, before: Any, after: Any) -> Direction:
    """The direction of a change of the fact of this name."""
    if before == after:
        return Direction.NEUTRAL
    judge = _JUDGES.get(name) or next((j for p, j in _PATTERNS if p.match(name)), None)
    return judge(before, after) if judge else Direction.NEUTRAL


def _towards(before: float, after: float) -> Direction:
    if before == after:
        return Direction.NEUTRAL
    return Direction.STRONGER if after > before else Direction.WEAKER


def _ranked(*words: Optional[str]) -> Judge:
    """Words from the weakest to the strongest; others are neither."""

    def judge(before: Any, after: Any) -> Direction:
        if before not in words or after not in words:
            return Direction.NEUTRAL
        return _towards(words.index(before), words.index(after))

    return judge


_OLD = frozenset(PROTOCOLS[: PROTOCOLS.index("TLSv1.2")]) | {"SSLv3.0", "SSLv2.0", "TLSv1.0"}


def _versions(before: Any, after: Any) -> Direction:
    """Old ones that came, or new ones that went, are weaker whatever else changed."""
    then, now = set(before or ()), set(after or ())
    came, went = now - then, then - now
    if came & _OLD or went - _OLD:
        return Direction.WEAKER
    return Direction.STRONGER if came or went else Direction.NEUTRAL


def _fewer(before: Any, after: Any) -> Direction:
    """Suites and groups: more of them is more to attack, other ones are neither."""
    then, now = set(before or ()), set(after or ())
    if now > then:
        return Direction.WEAKER
    return Direction.STRONGER if now < then else Direction.NEUTRAL


def _release(before: Any, after: Any) -> Direction:
    """A newer release has the cures of the older one."""

    def numbers(text: Any) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", str(text))[:6]]

    if before is None or after is None or numbers(before) == numbers(after):
        return Direction.NEUTRAL
    return Direction.STRONGER if numbers(after) > numbers(before) else Direction.WEAKER


def _certificate(before: Any, after: Any) -> Direction:
    """A renewal is for the better: the same names, as trusted, and good for longer."""
    if after is None or before is None or len(before) < 4 or len(after) < 4:
        return Direction.NEUTRAL
    if after[3] and not before[3]:
        return Direction.WEAKER
    same = before[2] == after[2]
    return Direction.STRONGER if same and after[1] > before[1] else Direction.NEUTRAL


def _mode(before: Any, after: Any) -> Direction:
    """Of a key file: who else may do what with it."""

    def bits(text: Any) -> int:
        return int(str(text).split(" ", 1)[0], 8) & 0o077

    if before is None or after is None:
        return Direction.NEUTRAL
    then, now = bits(before), bits(after)
    if now & ~then:
        return Direction.WEAKER
    return Direction.STRONGER if then & ~now else Direction.NEUTRAL


def _opened(before: Any, after: Any) -> Direction:
    """A listener: a new one is one more door, and one without TLS is the worst."""
    order = ("no TLS", "starttls", "implicit")
    if before in order and after in order:
        return _towards(order.index(before), order.index(after))
    return Direction.WEAKER if before is None else Direction.NEUTRAL


def _group(before: Any, after: Any) -> Direction:
    """A hybrid of ML-KEM outlasts a quantum computer; the others do not."""
    return _towards("MLKEM" in str(before), "MLKEM" in str(after))


_ON = _ranked("yes", None, "no")
"""What is on can be attacked; of a unit that is not there nothing is on."""
_JUDGES: dict[str, Judge] = {
    "tls": _ranked("no", "yes", "required"),
    "plaintext_login": _ranked("yes", "no"),
    "require_tls": _ranked("no", "yes"),
    "starttls": _ranked("no", "yes"),
    "protocol_min": _ranked(*PROTOCOLS),
    "version": _release,
    "TLS library": _release,
    "certificate": _certificate,
    "mode": _mode,
    "listener": _opened,
    "enabled": _ON,
    "active": _ON,
    "waiver": _ranked("waived", None),
    "port": _ranked("open", None, "closed"),
    "versions": _versions,
    "login without TLS": _ranked("TAKEN", None, "refused"),
    "STARTTLS": _ranked("not offered", "offered"),
    "group": _group,
}
_PATTERNS: tuple[tuple[re.Pattern[str], Judge], ...] = (
    (re.compile(r"versions by "), _versions),
    (re.compile(r"(suites|groups) by "), _fewer),
    (re.compile(r"offer (tls1\.[23]|alpn)\Z"), _ranked("refused", "accepted")),
    (re.compile(r"offer "), _ranked("accepted", "refused")),
)
