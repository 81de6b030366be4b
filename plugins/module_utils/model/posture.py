# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller makes of what was seen: findings, and all that is known of a host.

Frozen values that survive JSON, as in observed.py. Words: XCCDF 1.2 (status).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Optional

from .configured import Problem, ServerConfig
from .observed import EndpointObservation

SCHEMA_VERSION = 1


class Status(enum.Enum):
    """Result of one check on one subject; the words of XCCDF 1.2 section 6.6.4.2, and ours."""

    PASS = "pass"
    FAIL = "fail"
    NOT_APPLICABLE = "not_applicable"
    NOT_CHECKED = "not_checked"
    ERROR = "error"
    WAIVED = "waived"


class Severity(enum.Enum):
    """How much a failing check matters."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


@dataclass(frozen=True)
class Finding:
    """The result of one check on one subject of one host."""

    check_id: str
    subject: str
    status: Status
    severity: Severity
    expected: str
    actual: str
    evidence: tuple[str, ...] = ()
    remediation: str = ""


@dataclass(frozen=True)
class DnsAnswer:
    """What DNS said of one name and type, in the presentation format of the records.

    ``records`` is empty where there are none, ``None`` where that was not learned (``failure``
    says why). ``validated``: the resolver vouches for the answer by DNSSEC; ``None`` where it
    checks no signatures.
    """

    name: str
    kind: str
    records: Optional[tuple[str, ...]]
    validated: Optional[bool]
    failure: str = ""


@dataclass(frozen=True)
class Posture:
    """All that is known of one host at one time (ISO 8601, UTC)."""

    host: str
    observed_at: str
    profile: str
    servers: tuple[ServerConfig, ...] = ()
    endpoints: tuple[EndpointObservation, ...] = ()
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    dns: tuple[DnsAnswer, ...] = ()
    schema_version: int = field(default=SCHEMA_VERSION)
