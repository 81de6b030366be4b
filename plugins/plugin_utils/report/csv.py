# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as CSV: a row for each open port, and a row for each finding that asks for somebody.

The ports have the columns of Shadowserver's reports of accessible mail services, so that what
reads those reads these; what Shadowserver takes from elsewhere (network, country, industry) stays
empty, and our own columns follow. No cell is a formula to a spreadsheet.

Sources: Shadowserver, Accessible and Vulnerable IMAP and POP3 reports; RFC 4180; OWASP, CSV
Injection.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Optional, Union

from ..fingerprint import finding as fingerprint
from .layout import plaintext, safe

try:
    from cryptography import x509
except ImportError:  # an ansible-core without its own requirements: it read no certificate either
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = True

Document = Mapping[str, Any]
Cell = Union[str, int]

_SEVERITIES = ("critical", "high", "medium", "low", "info")
_ASKING = ("fail", "error", "not_checked", "waived")

# What begins a formula in a spreadsheet, also in its full-width and small forms; and, where a
# semicolon is taken for the separator, what does so behind one. Tabulators and line ends do not
# get here (layout.safe).
_BEGINS = "[=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b]"
_FORMULA = re.compile(rf"\s*{_BEGINS}")
_CELL_WITHIN = re.compile(rf"(;[\s\"']*)(?={_BEGINS})")


def ports(document: Document) -> str:
    """The open ports of all hosts."""
    rows = (row for host in document["hosts"] for row in _ports(host))
    return _table(PORT_COLUMNS, rows)


def findings(document: Document) -> str:
    """What fails, could not be seen or is waived, and what kept hosts from being observed."""
    rows = (row for host in document["hosts"] for row in _findings(host))
    return _table(FINDING_COLUMNS, rows)


# ---------------------------------------------------------------------------------------------
# Cells


def _table(columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(row.get(column, "")) for column in columns])
    return out.getvalue()


def cell(value: Cell) -> str:
    """A value as a cell: numbers as they are, text with an apostrophe before a formula."""
    if isinstance(value, int):
        return str(value)
    text = _CELL_WITHIN.sub(r"\1'", safe(value))
    return f"'{text}" if _FORMULA.match(text) else text


def _truth(value: Optional[bool]) -> str:
    return {True: "Y", False: "N"}.get(value, "") if value is not None else ""


def _moment(text: str) -> str:
    """ISO 8601 in UTC as Shadowserver writes it."""
    return safe(text).replace("T", " ").removesuffix("Z").removesuffix("+00:00")


# ---------------------------------------------------------------------------------------------
# Ports

# RFC 4519, RFC 2985 (e-mail address)
_NAME_PARTS = {
    "business_category": "2.5.4.15",
    "common_name": "2.5.4.3",
    "country": "2.5.4.6",
    "email_address": "1.2.840.113549.1.9.1",
    "given_name": "2.5.4.42",
    "locality_name": "2.5.4.7",
    "organization_name": "2.5.4.10",
    "organization_unit_name": "2.5.4.11",
    "postal_code": "2.5.4.17",
    "serial_number": "2.5.4.5",
    "state_or_province_name": "2.5.4.8",
    "street_address": "2.5.4.9",
    "surname": "2.5.4.4",
}
SHADOWSERVER = (
    *("timestamp", "severity", "ip", "protocol", "port", "hostname", "tag", "asn", "geo"),
    *("region", "city", "naics", "hostname_source", "sector", "banner"),
    *("cert_expiration_date", "cert_expired", "cert_issue_date", "cert_length"),
    *("cert_serial_number", "cert_valid", "cipher_suite", "handshake"),
    *(f"issuer_{part}" for part in _NAME_PARTS),
    *("jarm", "key_algorithm"),
    *("md5_fingerprint", "sha1_fingerprint", "sha256_fingerprint", "sha512_fingerprint"),
    *("self_signed", "signature_algorithm", "ssl_version", "sslv3_supported"),
    *(f"subject_{part}" for part in _NAME_PARTS),
    "validation_level",
)
"""Shadowserver's columns; their readers go by the header, the order is free."""
OWN = (
    *("host", "url", "service", "tls_mode", "tls_versions", "starttls", "plaintext_login"),
    *("key_exchange", "cert_names", "cert_days_left", "failing", "failing_checks"),
)
PORT_COLUMNS = (*SHADOWSERVER, *OWN)


def _ports(host: Document) -> Iterator[dict[str, Cell]]:
    about: dict[str, list[Document]] = {}
    for found in host["findings"]:
        about.setdefault(found["subject"], []).append(found)
    for endpoint in host["endpoints"]:
        if endpoint["open"]:
            yield _port(host, endpoint, about.get(endpoint["url"], []))


