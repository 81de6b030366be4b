# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks every night looks: by a timer on a controller, by one on a mail host, and by cron.

The controller is nomail, which is also the vantage host of the mail host that pulls (prepare.yml):
each with Debian's own Ansible and the collection as users get it. The mail hosts are as
test_drift.py leaves them: hardened and healed. Tests come in the order in which things happen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timezone
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from ansible_collections.postmaster.tls.lab.hosts import HOSTS, ipv4
from ansible_collections.postmaster.tls.molecule.shared.faults import await_

DOVECOT, COURIER, OTHER = "dovecot-trixie", "courier-trixie", "nomail"
DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "drift.md"
UNITS = ("mail-tls-drift-failed.service", "mail-tls-drift.service", "mail-tls-drift.timer")
SERVICE = "mail-tls-drift.service"
LOCAL = "/etc/dovecot/local.conf"
LOCK = "/run/lock/mail-tls-drift.lock"
CLEAN, DRIFT, BUSY = 0, 2, 75
PUSH = {
    "mail_tls_scheduler": OTHER,
    "drift_timer_directory": "/srv/mail-tls",
    "drift_timer_inventory": "/srv/mail-tls/inventory",
}
PULL = {
    "mail_tls_scheduler": DOVECOT,
    "drift_timer_mode": "pull",
    "drift_timer_pull_url": "file:///srv/fetched",
    "drift_timer_inventory": "hosts.yml",
}
VANTAGE = {"drift_timer_vantage": "elsewhere"}
COUNT = """
import os, sqlite3, sys
if not os.path.exists(sys.argv[1]):
    sys.exit(print(0))
print(*sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM mail_tls_runs").fetchone())
"""


@dataclass(frozen=True)
class Night:
    """A run by systemd: how it ended, what it said, and what it left behind."""

    began: int
    state: str
    status: int
    said: str
    runs: int
    alarms: int
    states: dict[str, str]
    metrics: str


class Looker:
    """A host with the timer; ``folder`` has its reports, ``history`` its runs."""

    def __init__(self, host: Host, folder: str, history: str, metrics: str) -> None:
        self.host, self.folder = host, folder
        self.history, self.metrics = history, metrics

    def runs(self) -> int:
        """How many runs the history has."""
        return int(self.host.check_output("python3 -c %s %s", COUNT, self.history))

    def alarms(self) -> int:
        """How many errors the system's log has of us."""
        lines = self.host.check_output("journalctl -q -o cat -p err -t mail-tls-drift")
        return len(lines.splitlines())

    def show(self, name: str) -> str:
        return str(self.host.check_output(f"systemctl show --value -p {name} {SERVICE}"))

    def night(self) -> Night:
        """What systemd does at three, now; comes back when it has ended."""
        began, alarms = int(self.host.check_output("date +%s")), self.alarms()
        if self.host.run(f"systemctl start {SERVICE}").rc:
            await_(lambda: self.alarms() > alarms, "its alarm, which is a unit that systemd starts")
        report = json.loads(self.read(f"{self.folder}/drift.json") or '{"hosts": []}')
        return Night(
            began,
            self.show("ActiveState"),
            int(self.show("ExecMainStatus")),
            self.host.check_output(
                f"journalctl -q -o cat _SYSTEMD_INVOCATION_ID={self.show('InvocationID')}"
            ),
            self.runs(),
            self.alarms(),
            {host["host"]: host["state"] for host in report["hosts"]},
            self.read(self.metrics),
        )

    def read(self, path: str) -> str:
        return str(self.host.run("cat %s", path).stdout)

    def cron(self) -> int:
        """The document's line, as cron runs it: by sh, with next to no environment."""
        command = "env -i HOME=/root LOGNAME=root SHELL=/bin/sh PATH=/usr/bin:/bin /bin/sh -c %s"
        return int(self.host.run(command, documented()).rc)


