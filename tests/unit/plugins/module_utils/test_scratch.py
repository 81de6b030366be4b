# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders for a moment, and what a killed maker leaves."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import scratch

MAKER = """
import sys
from ansible_collections.postmaster.tls.plugins.module_utils import scratch
scratch.RUN = sys.argv[1]
with scratch.folder("test") as directory:
    open(directory + "/key", "w").close()
    print(directory, flush=True)
    sys.stdin.read()
"""
COLLECTIONS = str(Path(scratch.__file__).parents[5])


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(scratch, "RUN", str(tmp_path))
    return tmp_path


def test_it_is_for_its_maker_alone_and_goes(run: Path) -> None:
    with scratch.folder("test") as directory:
        assert Path(directory).parent == run
        assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
        scratch.sweep()
        assert os.path.isdir(directory)
    assert list(run.iterdir()) == []


def test_one_whose_maker_was_killed_is_swept_and_no_other(run: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", MAKER, str(run)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": COLLECTIONS},
    ) as maker:
        assert maker.stdout is not None
        directory = maker.stdout.readline().decode().strip()
        assert os.path.exists(f"{directory}/key")
        scratch.sweep()
        assert os.path.exists(f"{directory}/key")
        maker.send_signal(signal.SIGKILL)
        maker.wait()
    scratch.sweep()
    assert list(run.iterdir()) == []


def test_what_is_not_ours_stays(run: Path) -> None:
    (run / "postmaster-tls.lock").touch()
    (run / "postmaster-tls-other.link").symlink_to(run)
    (run / "other.1").mkdir()
    before = sorted(run.iterdir())
    scratch.sweep()
    assert sorted(run.iterdir()) == before
