# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report document: its schema, its names, and what stays out of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from ansible_collections.postmaster.tls.plugins.module_utils.model.posture import Severity
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.json import document
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    LEAF,
    NOW,
    SELF_SIGNED,
    port,
    posture,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    GOOD,
    HOSTS,
    NOTHING,
    PROFILE,
    SECRET,
    WEAK,
    judged,
    report,
)

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[5] / "docs" / "report.schema.json").read_text("utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA)


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("hosts", [(), *((host,) for host in HOSTS)])
def test_documents_follow_the_schema(hosts: tuple[object, ...]) -> None:
    VALIDATOR.validate(report(*hosts))  # type: ignore[arg-type]


def test_unreadable_certificates_follow_it_too() -> None:
    made = report(judged(posture(port(chain=("bm9uZQ==", "no base64", LEAF)))))
    VALIDATOR.validate(made)
    chain = made["hosts"][0]["endpoints"][0]["chain"]
    assert [bool(cert["error"]) for cert in chain] == [True, True, False]
    assert chain[1]["sha256"] is None


def test_the_schema_is_strict() -> None:
    made = report(GOOD)
    made["hosts"][0]["findings"][0]["severity"] = "dreadful"
    with pytest.raises(ValidationError):
        VALIDATOR.validate(made)
    made = report(GOOD)
    made["hosts"][0]["more"] = 1
    with pytest.raises(ValidationError):
        VALIDATOR.validate(made)


def test_hosts_and_verdicts() -> None:
    made = report()
    verdicts = {host["host"]: host["verdict"] for host in made["hosts"]}
    assert list(verdicts) == sorted(verdicts)
    assert verdicts == {
        "good.example.org": "pass",
        "weak.example.org": "fail",
        "secret.example.org": "error",  # nobody looked at its ports
        "nothing.example.org": "none",
    }
    assert made["summary"]["verdicts"] == {"pass": 1, "fail": 1, "error": 1, "none": 1}
    assert made["summary"]["failing"] == sum(h["summary"]["failing"] for h in made["hosts"])


def test_findings_tell_whether_they_fail() -> None:
    host = report(WEAK)["hosts"][0]
    failing = [f for f in host["findings"] if f["fails"]]
    assert len(failing) == host["summary"]["failing"] > 0
    assert {f["severity"] for f in failing} <= {"critical", "high", "medium"}
    lax = document([WEAK], PROFILE, NOW, threshold=Severity.CRITICAL)
    assert lax["fails_at"] == "critical"
    assert lax["hosts"][0]["summary"]["failing"] < host["summary"]["failing"]


def test_names_for_code_points_and_facts_for_certificates() -> None:
    endpoint = report(GOOD)["hosts"][0]["endpoints"][0]
    assert endpoint["url"] == "imap://192.0.2.1:143"
    assert endpoint["versions"] == ["TLSv1.2", "TLSv1.3"]
    shown = {"version": "TLSv1.3", "suite": "TLS_AES_256_GCM_SHA384", "alpn": None, "group": None}
    assert endpoint["handshake"] == shown
    offers = {offer["name"]: offer for offer in endpoint["offers"]}
    assert offers["tls1.3"]["group"] == "X25519MLKEM768"
    assert offers["tls1.2"]["signature"] == "rsa_pss_rsae_sha256"
    assert offers["ssl3"]["version"] is None
    leaf = endpoint["chain"][0]
    assert leaf["der"] == LEAF
    assert (leaf["days_left"], leaf["not_after"]) == (80, "2027-02-12T12:00:00Z")


def test_an_inventory_has_names() -> None:
    good, weak = (report(host)["hosts"][0]["endpoints"] for host in (GOOD, WEAK))
    assert good[0]["inventory"] is None
    found = next(e["inventory"] for e in weak if e["inventory"])
    (listing,) = found["listings"]
    assert listing["version"] == "TLSv1.2"
    assert listing["suites"][1] == "TLS_RSA_WITH_AES_128_CBC_SHA"
    assert (listing["groups"], listing["order"]) == (["x25519", "secp256r1"], "client")
    assert listing["signatures"] == ["rsa_pss_rsae_sha256"]
    assert listing["dh_groups"] == ["RFC 2409 group 2, 1024 bits", "custom, 2048 bits"]
    (chain,) = found["chains"]
    assert (chain["asked_by"], chain["certificates"][0]["der"]) == ("no_name", SELF_SIGNED)
    assert (found["ticket_seconds"], found["resumption"]) == (7200, None)


def test_no_secret_enters() -> None:
    text = json.dumps(report(SECRET))
    assert "hunter2" not in text
    assert "PRIVATE KEY" not in text
    assert text.count("(hidden)") == 4


def test_since() -> None:
    before = report(replace(WEAK, host="good.example.org"), NOTHING)
    after = report(GOOD, WEAK, previous=before)
    since = {host["host"]: host["since"] for host in after["hosts"]}
    assert since["good.example.org"]["new"] == []
    gone = since["good.example.org"]["gone"]
    assert {"check_id": "PT-01", "subject": "imap://192.0.2.1:143"} in gone
    assert since["weak.example.org"] is None
    assert after["previous_generated_at"] == "2026-11-24T12:00:00Z"
    VALIDATOR.validate(after)
