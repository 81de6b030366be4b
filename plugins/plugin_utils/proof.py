# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof of a change from outside: what was served is served, and nothing got worse.

The ports are looked at before the change and after it, and judged both times by the same profile.
What makes a change go back is in docs/decisions/0005-when-a-change-goes-back.md: a port that served
TLS and does not, and a check that passed there and fails. What failed before and fails still is no
reason: going back would not mend it.

Whoever looks, a :class:`Measure` compares: :class:`Proof` looks from the controller, and the role
``vantage`` has another host look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..module_utils.model.observed import Endpoint, EndpointObservation
from ..module_utils.model.posture import Finding, Posture, Status
from ..module_utils.probe import handshakes, probe
from . import judge, policy

Seen = Sequence[EndpointObservation]


@dataclass(frozen=True)
class Measure:
    """By what two looks at the same ports are compared.

    ``new_certificate``: a stopgap replaces one that could not stay, so certificates are no reason.
    ``waivers``: what somebody answers for is none either. ``served_only``: the change has nothing
    to do with ports that are open and served no TLS before.
    """

    profile: str
    new_certificate: bool = False
    waivers: Sequence[Mapping[str, Any]] = ()
    served_only: bool = False

    def dead(self, before: Seen, after: Seen) -> list[str]:
        """Sentences about ports that serve no TLS and have to."""
        had = served(before)
        return [
            _sentence(o)
            for o in after
            if o.handshake is None and (o.endpoint in had or (o.open and not self.served_only))
        ]

    def worse(self, before: Seen, after: Seen) -> list[str]:
        """Sentences about what is worse than before; none when all is well."""
        dead = self.dead(before, after)
        if dead:
            return dead
        passed = {_key(f) for f in self._findings(before) if f.status is Status.PASS}
        new = [f for f in judge.fails(self._findings(after)) if _key(f) in passed]
        new = [f for f in new if not (self.new_certificate and f.check_id.startswith("CRT-"))]
        return [f"{line} since the change" for line in judge.in_words(new)]

    def _findings(self, seen: Seen) -> tuple[Finding, ...]:
        now = datetime.now(timezone.utc)
        posture = Posture(
            host="",
            observed_at=now.isoformat(timespec="seconds"),
            profile=self.profile,
            servers=(),
            endpoints=tuple(seen),
        )
        checks = policy.load_checks()
        findings = judge.judge(posture, policy.load_profile(self.profile), checks, now)
        return judge.waive(findings, judge.read_waivers(self.waivers, checks), now.date())


class Proof:
    """Looks at the ports from here when it is made, and again when it is asked."""

    def __init__(self, ports: Sequence[Endpoint], measure: Measure) -> None:
        self._measure, self._before = measure, probe(ports)
        # A host that is a name has one observation for each of its addresses.
        self._ports = tuple(o.endpoint for o in self._before)

    def problems(self) -> list[str]:
        """Sentences about what is worse than before, after one retry; none when all is well."""
        return self._worse() and self._worse()

    def not_served(self) -> list[str]:
        """Sentences about ports that served TLS at first and do not now."""
        return not_served(self._before, handshakes(self._ports))

    def _worse(self) -> list[str]:
        dead = self._measure.dead(self._before, handshakes(self._ports))
        return dead or self._measure.worse(self._before, probe(self._ports))


def served(seen: Seen) -> frozenset[Endpoint]:
    """The ports that shook hands."""
    return frozenset(o.endpoint for o in seen if o.handshake)


def not_served(before: Seen, now: Seen) -> list[str]:
    """Sentences about ports that served TLS before and do not now."""
    had = served(before)
    return [_sentence(o) for o in now if o.handshake is None and o.endpoint in had]


def taken_back(problems: Sequence[str], said: str, still: Sequence[str]) -> str:
    """Why a change did not stay, and what the host is like now: the end of the play."""
    state = f"; from outside {'; '.join(still)}" if still else ", and every port serves as before"
    return f"{'; '.join(problems)}. That cannot be left so. {said}{state}"


def _key(finding: Finding) -> tuple[str, str]:
    return finding.check_id, finding.subject


def _sentence(observation: EndpointObservation) -> str:
    cause = observation.failures[-1] if observation.failures else None
    words = f" ({cause.cause} at {cause.stage})" if cause else ""
    return f"{observation.endpoint} serves no TLS after the change{words}"
