# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout over several hosts: the canary first, an end where a batch fails, and on from there."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.postmaster.tls.molecule.shared.faults import (
    NAMES,
    Host,
    call,
    everywhere,
)

CANARY, SECOND, LAST = NAMES

pytestmark = pytest.mark.usefixtures("unbroken")


@contextlib.contextmanager
def broken(name: str) -> Iterator[None]:
    """A Dovecot whose configuration cannot be read, so that hardening refuses it."""
    host = Host(name)
    file = f"{host.folder}/conf.d/97-broken.conf"
    host.run(f"echo 'protocol imap {{' >{file}")
    try:
        yield
    finally:
        host.run(f"rm {file}")


def rollout(playbook: Any, serial: list[Any], *options: str) -> dict[str, str]:
    """Host → what the end of the run says of it; hosts that it never came to are not there."""
    extra = {"mail_tls_serial": serial, "mail_tls_impact": False}
    limit = f"--limit={','.join(NAMES)}"
    done = playbook("harden", limit, f"--extra-vars={json.dumps(extra)}", *options)
    recap = re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+) .* failed=(\d+)", done.stdout, re.M)
    came = {host: OUTCOME[int(changed) > 0, int(failed) > 0] for host, changed, failed in recap}
    assert done.returncode == (2 if "failed" in came.values() else 0), done.stdout
    return came


OUTCOME = {(False, False): "as it was", (True, False): "hardened", (False, True): "failed"}


def test_a_rollout_ends_where_it_fails_and_goes_on_from_there(playbook: Any) -> None:
    changes = everywhere(lambda host: len(host.journal()))
    with broken(CANARY):
        assert rollout(playbook, [1, "100%"]) == {CANARY: "failed"}
    with broken(SECOND):
        # Half of a batch is enough; Ansible by itself ends only where a whole one failed.
        assert rollout(playbook, [2, 1]) == {CANARY: "hardened", SECOND: "failed"}
        # Nobody of its batch is stopped by a host that fails; who is done already changes nothing.
        came = rollout(playbook, ["100%"])
        assert came == {CANARY: "as it was", SECOND: "failed", LAST: "hardened"}
    came = rollout(playbook, [1, 1, 1])
    assert came == {CANARY: "as it was", SECOND: "hardened", LAST: "as it was"}
    assert everywhere(lambda host: len(host.journal())) == {n: c + 1 for n, c in changes.items()}
    undo()


def test_as_many_hosts_as_are_allowed_may_fail(playbook: Any) -> None:
    with broken(SECOND):
        allowed = "--extra-vars=mail_tls_max_failed_hosts=1"
        came = rollout(playbook, [2, "100%"], allowed)
        assert came == {CANARY: "hardened", SECOND: "failed", LAST: "hardened"}
    undo((CANARY, LAST))


def undo(names: tuple[str, ...] = NAMES) -> None:
    """The hosts as they were before their last change."""
    answers = call({name: {"state": "restored", "generation": "1"} for name in names})
    assert not any(answer["failed"] for answer in answers.values()), answers
