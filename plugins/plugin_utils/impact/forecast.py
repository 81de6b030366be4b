# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who would lose access: what the logs say times what goes away. Pure; the clock is an argument.

A login counts as lost where it used what goes away. For passwords without TLS and for old versions
that is what will happen, unless the client knows better than it showed; a client that used a suite
that goes away may well know another one, and is counted nevertheless. Where the log does not say
what a login used, the forecast says so and counts it as ``unknown``: never as safe.

A password that crossed the wire without TLS is known to whoever listened: its user should be asked
to change it (RFC 8314 section 4.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Optional

from ...module_utils.config.vocabulary import PROTOCOLS
from ...module_utils.login_log.usage import Client, LoginLog, Reason, Security, Usage
from .. import registry
from ..exceptions import Exemption
from .changes import Change, Kind

DAY = 86400


@dataclass(frozen=True)
class Loss:
    """Logins of one user that used what goes away. ``waived`` is the reason of an exception."""

    user: Optional[str]
    service: str
    used: str
    count: int
    last: int
    clients: tuple[Client, ...] = ()
    more_clients: bool = False
    waived: Optional[str] = None
    expired: Optional[str] = None


@dataclass(frozen=True)
class Outcome:
    """What one change does. ``unknown``: logins of which the log does not say what they used."""

    kind: str
    title: str
    losses: tuple[Loss, ...]
    unknown: tuple[Loss, ...] = ()

    @property
    def lost(self) -> tuple[Loss, ...]:
        """The losses that no exception answers for."""
        return tuple(loss for loss in self.losses if loss.waived is None)

    @property
    def possible(self) -> tuple[Loss, ...]:
        """What may be losses, and no exception answers for."""
        return tuple(loss for loss in self.unknown if loss.waived is None)


@dataclass(frozen=True)
class Exposed:
    """A user whose password crossed the wire without TLS."""

    user: str
    count: int
    last: int


@dataclass(frozen=True)
class Forecast:
    """What a plan does to the users of one host. Times are seconds since 1970 in UTC.

    ``users`` are all that logged in since ``since``; ``reaches`` is the oldest line that was found.
    ``folded`` logins are known by number only. ``gaps`` say what the logs cannot tell, ``problems``
    what of them could not be read.
    """

    since: int
    until: int
    reaches: Optional[int]
    users: frozenset[str]
    outcomes: tuple[Outcome, ...]
    exposed: tuple[Exposed, ...]
    folded: int = 0
    gaps: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def locked_out(self) -> frozenset[str]:
        """Users that lose something and that no exception answers for."""
        return frozenset(x.user for o in self.outcomes for x in o.lost if x.user is not None)

    @property
    def possibly_locked_out(self) -> frozenset[str]:
        """Users that may lose something: the log does not say what all of their logins used."""
        found = (x.user for o in self.outcomes for x in o.possible if x.user is not None)
        return frozenset(found) - self.locked_out

    @property
    def unnamed(self) -> int:
        """Logins that lose something or may, of users whose names are not known."""
        per_change = (
            sum(x.count for x in (*o.lost, *o.possible) if x.user is None) for o in self.outcomes
        )
        return max(per_change, default=0)

    @property
    def waived(self) -> frozenset[str]:
        """Users whose only losses are answered for."""
        found = (x.user for o in self.outcomes for x in o.losses if x.waived and x.user is not None)
        return frozenset(found) - self.locked_out

    @property
    def share(self) -> Optional[float]:
        """The locked out as a share of all users; ``None`` where no user was seen."""
        return len(self.locked_out) / len(self.users) if self.users else None


def forecast(
    log: LoginLog,
    changes: Sequence[Change],
    exceptions: Sequence[Exemption] = (),
    today: Optional[date] = None,
) -> Forecast:
    """The forecast of ``changes`` by ``log``. ``today`` defaults to the day the log was read."""
    day = today or datetime.fromtimestamp(log.until, timezone.utc).date()
    logins = [row for row in log.usage if row.reason is None]
    reaches = [source.first for source in log.sources if source.first is not None]
    return Forecast(
        since=log.since,
        until=log.until,
        reaches=min(reaches, default=None),
        users=frozenset(row.user for row in logins if row.user is not None),
        outcomes=tuple(_outcome(change, logins, exceptions, day) for change in changes),
        exposed=_exposed(log.usage),
        folded=sum(row.count for row in logins if row.folded),
        gaps=tuple(_gaps(log, changes)),
        problems=tuple(problem.message for problem in log.problems),
    )


# ---------------------------------------------------------------------------------------------
# One change


def _outcome(
    change: Change, logins: Iterable[Usage], exceptions: Sequence[Exemption], day: date
) -> Outcome:
    losses: list[Loss] = []
    unknown: list[Loss] = []
    for row in logins:
        if row.product != change.product.value or row.service not in change.services:
            continue
        verdict = _VERDICTS[change.kind](change, row)
        if verdict is not False:
            into = unknown if verdict is None else losses
            into.append(_loss(change.kind, row, exceptions, day))
    return Outcome(change.kind.value, change.title, tuple(losses), tuple(unknown))


def _plaintext(_change: Change, row: Usage) -> Optional[bool]:
    return None if row.security is Security.UNKNOWN else row.security is Security.CLEARTEXT


def _trusted(_change: Change, row: Usage) -> Optional[bool]:
    return None if row.security is Security.UNKNOWN else row.security is Security.SECURED


def _sasl(_change: Change, row: Usage) -> Optional[bool]:
    return None if row.security is Security.UNKNOWN else row.security is Security.SASL


def _protocol(change: Change, row: Usage) -> Optional[bool]:
    if row.security is not Security.TLS:
        return None if row.security is Security.UNKNOWN else False
    if row.version not in PROTOCOLS or change.floor not in PROTOCOLS:
        return None
    return PROTOCOLS.index(row.version) < PROTOCOLS.index(change.floor)


def _suite(change: Change, row: Usage) -> Optional[bool]:
    if row.security is not Security.TLS:
        return None if row.security is Security.UNKNOWN else False
    code = registry.openssl_to_code(row.suite) if row.suite else None
    if code is None:
        return None
    allowed = change.suites13 if code >> 8 == 0x13 else change.suites
    return allowed is not None and code not in allowed


def _port(change: Change, row: Usage) -> Optional[bool]:
    mode = row.tls_mode
    if mode is None and row.security in (Security.CLEARTEXT, Security.SASL, Security.SECURED):
        mode = "starttls"  # on a port of implicit TLS there is no login without it
    return None if mode is None else mode == change.tls_mode


_VERDICTS = {
    Kind.PLAINTEXT: _plaintext,
    Kind.TRUSTED: _trusted,
    Kind.SASL: _sasl,
    Kind.PROTOCOL: _protocol,
    Kind.SUITE: _suite,
    Kind.PORT: _port,
}


def _loss(kind: Kind, row: Usage, exceptions: Sequence[Exemption], day: date) -> Loss:
    addresses = [] if row.more_clients else [client.address for client in row.clients]
    held = [e for e in exceptions if e.covers(kind.value, row.user, addresses)]
    waived = next((e for e in held if e.in_force(day)), None)
    expired = next((e for e in held if not e.in_force(day)), None) if waived is None else None
    return Loss(
        user=row.user,
        service=row.service.value,
        used=used(row),
        count=row.count,
        last=row.last,
        clients=row.clients,
        more_clients=row.more_clients,
        waived=f"{waived.reason} (until {waived.until})" if waived else None,
        expired=f"{expired.reason} (ended on {expired.until})" if expired else None,
    )


def used(row: Usage) -> str:
    """What a login used, in words."""
    if row.security is Security.TLS:
        return " ".join(word for word in (row.version or "TLS", row.suite) if word)
    return row.security.value


# ---------------------------------------------------------------------------------------------
# Passwords that were heard, and what cannot be known


def _exposed(usage: Iterable[Usage]) -> tuple[Exposed, ...]:
    """Users whose password crossed in clear: let in, or refused after it was sent.

    A name that was refused is what a stranger typed, unless it is one that has logged in.
    """
    rows = list(usage)
    known = {row.user for row in rows if row.reason is None}
    found: dict[str, Exposed] = {}
    for row in rows:
        sent = row.security is Security.CLEARTEXT and row.reason in (None, Reason.PLAINTEXT)
        if not sent or row.user is None or row.user not in known:
            continue
        before = found.get(row.user, Exposed(row.user, 0, 0))
        found[row.user] = Exposed(row.user, before.count + row.count, max(before.last, row.last))
    return tuple(sorted(found.values(), key=lambda e: (-e.last, e.user)))


_STAGE = (
    "dovecot does not log the TLS version and suite of a login. Run harden.yml with "
    "-e mail_tls_stage=evidence to have it logged and nothing else changed, and look again in "
    "{days} days"
)
_SILENT = (
    "courier never logs the TLS version and suite of a login, so who needs the old ones is not "
    "known"
)
_NO_TLS = (
    "dovecot does not log whether a login had TLS (login_log_format_elements has no %c). Run "
    "harden.yml with -e mail_tls_stage=evidence, and look again in {days} days"
)


def _gaps(log: LoginLog, changes: Sequence[Change]) -> Iterable[str]:
    kinds = {(change.product.value, change.kind) for change in changes}
    days = max(1, round((log.until - log.since) / DAY))
    for evidence in log.evidence:
        old = {(evidence.product, Kind.PROTOCOL), (evidence.product, Kind.SUITE)} & kinds
        if not evidence.tls and (evidence.product, Kind.PLAINTEXT) in kinds:
            yield _NO_TLS.format(days=days)
        if old and not evidence.version:
            yield (_STAGE if evidence.setting else _SILENT).format(days=days)
    if not log.sources:
        yield "no login line was found in any log, so nothing is known of who logs in"
        return
    reaches = min(s.first for s in log.sources if s.first is not None)
    if reaches - log.since > DAY:
        yield f"the logs reach back {(log.until - reaches) / DAY:.1f} of {days} days"
