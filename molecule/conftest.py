# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of all scenarios share: the hosts by address, and the front doors as commands."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import testinfra

from ansible_collections.postmaster.tls.lab.hosts import HOSTS, ipv4

ROOT = Path(__file__).resolve().parent.parent
KEYS = ROOT / ".cache" / "lab"
Playbook = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def on(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], testinfra.host.Host]:
    """on("dovecot-trixie"): the host as testinfra sees it."""
    config = tmp_path_factory.mktemp("ssh") / "config"
    config.write_text(
        f"Host *\nIdentityFile {KEYS}/id_ed25519\nIdentitiesOnly yes\n"
        f"UserKnownHostsFile {KEYS}/known_hosts\n"
        f"ControlPath {config.parent}/%C\n"
    )
    return lambda name: testinfra.get_host(f"ssh://root@{ipv4(HOSTS[name])}?ssh_config={config}")


@pytest.fixture(scope="session")
def playbook() -> Playbook:
    """playbook("audit", option, …): run a front door as a user does."""

    def run(name: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ansible-playbook", f"{name}.yml", *options],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def reported(
    playbook: Playbook, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[int, dict[str, Any]]]:
    """reported("verify", option, …): the exit code and the report of a run."""

    def run(name: str, *options: str) -> tuple[int, dict[str, Any]]:
        folder = tmp_path_factory.mktemp(name)
        history = f"--extra-vars=mail_tls_history={folder}/history.sqlite"
        done = playbook(name, f"--extra-vars=mail_tls_report_dir={folder}", history, *options)
        report = folder / "report.json"
        assert report.exists(), done.stdout + done.stderr
        return done.returncode, json.loads(report.read_text(encoding="utf-8"))

    return run
