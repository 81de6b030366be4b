# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of formats: what it makes, and that users are told of each row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ansible_collections.postmaster.tls.plugins.modules import report as module
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.formats import FORMATS, make
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    report,
)

ROOT = Path(__file__).resolve().parents[5]


def test_json_is_always_made_and_first() -> None:
    made = list(make(report(), []))
    assert [row.name for row in made] == ["report.json"]
    assert json.loads(made[0].text) == report()
    assert made == list(make(report(), ["json", "json"]))


def test_every_format_has_a_file_of_its_own_that_only_its_owner_reads() -> None:
    made = list(make(report(), FORMATS))
    assert len({row.name for row in made}) == len(FORMATS)
    assert [row.name for row in made] == [row.file for row in FORMATS.values()]
    assert all(row.text.endswith("\n") for row in made)
    assert {row.name for row in made if row.mode != 0o600} <= {"postmaster_tls_report.prom"}


def test_what_is_no_format() -> None:
    with pytest.raises(ValueError, match="no format 'pdf'; choose among: json"):
        make(report(), ["pdf"])


def test_the_module_and_the_page_tell_of_each() -> None:
    option = yaml.safe_load(module.DOCUMENTATION)["options"]["formats"]
    assert option["choices"] == list(FORMATS)
    page = (ROOT / "docs" / "report.md").read_text("utf-8")
    assert [row.file for row in FORMATS.values() if f"`{row.file}`" not in page] == []
