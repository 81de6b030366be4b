# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof of a change from outside: what was served is served, and nothing got worse.

The ports are looked at before the change and after it, and judged both times by the same profile.
What makes a change go back is in docs/decisions/0005-when-a-change-goes-back.md: a port that served
TLS and does not, and a check that passed there and fails. What failed before and fails still is no
reason: going back would not mend it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ..module_utils.model import Endpoint, EndpointObservation, Finding, Posture, Status
from ..module_utils.probe import handshakes, probe
from . import judge, policy


class Proof:
    """Looks at the ports when it is made, and again when it is asked.

    ``new_certificate``: a stopgap replaces one that could not stay, so certificates are no reason.
    ``waivers``: what somebody answers for is none either.
    """

    def __init__(
        self,
        ports: Sequence[Endpoint],
        profile: str,
        new_certificate: bool = False,
        waivers: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._waivers = judge.read_waivers(waivers, policy.load_checks())
        self._ports, self._profile = tuple(ports), profile
        self._new_certificate = new_certificate
        self._served, findings = self._look()
        self._passed = {_key(f) for f in findings if f.status is Status.PASS}

    def problems(self) -> list[str]:
        """Sentences about what is worse than before, after one retry; none when all is well."""
        found: list[str] = []
        for _attempt in range(2):
            found = self._worse()
            if not found:
                break
        return found

    def not_served(self) -> list[str]:
        """Sentences about ports that served TLS at first and do not now."""
        seen = handshakes(self._ports)
        dead = [o for o in seen if o.handshake is None and o.endpoint in self._served]
        return [_sentence(o) for o in dead]

    def _worse(self) -> list[str]:
        dead = [
            o
            for o in handshakes(self._ports)
            if o.handshake is None and (o.open or o.endpoint in self._served)
        ]
        if dead:
            return [_sentence(o) for o in dead]
        _served, findings = self._look()
        new = [f for f in judge.fails(findings) if _key(f) in self._passed]
        new = [f for f in new if not (self._new_certificate and f.check_id.startswith("CRT-"))]
        return [f"{line} since the change" for line in judge.in_words(new)]

    def _look(self) -> tuple[frozenset[Endpoint], tuple[Finding, ...]]:
        seen = probe(self._ports)
        served = frozenset(o.endpoint for o in seen if o.handshake)
        now = datetime.now(timezone.utc)
        posture = Posture(
            host="",
            observed_at=now.isoformat(timespec="seconds"),
            profile=self._profile,
            servers=(),
            endpoints=seen,
        )
        findings = judge.judge(
            posture, policy.load_profile(self._profile), policy.load_checks(), now
        )
        return served, judge.waive(findings, self._waivers, now.date())


def _key(finding: Finding) -> tuple[str, str]:
    return finding.check_id, finding.subject


def _sentence(observation: EndpointObservation) -> str:
    cause = observation.failures[-1] if observation.failures else None
    words = f" ({cause.cause} at {cause.stage})" if cause else ""
    return f"{observation.endpoint} serves no TLS after the change{words}"
