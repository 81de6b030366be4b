# Copyright (c) 2026, The postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sslyze: how it is called, and what its JSON says.

It handshakes with two OpenSSLs of its own, of 2015 for the old versions and of this decade. Curves
are asked for in the highest version that the port has, elliptic ones only. A scan that failed in
between is marked as such. Source: the JSON's own schema, and sslyze/plugins of 6.3.1.
"""

from __future__ import annotations

import json
from typing import Any

from .target import Target
from .view import (
    CURVES,
    LISTED,
    NONE,
    Names,
    Unreadable,
    View,
    group_named,
    groups,
    offered,
    suite_named,
    suites,
    suites_of,
)

TOOL = "sslyze"
SCANS = {
    "ssl_2_0_cipher_suites": "SSLv2",
    "ssl_3_0_cipher_suites": "SSLv3",
    "tls_1_0_cipher_suites": "TLSv1",
    "tls_1_1_cipher_suites": "TLSv1.1",
    "tls_1_2_cipher_suites": "TLSv1.2",
    "tls_1_3_cipher_suites": "TLSv1.3",
}
WANTED = ("sslv2", "sslv3", "tlsv1", "tlsv1_1", "tlsv1_2", "tlsv1_3", "elliptic_curves")
# How it says that a port has no TLS to offer, at the end of what it says when it cannot begin.
NO_TLS = ("ServerRejectedOpportunisticTlsNegotiation", "ServerTlsConfigurationNotSupported")


def options(target: Target, output: str) -> list[str]:
    """The arguments that write JSON to ``output``; two connections at once."""
    starttls = [f"--starttls={target.protocol}"] if target.starttls else []
    fixed = ["--slow_connection", "--quiet", "--mozilla_config", "disable"]
    scans = [f"--{word}" for word in WANTED]
    return [*scans, *starttls, *fixed, f"--json_out={output}", target.place]


def view(text: str) -> View:
    """What the JSON says. Raises Unreadable."""
    try:
        document = json.loads(text)
        (result,) = document["server_scan_results"]
        release, found = document["sslyze_version"], result["scan_result"]
        topics = _topics(found) if found else _without_a_scan(result["connectivity_error_trace"])
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"sslyze's JSON: {error!r}") from None
    return View(TOOL, release, topics)


def _topics(found: dict[str, Any]) -> dict[str, Names]:
    topics: dict[str, Names] = {}
    for scan, version in SCANS.items():
        taken = _accepted(found[scan])
        topics[version] = offered(None if taken is None else bool(taken))
        if version in LISTED:
            topics[suites_of(version)] = None if taken is None else suites(taken)
    topics[CURVES] = _curves(found["elliptic_curves"])
    return topics


def _accepted(scan: dict[str, Any]) -> list[int] | None:
    if scan["status"] != "COMPLETED":
        return None
    rows = scan["result"]["accepted_cipher_suites"]
    if scan["result"]["tls_version_used"] == "SSL_2_0":
        return list(range(len(rows)))
    return [suite_named(row["cipher_suite"]["name"]) for row in rows]


def _curves(scan: dict[str, Any]) -> Names:
    if scan["status"] != "COMPLETED":
        return None
    rows = scan["result"]["supported_curves"]
    return groups(group_named(row["name"]) for row in rows or ())


def _without_a_scan(trace: str) -> dict[str, Names]:
    nothing = any(name in trace for name in NO_TLS)
    names: Names = NONE if nothing else None
    versions = tuple(SCANS.values())
    return dict.fromkeys(
        (*versions, *(suites_of(v) for v in versions if v in LISTED), CURVES), names
    )
