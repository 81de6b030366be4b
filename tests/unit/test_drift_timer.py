# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks every night: units that systemd takes, and that say what they are asked to."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "drift_timer"
UNITS = ("mail-tls-drift-failed.service", "mail-tls-drift.service", "mail-tls-drift.timer")
PULL = {
    "drift_timer_mode": "pull",
    "drift_timer_pull_url": "https://git.example.org/tls.git",
    "drift_timer_pull_version": "stable",
    "drift_timer_vantage": "outside",
    "drift_timer_playbook": "drift.yml",
}
ODD = 'a "b" \\ 50% $HOME'


def rendered(**given: Any) -> dict[str, str]:
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text("utf-8"))
    # As Ansible has it: blocks leave no line.
    environment = Environment(
        loader=FileSystemLoader(ROLE / "templates"),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - units are no HTML
    )
    environment.filters.update(
        dirname=lambda path: str(Path(path).parent),
        to_json=json.dumps,
        path_join=lambda parts: str(Path(*parts)),
    )
    computed = {"drift_timer_vantage": "", "drift_timer_playbook": "postmaster.tls.drift"}
    values = {**defaults, **computed, "ansible_managed": "managed", **given}
    return {u: environment.get_template(f"{u}.j2").render(values) for u in UNITS}


@pytest.mark.parametrize("given", [{}, PULL, {"drift_timer_environment_file": "/etc/secrets"}])
def test_systemd_takes_the_units(tmp_path: Path, given: dict[str, Any]) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    programs = {"drift_timer_program": "/bin/true", "drift_timer_directory": "/tmp"}  # noqa: S108
    for name, text in rendered(**{**programs, **given}).items():
        (tmp_path / name).write_text(text.replace("/bin/ansible-pull", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit) for unit in UNITS)],
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "mail-tls" in line]
    assert (done.returncode, ours) == (0, [])


def test_a_word_stays_one_word() -> None:
    """systemd.service(5), command lines: quotes, specifiers and variables."""
    service = rendered(drift_timer_options=["-e", ODD])["mail-tls-drift.service"]
    (line,) = [line for line in service.splitlines() if line.startswith("ExecStart=")]
    assert r'"a \"b\" \\ 50%% $$HOME" "postmaster.tls.drift"' in line


def test_pull_names_the_vantage_host() -> None:
    service = rendered(**PULL)["mail-tls-drift.service"]
    assert '/usr/bin/ansible-pull" --url "https://git.example.org/tls.git"' in service
    assert r'"{\"mail_tls_vantage\": \"outside\"}"' in service
    assert "ProtectSystem" not in service  # it may be told to harden its own host


@pytest.mark.parametrize(
    ("inventory", "read"),
    [
        ("hosts.yml", "/var/lib/mail-tls-drift/checkout/hosts.yml"),
        ("/etc/ansible/hosts.yml", "/etc/ansible/hosts.yml"),
    ],
)
def test_pull_reads_the_inventory_that_it_fetches(inventory: str, read: str) -> None:
    """ansible-pull takes a path as one in the folder that it is started in."""
    service = rendered(**PULL, drift_timer_inventory=inventory)["mail-tls-drift.service"]
    assert f'--inventory "{read}"' in service


def test_root_is_not_switched_to() -> None:
    """systemd ends with 217/USER where it may not mount: seccomp and User= together."""
    assert "\nUser=" not in rendered()["mail-tls-drift.service"]
    other = rendered(drift_timer_user="mail-tls")["mail-tls-drift.service"]
    assert "User=mail-tls\n" in other
    assert "HOME=" not in other


def test_what_the_timer_promises() -> None:
    timer, service = (rendered()[u] for u in ("mail-tls-drift.timer", "mail-tls-drift.service"))
    assert "Persistent=true\n" in timer
    assert "RandomizedDelaySec=30m\n" in timer
    assert "OnFailure=mail-tls-drift-failed.service\n" in service
    assert "flock --nonblock" in service
