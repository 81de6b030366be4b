# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host for a reader: its ports, what they speak, whom they show, what is wrong and the cure.

Values for the section of a host, made of its part of a document of report/json.py; knows no HTML.
What is the same on several ports or addresses is one value with all of them, so that a host with
two addresses is not told twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ...policy import Check
from ..comparison import changes
from ..layout import certificate, plaintext, state
from .fleet import cell_of, server_name, title

Document = Mapping[str, Any]

VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_OFFERS = dict(zip(VERSIONS, ("ssl3", "tls1.0", "tls1.1", "tls1.2", "tls1.3")))
_RANK = {w: n for n, w in enumerate(("critical", "high", "medium", "low", "info", "unseen"))}


@dataclass(frozen=True)
class Port:
    """A port as its users meet it. ``lanes`` says of each of VERSIONS: spoken, refused or None."""

    number: int
    service: str
    tls_mode: str
    state: str
    addresses: tuple[str, ...]
    verdict: str
    lanes: tuple[Optional[bool], ...]
    plaintext: str
    exchange: str
    certificate: str


@dataclass(frozen=True)
class Spoken:
    """What one version accepts. ``whole``: all was asked for, else it is what was chosen."""

    version: str
    suites: tuple[str, ...]
    groups: tuple[str, ...]
    order: Optional[str]
    whole: bool


@dataclass(frozen=True)
class Picture:
    """Suites and groups of ports that accept the same."""

    ports: tuple[str, ...]
    spoken: tuple[Spoken, ...]


@dataclass(frozen=True)
class Chain:
    """A served chain, leaf first, and the ports that serve it."""

    ports: tuple[str, ...]
    certificates: tuple[Document, ...]


