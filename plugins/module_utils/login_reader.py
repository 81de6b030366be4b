# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the login logs of this host: the lines of its mail servers, counted, from every place once.

Puts together where logs are (log_places.py), how they are streamed (streams.py) and what their
lines say (login_log/). What each server writes is asked of its configuration; nothing is judged.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Optional, Union

from . import host, log_places, streams
from .config.vocabulary import parse_version
from .log_places import Files, Journal
from .login_log import courier, dovecot
from .login_log.layout import DEFAULT, FORMATS
from .login_log.stamp import Clock
from .login_log.tally import ROWS, Span, Tally, whole_lines
from .login_log.usage import Evidence, LoginLog, Source, Usage
from .model.configured import Problem, Product, ServerConfig
from .model.observed import Service

Place = Union[Files, Journal]

_DOVECOT_SETTINGS = (
    "login_log_format_elements",
    "login_log_format",
    "log_path",
    "info_log_path",
)


@dataclass(frozen=True)
class Plan:
    """One server: who reads its lines, where they are, and what its log can show."""

    tally: Tally
    places: tuple[Place, ...]
    evidence: Evidence
    problems: tuple[Problem, ...] = ()


def read(
    servers: Sequence[ServerConfig],
    since: int,
    until: int,
    paths: Sequence[str] = (),
    rows: int = ROWS,
) -> LoginLog:
    """What the logs say from ``since`` to ``until``. ``paths``: read these files instead."""
    files = tuple(log_places.generations(path, since) for path in paths)
    usage: list[Usage] = []
    sources: list[Source] = []
    evidence: list[Evidence] = []
    problems: list[Problem] = []
    for server in servers:
        plan = _PLANS[server.product](server, since, rows)
        found, faults = _read(plan.tally, files or plan.places, since, until)
        usage += plan.tally.usage()
        evidence.append(plan.evidence)
        problems += [*plan.problems, *faults, *_left_out(plan.tally, server.product)]
        sources += found
    return LoginLog(since, until, tuple(evidence), tuple(usage), tuple(sources), tuple(problems))


def _left_out(tally: Tally, product: Product) -> Iterator[Problem]:
    if tally.not_understood:
        yield Problem(
            f"{tally.not_understood} login lines of {product.value} are of a format that is not "
            "understood; they are not counted"
        )
    if tally.without_time:
        yield Problem(
            f"{tally.without_time} lines of {product.value} begin with no time that is understood; "
            "they are not counted"
        )


# ---------------------------------------------------------------------------------------------
# Each time once


def _read(
    tally: Tally, places: Sequence[Place], since: int, until: int
) -> tuple[list[Source], list[Problem]]:
    """Each place for the time that none before it covers."""
    covered: list[tuple[int, int]] = []
    sources: list[Source] = []
    problems: list[Problem] = []
    for place in places:
        span = Span(since, until, tuple(covered))
        first, last, lines = until, since, 0
        for name, pieces, clock in _streams(place, since, until):
            try:
                for block in whole_lines(pieces):
                    counted = tally.count(block, clock, span)
                    if counted:
                        first, last = min(first, counted[0]), max(last, counted[1])
                        lines += counted[2]
            except streams.Unreadable as error:
                if not _is_missing(place, error):
                    problems.append(Problem(_about(name, str(error))))
        if lines:
            covered.append((first, last))
            sources.append(Source(place.name, lines, first, last))
    return sources, problems


def _about(name: str, words: str) -> str:
    return words if name in words else f"{name}: {words}"


def _is_missing(place: Place, error: streams.Unreadable) -> bool:
    """A host without a journal is none with a fault."""
    return isinstance(place, Journal) and "could not be run" in str(error)


