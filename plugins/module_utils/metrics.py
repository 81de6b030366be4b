# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment came to, as metrics for the textfile collector of Prometheus' node_exporter.

One file for each server and name, replaced in one step (the collector reads at any time), without
time stamps on the samples. A deployment that failed leaves what was known of the one before: the
moment of the last success is what an alert looks at.
Source: Prometheus exposition formats, text format 0.0.4.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from typing import Optional

from . import host
from .transaction import FileState, Refused, install, resolve

DIRECTORY = "/var/lib/prometheus/node-exporter"
"""Where Debian's prometheus-node-exporter looks."""
LIMIT = 64 * 1024

SUCCESS = "postmaster_tls_deploy_success"
AT = "postmaster_tls_deploy_last_success_timestamp_seconds"
BEGINS = "postmaster_tls_certificate_not_before_timestamp_seconds"
ENDS = "postmaster_tls_certificate_not_after_timestamp_seconds"
RENEWAL_FAILURES = "postmaster_tls_renewal_failures"
_HELP = {
    SUCCESS: "Whether the last deployment of a certificate went well.",
    AT: "When a certificate was last put in force, or found to be.",
    BEGINS: "When the certificate in force begins to be valid.",
    ENDS: "When the certificate in force ends.",
    RENEWAL_FAILURES: "How often in a row this host failed to renew a certificate by itself.",
}
_SAMPLE = re.compile(r"(\w+)\{[^}]*\} (\S+)\Z")


def write(directory: str, product: str, name: str, values: Mapping[str, float]) -> Optional[str]:
    """Write the metrics of one server and one name; ``name`` is empty for all clients.

    What ``values`` lack is taken from the file of before. ``None``, or why it could not be written.
    Where there is no such directory nobody collects, and nothing is written.
    """
    if not os.path.isdir(directory):
        return None
    path = os.path.join(directory, f"postmaster_tls_{product}{'_' + name if name else ''}.prom")
    held = {**_held(path), **values}
    labels = f'{{product="{product}",server_name="{name}"}}'
    lines = []
    for metric, words in _HELP.items():
        if metric in held:
            lines += [f"# HELP {metric} {words}", f"# TYPE {metric} gauge"]
            lines.append(f"{metric}{labels} {held[metric]:.0f}")
    content = "\n".join([*lines, ""]).encode()
    try:
        state = FileState(resolve(path), content, 0o644, os.geteuid(), os.getegid())
        install(state, secrets.token_hex(4))
    except (OSError, Refused) as error:
        return f"the metrics cannot be written: {error}"
    return None


def _held(path: str) -> dict[str, float]:
    found = (_SAMPLE.match(line) for line in (host.read_text(path, LIMIT) or "").splitlines())
    return {match[1]: float(match[2]) for match in found if match and match[1] in _HELP}
