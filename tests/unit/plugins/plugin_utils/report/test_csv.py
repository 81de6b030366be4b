# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as CSV: read back, and nothing in it is a formula."""

from __future__ import annotations

import csv as reader
import io
import re
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.plugin_utils.fingerprint import finding
from ansible_collections.postmaster.tls.plugins.plugin_utils.report import csv
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    NOTHING,
    WEAK,
    report,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.hostile import (
    harmless,
    invisible,
    spoiled,
    with_hostile_text,
)

FORMULA = re.compile("[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")
NUMBER = re.compile(r"-?\d+\Z")


def rows(text: str) -> list[dict[str, str]]:
    return list(reader.DictReader(io.StringIO(text, newline="")))


def test_a_row_for_each_open_port() -> None:
    document = report()
    ports = [e for host in document["hosts"] for e in host["endpoints"] if e["open"]]
    assert [(row["ip"], row["port"]) for row in rows(csv.ports(document))] == [
        (endpoint["host"], str(endpoint["port"])) for endpoint in ports
    ]


def test_a_weak_port() -> None:
    (row,) = [r for r in rows(csv.ports(report(WEAK))) if r["port"] == "143"]
    told: dict[str, Any] = {
        "timestamp": "2026-11-24 12:00:00",
        "severity": "critical",
        "protocol": "tcp",
        "hostname": "weak.example.org",
        "cert_expired": "N",
        "cert_expiration_date": "2027-02-12 12:00:00",
        "cert_valid": "N",
        "self_signed": "Y",
        "subject_common_name": "mail.example.org",
        "tls_versions": "TLSv1 TLSv1.2 TLSv1.3",
        "plaintext_login": "Y",
        "cert_days_left": "80",
        "asn": "",
    }
    assert {name: row[name] for name in told} == told
    assert row["tag"].startswith("imap;")
    assert "PT-01" in row["tag"].split(";")
    assert re.fullmatch("([0-9A-F]{2}:){31}[0-9A-F]{2}", row["sha256_fingerprint"])


def test_shadowservers_columns_are_all_there() -> None:
    header = csv.ports(report(NOTHING)).splitlines()[0].replace('"', "").split(",")
    assert len(header) == len(set(header))
    assert len(csv.SHADOWSERVER) == 60
    assert set(csv.SHADOWSERVER) < set(header)
    assert header[:3] == ["timestamp", "severity", "ip"]


def test_findings_that_ask_for_somebody() -> None:
    document = report()
    made = rows(csv.findings(document))
    assert {row["status"] for row in made} == {"fail", "error", "not_checked"}
    weak = next(row for row in made if row["check_id"] == "PT-01")
    assert weak["fingerprint"] == finding("weak.example.org", "PT-01", weak["subject"])
    assert weak["fails"] == "Y"
    (problem,) = [row for row in made if row["check_id"] == ""]
    assert (problem["subject"], problem["status"]) == ("/etc/x:3", "error")
    assert problem["actual"] == "half of it was not seen"
    failing = sum(host["summary"]["failing"] for host in document["hosts"])
    assert sum(row["fails"] == "Y" for row in made) == failing


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1", "'=1"),
        ("  +1", "'  +1"),
        ("\uff1d1", "'\uff1d1"),
        ("a;=1", "a;'=1"),
        ('a;"=1', "a;\"'=1"),
        ("a-1", "a-1"),
        (-3, "-3"),
        ("\t=1", "\\x09=1"),
    ],
)
def test_cells(value: csv.Cell, shown: str) -> None:
    assert csv.cell(value) == shown


@with_hostile_text
def test_hostile_text_is_no_formula_and_no_cell_of_its_own(text: str) -> None:
    for make in (csv.ports, csv.findings):
        made, plain = make(spoiled(text)), make(harmless())
        assert invisible(made, "\r\n") == set()
        table = list(reader.reader(io.StringIO(made, newline="")))
        assert [len(row) for row in table] == [
            len(row) for row in reader.reader(io.StringIO(plain, newline=""))
        ]
        cells = [cell for row in table for cell in row if not NUMBER.match(cell)]
        assert [cell for cell in cells if FORMULA.match(cell.lstrip())] == []
        # Where a semicolon is taken for the separator, cells begin in the middle of ours.
        other = reader.reader(io.StringIO(made, newline=""), delimiter=";")
        cells = [cell.lstrip(' "\r\n') for row in other for cell in row]
        assert [cell for cell in cells if FORMULA.match(cell)] == []
