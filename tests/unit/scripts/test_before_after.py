# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/before_after.py as a person calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    GOOD,
    WEAK,
    report,
)

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "before_after.py"


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_two_reports(tmp_path: Path) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps(report(WEAK)), "utf-8")
    after.write_text(json.dumps(report(GOOD)), "utf-8")
    done = call(str(before), str(after))
    assert (done.returncode, done.stderr) == (0, "")
    assert "weak.example.org" in done.stdout


BAD = [
    ("", "is not JSON"),
    ("[]", "is no report"),
    ('{"schema": "postmaster.tls/report", "schema_version": 2}', "schema version"),
    ('{"schema": "postmaster.tls/report", "schema_version": 1}', "does not follow"),
]


@pytest.mark.parametrize(("text", "error"), BAD)
def test_files_that_are_no_reports(text: str, error: str, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(text, "utf-8")
    done = call(str(file), str(file))
    assert done.returncode == 2
    assert error in done.stderr
    assert "Traceback" not in done.stderr


def test_no_file_and_no_arguments() -> None:
    assert "No such file" in call("/nowhere", "/nowhere").stderr
    assert "usage" in call().stderr
