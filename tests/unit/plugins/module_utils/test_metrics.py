# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics: whole or not at all, and what was known is not forgotten by a failure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import metrics

GOOD = {metrics.SUCCESS: 1.0, metrics.AT: 1e9, metrics.BEGINS: 2e9, metrics.ENDS: 3e9}


def test_a_file_for_each_server_and_name(tmp_path: Path) -> None:
    assert metrics.write(str(tmp_path), "dovecot", "", GOOD) is None
    assert metrics.write(str(tmp_path), "courier", "a.test", GOOD) is None
    assert sorted(os.listdir(tmp_path)) == [
        "postmaster_tls_courier_a.test.prom",
        "postmaster_tls_dovecot.prom",
    ]
    lines = (tmp_path / "postmaster_tls_courier_a.test.prom").read_text().splitlines()
    assert lines[0].startswith(f"# HELP {metrics.SUCCESS} ")
    assert lines[1] == f"# TYPE {metrics.SUCCESS} gauge"
    assert lines[2] == f'{metrics.SUCCESS}{{product="courier",server_name="a.test"}} 1'
    assert len(lines) == 12


def test_a_failure_keeps_the_moment_of_the_last_success(tmp_path: Path) -> None:
    metrics.write(str(tmp_path), "dovecot", "", GOOD)
    before = (tmp_path / "postmaster_tls_dovecot.prom").read_text()
    metrics.write(str(tmp_path), "dovecot", "", {metrics.SUCCESS: 0.0})
    after = (tmp_path / "postmaster_tls_dovecot.prom").read_text()
    assert after == before.replace('""} 1\n', '""} 0\n', 1)


def test_where_nobody_collects_nothing_is_written(tmp_path: Path) -> None:
    assert metrics.write(str(tmp_path / "none"), "dovecot", "", GOOD) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="to root every folder is its own")
def test_a_folder_of_somebody_else_is_told(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    said = metrics.write(str(shared), "dovecot", "", GOOD)
    assert said is not None
    assert said.startswith("the metrics cannot be written: ")
    assert os.listdir(shared) == []
