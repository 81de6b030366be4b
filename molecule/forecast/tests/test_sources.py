# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wherever a host keeps the lines of its logins, they say the same: journal, files, packed files.

The journal of real logins is the measure. The same lines as a file are read alike, packed by each
program that logrotate is used with, and on a host that has no systemd.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.postmaster.tls.lab.hosts import HOSTS, ipv4
from ansible_collections.postmaster.tls.molecule.shared import clients
from ansible_collections.postmaster.tls.molecule.shared.faults import ROOT, environment

NAMES = ("dovecot-trixie", "courier-bookworm")
UNITS = {
    "dovecot": "dovecot",
    "courier": "courier-imap -u courier-imap-ssl -u courier-pop -u courier-pop-ssl",
}
KEPT = "/var/log/kept.log"
MAIL = "/var/log/mail.log"
PASSWORD = "only-for-the-forecast"  # also in prepare.yml
On = Callable[[str], Any]

pytestmark = pytest.mark.parametrize("name", NAMES)


def logins(name: str, until: int, **more: Any) -> dict[str, Any]:
    """What login_info reads on a host of the last day."""
    arguments = {"days": 1, "until": until, **more}
    done = subprocess.run(
        ["ansible", name, "-o", "-m", "postmaster.tls.login_info", "-a", json.dumps(arguments)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    said = re.search(r"=> ?(\{.*\})\s*$", done.stdout)
    assert said, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(said.group(1))["log"]
    return found


def people(found: dict[str, Any]) -> list[str]:
    """Who logged in by which service, how, and how often."""
    fields = ("user", "service", "security", "count")
    return sorted(" ".join(str(entry.get(field)) for field in fields) for entry in found["usage"])


@pytest.fixture
def measure(name: str, on: On) -> Iterator[tuple[int, list[str]]]:
    """The time until which counts, and what the journal says up to it; the lines are in KEPT."""
    for door in ("imaps 993", "pop3s 995"):
        clients.log_in(ipv4(HOSTS[name]), door, clients.context(), "uptodate", PASSWORD)
    until = int(time.time()) + 1
    time.sleep(max(0.0, until - time.time()))  # what happens in the second that counts has happened
    found = logins(name, until)
    assert [source["name"][:14] for source in found["sources"]] == ["the journal of"]
    assert len(people(found)) >= 2
    product = name.partition("-")[0]
    on(name).check_output(
        f"journalctl -q --no-pager -o short --until=@{until} -u {UNITS[product]} >{KEPT}"
    )
    yield until, people(found)
    on(name).check_output(f"rm -f {KEPT}* {MAIL}*")


@pytest.mark.parametrize("program", ["cat", "gzip", "xz", "bzip2", "zstd"])
def test_a_file_says_what_the_journal_says(
    program: str, name: str, measure: tuple[int, list[str]], on: On
) -> None:
    until, expected = measure
    suffix = {"cat": "1", "gzip": "2.gz", "xz": "2.xz", "bzip2": "2.bz2", "zstd": "2.zst"}[program]
    if on(name).run(f"command -v {program}").rc:
        on(name).check_output(f"apt-get -q update && apt-get -qy install {INSTALLED[program]}")
    on(name).check_output(f"{program} <{KEPT} >{KEPT}.{suffix} && rm {KEPT}")
    found = logins(name, until, paths=[KEPT])
    assert (people(found), found["problems"]) == (expected, [])


INSTALLED = {"xz": "xz-utils", "bzip2": "bzip2", "zstd": "zstd"}


def test_what_no_program_can_unpack_is_told(
    name: str, measure: tuple[int, list[str]], on: On
) -> None:
    """A log that cannot be read whole is no evidence, and never an empty one."""
    until, _expected = measure
    host = on(name)
    host.check_output(f"mv {KEPT} {KEPT}.2.zst")
    hidden = "if [ -e {0} ]; then mv {0} {1}; fi"
    host.check_output(hidden.format("/usr/bin/zstd", "/root/zstd"))
    try:
        found = logins(name, until, paths=[KEPT])
    finally:
        host.check_output(hidden.format("/root/zstd", "/usr/bin/zstd"))
    assert people(found) == []
    assert f"{KEPT}.2.zst: zstd could not be run" in json.dumps(found["problems"])


def test_a_host_without_systemd_has_its_files(
    name: str, measure: tuple[int, list[str]], on: On
) -> None:
    until, expected = measure
    host = on(name)
    places = ("/run/systemd/system", "/usr/bin/journalctl", "/usr/bin/systemctl")
    host.check_output(f"mv {KEPT} {MAIL}")
    host.check_output("; ".join(f"mv {place} {place}.hidden" for place in places))
    try:
        found = logins(name, until)
    finally:
        host.check_output("; ".join(f"mv {place}.hidden {place}" for place in places))
    assert [source["name"] for source in found["sources"]] == [MAIL]
    assert (people(found), found["problems"]) == (expected, [])
