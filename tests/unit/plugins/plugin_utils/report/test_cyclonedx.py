# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as a CBOM: by the schema of CycloneDX, and as its library reads it."""

from __future__ import annotations

import json
from typing import Any

from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from ansible_collections.postmaster.tls.plugins.plugin_utils.report import cyclonedx
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    GOOD,
    HOSTS,
    WEAK,
    report,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.hostile import (
    spoiled,
    with_hostile_text,
)

VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)


def made(document: dict[str, Any]) -> dict[str, Any]:
    """A bill that the schema and the library take."""
    text = cyclonedx.bom(document)
    assert VALIDATOR.validate_str(text) is None
    bill: dict[str, Any] = json.loads(text)
    read = Bom.from_json(bill)  # type: ignore[attr-defined]  # made by a decorator
    read.validate()
    assert len(read.components) == len(bill["components"])
    return bill


def of_type(bill: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [c for c in bill["components"] if c["cryptoProperties"]["assetType"] == kind]


def post_quantum(component: dict[str, Any]) -> str:
    told = {row["name"]: row["value"] for row in component["properties"]}
    return str(told["postmaster.tls:post-quantum"])


def test_the_schema_and_the_library_take_it() -> None:
    for hosts in ((), *((host,) for host in HOSTS), HOSTS):
        made(report(*hosts))


def test_a_protocol_for_each_version_of_each_port() -> None:
    document = report(GOOD)
    protocols = of_type(made(document), "protocol")
    spoken = [(e["url"], v) for e in document["hosts"][0]["endpoints"] for v in e["versions"]]
    assert [p["name"] for p in protocols] == [
        f"{version} on good.example.org, {url}" for url, version in spoken
    ]
    by_version = {
        p["cryptoProperties"]["protocolProperties"]["version"]: post_quantum(p) for p in protocols
    }
    assert by_version == {"1.2": "classical", "1.3": "hybrid"}


def test_an_inventory_names_all_suites_and_their_algorithms() -> None:
    bill = made(report(WEAK))
    protocol = next(
        p
        for p in of_type(bill, "protocol")
        if p["name"] == "TLSv1.2 on weak.example.org, imap://192.0.2.1:993"
    )
    suites = protocol["cryptoProperties"]["protocolProperties"]["cipherSuites"]
    assert suites[:2] == [
        {
            "name": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            "algorithms": ["algorithm:AES-128-GCM"],
        },
        {"name": "TLS_RSA_WITH_AES_128_CBC_SHA", "algorithms": ["algorithm:AES-128-CBC"]},
    ]


def test_algorithms_have_their_quantum_category() -> None:
    levels = {
        c["name"]: c["cryptoProperties"]["algorithmProperties"].get("nistQuantumSecurityLevel")
        for c in of_type(made(report(GOOD, WEAK)), "algorithm")
    }
    assert levels["X25519MLKEM768"] == 3
    assert levels["x25519"] == 0
    assert levels["AES-128-GCM"] == 1
    assert levels["AES-256-GCM"] == 5


def test_a_certificate_is_there_once_with_its_key() -> None:
    bill = made(report(GOOD))
    (certificate,) = of_type(bill, "certificate")
    told = certificate["cryptoProperties"]["certificateProperties"]
    assert told["notValidAfter"] == "2027-02-12T12:00:00Z"
    (key,) = of_type(bill, "related-crypto-material")
    assert told["subjectPublicKeyRef"] == key["bom-ref"]


def test_references_lead_somewhere() -> None:
    bill = made(report())
    known = {c["bom-ref"] for c in bill["components"]} | {"mail servers"}
    for row in bill["dependencies"]:
        assert {row["ref"], *row["dependsOn"]} <= known


def test_two_reports_have_two_serial_numbers_and_one_has_one() -> None:
    document = report(GOOD)
    later = {**document, "generated_at": "2027-01-01T00:00:00Z"}
    numbers = [made(each)["serialNumber"] for each in (document, document, later)]
    assert numbers[0] == numbers[1] != numbers[2]


@with_hostile_text
def test_hostile_text_keeps_the_bill_valid(text: str) -> None:
    bill = made(spoiled(text))
    references = [component["bom-ref"] for component in bill["components"]]
    assert len(references) == len(set(references))
