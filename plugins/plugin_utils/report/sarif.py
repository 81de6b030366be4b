# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as SARIF 2.1.0: what fails, where it stands, and the catalogue of checks as rules.

For code scanning and vulnerability management. A finding of the configuration points to its file
and line, one of a port to a path made of its name; both lie below the host's name, for there is no
checkout that they could be in, and readers refuse locations that are web addresses. What could not
be seen is ``open``, what is waived is suppressed, what passes is left out.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) 2.1.0, errata 01; the sections
are named below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Optional
from urllib.parse import quote

from ..fingerprint import finding as fingerprint
from ..policy import Check
from .layout import safe

Document = Mapping[str, Any]
Value = dict[str, Any]

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
FINGERPRINT = "postmasterTlsFinding/v1"

# Section 3.27.10; and the number that code scanning sorts by, of CVSS's ranges.
_LEVELS = {
    "critical": ("error", "9.5"),
    "high": ("error", "8.0"),
    "medium": ("warning", "5.5"),
    "low": ("note", "3.0"),
    "info": ("note", "0.5"),
}
_SHOWN = ("fail", "error", "waived")


def log(document: Document, checks: Mapping[str, Check]) -> str:
    """The document as one run; ``checks`` is the catalogue."""
    ids = {id_: number for number, id_ in enumerate(checks)}
    results = [row for host in document["hosts"] for row in _results(host, ids)]
    run = {
        "tool": {"driver": _driver(document, checks)},
        "invocations": [_invocation(document)],
        "automationDetails": {"id": f"postmaster.tls/{safe(document['profile']['name'])}/"},
        "columnKind": "utf16CodeUnits",
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


# ---------------------------------------------------------------------------------------------
# Rules


def _driver(document: Document, checks: Mapping[str, Check]) -> Value:
    profile = document["profile"]
    return {
        "name": "postmaster.tls",
        "fullName": f"postmaster.tls, profile {safe(profile['title'])} {safe(profile['version'])}",
        "rules": [_rule(check) for check in checks.values()],
    }


def _rule(check: Check) -> Value:
    level, number = _LEVELS[check.severity.value]
    links = [link for link in map(_link, check.references) if link]
    references = "; ".join(check.references)
    return {
        "id": check.id,
        "shortDescription": {"text": _message(check.title)},
        "fullDescription": {"text": _message(check.rationale)},
        "help": {"text": _message(f"{check.remediation} See {references}.")},
        **({"helpUri": links[0]} if links else {}),
        "defaultConfiguration": {"level": level},
        "properties": {
            "tags": ["security", "tls", "mail", check.applies_to],
            "security-severity": number,
            "references": list(check.references),
        },
    }


_LINKS = (
    (re.compile(r"RFC (\d+)(?: sections? ([\d.]+\d|\d))?"), "https://www.rfc-editor.org/rfc/rfc{}"),
    (re.compile(r"(CVE-\d{4}-\d{4,})"), "https://www.cve.org/CVERecord?id={}"),
)


def _link(reference: str) -> Optional[str]:
    """Where a reference can be read, of those that have such a place."""
    for pattern, place in _LINKS:
        match = pattern.match(reference)
        if match:
            section = match[2] if len(match.groups()) > 1 else None
            return place.format(match[1]) + (f"#section-{section}" if section else "")
    return None


def _message(text: str) -> str:
    """Text in which nothing is a placeholder or a link (sections 3.11.5 and 3.11.6)."""
    doubled = safe(text).replace("{", "{{").replace("}", "}}")
    return re.sub(r"(\\*)\](?=\()", lambda match: match[1] * 2 + r"\]", doubled)


# ---------------------------------------------------------------------------------------------
# Results


def _results(host: Document, rules: Mapping[str, int]) -> Iterator[Value]:
    map_ = _Map(host)
    for found in host["findings"]:
        if found["status"] in _SHOWN or found["fails"]:
            yield {**_result(host, found, rules), "locations": [map_.location(found)]}


def _result(host: Document, found: Document, rules: Mapping[str, int]) -> Value:
    check = safe(found["check_id"])
    failing = found["status"] in ("fail", "waived")
    return {
        "ruleId": check,
        **({"ruleIndex": rules[check]} if check in rules else {}),
        "kind": "fail" if failing else "open",
        "level": _LEVELS[found["severity"]][0] if failing else "none",
        "message": {"text": _message(_words(host, found))},
        "partialFingerprints": {
            FINGERPRINT: fingerprint(host["host"], found["check_id"], found["subject"])
        },
        **({"suppressions": [_waiver(found)]} if found["status"] == "waived" else {}),
        "properties": {
            "host": safe(host["host"]),
            "status": safe(found["status"]),
            "severity": safe(found["severity"]),
            "fails": bool(found["fails"]),
            "evidence": [safe(text) for text in found["evidence"]],
        },
    }


def _words(host: Document, found: Document) -> str:
    place = safe(found["subject"]) or safe(host["host"])
    said = safe(found["actual"]) or safe(found["status"])
    expected, cure = safe(found["expected"]), safe(found["remediation"])
    return f"{said}; on {place}. Expected: {expected}. Cure: {cure}"


def _waiver(found: Document) -> Value:
    reasons = [safe(text) for text in found["evidence"] if safe(text).startswith("waived: ")]
    why = (reasons or [safe(found["actual"])])[-1]
    return {"kind": "external", "status": "accepted", "justification": why}


def _invocation(document: Document) -> Value:
    """Whether all was seen, and what was not (section 3.20)."""
    unseen = [(host, problem) for host in document["hosts"] for problem in host["problems"]]
    return {
        "executionSuccessful": not any(host["verdict"] == "none" for host, _problem in unseen),
        "endTimeUtc": safe(document["generated_at"]),
        "toolExecutionNotifications": [
            {
                "level": "error",
                "message": {"text": _message(f"{safe(host['host'])}: {safe(problem['message'])}")},
            }
            for host, problem in unseen
        ],
    }


# ---------------------------------------------------------------------------------------------
# Locations

_PLACE = re.compile(r"(/[^:]*):(\d{1,7}): ")


class _Map:
    """Where the findings of a host stand."""

    def __init__(self, host: Document) -> None:
        self.name = safe(host["host"])
        self.lines = {origin for server in host["servers"] for origin in _origins(server)}
        self.ports = {endpoint["url"]: _port_path(endpoint) for endpoint in host["endpoints"]}

    def location(self, found: Document) -> Value:
        """The first file and line that the evidence names, else a path for the subject."""
        subject = safe(found["subject"])
        path, line = next(self._written(found), (self._path(found["subject"]), 1))
        named = f"{self.name}/{subject}" if subject else self.name
        return {
            "physicalLocation": {
                "artifactLocation": {"uri": _uri(self.name, path)},
                "region": {"startLine": line},  # readers ask for one also where there are no lines
            },
            "logicalLocations": [
                {"name": subject or self.name, "fullyQualifiedName": named, "kind": "resource"}
            ],
        }

    def _written(self, found: Document) -> Iterator[tuple[str, int]]:
        """Files and lines in the evidence, of those that the host's configuration has."""
        for text in found["evidence"]:
            match = _PLACE.match(safe(text))
            if match and (match[1], int(match[2])) in self.lines:
                yield match[1], max(1, int(match[2]))

    def _path(self, subject: str) -> str:
        """A file as it is, ``imap_993`` for a port, and the subject's words for all else."""
        if subject.startswith("/"):
            return safe(subject)
        words = re.sub(r"[^A-Za-z0-9._=-]+", "_", safe(subject))
        return self.ports.get(subject) or words or "host"


def _origins(server: Document) -> Iterator[tuple[str, int]]:
    for row in (*server["settings"], *server["effective"], *server["problems"]):
        if row["origin"]:
            yield safe(row["origin"]["file"]), row["origin"]["line"]


def _port_path(endpoint: Document) -> str:
    v6 = "_v6" if ":" in endpoint["host"] else ""
    return f"{safe(endpoint['service'])}_{safe(endpoint['port'])}{v6}"


def _uri(*parts: str) -> str:
    """A relative reference that stays below its base: no scheme, no empty or dotted segment."""
    segments = [segment for part in parts for segment in part.split("/")]
    named = [segment for segment in segments if segment not in ("", ".", "..")]
    return "/".join(quote(segment, safe="") for segment in named) or "host"