@dataclass(frozen=True)
class Fault:
    """Something that is wrong, told once for all subjects of which it is true."""

    check_id: str
    title: str
    severity: str
    fails: bool
    status: str
    actual: str
    expected: str
    cure: str
    subjects: tuple[str, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Unseen:
    """A subject of which checks could not be made, and why."""

    subject: str
    checks: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Host:
    """All that a host's section says."""

    number: int
    name: str
    verdict: str
    observed_at: str
    servers: tuple[str, ...]
    libraries: tuple[str, ...]
    ports: tuple[Port, ...]
    closed: tuple[str, ...]
    pictures: tuple[Picture, ...]
    chains: tuple[Chain, ...]
    faults: tuple[Fault, ...]
    noted: tuple[Fault, ...]
    waived: tuple[Fault, ...]
    unseen: tuple[Unseen, ...]
    passed: tuple[tuple[str, str, int], ...]
    problems: tuple[tuple[str, str], ...]
    before: tuple[tuple[str, str, str, str], ...]
    since: Optional[Document]


def host_view(
    number: int,
    host: Document,
    catalogue: Mapping[str, Check],
    before: Optional[Document] = None,
) -> Host:
    """The section of a host; ``before`` is the host in an earlier document."""
    opened = [endpoint for endpoint in host["endpoints"] if endpoint["open"]]
    faults = _faults(host["findings"], catalogue)
    return Host(
        number=number,
        name=host["host"],
        verdict=host["verdict"],
        observed_at=host["observed_at"],
        servers=tuple(server_name(server) for server in host["servers"]),
        libraries=tuple(_library(server) for server in host["servers"] if server["tls_library"]),
        ports=tuple(_ports(opened, host["findings"])),
        closed=tuple(dict.fromkeys(_closed(e) for e in host["endpoints"] if not e["open"])),
        pictures=tuple(_pictures(opened)),
        chains=tuple(_chains(opened)),
        faults=tuple(fault for fault in faults if fault.fails),
        noted=tuple(fault for fault in faults if fault.status == "fail" and not fault.fails),
        waived=tuple(fault for fault in faults if fault.status == "waived"),
        unseen=tuple(_unseen(host["findings"])),
        passed=tuple(_passed(host["findings"], catalogue)),
        problems=tuple(_problem(problem) for problem in host["problems"]),
        before=tuple(_before(before, host)) if before else (),
        since=host["since"],
    )


def _library(server: Document) -> str:
    library = server["tls_library"]
    return f"{library['name']} {library['version'] or ''}".strip()


def _problem(problem: Document) -> tuple[str, str]:
    origin = problem["origin"]
    return problem["message"], f"{origin['file']}:{origin['line']}" if origin else ""


def _before(before: Document, host: Document) -> Iterator[tuple[str, str, str, str]]:
    """What changed on each port; the port's name stands on its first row that did."""
    name = ""
    for port, what, old, new in changes(before, host):
        name = port or name
        if old != new:
            yield name, what, old, new


# ---------------------------------------------------------------------------------------------
# Ports


def _ports(opened: Sequence[Document], findings: Iterable[Document]) -> Iterator[Port]:
    """The open ports by number; addresses on which a port looks alike together."""
    worst: dict[str, str] = {}
    for finding in findings:
        word, subject = cell_of(finding), finding["subject"]
        if (
            word in _RANK
            and finding["fails"]
            and _RANK[word] < _RANK.get(worst.get(subject, ""), 9)
        ):
            worst[subject] = word
    alike: dict[tuple[Any, ...], list[str]] = {}
    for endpoint in opened:
        key = _look(endpoint, worst.get(endpoint["url"], "pass"))
        alike.setdefault(key, []).append(endpoint["host"])
    for key, addresses in sorted(alike.items(), key=lambda item: item[0][:2]):
        number, service, mode, *rest = key
        yield Port(number, service, mode, "open", tuple(addresses), *rest)


def _look(endpoint: Document, verdict: str) -> tuple[Any, ...]:
    """All that a reader sees of a port, but its address."""
    return (
        endpoint["port"],
        endpoint["service"],
        endpoint["tls_mode"],
        verdict,
        tuple(_lane(endpoint, version) for version in VERSIONS),
        plaintext(endpoint),
        _exchange(endpoint),
        certificate(endpoint),
    )


def _lane(endpoint: Document, version: str) -> Optional[bool]:
    if version in endpoint["versions"]:
        return True
    offers = [o["accepted"] for o in endpoint["offers"] if o["name"] == _OFFERS[version]]
    return False if False in offers else None


def _exchange(endpoint: Document) -> str:
    """The group that TLS 1.3, or else 1.2, agreed on."""
    chosen = {o["name"]: o["group"] for o in endpoint["offers"] if o["accepted"]}
    return chosen.get("tls1.3") or chosen.get("tls1.2") or ""


def _closed(endpoint: Document) -> str:
    return f"{endpoint['port']} {endpoint['service']} {state(endpoint)}"


def short(endpoint: Document) -> str:
    """``993 imap``, and ``993 imap v6`` for its address of IP version 6."""
    return f"{endpoint['port']} {endpoint['service']}{' v6' if ':' in endpoint['host'] else ''}"


def _pictures(opened: Iterable[Document]) -> Iterator[Picture]:
    alike: dict[tuple[Spoken, ...], list[str]] = {}
    for endpoint in opened:
        spoken = tuple(_spoken(endpoint))
        if spoken:
            alike.setdefault(spoken, []).append(short(endpoint))
    for spoken, ports in alike.items():
        yield Picture(tuple(ports), spoken)


def _spoken(endpoint: Document) -> Iterator[Spoken]:
    """Newest version first: the whole listing where there is one, else what was chosen."""
    listings = (endpoint["inventory"] or {}).get("listings", ())
    for listing in listings:
        suites, groups = tuple(listing["suites"]), tuple(listing["groups"])
        yield Spoken(listing["version"], suites, groups, listing["order"], listing["complete"])
    if not listings:
        accepted = [offer for offer in endpoint["offers"] if offer["accepted"]]
        for version in reversed(endpoint["versions"]):
            chosen = [offer for offer in accepted if offer["version"] == version]
            suites = tuple(dict.fromkeys(o["suite"] for o in chosen if o["suite"]))
            groups = tuple(dict.fromkeys(o["group"] for o in chosen if o["group"]))
            yield Spoken(version, suites, groups, None, False)


def _chains(opened: Iterable[Document]) -> Iterator[Chain]:
    alike: dict[tuple[Optional[str], ...], tuple[list[str], tuple[Document, ...]]] = {}
    for endpoint in opened:
        chain = tuple(endpoint["chain"])
        if chain:
            key = tuple(certificate["sha256"] for certificate in chain)
            alike.setdefault(key, ([], chain))[0].append(short(endpoint))
    for ports, chain in alike.values():
        yield Chain(tuple(ports), chain)


# ---------------------------------------------------------------------------------------------
# Findings


_ALIKE = ("check_id", "status", "severity", "actual", "expected", "remediation")


def _faults(findings: Iterable[Document], catalogue: Mapping[str, Check]) -> list[Fault]:
    """What fails or was waived, in the document's order; the same of several subjects once."""
    groups: dict[tuple[Any, ...], list[Document]] = {}
    for finding in findings:
        if finding["status"] in ("fail", "waived"):
            groups.setdefault(tuple(finding[key] for key in _ALIKE), []).append(finding)
    return [_fault(group, catalogue) for group in groups.values()]


def _fault(group: Sequence[Document], catalogue: Mapping[str, Check]) -> Fault:
    first = group[0]
    return Fault(
        check_id=first["check_id"],
        title=title(first["check_id"], catalogue),
        severity=first["severity"],
        fails=first["fails"],
        status=first["status"],
        actual=first["actual"],
        expected=first["expected"],
        cure=first["remediation"],
        subjects=tuple(finding["subject"] for finding in group),
        evidence=tuple(dict.fromkeys(text for f in group for text in f["evidence"])),
    )


def _unseen(findings: Iterable[Document]) -> Iterator[Unseen]:
    """By subject: one port that did not answer is one thing, not one for each check."""
    subjects: dict[str, tuple[list[str], dict[str, None]]] = {}
    for finding in findings:
        if finding["fails"] and finding["status"] != "fail":
            checks, reasons = subjects.setdefault(finding["subject"], ([], {}))
            checks.append(finding["check_id"])
            reasons[(finding["evidence"] or [finding["actual"]])[0]] = None
    for subject, (checks, reasons) in subjects.items():
        yield Unseen(subject, tuple(dict.fromkeys(checks)), tuple(reasons)[:3])


def _passed(
    findings: Iterable[Document], catalogue: Mapping[str, Check]
) -> Iterator[tuple[str, str, int]]:
    """Checks that passed wherever they applied: id, title, on how many subjects."""
    counts: dict[str, int] = {}
    spoiled = set()
    for finding in findings:
        if finding["status"] == "pass":
            counts[finding["check_id"]] = counts.get(finding["check_id"], 0) + 1
        elif finding["status"] != "not_applicable":
            spoiled.add(finding["check_id"])
    for check_id in sorted(counts.keys() - spoiled):
        yield check_id, title(check_id, catalogue), counts[check_id]
