# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People log in as they are used to; the forecast tells who would be locked out, and it comes true.

Each person of the lab has one habit. What the servers wrote of it is read by the front doors, and
compared with what was done.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.postmaster.tls.lab.hosts import HOSTS, ipv4
from ansible_collections.postmaster.tls.molecule.conftest import Playbook
from ansible_collections.postmaster.tls.molecule.shared import clients

V = clients.V
# As in molecule.yml.
NAMES = (
    os.environ.get("FORECAST_DOVECOT_23", "dovecot-bookworm"),
    os.environ.get("FORECAST_DOVECOT_24", "dovecot-trixie"),
    os.environ.get("FORECAST_COURIER", "courier-bookworm"),
)
PASSWORD = "only-for-the-forecast"  # also in prepare.yml
# Person → doors and TLS. The cashier's program cannot do TLS, and uses POP3, which all let it.
OLD, NEW = clients.context(V.TLSv1, V.TLSv1), clients.context()
HABITS: dict[str, tuple[tuple[str, Any], ...]] = {
    "cashier": (("pop3 110", None),) * 3,
    "vintage": (("imaps 993", OLD), ("pop3 110", OLD)),
    "uptodate": (("imaps 993", NEW), ("imap 143", NEW), ("pop3s 995", NEW)),
    "mixed": (("pop3 110", None), ("pop3 110", NEW)),
}
SUMS = "find -L /etc/dovecot /etc/courier -type f -exec sha256sum {} ';' 2>/dev/null; true"
ACCESS = "find /etc/courier -path '*access*' -type f -exec sha256sum {} ';' 2>/dev/null; true"
PEOPLE = re.compile(rf"\b({'|'.join(HABITS)})\b")
On = Callable[[str], Any]


def address(name: str) -> str:
    return ipv4(HOSTS[name])


def log_in(name: str) -> None:
    """Everybody, by their habits; what a server refuses is refused."""
    for user, habits in HABITS.items():
        for door, tls in habits:
            with contextlib.suppress(OSError, *clients.REFUSALS):
                clients.log_in(address(name), door, tls, user, PASSWORD)


DROP_IN = "/etc/dovecot/conf.d/99-postmaster-tls.conf"
KEPT = "/var/lib/postmaster-tls/generations"


@pytest.mark.parametrize("name", NAMES[:2])
def test_stage_zero_made_one_file_of_one_line(name: str, on: On) -> None:
    """converge.yml ran it, and nothing else has run yet: the kept copy says all that changed."""
    kept = json.loads(on(name).check_output(f"cat {KEPT}/*/manifest.json"))
    assert [(file["path"], file["file"]) for file in kept["files"]] == [(DROP_IN, None)]
    lines = on(name).check_output(f"grep -v '^#' {DROP_IN}").split("\n")
    assert [line.partition(" = ")[0] for line in lines] == ["login_log_format_elements"]


def test_stage_zero_changed_nothing_on_courier(on: On) -> None:
    assert not on(NAMES[2]).file(KEPT).exists


