# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as metrics: as Prometheus reads them, and bounded whatever a document says."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.postmaster.tls.plugins.module_utils import metrics as deployment
from ansible_collections.postmaster.tls.plugins.plugin_utils.report import prometheus
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    GOOD,
    NOTHING,
    WEAK,
    report,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.hostile import (
    PIECES,
    harmless,
    spoiled,
    with_hostile_text,
)

LABELS = {"host", "address", "port", "service", "severity", "verdict"}


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            series = (sample.name.removeprefix("postmaster_tls_"), frozenset(sample.labels.items()))
            assert series not in found
            assert sample.timestamp is None
            found[series] = sample.value
    return found


def told(document: dict[str, Any], name: str, **labels: str) -> dict[frozenset[Any], float]:
    """The samples of a name that have these labels."""
    return {
        series[1]: value
        for series, value in samples(prometheus.metrics(document)).items()
        if series[0] == name and labels.items() <= dict(series[1]).items()
    }


def only(found: dict[frozenset[Any], float]) -> float:
    (value,) = found.values()
    return value


def test_hosts() -> None:
    document = report()
    verdicts = document["summary"]["verdicts"]
    for verdict, count in verdicts.items():
        assert only(told(document, "report_hosts", verdict=verdict)) == count
    passing = {"good.example.org": 1.0, "weak.example.org": 0.0, "secret.example.org": 0.0}
    for host, passes in passing.items():
        assert only(told(document, "host_passes", host=host)) == passes
    # What was not observed does not pass, and does not fail either.
    assert told(document, "host_passes", host="nothing.example.org") == {}
    assert only(told(document, "host_observed", host="nothing.example.org")) == 0.0
    assert only(told(document, "report_timestamp_seconds")) == 1795521600


def test_ports() -> None:
    document = report(WEAK)
    port = {"host": "weak.example.org", "port": "143"}
    assert only(told(document, "endpoint_plaintext_login", **port)) == 1
    assert only(told(document, "endpoint_old_tls", **port)) == 1
    assert only(told(document, "endpoint_open", host="weak.example.org", port="4190")) == 0
    assert told(document, "endpoint_old_tls", host="weak.example.org", port="4190") == {}
    ends = only(told(document, "endpoint_certificate_not_after_timestamp_seconds", **port))
    assert ends == 1802433600
    good = {"host": "good.example.org", "port": "143"}
    assert only(told(report(GOOD), "endpoint_plaintext_login", **good)) == 0
    assert only(told(report(GOOD), "endpoint_old_tls", **good)) == 0
    assert only(told(report(GOOD), "endpoint_post_quantum", **good)) == 1


def test_no_name_is_another_files_too() -> None:
    # The collector refuses two files that say different things of one name.
    ours = set(prometheus.HELP)
    theirs = {deployment.SUCCESS, deployment.AT, deployment.BEGINS, deployment.ENDS}
    assert ours & theirs == set()
    assert all(name.startswith("postmaster_tls_") for name in ours | theirs)


def test_labels_are_bounded_by_the_inventory_and_the_words_of_the_program() -> None:
    for _name, labels in samples(prometheus.metrics(report())):
        assert {key for key, _value in labels} <= LABELS
    assert told(report(NOTHING), "endpoint_open") == {}


@with_hostile_text
def test_hostile_text_is_one_label(text: str) -> None:
    made = prometheus.metrics(spoiled(text))
    assert made.count("\n") <= prometheus.metrics(harmless()).count("\n")
    for name, labels in samples(made):
        assert f"postmaster_tls_{name}" in prometheus.HELP
        assert {key for key, _value in labels} <= LABELS
        assert all(len(value) <= prometheus.LONGEST_LABEL for _key, value in labels)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is Debian's prometheus")
@pytest.mark.parametrize(
    "document", [report(), *(spoiled("".join(PIECES[n::9])) for n in range(9))]
)
def test_promtool_takes_it(document: dict[str, Any]) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=prometheus.metrics(document),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