def _port(host: Document, endpoint: Document, about: Sequence[Document]) -> dict[str, Cell]:
    failing = [found for found in about if found["fails"]]
    worst = [s for s in _SEVERITIES if any(f["severity"] == s for f in failing)]
    checks = list(dict.fromkeys(safe(f["check_id"]) for f in failing))
    shake = endpoint["handshake"] or {}
    return {
        "timestamp": _moment(host["observed_at"]),
        "severity": (worst or ["info"])[0],
        "ip": endpoint["host"],
        "protocol": "tcp",
        "port": endpoint["port"],
        "hostname": host["host"],
        "tag": ";".join([safe(endpoint["service"]), *checks]),
        "hostname_source": "inventory",
        "banner": endpoint["greeting"] or "",
        "cipher_suite": shake.get("suite") or "",
        "handshake": shake.get("version") or "",
        "sslv3_supported": _truth(_ssl3(endpoint)),
        **(_certificate(endpoint["chain"][0]) if endpoint["chain"] else {}),
        "cert_valid": _truth(_valid(about)),
        "host": host["host"],
        "url": endpoint["url"],
        "service": endpoint["service"],
        "tls_mode": endpoint["tls_mode"],
        "tls_versions": " ".join(safe(version) for version in endpoint["versions"]),
        "starttls": _truth(endpoint["starttls"]),
        "plaintext_login": {"TAKEN": "Y", "refused": "N"}.get(plaintext(endpoint), ""),
        "key_exchange": shake.get("group") or "",
        "failing": len(failing),
        "failing_checks": " ".join(checks),
    }


def _ssl3(endpoint: Document) -> Optional[bool]:
    told = [offer["accepted"] for offer in endpoint["offers"] if offer["name"] == "ssl3"]
    return True if "SSLv3" in endpoint["versions"] else next(iter(told), None)


_VALIDITY = ("CRT-01", "CRT-05", "CRT-10")


def _valid(about: Sequence[Document]) -> Optional[bool]:
    """Whether dates and chain were judged good; ``None`` where something was not seen."""
    said = [found["status"] for found in about if found["check_id"] in _VALIDITY]
    statuses = {"fail" if status == "waived" else status for status in said}
    if "fail" in statuses:
        return False
    return True if "pass" in statuses and statuses <= {"pass", "not_applicable"} else None


def _certificate(leaf: Document) -> dict[str, Cell]:
    """The columns of a certificate, as far as it can be read."""
    found: dict[str, Cell] = dict(_fingerprints(leaf["der"]))
    if leaf.get("error"):
        return found
    found.update(
        cert_expiration_date=_moment(leaf["not_after"]),
        cert_expired=_truth(leaf["days_left"] < 0),
        cert_issue_date=_moment(leaf["not_before"]),
        cert_length=leaf["key_bits"] or "",
        cert_serial_number=leaf["serial"],
        key_algorithm=leaf["key_type"],
        self_signed=_truth(leaf["self_signed"]),
        signature_algorithm=leaf["signature_hash"] or "",
        cert_names=" ".join(safe(name) for name in leaf["names"]),
        cert_days_left=leaf["days_left"],
    )
    for whose in ("issuer", "subject"):
        parts = _name_parts(leaf[whose])
        found.update({f"{whose}_{part}": text for part, text in parts})
    return found


@lru_cache(maxsize=4096)
def _fingerprints(der: str) -> tuple[tuple[str, str], ...]:
    try:
        raw = base64.b64decode(der, validate=True)
    except (binascii.Error, ValueError):
        return ()
    return tuple(
        (
            f"{name}_fingerprint",
            hashlib.new(name, raw, usedforsecurity=False).digest().hex(":").upper(),
        )
        for name in ("md5", "sha1", "sha256", "sha512")
    )


@lru_cache(maxsize=4096)
def _name_parts(name: str) -> tuple[tuple[str, str], ...]:
    """The parts of a distinguished name (RFC 4514); none of one that was cut or cleaned."""
    if not HAS_CRYPTOGRAPHY:
        return ()
    try:
        parsed = x509.Name.from_rfc4514_string(name)
    except ValueError:
        return ()
    values: dict[str, list[str]] = {}
    for attribute in parsed:
        values.setdefault(attribute.oid.dotted_string, []).append(str(attribute.value))
    return tuple(
        (part, " ".join(values[oid])) for part, oid in _NAME_PARTS.items() if oid in values
    )


# ---------------------------------------------------------------------------------------------
# Findings

FINDING_COLUMNS = (
    *("timestamp", "host", "check_id", "subject", "status", "severity", "fails", "expected"),
    *("actual", "evidence", "remediation", "fingerprint"),
)


def _findings(host: Document) -> Iterator[dict[str, Cell]]:
    when = _moment(host["observed_at"])
    for problem in host["problems"]:
        yield {"timestamp": when, "host": host["host"], "status": "error", **_problem(problem)}
    for found in host["findings"]:
        if found["status"] in _ASKING or found["fails"]:
            yield {
                **{column: found[column] for column in FINDING_COLUMNS if column in found},
                "timestamp": when,
                "host": host["host"],
                "fails": _truth(found["fails"]),
                "evidence": " | ".join(safe(text) for text in found["evidence"]),
                "fingerprint": fingerprint(host["host"], found["check_id"], found["subject"]),
            }


def _problem(problem: Document) -> dict[str, Cell]:
    origin = problem["origin"]
    subject = f"{safe(origin['file'])}:{safe(origin['line'])}" if origin else ""
    return {"subject": subject, "actual": problem["message"]}
