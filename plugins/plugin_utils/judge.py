# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judgement: posture, profile and catalogue give findings; waivers and a threshold, a verdict.

Pure: the clock is an argument, nothing is read or asked. The same posture gives the same findings
in the same order, worst first. What makes a host fail is told in docs/decisions/
0002-what-fails-verify.md; this file is where it stands in code.

Source of the words: XCCDF 1.2 section 6.6.4.2 (statuses), 6.4.4 (what counts).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Any, Optional

from ..module_utils.model.posture import Finding, Posture, Severity, Status
from .checks.base import Subject, Verdict
from .checks.table import CHECKS
from .policy import Check, Profile
from .trust import Trust

# Worst first.
STATUSES: tuple[Status, ...] = (
    Status.FAIL,
    Status.ERROR,
    Status.WAIVED,
    Status.NOT_CHECKED,
    Status.PASS,
    Status.NOT_APPLICABLE,
)
SEVERITIES: tuple[Severity, ...] = tuple(Severity)

THRESHOLD = Severity.MEDIUM
# Told, but no setting cures them: a version that only an upgrade repairs.
REPORT_ONLY = frozenset({"OPS-01"})
# What these have not seen is not proven: here, unobserved fails.
PROOF = frozenset({"OPS-02"})


class WaiverError(Exception):
    """A waiver that cannot be used; its text is one sentence with the cure."""


@dataclass(frozen=True)
class Waiver:
    """Findings that somebody answers for.

    ``subject`` is a pattern with ``*`` and ``?``; ``expires`` is the last day on which it holds
    (``None``: until it is taken out).
    """

    check: str
    subject: str
    reason: str
    expires: Optional[date] = None


def judge(
    posture: Posture,
    profile: Profile,
    catalogue: Mapping[str, Check],
    now: datetime,
    names: Sequence[str] = (),
    domains: Sequence[str] = (),
    trust: Optional[Trust] = None,
) -> tuple[Finding, ...]:
    """All findings of a posture, worst first; the rest as checks.base.Subject says.

    ``now`` has a time zone. Never raises for what was observed.
    """
    subject = Subject(posture, profile, now, tuple(names), tuple(domains), trust)
    found = [
        _finding(verdict, catalogue[check_id])
        for check_id, check in CHECKS.items()
        for verdict in check(subject)
    ]
    return ordered(found)


def _finding(verdict: Verdict, check: Check) -> Finding:
    return Finding(
        check_id=check.id,
        subject=verdict.subject,
        status=verdict.status,
        severity=verdict.severity or check.severity,
        expected=verdict.expected or check.title,
        actual=verdict.actual,
        evidence=verdict.evidence,
        remediation=verdict.remediation or check.remediation,
    )


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings, worst first; ties in the order of ids and subjects."""
    return tuple(
        sorted(
            findings,
            key=lambda f: (
                STATUSES.index(f.status),
                SEVERITIES.index(f.severity),
                f.check_id,
                f.subject,
                f.actual,
            ),
        )
    )


# ---------------------------------------------------------------------------------------------
# The verdict of a host


def fails(findings: Iterable[Finding], threshold: Severity = THRESHOLD) -> tuple[Finding, ...]:
    """The findings that keep a host from passing its profile, in the order given."""
    return tuple(finding for finding in findings if _fails(finding, threshold))


def _fails(finding: Finding, threshold: Severity) -> bool:
    if finding.check_id in REPORT_ONLY:
        return False
    if finding.status is Status.NOT_CHECKED:
        return finding.check_id in PROOF
    if SEVERITIES.index(finding.severity) > SEVERITIES.index(threshold):
        return False
    return finding.status in (Status.FAIL, Status.ERROR)


def in_words(findings: Iterable[Finding], limit: int = 12) -> list[str]:
    """One line for each check and what was seen, naming the first subject; at most ``limit``."""
    groups: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        groups.setdefault((finding.check_id, finding.actual), []).append(finding.subject)
    lines = [
        f"{check} {subjects[0]}{_more(len(subjects) - 1)}: {actual}"
        for (check, actual), subjects in groups.items()
    ]
    left_out = len(lines) - limit
    return [*lines[:limit], f"{left_out} more in the report"] if left_out > 0 else lines


def _more(count: int) -> str:
    return f" and {count} more" if count else ""


# ---------------------------------------------------------------------------------------------
# Waivers


def accepted(check_ids: Iterable[str]) -> tuple[Waiver, ...]:
    """Waivers without an end for a list of check ids (the variable ``mail_tls_accept``)."""
    return tuple(Waiver(check, "*", "accepted by mail_tls_accept") for check in check_ids)


def read_waivers(data: Any, catalogue: Mapping[str, Check]) -> tuple[Waiver, ...]:
    """Waivers from a list of ids, or of mappings with check, subject, reason and expires.

    Raises WaiverError for an unknown check, a missing reason or an unreadable date.
    """
    if not isinstance(data, (list, tuple)):
        raise WaiverError("waivers are a list of check ids, or of check, subject, reason, expires")
    waivers: list[Waiver] = []
    for entry in data:
        waiver = accepted([entry])[0] if isinstance(entry, str) else _waiver(entry)
        if waiver.check not in catalogue:
            raise WaiverError(
                f"a waiver names {waiver.check!r}, which is no check; known are: "
                + ", ".join(sorted(catalogue))
            )
        waivers.append(waiver)
    return tuple(waivers)


_WAIVER_KEYS = frozenset({"check", "subject", "reason", "expires"})


def _waiver(entry: Any) -> Waiver:
    if not isinstance(entry, Mapping) or not set(entry) <= _WAIVER_KEYS or "check" not in entry:
        raise WaiverError(f"a waiver has check, subject, reason and expires; this is {entry!r}")
    reason = str(entry.get("reason") or "").strip()
    if not reason:
        raise WaiverError(f"the waiver of {entry['check']} gives no reason")
    return Waiver(
        check=str(entry["check"]),
        subject=str(entry.get("subject") or "*"),
        reason=reason,
        expires=_day(entry.get("expires"), str(entry["check"])),
    )


def _day(value: Any, check: str) -> Optional[date]:
    if value is None:
        return None
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise WaiverError(
            f"the waiver of {check} expires {value!r}; write a day as YYYY-MM-DD"
        ) from None


def waive(
    findings: Iterable[Finding], waivers: Sequence[Waiver], today: date
) -> tuple[Finding, ...]:
    """The findings with those that fail and are waived marked so, worst first.

    What was not observed is not waived with what was: accepting a self-signed certificate does not
    accept an unseen one. Only the checks in PROOF, whose subject is the seeing itself, can be. A
    waiver past its last day waives nothing and is named in the evidence.
    """
    return ordered(_waived(finding, waivers, today) for finding in findings)


def _waived(finding: Finding, waivers: Sequence[Waiver], today: date) -> Finding:
    unproven = finding.check_id in PROOF and finding.status in (Status.ERROR, Status.NOT_CHECKED)
    if finding.status is not Status.FAIL and not unproven:
        return finding
    held = [w for w in waivers if w.check == finding.check_id]
    held = [w for w in held if fnmatchcase(finding.subject, w.subject)]
    in_force = [w for w in held if w.expires is None or today <= w.expires]
    if in_force:
        return _note(replace(finding, status=Status.WAIVED), f"waived: {in_force[0].reason}")
    if held:
        return _note(finding, f"waiver expired on {held[0].expires}: {held[0].reason}")
    return finding


def _note(finding: Finding, note: str) -> Finding:
    return replace(finding, evidence=(*finding.evidence, note))
