# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report document: postures as one JSON value that other programs, and the other reports, read.

Its shape is docs/report.schema.json and changes only with SCHEMA_VERSION. Code points become names
here, and certificates facts (their DER stays beside them). Passwords never enter: settings that
could hold one are left out by name, private keys by content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Optional

from ...module_utils.model.configured import FileFact, ServerConfig, Setting
from ...module_utils.model.observed import EndpointObservation, Handshake, Inventory, Offer
from ...module_utils.model.posture import Finding, Posture, Severity, Status
from ...module_utils.plain import to_plain
from ..certificate import Certificate, CertificateError, fingerprint, read_base64
from ..checks.tls import accepted_versions
from ..dh_groups import dh_group_name
from ..judge import SEVERITIES, THRESHOLD, fails
from ..policy import Profile
from ..registry import group_name, signature_name, suite_name, version_name

SCHEMA = "postmaster.tls/report"
SCHEMA_VERSION = 1

_SECRET_NAMES = ("password", "secret", "token", "passdb_args")
_HIDDEN = "(hidden)"


def document(
    postures: Sequence[Posture],
    profile: Profile,
    generated_at: datetime,
    previous: Optional[Mapping[str, Any]] = None,
    threshold: Severity = THRESHOLD,
) -> dict[str, Any]:
    """The report of judged postures, hosts in the order of their names.

    ``generated_at`` has a time zone. ``previous`` is an earlier document: each host then tells
    which findings are new and which are gone since. Findings at ``threshold`` or above fail.
    """
    ordered = sorted(postures, key=lambda posture: posture.host)
    before = {host["host"]: host for host in (previous or {}).get("hosts", [])}
    hosts = [_host(p, generated_at, threshold, before.get(p.host)) for p in ordered]
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "generated_at": _moment(generated_at),
        "previous_generated_at": (previous or {}).get("generated_at"),
        "profile": {
            "name": profile.name,
            "title": profile.title,
            "source": profile.source,
            "version": profile.version,
            "date": profile.date,
        },
        "fails_at": threshold.value,
        "summary": _totals(hosts),
        "hosts": hosts,
    }


def _host(
    posture: Posture,
    now: datetime,
    threshold: Severity,
    before: Optional[Mapping[str, Any]],
) -> dict[str, Any]:
    failing = fails(posture.findings, threshold)
    return {
        "host": posture.host,
        "observed_at": posture.observed_at,
        "verdict": _verdict(posture, failing),
        "summary": _summary(posture.findings, failing),
        "since": _since(posture.findings, before),
        "servers": [_server(server, now) for server in posture.servers],
        "endpoints": [_endpoint(seen, now) for seen in posture.endpoints],
        "findings": [{**to_plain(f), "fails": f in failing} for f in posture.findings],
        "problems": [to_plain(problem) for problem in posture.problems],
        "dns": [to_plain(answer) for answer in posture.dns],
    }


def _verdict(posture: Posture, failing: Sequence[Finding]) -> str:
    """``fail`` (something fails), ``error`` (only unseen things do), ``none``, or ``pass``."""
    if any(f.status is Status.FAIL for f in failing):
        return "fail"
    if failing:
        return "error"
    seen = posture.servers or any(e.open for e in posture.endpoints)
    return "pass" if seen else "none"


def _summary(findings: Iterable[Finding], failing: Sequence[Finding]) -> dict[str, Any]:
    found = tuple(findings)
    severities = Counter(f.severity for f in found if f.status is Status.FAIL)
    statuses = Counter(f.status for f in found)
    return {
        "failing": len(failing),
        "severities": {severity.value: severities[severity] for severity in SEVERITIES},
        "statuses": {status.value: statuses[status] for status in Status},
    }


def _totals(hosts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    verdicts = Counter(host["verdict"] for host in hosts)
    summaries = [host["summary"] for host in hosts]
    return {
        "hosts": len(hosts),
        "verdicts": {word: verdicts[word] for word in ("pass", "fail", "error", "none")},
        "failing": sum(summary["failing"] for summary in summaries),
        "severities": _sum(summaries, "severities", [s.value for s in SEVERITIES]),
        "statuses": _sum(summaries, "statuses", [s.value for s in Status]),
    }


def _sum(summaries: Sequence[Mapping[str, Any]], key: str, words: Iterable[str]) -> dict[str, int]:
    return {word: sum(summary[key][word] for summary in summaries) for word in words}


def _since(findings: Iterable[Finding], before: Optional[Mapping[str, Any]]) -> Any:
    """What began and what ended to fail since the earlier document; ``None`` without one."""
    if before is None:
        return None
    now = {(f.check_id, f.subject) for f in findings if f.status is Status.FAIL}
    then = {(f["check_id"], f["subject"]) for f in before["findings"] if f["status"] == "fail"}
    return {"new": _pairs(now - then), "gone": _pairs(then - now)}


def _pairs(found: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"check_id": check, "subject": subject} for check, subject in sorted(found)]


