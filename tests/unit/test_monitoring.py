# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts and dashboard speak of metrics that somebody writes, in words that Prometheus takes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.postmaster.tls.plugins.module_utils import metrics
from ansible_collections.postmaster.tls.plugins.plugin_utils.report import prometheus

ROOT = Path(__file__).resolve().parents[2]
ALERTS = ROOT / "docs" / "monitoring" / "alerts.yml"
DASHBOARD = ROOT / "docs" / "monitoring" / "dashboard.json"
TEST = ROOT / "tests" / "monitoring" / "alerts_test.yml"
WRITTEN = set(prometheus.HELP) | {metrics.SUCCESS, metrics.AT, metrics.BEGINS, metrics.ENDS}
RULES = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"][0]["rules"]
BOARD = json.loads(DASHBOARD.read_text("utf-8"))

promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not there: scripts/setup.sh fetches it"
)


def named(text: str) -> set[str]:
    """The metrics of ours in an expression."""
    return set(re.findall(r"postmaster_tls_\w+", text))


def questions() -> Iterator[str]:
    """Each expression of the dashboard."""
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def run(*command: str) -> str:
    done = subprocess.run(
        ["promtool", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_alerts_are_about_metrics_that_are_written() -> None:
    assert [rule["alert"] for rule in RULES if not named(rule["expr"])] == []
    assert set().union(*(named(rule["expr"]) for rule in RULES)) <= WRITTEN


def test_every_alert_is_documented_and_tried() -> None:
    names = {rule["alert"] for rule in RULES}
    tried = yaml.safe_load(TEST.read_text("utf-8"))["tests"]
    fired = {t["alertname"] for test in tried for t in test["alert_rule_test"] if "exp_alerts" in t}
    silent = {
        t["alertname"] for test in tried for t in test["alert_rule_test"] if "exp_alerts" not in t
    }
    assert fired == names
    assert names - silent <= {"MailTlsCertificateEnded", "MailTlsHostNotObserved"}
    assert all(rule["annotations"].keys() == {"summary", "description"} for rule in RULES)


def test_the_dashboard_is_about_metrics_that_are_written() -> None:
    asked = list(questions())
    assert [text for text in asked if not named(text)] == []
    variables = [str(row.get("query")) for row in BOARD["templating"]["list"]]
    assert set().union(*map(named, [*asked, *variables])) <= WRITTEN


def test_panels_have_names_and_places_of_their_own() -> None:
    panels: list[dict[str, Any]] = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] and panel["description"] for panel in panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert all(x < 24 for x, _y in cells)


def test_the_page_tells_of_each_metric() -> None:
    page = (ROOT / "docs" / "report.md").read_text("utf-8")
    for name, words in prometheus.HELP.items():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert row.endswith(f"| {words[0].lower()}{words[1:].rstrip('.')} |")


@promtool
def test_promtool_takes_the_alerts() -> None:
    assert f"SUCCESS: {len(RULES)} rules found" in run("check", "rules", str(ALERTS))


@promtool
def test_the_alerts_fire_when_they_should() -> None:
    assert "SUCCESS" in run("test", "rules", str(TEST))


@promtool
def test_promtool_takes_what_the_dashboard_asks(tmp_path: Path) -> None:
    asked = [text.replace("$host", ".*") for text in questions()]
    rules = [{"record": f"asked:{number}", "expr": text} for number, text in enumerate(asked)]
    path = tmp_path / "asked.yml"
    path.write_text(json.dumps({"groups": [{"name": "asked", "rules": rules}]}), encoding="utf-8")
    assert f"SUCCESS: {len(asked)} rules found" in run("check", "rules", str(path))