@pytest.fixture(scope="module")
def people(on: On) -> None:
    for name in NAMES:
        assert on(name).check_output("ls /home").split() == sorted([*HABITS, "alice"])
        log_in(name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("forecast")


@pytest.fixture(scope="module")
def told(people: None, playbook: Playbook, folder: Path) -> tuple[str, dict[str, Any]]:
    """What impact.yml says, and what it wrote."""
    done = playbook("impact", "-vvv", *options(folder, "mail_tls_report_users=full"))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, {name: document(folder, name) for name in NAMES}


def options(folder: Path, *variables: str) -> list[str]:
    extra = (f"mail_tls_report_dir={folder}", *variables)
    return [f"--limit={','.join(NAMES)}", *(f"--extra-vars={variable}" for variable in extra)]


def document(folder: Path, name: str) -> dict[str, Any]:
    path = folder / f"impact-{name}.json"
    assert path.stat().st_mode & 0o077 == 0
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def lost(found: dict[str, Any], kind: str) -> set[str]:
    return {x["user"] for c in found["changes"] if c["kind"] == kind for x in c["losses"]}


@pytest.mark.parametrize("name", NAMES)
def test_everybody_who_sends_a_password_in_clear(name: str, told: Any) -> None:
    assert lost(told[1][name], "plaintext") == {"cashier", "mixed"}
    assert {e["user"] for e in told[1][name]["exposed_users"]} == {"cashier", "mixed"}


@pytest.mark.parametrize("name", NAMES[:2])
def test_everybody_who_speaks_an_old_version(name: str, told: Any) -> None:
    found = told[1][name]
    assert lost(found, "protocol") == {"vintage"}
    assert lost(found, "suite") == {"vintage"}
    assert {c["unknown_logins"] for c in found["changes"]} == {0}
    assert (found["users"], found["locked_out"]) == (4, 3)


def test_courier_cannot_tell_versions_and_says_so(told: Any) -> None:
    found = told[1][NAMES[2]]
    assert lost(found, "protocol") == set()
    assert sum(c["unknown_users"] for c in found["changes"] if c["kind"] == "protocol") > 0
    assert "courier never logs the TLS version" in " ".join(found["gaps"])


@pytest.mark.parametrize("user", HABITS)
def test_the_output_of_the_run_names_nobody_however_much_it_says(user: str, told: Any) -> None:
    assert not re.search(rf"\b{user}\b", told[0])


@pytest.mark.parametrize("how", ["counts", "hashed"])
def test_a_report_names_people_only_where_that_was_asked_for(
    how: str, told: Any, playbook: Playbook, tmp_path: Path
) -> None:
    done = playbook("impact", *options(tmp_path, f"mail_tls_report_users={how}"))
    assert done.returncode == 0, done.stdout
    for name in NAMES:
        found, full = document(tmp_path, name), told[1][name]
        assert not PEOPLE.search(json.dumps(found))
        assert network(name) not in json.dumps(found)
        assert (found["users"], found["locked_out"]) == (full["users"], full["locked_out"])
        losses = [x for c in found["changes"] for x in c["losses"] or ()]
        words = {x["user"] for x in losses if x["user"]}
        known = {x["user"] for c in full["changes"] for x in c["losses"]}
        assert len(words) == (len(known) if how == "hashed" else 0)


def network(name: str) -> str:
    """How the addresses of the lab begin, which are those of the clients."""
    return address(name).rsplit(".", 1)[0] + "."


def test_more_than_allowed_stops_before_anything_is_touched(
    told: Any, playbook: Playbook, on: On, folder: Path
) -> None:
    before = {name: on(name).check_output(SUMS) for name in NAMES}
    done = playbook("harden", *options(folder, "mail_tls_max_locked_out=2"))
    assert done.returncode == 2
    assert "would be locked out, and mail_tls_max_locked_out is 2" in done.stdout
    assert {name: on(name).check_output(SUMS) for name in NAMES[:2]} == {
        name: before[name] for name in NAMES[:2]
    }


@pytest.fixture(scope="module")
def hardened(told: Any, playbook: Playbook, folder: Path) -> None:
    done = playbook("harden", "-vvv", *options(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not PEOPLE.search(done.stdout)
    for name in NAMES:
        log_in(name)


def test_it_came_true(hardened: None, playbook: Playbook, folder: Path) -> None:
    said = playbook("verify", *options(folder)).stdout
    words = " ".join(said.split())
    assert (
        words.count("2 users forecast, 2 of them turned away since, 1 back with TLS, 0 users") == 2
    )
    assert "refusals are not logged" in words  # Courier's passwords
    assert not PEOPLE.search(said)


# Of the lab's network the tests have the first address, and its hosts have none below 8.
NETWORK = address(NAMES[0]).rsplit(".", 1)[0] + ".0/29"
EXCEPTIONS = json.dumps(
    {
        "mail_tls_exceptions": [
            {"network": NETWORK, "allow": allow, "reason": "the lab", "until": "2099-12-31"}
            for allow in ("old_tls", "plaintext")
        ]
    }
)
# Person and door that an exception lets in; who comes from elsewhere is refused at the same time.
EXCEPTED: tuple[tuple[str, str, Any], ...] = (
    ("vintage", "imaps 993", OLD),
    ("vintage", "pop3 110", OLD),
    ("cashier", "pop3 110", None),
    ("cashier", "imap 143", None),
)
ELSEWHERE = """
import poplib, sys
try:
    pop3 = poplib.POP3(sys.argv[1], timeout=15)
    pop3.user("cashier")
    pop3.pass_(sys.argv[2])
    print("in")
except poplib.error_proto:
    print("refused")
"""


def let_in(name: str) -> list[bool]:
    found = []
    for user, door, tls in EXCEPTED:
        try:
            clients.log_in(address(name), door, tls, user, PASSWORD)
            found.append(True)
        except (OSError, *clients.REFUSALS):
            found.append(False)
    return found


def from_elsewhere(on: On, name: str) -> str:
    """What a login without TLS from another host comes to."""
    other = next(one for one in NAMES if one != name)
    run = on(other).run("python3 -c %s %s %s", ELSEWHERE, address(name), PASSWORD)
    return str(run.stdout.strip())


def test_an_exception_lets_a_network_in_again_and_nobody_else(
    hardened: None, playbook: Playbook, folder: Path, on: On
) -> None:
    before = {name: on(name).check_output(ACCESS) for name in NAMES}
    assert {name: let_in(name) for name in NAMES} == {name: [False] * 4 for name in NAMES}
    done = playbook("harden", *options(folder), f"--extra-vars={EXCEPTIONS}")
    assert done.returncode == 0, done.stdout
    assert {name: let_in(name) for name in NAMES} == {name: [True] * 4 for name in NAMES}
    assert {name: from_elsewhere(on, name) for name in NAMES} == dict.fromkeys(NAMES, "refused")
    said = playbook("verify", "-vvv", *options(folder), f"--extra-vars={EXCEPTIONS}")
    assert said.returncode == 0, said.stdout
    assert not PEOPLE.search(said.stdout)
    assert " waived" in said.stdout
    gone = EXCEPTIONS.replace("2099-12-31", "2026-01-31")
    said = playbook("verify", *options(folder), f"--extra-vars={gone}")
    assert said.returncode == 2
    assert "waiver expired on 2026-01-31: the lab" in " ".join(said.stdout.split())
    done = playbook("harden", *options(folder), f"--extra-vars={gone}")
    assert done.returncode == 0, done.stdout
    assert {name: let_in(name) for name in NAMES} == {name: [False] * 4 for name in NAMES}
    assert {name: on(name).check_output(ACCESS) for name in NAMES} == before
