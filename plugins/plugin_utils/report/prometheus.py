# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as metrics for the textfile collector of Prometheus' node_exporter.

Only gauges, and moments as values, not as time stamps of samples. What was not observed has no
sample. Labels are bounded: hosts and ports of the inventory and words of this file, never what a
server or a certificate said. module_utils/metrics.py writes those of a deployment under the same
prefix; no name is in both.

Sources: Prometheus, exposition formats (text format 0.0.4) and metric and label naming.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, Optional

from ..registry import GROUPS
from .layout import plaintext, safe

Document = Mapping[str, Any]
Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]

FILE = "postmaster_tls_report.prom"
LONGEST_LABEL = 253
"""As many characters as a host's name can have."""

HELP = {
    "postmaster_tls_report_timestamp_seconds": "When the last report was made.",
    "postmaster_tls_report_hosts": "Hosts of the last report by verdict.",
    "postmaster_tls_host_observed_timestamp_seconds": "When the host was observed.",
    "postmaster_tls_host_observed": "Whether anything of the host could be observed.",
    "postmaster_tls_host_passes": "Whether the host is proven to meet the profile.",
    "postmaster_tls_host_findings": "What is wrong on the host, by severity.",
    "postmaster_tls_host_failing": "Findings that keep the host from passing, seen or not.",
    "postmaster_tls_host_waived": "Findings that somebody answers for.",
    "postmaster_tls_endpoint_open": "Whether the port accepts connections.",
    "postmaster_tls_endpoint_plaintext_login": "Whether a login without TLS is taken.",
    "postmaster_tls_endpoint_old_tls": "Whether anything older than TLS 1.2 is accepted.",
    "postmaster_tls_endpoint_post_quantum": "Whether a hybrid key exchange with ML-KEM is spoken.",
    "postmaster_tls_endpoint_certificate_not_before_timestamp_seconds": (
        "When the certificate that the port serves begins to be valid."
    ),
    "postmaster_tls_endpoint_certificate_not_after_timestamp_seconds": (
        "When the certificate that the port serves ends."
    ),
}
"""Every metric, in the order of the file."""


def metrics(document: Document) -> str:
    """The document in text format."""
    found: dict[str, dict[str, float]] = {name: {} for name in HELP}
    for name, labels, value in _samples(document):
        # One file with the same series twice is refused as a whole: the first one stays.
        found[name].setdefault(_labels(labels), value)
    lines = []
    for name, series in found.items():
        if series:
            lines += [f"# HELP {name} {HELP[name]}", f"# TYPE {name} gauge"]
            lines += [f"{name}{labels} {value:.0f}" for labels, value in series.items()]
    return "\n".join([*lines, ""])


def _labels(labels: Labels) -> str:
    pairs = [f'{name}="{_escaped(value)}"' for name, value in labels.items()]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _escaped(value: str) -> str:
    """A label's value; line ends do not get here (layout.safe)."""
    return safe(value)[:LONGEST_LABEL].replace("\\", "\\\\").replace('"', '\\"')


# ---------------------------------------------------------------------------------------------
# Samples


def _samples(document: Document) -> Iterator[Sample]:
    yield _named("report_timestamp_seconds", {}, _seconds(document["generated_at"]))
    for verdict, count in document["summary"]["verdicts"].items():
        yield _named("report_hosts", {"verdict": verdict}, count)
    for host in document["hosts"]:
        yield from _host(host)


def _named(name: str, labels: Labels, value: float) -> Sample:
    return f"postmaster_tls_{name}", labels, value


def _host(host: Document) -> Iterator[Sample]:
    labels = {"host": host["host"]}
    counts = host["summary"]
    observed = bool(host["servers"] or any(e["open"] is not None for e in host["endpoints"]))
    yield _named("host_observed", labels, observed)
    if observed:
        moment = _seconds(host["observed_at"])
        yield _named("host_observed_timestamp_seconds", labels, moment)
        yield _named("host_passes", labels, host["verdict"] == "pass")
        yield _named("host_failing", labels, counts["failing"])
        yield _named("host_waived", labels, counts["statuses"]["waived"])
        for severity, count in counts["severities"].items():
            yield _named("host_findings", {**labels, "severity": severity}, count)
    for endpoint in host["endpoints"]:
        yield from _endpoint(host, endpoint)


def _seconds(moment: str) -> float:
    """ISO 8601 as seconds since the epoch."""
    parsed = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)).timestamp()


def _endpoint(host: Document, endpoint: Document) -> Iterator[Sample]:
    labels = {
        "host": host["host"],
        "address": endpoint["host"],
        "port": str(endpoint["port"]),
        "service": endpoint["service"],
    }
    for name, ask in _ASKED.items():
        answer = ask(endpoint)
        if answer is not None:
            yield _named(f"endpoint_{name}", labels, answer)


def _old_tls(endpoint: Document) -> Optional[bool]:
    spoken = set(endpoint["versions"])
    return bool(spoken - {"TLSv1.2", "TLSv1.3"}) if spoken else None


_HYBRID = frozenset(group.name for group in GROUPS.values() if group.hybrid)


def _post_quantum(endpoint: Document) -> Optional[bool]:
    """By the groups that were agreed on, where hybrids are offered first, and those listed."""
    spoken = [offer["group"] for offer in endpoint["offers"] if offer["accepted"]]
    for listing in (endpoint["inventory"] or {}).get("listings", ()):
        spoken += listing["groups"]
    return any(group in _HYBRID for group in spoken) if spoken else None


def _moment_of(field: str) -> Callable[[Document], Optional[float]]:
    def moment(endpoint: Document) -> Optional[float]:
        chain = endpoint["chain"]
        return _seconds(chain[0][field]) if chain and not chain[0].get("error") else None

    return moment


def _plaintext_login(endpoint: Document) -> Optional[bool]:
    return {"TAKEN": True, "refused": False}.get(plaintext(endpoint))


_ASKED: Mapping[str, Callable[[Document], Optional[float]]] = {
    "open": lambda endpoint: endpoint["open"],
    "plaintext_login": _plaintext_login,
    "old_tls": _old_tls,
    "post_quantum": _post_quantum,
    "certificate_not_before_timestamp_seconds": _moment_of("not_before"),
    "certificate_not_after_timestamp_seconds": _moment_of("not_after"),
}