# ---------------------------------------------------------------------------------------------
# Servers


def _server(server: ServerConfig, now: datetime) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(server)
    plain["settings"] = [_setting(setting) for setting in server.settings]
    for row in plain["effective"]:
        if _secret(row["name"], row["native"]):
            row.update(value=_HIDDEN, native=_HIDDEN)
        row["expansion"] = _expansion(row["expansion"])
    plain["files"] = [_file(fact, now) for fact in server.files]
    return plain


def _setting(setting: Setting) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(setting)
    if _secret(setting.name, setting.value):
        plain["value"] = _HIDDEN
    return plain


def _secret(name: str, value: str) -> bool:
    lower = name.lower()
    return any(word in lower for word in _SECRET_NAMES) or "PRIVATE KEY" in value


def _expansion(expansion: Optional[Mapping[str, Any]]) -> Optional[dict[str, Any]]:
    if expansion is None:
        return None
    return {
        "versions": _names(expansion["versions"], version_name),
        "suites": _names(expansion["suites"], suite_name),
        "groups": _names(expansion["groups"], group_name),
    }


def _names(codes: Optional[Sequence[int]], name: Any) -> Optional[list[str]]:
    return None if codes is None else [name(code) for code in codes]


def _file(fact: FileFact, now: datetime) -> dict[str, Any]:
    return {**to_plain(fact), "chain": [_certificate(text, now) for text in fact.chain]}


# ---------------------------------------------------------------------------------------------
# Endpoints


def _endpoint(seen: EndpointObservation, now: datetime) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(seen)
    endpoint = plain.pop("endpoint")
    return {
        "url": str(seen.endpoint),
        **endpoint,
        **plain,
        "versions": list(accepted_versions(seen)),
        "handshake": _handshake(seen.handshake),
        "offers": [_offer(offer) for offer in seen.offers],
        "chain": [_certificate(text, now) for text in seen.chain],
        "inventory": _inventory(seen.inventory, now),
    }


def _inventory(found: Optional[Inventory], now: datetime) -> Optional[dict[str, Any]]:
    if found is None:
        return None
    plain: dict[str, Any] = to_plain(found)
    plain["listings"] = [
        {
            **to_plain(listing),
            "version": version_name(listing.version),
            "suites": _names(listing.suites, suite_name),
            "groups": _names(listing.groups, group_name),
            "signatures": _names(listing.signatures, signature_name),
            "dh_groups": [dh_group_name(field.bits, field.prime) for field in listing.dh_groups],
        }
        for listing in found.listings
    ]
    plain["chains"] = [
        {
            "asked_by": chain.asked_by,
            "certificates": [_certificate(text, now) for text in chain.certificates],
        }
        for chain in found.chains
    ]
    return plain


def _handshake(handshake: Optional[Handshake]) -> Optional[dict[str, Optional[str]]]:
    if handshake is None:
        return None
    version, suite = version_name(handshake.version), suite_name(handshake.suite)
    group = _name(handshake.group, group_name)
    return {"version": version, "suite": suite, "alpn": handshake.alpn, "group": group}


def _offer(offer: Offer) -> dict[str, Any]:
    named = {
        "version": _name(offer.version, version_name),
        "suite": _name(offer.suite, suite_name),
        "group": _name(offer.group, group_name),
        "signature": _name(offer.signature, signature_name),
        "dh_group": dh_group_name(offer.dh_bits, offer.dh_prime) if offer.dh_bits else None,
    }
    plain = to_plain(offer)
    del plain["dh_prime"]
    return {**plain, **named}


def _name(code: Optional[int], name: Any) -> Optional[str]:
    return None if code is None else str(name(code))


def _certificate(text: str, now: datetime) -> dict[str, Any]:
    """Facts of a certificate; one that cannot be read is its bytes and the reason."""
    try:
        facts = read_base64(text)
    except CertificateError as error:
        return {"der": text, "sha256": _fingerprint(text), "error": str(error)}
    return {"der": text, "error": None, **_facts(facts, now)}


def _fingerprint(text: str) -> Optional[str]:
    try:
        return fingerprint(text)
    except CertificateError:
        return None


def _facts(facts: Certificate, now: datetime) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(facts)
    plain["not_before"] = _moment(facts.not_before)
    plain["not_after"] = _moment(facts.not_after)
    plain["days_left"] = (facts.not_after - now).days
    return plain


def _moment(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