def _streams(place: Place, since: int, until: int) -> Iterator[tuple[str, Iterator[bytes], Clock]]:
    if isinstance(place, Journal):
        clock = Clock(datetime.fromtimestamp(until), _local)
        argv = log_places.journal_argv(place, since, until)
        yield place.name, streams.command_pieces(argv), clock
        return
    for path in place.paths:
        try:
            written = datetime.fromtimestamp(os.stat(path).st_mtime)
        except (OSError, ValueError, OverflowError):
            written = datetime.fromtimestamp(until)
        yield path, streams.file_pieces(path), Clock(written, _local)


def _local(moment: datetime) -> int:
    """Wall time of this host as seconds since 1970."""
    return int(time.mktime((*moment.timetuple()[:8], -1)))


# ---------------------------------------------------------------------------------------------
# Dovecot


def _plan_dovecot(server: ServerConfig, since: int, rows: int) -> Plan:
    told = dict(_asked())
    row = server.value("login_log")
    elements = told.get("login_log_format_elements") or (row.native if row else DEFAULT)
    parser = dovecot.Dovecot(elements)
    changed = _changed(row.origin.file if row and row.origin else None)
    known = told.get("login_log_format", FORMATS[0]) in FORMATS
    problems = (
        ()
        if known
        else (
            Problem(
                "login_log_format is not Dovecot's own, so its login lines may not be understood"
            ),
        )
    )
    unit = _unit(server, "dovecot.service")
    own = log_places.own_files([told.get(n, "") for n in ("info_log_path", "log_path")], since)
    return Plan(
        tally=Tally(dovecot.PRODUCT, parser, dovecot.MARKS, changed, rows),
        places=(*own, *log_places.syslog_files(since), Journal((unit,))),
        evidence=Evidence(
            dovecot.PRODUCT,
            tls=parser.shows_tls,
            version=parser.shows_version,
            plaintext_refusals=parser.shows_tls,
            tls_refusals=True,
            setting="login_log_format_elements",
        ),
        problems=problems,
    )


def _asked() -> Iterator[tuple[str, str]]:
    """Where and how Dovecot logs, in its own words."""
    for name in _DOVECOT_SETTINGS:
        answer = host.run(["doveconf", "-h", name])
        if answer.rc == 0:
            yield name, answer.stdout.strip("\n")


def _changed(path: Optional[str]) -> int:
    """When a file was last changed in any way; 0 where there is none."""
    try:
        return int(os.stat(path).st_ctime) if path else 0
    except (OSError, ValueError):
        return 0


def _unit(server: ServerConfig, default: str) -> str:
    active = [unit.name for unit in server.units if unit.active and unit.name.endswith(".service")]
    return active[0] if active else default


# ---------------------------------------------------------------------------------------------
# Courier


_COURIER_UNITS = {
    "courier-imap.service",
    "courier-imap-ssl.service",
    "courier-pop.service",
    "courier-pop-ssl.service",
}
_LOGS_IN = ("/usr/bin/imapd", "/usr/lib/courier-imap/bin/imapd")


def _plan_courier(server: ServerConfig, since: int, rows: int) -> Plan:
    marked = parse_version(server.version or "") >= courier.MARKED_SINCE
    starttls = {s: _offers_starttls(server, s) for s in (Service.IMAP, Service.POP3)}
    parser = courier.Courier(marked, starttls)
    # Lines of an older release stand there without a mark.
    changed = max((_changed(path) for path in _LOGS_IN), default=0)
    units = tuple(u.name for u in server.units if u.name in _COURIER_UNITS)
    return Plan(
        tally=Tally(courier.PRODUCT, parser, parser.marks, changed, rows),
        places=(*log_places.syslog_files(since), Journal(units or tuple(sorted(_COURIER_UNITS)))),
        evidence=Evidence(
            courier.PRODUCT,
            tls=parser.shows_tls,
            version=False,
            plaintext_refusals=False,
            tls_refusals=True,
        ),
    )


def _offers_starttls(server: ServerConfig, service: Service) -> bool:
    row = server.value("starttls", f"service={service.value}")
    return row is None or row.value != "no"


_PLANS = {Product.DOVECOT: _plan_dovecot, Product.COURIER: _plan_courier}
