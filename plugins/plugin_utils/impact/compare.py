# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Was the forecast right? Who was turned away since the change, beside who was to be. Pure.

The logs of the days before the change say again who would lose what, so no name has to be kept in
between. A refused password comes with the name that was typed; a refused handshake comes with an
address alone. A name or address that never logged in before is a stranger's: a scanner, mostly.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Optional

from ...module_utils.login_log.usage import LoginLog, Reason, Security, Usage
from .changes import Change, Kind
from .forecast import Forecast, Outcome

_REASONS: dict[Kind, frozenset[Reason]] = {
    Kind.PLAINTEXT: frozenset({Reason.PLAINTEXT}),
    Kind.PROTOCOL: frozenset({Reason.PROTOCOL}),
    Kind.SUITE: frozenset({Reason.CIPHER, Reason.PARAMETERS}),
}


@dataclass(frozen=True)
class Compared:
    """One change: users by name where passwords are refused, clients by address where TLS is.

    ``forecast`` were to lose something; of those ``met`` were turned away and ``back`` have logged
    in since. ``unforeseen`` had logged in before and were not to be turned away; ``strangers``
    never had. ``observable`` is False where the server does not log such refusals.
    """

    title: str
    what: str
    forecast: int
    met: int
    back: int
    unforeseen: int
    strangers: int
    refusals: int
    observable: bool


def compare(
    changes: Sequence[Change], made: Forecast, before: LoginLog, after: LoginLog
) -> tuple[Compared, ...]:
    """Each change that leaves traces, as it was forecast and as it came."""
    return tuple(
        _compared(change, outcome, before, after)
        for change, outcome in zip(changes, made.outcomes)
        if change.kind in _REASONS
    )


def _compared(change: Change, outcome: Outcome, before: LoginLog, after: LoginLog) -> Compared:
    by_name = change.kind is Kind.PLAINTEXT
    refused = [row for row in _of(change, after) if row.reason in _REASONS[change.kind]]
    expected = {
        word
        for loss in outcome.lost
        for word in ([loss.user] if by_name else [c.address for c in loss.clients])
    }
    known = _words([r for r in _of(change, before) if r.reason is None], by_name)
    met = _words(refused, by_name)
    well = [r for r in _of(change, after) if r.reason is None and r.security is Security.TLS]
    return Compared(
        title=outcome.title,
        what="user" if by_name else "address",
        forecast=len(expected),
        met=len(expected & met),
        back=len(expected & _words(well, by_name)),
        unforeseen=len((met - expected) & known),
        strangers=len(met - expected - known),
        refusals=sum(row.count for row in refused),
        observable=_observable(change, after),
    )


def _of(change: Change, log: LoginLog) -> list[Usage]:
    product, services = change.product.value, change.services
    return [row for row in log.usage if row.product == product and row.service in services]


def _words(rows: Collection[Usage], by_name: bool) -> set[Optional[str]]:
    """Names or addresses; some addresses alone, where there were many."""
    if by_name:
        return {row.user for row in rows} - {None}
    return {client.address for row in rows for client in row.clients}


def _observable(change: Change, log: LoginLog) -> bool:
    found = next((e for e in log.evidence if e.product == change.product.value), None)
    if found is None:
        return False
    return found.plaintext_refusals if change.kind is Kind.PLAINTEXT else found.tls_refusals


def lines(compared: Sequence[Compared]) -> list[str]:
    """The comparison in sentences of numbers."""
    return [_line(one) for one in compared]


def _line(one: Compared) -> str:
    if not one.observable:
        return f"{one.title}: {_count(one.forecast, one.what)} forecast; refusals are not logged"
    words = [
        f"{_count(one.forecast, one.what)} forecast",
        f"{one.met} of them turned away since",
        f"{one.back} back with TLS",
        f"{_count(one.unforeseen, one.what)} turned away that had not been forecast",
        f"{one.strangers} that never logged in before",
    ]
    return f"{one.title}: {', '.join(words)}"


def _count(number: int, what: str) -> str:
    plural = {"user": "users", "address": "addresses"}[what]
    return f"{number} {what if number == 1 else plural}"
