# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run is known by its process; of a run on another controller nothing is known."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from ansible_collections.postmaster.tls.plugins.plugin_utils import owner

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/self/stat"), reason="the start of a process is read from /proc"
)


def test_who_is_a_user_at_a_controller() -> None:
    assert owner.who().endswith(f"@{platform.node()}")


def test_the_run_that_asks_lives() -> None:
    assert owner.token().startswith(f"{platform.node()}/{os.getppid()}:")
    assert not owner.is_gone(owner.token())


def test_a_run_that_ended_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        token = owner._token(process.pid)
        assert not owner.is_gone(token)
        process.communicate(b"\n")
    assert owner.is_gone(token)


def test_a_number_that_another_process_has_by_now_is_gone() -> None:
    started = owner._started(os.getpid())
    assert owner.is_gone(f"{platform.node()}/{os.getpid()}:1{started}")


@pytest.mark.parametrize("token", ["", "elsewhere/1:5@boot", "/", f"{platform.node()}/x:1", "a/1"])
def test_what_is_not_known_is_not_gone(token: str) -> None:
    assert not owner.is_gone(token)
