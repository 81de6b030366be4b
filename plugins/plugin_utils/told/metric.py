# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dead man's metric: that a run took place, so that silence is noticed.

A notice comes on change only, so no notice means either that nothing changed or that nothing runs
any more. What tells them apart is the age of this file's time stamp, looked at by somebody else.
Source: Prometheus exposition formats, text format 0.0.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

FILE = "postmaster_tls_drift.prom"
LAST_RUN = "postmaster_tls_drift_last_run_timestamp_seconds"
HOSTS = "postmaster_tls_drift_hosts"
OPEN = "postmaster_tls_drift_open"
NOT_TOLD = "postmaster_tls_drift_channels_not_told"


def metrics(
    now: datetime, hosts: Mapping[str, int], still_open: Mapping[str, int], not_told: int
) -> str:
    """``hosts`` counts them by state, ``still_open`` counts what is open by direction."""
    lines: list[str] = []

    def gauge(name: str, words: str, samples: Mapping[str, float]) -> None:
        lines.extend([f"# HELP {name} {words}", f"# TYPE {name} gauge"])
        lines.extend(f"{name}{labels} {value:.0f}" for labels, value in samples.items())

    gauge(LAST_RUN, "When drift was last looked for.", {"": now.timestamp()})
    by_state = {f'{{state="{state}"}}': count for state, count in hosts.items()}
    gauge(HOSTS, "Hosts of the last run by what was found.", by_state)
    by_direction = {f'{{direction="{word}"}}': count for word, count in still_open.items()}
    gauge(OPEN, "Differences that are open, by direction.", by_direction)
    gauge(NOT_TOLD, "Channels that could not be told.", {"": not_told})
    return "\n".join(lines) + "\n"
