# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as JUnit XML: as a reader of JUnit XML reads it."""

from __future__ import annotations

from defusedxml import ElementTree
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from ansible_collections.postmaster.tls.plugins.plugin_utils.report import junit
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.layout import safe
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    GOOD,
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

KINDS = {Failure: "failure", Error: "error", Skipped: "skipped"}


def read(text: str) -> list[tuple[TestSuite, list[tuple[TestCase, str]]]]:
    """Suites, their cases, and what became of each."""
    return [
        (suite, [(case, KINDS[type(case.result[0])] if case.result else "") for case in suite])
        for suite in JUnitXml.fromstring(text.encode())
    ]


def test_a_host_is_red_exactly_where_it_does_not_pass() -> None:
    document = report()
    for host, (suite, cases) in zip(document["hosts"], read(junit.suites(document))):
        assert suite.name == host["host"]
        red = [kind for _case, kind in cases if kind in ("failure", "error")]
        assert len(red) == host["summary"]["failing"]
        assert bool(red) == (host["verdict"] in ("fail", "error"))
        assert suite.failures == red.count("failure")
        assert suite.errors == red.count("error")
        assert suite.tests == len(cases)
        assert suite.skipped == [kind for _case, kind in cases].count("skipped")


def test_a_failure_tells_where_and_how_to_cure_it() -> None:
    ((_suite, cases),) = read(junit.suites(report(WEAK)))
    case = next(case for case, kind in cases if kind == "failure" and "PT-01" in case.name)
    assert case.classname == "weak.example.org.PT-01"
    assert case.name == "PT-01 imap://192.0.2.1:143"
    (result,) = case.result
    assert result.type == "critical"
    assert "LOGINDISABLED is not announced" in result.message
    assert "cure: Require TLS" in result.text


def test_what_does_not_fail_the_profile_is_skipped_with_its_reason() -> None:
    ((_suite, cases),) = read(junit.suites(report(WEAK)))
    reasons = {case.result[0].message.split(":")[0] for case, kind in cases if kind == "skipped"}
    assert {"low, below what fails", "not applicable"} <= reasons


def test_a_host_that_was_not_reached_is_an_error() -> None:
    document = report(NOTHING)
    assert junit.suites(document).count("<error ") == 0
    document["hosts"][0]["problems"] = [{"message": "it was not reached", "origin": None}]
    ((suite, cases),) = read(junit.suites(document))
    assert suite.errors == 1
    assert cases[0][0].result[0].message == "it was not reached"


def test_what_is_good_is_green() -> None:
    ((suite, _cases),) = read(junit.suites(report(GOOD)))
    assert (suite.failures, suite.errors) == (0, 0)


ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
    "testcase": {"classname", "name", "time"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"message"},
    "system-err": set(),
}
"""Of each element those that junit-10.xsd has, and no more; the whole schema is Jenkins' own."""


def test_elements_and_attributes_are_those_of_the_schema() -> None:
    for element in ElementTree.fromstring(junit.suites(report())).iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag]
        inner = [child.tag for child in element]
        assert inner == sorted(inner, key=lambda tag: tag == "system-err")


@with_hostile_text
def test_hostile_text_stays_text(text: str) -> None:
    made = junit.suites(spoiled(text))
    assert invisible(made) == set()
    shape = [element.tag for element in ElementTree.fromstring(junit.suites(harmless())).iter()]
    tree = ElementTree.fromstring(made)
    assert [element.tag for element in tree.iter()] == shape
    failure = tree.find(".//failure")
    assert failure is not None
    assert failure.get("message") == safe(text)
    assert f"cure: {safe(text)}" in (failure.text or "")
    read(made)
