# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every check is given, what it may answer, and how a check of one port becomes one of a host.

A check is a function from a Subject (the posture, the profile, the clock, the names users connect
to) to verdicts. It never says "pass" of something it has not seen: :func:`unseen` turns a missing
observation into ``error`` (looked for, and failed) or ``not_checked`` (nobody looked).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Callable, Optional

from ...module_utils.model.configured import Effective, ServerConfig
from ...module_utils.model.observed import EndpointObservation, Failure, Inventory, TlsMode
from ...module_utils.model.posture import Posture, Severity, Status
from ..policy import Profile
from ..registry import alert_name
from ..trust import Trust

BUILT_IN = "built-in default"
_ORDER = tuple(Severity)


@dataclass(frozen=True)
class Subject:
    """All that a check may look at.

    ``names`` are those that users connect to, ``domains`` those behind the @ of their addresses,
    ``trust`` the authorities that their programs know.
    """

    posture: Posture
    profile: Profile
    now: datetime
    names: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    trust: Optional[Trust] = None


@dataclass(frozen=True)
class Verdict:
    """What a check found on one subject.

    ``severity`` and ``remediation`` replace the catalogue's where live evidence makes a failing
    more or less grave, or the cure is another.
    """

    status: Status
    actual: str
    expected: str = ""
    evidence: tuple[str, ...] = ()
    severity: Optional[Severity] = None
    remediation: str = ""
    subject: str = ""


CheckFunction = Callable[[Subject], Iterable[Verdict]]
PortCheck = Callable[[EndpointObservation, Subject], Verdict]


def passed(actual: str, expected: str = "", evidence: tuple[str, ...] = ()) -> Verdict:
    """The promise is kept, and that was seen."""
    return Verdict(Status.PASS, actual, expected, evidence)


def failed(
    actual: str,
    expected: str,
    severity: Optional[Severity] = None,
    evidence: tuple[str, ...] = (),
    remediation: str = "",
) -> Verdict:
    """The promise is broken, and that was seen."""
    return Verdict(Status.FAIL, actual, expected, evidence, severity, remediation)


def not_applicable(why: str) -> Verdict:
    """There is nothing here that the promise is about."""
    return Verdict(Status.NOT_APPLICABLE, why)


def not_checked(why: str) -> Verdict:
    """Nobody looked, or what was seen does not tell."""
    return Verdict(Status.NOT_CHECKED, why)


def unseen(what: str, failures: Iterable[Optional[Failure]] = ()) -> Verdict:
    """``what`` was not observed: an error with its cause if someone looked, else not checked."""
    causes = tuple(failure_text(failure) for failure in failures if failure)
    if causes:
        return Verdict(Status.ERROR, f"{what} could not be observed: {causes[0]}", evidence=causes)
    return not_checked(f"{what} was not observed")


def failure_text(failure: Failure) -> str:
    """A failure in words: ``handshake: alert handshake_failure``."""
    alert = f" {alert_name(failure.alert)}" if failure.alert is not None else ""
    detail = f" ({failure.detail})" if failure.detail else ""
    return f"{failure.stage}: {failure.cause}{alert}{detail}"


def at_stage(seen: EndpointObservation, *stages: str) -> tuple[Failure, ...]:
    """The failures of an observation at any of these stages."""
    return tuple(failure for failure in seen.failures if failure.stage in stages)


def worst(*severities: Severity) -> Severity:
    """The gravest of several severities."""
    return min(severities, key=_ORDER.index)


# ---------------------------------------------------------------------------------------------
# Ports


def on_ports(check: PortCheck, mode: Optional[TlsMode] = None) -> CheckFunction:
    """A check of one open port as a check of all ports of a host (of one TLS mode, if given).

    A closed port has nothing to judge; one that could not be reached was not observed.
    """

    def every_port(subject: Subject) -> Iterator[Verdict]:
        for seen in subject.posture.endpoints:
            if mode is None or seen.endpoint.tls_mode is mode:
                verdict = _unreached(seen) or check(seen, subject)
                yield about(verdict, str(seen.endpoint))

    return every_port


def _unreached(seen: EndpointObservation) -> Optional[Verdict]:
    if seen.open:
        return None
    if seen.open is None:
        # Whether the port should have answered is judged once, by OPS-02.
        causes = "; ".join(failure_text(f) for f in at_stage(seen, "connect"))
        return not_checked(f"the port was not reached{': ' if causes else ''}{causes}")
    return not_applicable("the port is closed")


def about(verdict: Verdict, subject: str) -> Verdict:
    """The verdict on ``subject``, unless it names its own."""
    return replace(verdict, subject=verdict.subject or subject)


InventoryCheck = Callable[[Inventory, EndpointObservation, Subject], Verdict]


def on_inventories(check: InventoryCheck) -> CheckFunction:
    """A check of what only depth ``full`` sees; it says nothing where nobody asked for that."""

    def every_port(subject: Subject) -> Iterator[Verdict]:
        for seen in subject.posture.endpoints:
            if seen.inventory is not None:
                yield about(check(seen.inventory, seen, subject), str(seen.endpoint))

    return every_port


# ---------------------------------------------------------------------------------------------
# Configurations


ServerCheck = Callable[[ServerConfig, Subject], Iterable[Verdict]]
RowCheck = Callable[[Effective, ServerConfig, Subject], Verdict]


def on_servers(check: ServerCheck) -> CheckFunction:
    """A check of one server's configuration as a check of all servers of a host."""

    def every_server(subject: Subject) -> Iterator[Verdict]:
        for server in subject.posture.servers:
            for verdict in check(server, subject):
                yield about(verdict, server.product.value)

    return every_server


def on_rows(field: str, check: RowCheck) -> CheckFunction:
    """A check of the value in force for one field in each scope that has its own."""

    def every_scope(server: ServerConfig, subject: Subject) -> Iterator[Verdict]:
        rows = [row for row in server.effective if row.field == field]
        for row in rows:
            yield about(check(row, server, subject), scope_name(server, row.scope))

    return on_servers(every_scope)


def scope_name(server: ServerConfig, scope: str) -> str:
    """A configuration as the subject of a finding: ``dovecot``, ``dovecot protocol=imap``."""
    return f"{server.product.value} {scope}".strip()


def where(row: Effective) -> str:
    """A setting with its place: ``/etc/dovecot/conf.d/10-ssl.conf:6: ssl = yes``."""
    origin = f"{row.origin.file}:{row.origin.line}" if row.origin else BUILT_IN
    return f"{origin}: {row.name} = {row.native}"


def in_force(server: ServerConfig, field: str, scope: str) -> Optional[Effective]:
    """The row that decides in a scope: its own, or that of the scope around it."""
    filters = scope.split(",") if scope else []
    while True:
        row = server.value(field, ",".join(filters))
        if row is not None or not filters:
            return row
        filters.pop()