def documented() -> str:
    """What follows the five fields of the document's line; crontab(5) takes % for a line's end."""
    found = re.findall(r"^    17 3 \* \* \* (.+)$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert len(found) == 1
    assert "%" not in found[0]
    return str(found[0])


def schedule(playbook: Any, *given: dict[str, str]) -> Any:
    merged = {name: value for each in given for name, value in each.items()}
    return playbook("schedule", f"--extra-vars={json.dumps(merged)}")


def left(host: Host) -> str:
    """All that there is of the timer."""
    return str(
        host.check_output(
            "find /etc/systemd /var/lib/systemd/timers -name '*mail-tls-drift*'; "
            "systemctl list-units --all --plain --no-legend 'mail-tls-drift*'"
        )
    )


# -------------------------------------------------------------------------------------------------
# A controller


@pytest.fixture(scope="module")
def pushing(playbook: Any, on: Callable[[str], Host]) -> Looker:
    done = schedule(playbook, PUSH)
    assert done.returncode == 0, done.stdout + done.stderr
    history = "/srv/mail-tls/inventory/.mail_tls/history.sqlite"
    metrics = "/srv/mail-tls/metrics/postmaster_tls_drift.prom"
    return Looker(on(OTHER), "/srv/mail-tls/reports", history, metrics)


def test_what_is_not_there_is_refused(playbook: Any) -> None:
    done = schedule(playbook, PUSH, {"drift_timer_inventory": "/srv/mail-tls/hosts"})
    assert done.returncode != 0
    assert "/srv/mail-tls/hosts is not on nomail" in done.stdout


def test_systemd_takes_the_units_and_a_second_time_changes_nothing(
    pushing: Looker, playbook: Any
) -> None:
    paths = " ".join(f"/etc/systemd/system/{unit}" for unit in UNITS)
    assert pushing.host.run(f"systemd-analyze verify --man=no {paths}").stderr == ""
    assert re.search(r"changed=0 .* failed=0", schedule(playbook, PUSH).stdout)


def test_the_timer_elapses_between_three_and_half_past(pushing: Looker) -> None:
    listed = "systemctl list-timers --all --output=json mail-tls-drift.timer"
    (timer,) = json.loads(pushing.host.check_output(listed))
    at = datetime.fromtimestamp(timer["next"] / 1e6, timezone.utc)  # the lab's hosts have UTC
    assert time(3) <= at.time() <= time(3, 30)
    assert (timer["unit"], timer["activates"]) == ("mail-tls-drift.timer", SERVICE)
    assert pushing.host.check_output("systemctl is-enabled mail-tls-drift.timer") == "enabled"


@pytest.fixture(scope="module")
def quiet(pushing: Looker) -> Night:
    """A night without drift, in which others try to look beside it: cron, and systemd itself."""
    pushing.host.check_output(f"systemctl start --no-block {SERVICE}")
    playing = "pgrep -f /usr/bin/ansible-playbook"
    await_(lambda: pushing.host.run(playing).rc == 0, "it looks")
    assert pushing.cron() == 0
    return pushing.night()


def test_without_drift_it_ends_with_0_and_has_looked(quiet: Night) -> None:
    assert (quiet.state, quiet.status) == ("inactive", CLEAN), quiet.said
    assert quiet.states == {DOVECOT: "clean", COURIER: "clean"}
    assert 'postmaster_tls_drift_hosts{state="clean"} 2' in quiet.metrics


def test_nobody_looks_beside_it(quiet: Night) -> None:
    assert quiet.runs == 1


def test_it_does_not_look_beside_another_and_that_is_no_failure(
    quiet: Night, pushing: Looker
) -> None:
    pushing.host.check_output(f"systemd-run -q --unit=holder flock {LOCK} sleep infinity")
    await_(lambda: pushing.host.run(f"flock -n {LOCK} true").rc == 1, "another holds the lock")
    alarms = pushing.alarms()
    night = pushing.night()
    pushing.host.check_output("systemctl stop holder.service")
    assert (night.state, night.status, night.runs) == ("inactive", BUSY, quiet.runs)
    assert night.alarms == alarms


def test_cron_says_nothing_without_drift(quiet: Night, pushing: Looker) -> None:
    alarms = pushing.alarms()
    assert pushing.cron() == 0
    assert (pushing.runs(), pushing.alarms()) == (quiet.runs + 1, alarms)
    assert "2 hosts: 2 no drift" in pushing.read("/var/log/mail-tls-drift.log")


def test_a_night_that_was_missed_is_made_up_for(
    quiet: Night, pushing: Looker, playbook: Any
) -> None:
    """The machine was off at three: systemd knows when it last looked by the time of a file."""
    runs, at_once = pushing.runs(), {"drift_timer_random_delay": "0"}
    assert schedule(playbook, PUSH, at_once).returncode == 0
    pushing.host.check_output(
        "systemctl stop mail-tls-drift.timer && "
        "touch -d '2 days ago' /var/lib/systemd/timers/stamp-mail-tls-drift.timer && "
        "systemctl start mail-tls-drift.timer"
    )
    await_(lambda: pushing.runs() == runs + 1, "it looks without being told to", 120)
    await_(lambda: pushing.show("ActiveState") == "inactive", "it is over", 120)
    assert int(pushing.show("ExecMainStatus")) == CLEAN


@pytest.fixture(scope="module")
def drifted(quiet: Night, pushing: Looker, on: Callable[[str], Host]) -> Iterator[Night]:
    """The next night, after somebody has loosened the file that is read second."""
    restart = "systemctl restart courier-pop.service"
    on(COURIER).check_output(f"echo POP3_TLS_REQUIRED=0 >>/etc/courier/pop3d-ssl && {restart}")
    yield pushing.night()
    on(COURIER).check_output(f"sed -i '$d' /etc/courier/pop3d-ssl && {restart}")


def test_drift_fails_the_unit_and_raises_the_alarm(
    quiet: Night, drifted: Night, pushing: Looker
) -> None:
    assert (drifted.state, drifted.status) == ("failed", DRIFT), drifted.said
    assert drifted.states == {DOVECOT: "clean", COURIER: "drifted"}
    assert 'postmaster_tls_drift_hosts{state="drifted"} 1' in drifted.metrics
    assert "/etc/courier/pop3d-ssl" in drifted.said
    assert drifted.runs > quiet.runs
    said = pushing.host.check_output("journalctl -q -o cat -p err -n 1 -t mail-tls-drift")
    assert said == f"drift was found, or could not be looked for: journalctl -u {SERVICE}"


def test_cron_says_so_in_the_log(drifted: Night, pushing: Looker) -> None:
    assert pushing.cron() == 0
    assert (pushing.runs(), pushing.alarms()) == (drifted.runs + 1, drifted.alarms + 1)
    said = pushing.host.check_output("journalctl -q -o cat -p err -n 1 -t mail-tls-drift")
    assert said == "drift, or not seen: see /var/log/mail-tls-drift.log"
    assert "1 DRIFTED" in pushing.read("/var/log/mail-tls-drift.log")


def test_absent_leaves_nothing_of_it(drifted: Night, pushing: Looker, playbook: Any) -> None:
    gone = {"drift_timer_state": "absent"}
    assert "mail-tls-drift.timer" in left(pushing.host)
    assert schedule(playbook, PUSH, gone).returncode == 0
    assert left(pushing.host) == ""


# -------------------------------------------------------------------------------------------------
# A mail host that pulls


def test_nobody_proves_himself(playbook: Any, on: Callable[[str], Host]) -> None:
    done = schedule(playbook, PULL)
    assert done.returncode != 0
    assert "what a host sees of its own ports proves nothing" in " ".join(done.stdout.split())
    assert left(on(DOVECOT)) == ""


@pytest.fixture(scope="module")
def pulling(playbook: Any, on: Callable[[str], Host]) -> Looker:
    done = schedule(playbook, PULL, VANTAGE)
    assert done.returncode == 0, done.stdout + done.stderr
    there = "/var/lib/mail-tls-drift"
    history = f"{there}/checkout/.mail_tls/history.sqlite"
    metrics = f"{there}/metrics/postmaster_tls_drift.prom"
    return Looker(on(DOVECOT), f"{there}/checkout/reports", history, metrics)


def test_a_vantage_host_that_is_the_host_itself_proves_nothing(pulling: Looker) -> None:
    """ansible-pull has all connections local, but those whose inventory says another."""
    night = pulling.night()
    assert (night.state, night.status, night.runs) == ("failed", DRIFT, 0), night.said
    assert f"{ipv4(HOSTS[DOVECOT])} belongs to the machine that looks" in night.said
    assert night.alarms == 1


@pytest.fixture(scope="module")
def pulled(pulling: Looker) -> Night:
    """A night after somebody has committed that the vantage host is reached by SSH."""
    git = "git -C /srv/fetched -c user.name=lab -c user.email=lab@example.test"
    pulling.host.check_output(
        "sed -i 's/^\\( *\\)elsewhere:/&\\n\\1  ansible_connection: ssh/' /srv/fetched/hosts.yml"
    )
    pulling.host.check_output(f"{git} commit --quiet --all --message=Reach-it-by-SSH")
    return pulling.night()


def test_a_mail_host_fetches_what_is_new_and_looks_at_itself(
    pulled: Night, pulling: Looker
) -> None:
    assert (pulled.state, pulled.status, pulled.runs) == ("inactive", CLEAN, 1), pulled.said
    assert pulled.states == {DOVECOT: "clean"}
    assert 'postmaster_tls_drift_hosts{state="clean"} 1' in pulled.metrics
    heads = [
        pulling.host.check_output(f"git -C {folder} rev-parse HEAD")
        for folder in ("/srv/fetched", "/var/lib/mail-tls-drift/checkout")
    ]
    assert heads[0] == heads[1]


def test_its_ports_are_looked_at_from_elsewhere(pulled: Night, pulling: Looker) -> None:
    log = pulling.host.check_output(
        f"journalctl -q -o cat -u dovecot.service --since=@{pulled.began}"
    )
    # Dovecot may only now be done with those whom the night before, which was refused, sent.
    assert f"rip={ipv4(HOSTS[OTHER])}" in log


@pytest.fixture
def loosened(pulling: Looker) -> Iterator[None]:
    """Somebody has let POP3 take passwords without TLS."""
    kept = pulling.host.check_output(f"base64 -w0 {LOCAL}")
    reload = "systemctl reload dovecot.service"
    lines = r"protocol pop3 {\n  ssl = yes\n  auth_allow_cleartext = yes\n}\n"
    pulling.host.check_output(f"printf '{lines}' >>{LOCAL} && {reload}")
    yield
    pulling.host.check_output(f"echo {kept} | base64 -d >{LOCAL} && {reload}")


def test_drift_fails_its_unit_as_well(pulled: Night, loosened: None, pulling: Looker) -> None:
    night = pulling.night()
    assert (night.state, night.status) == ("failed", DRIFT), night.said
    assert (night.runs, night.alarms) == (pulled.runs + 1, pulled.alarms + 1)
    assert night.states == {DOVECOT: "drifted"}
    assert f"PT-03 pop3://{ipv4(HOSTS[DOVECOT])}:110" in night.said
