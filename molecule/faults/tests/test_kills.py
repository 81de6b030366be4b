# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go away in the middle: the controller, the module, the server, the network, the power.

And what comes on top of it: a second controller, a clock that jumps, a host without systemd. The
switch has to take back what nobody confirms, at its time and not before it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.postmaster.tls.molecule.shared.faults import (
    HARD,
    HARDER,
    LAB,
    NAMES,
    ROOT,
    Host,
    await_,
    call,
    change_all,
    environment,
    everywhere,
    send,
    setting,
)
from ansible_collections.postmaster.tls.plugins.module_utils.holder import descendants

TIMEOUT = 4
"""Seconds of the switch, where one waits for it."""
LATE = 10
"""Seconds after its time in which a change that nobody confirmed is gone."""

pytestmark = pytest.mark.usefixtures("unbroken")


def opened(seconds: float, **more: Any) -> dict[str, dict[str, Any]]:
    """A change on each host that waits for so many seconds to be confirmed."""
    answers = change_all(lambda host: setting(host, *HARD), confirm_timeout=seconds, **more)
    assert all(answer.get("transaction") for answer in answers.values()), answers
    return answers


def healed_in_time(host: Host) -> None:
    """The open change is taken back when its time is over, not before, and soon.

    The deadline is one of CLOCK_MONOTONIC, which all containers have in common with this machine.
    """
    deadline = float(json.loads(host.open_change())["deadline"])
    await_(lambda: not host.state(), "the host healed itself", TIMEOUT + LATE)
    late = time.monotonic() - deadline
    assert 0 < late < LATE, f"{late} seconds after the deadline"
    last = host.journal()[-1]
    assert (last["what"], last["reason"]) == ("reverted", "nobody confirmed it in time")


# ---------------------------------------------------------------------------------------------
# Kills


def controller(seconds: float, names: Sequence[str]) -> subprocess.Popen[bytes]:
    """A harden run that can be killed with all its children; no host waits for another in it."""
    return subprocess.Popen(
        [
            *("ansible-playbook", "harden.yml", f"--limit={','.join(names)}"),
            f"--extra-vars=mail_tls_confirm_timeout={seconds} mail_tls_impact=false",
        ],
        cwd=ROOT,
        env={**environment(), "ANSIBLE_STRATEGY": "free"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def killed_at(
    state: str, seconds: float, then: signal.Signals, names: Sequence[str] = NAMES
) -> None:
    """A controller that gets SIGKILL when its changes have come to a state on every host.

    The modules are held there until it is gone, and then get a signal: SIGCONT to go on alone.
    """
    everywhere(lambda host: host.init(), names)
    run, stopped = controller(seconds, names), list[int]()
    try:
        everywhere(lambda host: stopped.extend(host.stop_at(state)), names)
    finally:
        # Ansible's workers are in sessions of their own, and one would go on alone.
        send((run.pid, *descendants(run.pid)), signal.SIGKILL)
        run.wait()
        send(stopped, then)


@pytest.mark.parametrize("state", ["staged", "rehearsed", "armed", "swapped"])
def test_a_controller_that_is_killed_leaves_healed_hosts(state: str) -> None:
    killed_at(state, TIMEOUT, signal.SIGCONT)

    def healed(host: Host) -> None:
        await_(lambda: not host.state(), "the host healed itself", TIMEOUT + LATE)
        assert host.journal()[-1]["what"] == "reverted"

    everywhere(healed)


@pytest.mark.parametrize("state", ["staged", "rehearsed", "armed", "swapped"])
def test_what_a_killed_module_leaves_is_ended_by_the_next_run(state: str) -> None:
    """Also a rehearsal that it was at: its instance ends by itself."""
    killed_at(state, 600, signal.SIGKILL)
    everywhere(
        lambda host: await_(lambda: not host.run("pgrep -f '[r]ehearsal' || true"), "it ended")
    )
    answers = call({name: {"state": "settled"} for name in NAMES})
    for name, answer in answers.items():
        assert not answer["failed"], (name, answer)
        assert f"was left {state}" in answer["notes"][0], (name, answer)
    assert everywhere(lambda host: host.journal()[-1]["what"]) == dict.fromkeys(NAMES, "reverted")


def test_a_server_that_is_killed_while_it_reloads_runs_again() -> None:
    def kill(host: Host) -> None:
        pid = {"dovecot": "run/dovecot/master.pid", "courier": "run/courier/imapd-ssl.pid"}
        number = (host.init() / "root" / pid[host.product]).read_text().strip()
        await_(lambda: host.state() == "swapped", "swapped", 60.0, pause=0.001)
        # By its number in the host, so from there: exec takes longer than a reload.
        inside = [p for p in Path("/proc").glob("[0-9]*") if is_process(p, host, number)]
        servers = [int(path.name) for path in inside]
        if host.product == "courier":  # the file names courierlogger; its child is couriertcpd
            servers += [child for path in inside for child in children(path)]
        send(servers, signal.SIGKILL)

    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(everywhere, kill)
        answers = change_all(lambda host: setting(host, *HARD))
        killing.result()
    assert everywhere(lambda host: host.doors_closed()) == {name: [] for name in NAMES}
    # Proven or taken back, both will do; here all hosts have to be as before.
    kept = [name for name, answer in answers.items() if not answer["failed"]]
    if kept:
        call({name: {"state": "restored", "generation": "1"} for name in kept})


def children(path: Path) -> list[int]:
    """The processes that a process has started and that run."""
    try:
        listed = (path / "task" / path.name / "children").read_text()
    except OSError:
        return []
    return [int(number) for number in listed.split()]


def is_process(path: Path, host: Host, number: str) -> bool:
    """Whether a process of this machine is the one that the host calls by a number."""
    try:
        status = (path / "status").read_text()
        own = os.readlink(path / "ns" / "pid") == os.readlink(host.init() / "ns" / "pid")
    except OSError:
        return False
    return own and re.search(rf"^NSpid:.*\t{number}$", status, re.MULTILINE) is not None


def test_a_network_that_is_cut_after_the_swap_heals_without_it() -> None:
    def cut(host: Host) -> None:
        host.run("ip link set eth0 down")
        try:
            healed_in_time(host)
        finally:
            host.run("ip link set eth0 up")

    opened(2 * TIMEOUT)
    everywhere(cut)
    everywhere(lambda host: await_(lambda: not host.doors_closed(), "reachable again"))


def test_a_host_that_loses_power_comes_back_as_it_was() -> None:
    opened(600)
    subprocess.run([LAB, "crash", *NAMES], check=True)
    assert everywhere(lambda host: host.journal()[-1]["what"]) == dict.fromkeys(NAMES, "reverted")


# ---------------------------------------------------------------------------------------------
# Another clock, and none of systemd

# A jumped clock for every Python of a host, also the isolated one of the switch (site reads .pth
# then as well): all that the collection asks the time of day on a host with. The offset is read at
# each call, so a clock jumps under what runs already.
CLOCK = """
import time
_true = time.time
def _now():
    try:
        return _true() + float(open("/run/clock").read())
    except (OSError, ValueError):
        return _true()
def _of(function):
    return lambda seconds=None: function(_now() if seconds is None else seconds)
time.time, time.gmtime, time.localtime = _now, _of(time.gmtime), _of(time.localtime)
"""
PLACE = "/usr/lib/python3/dist-packages"
DAYS = [pytest.param(2, id="two days on"), pytest.param(-2, id="two days back")]


@contextlib.contextmanager
def clock() -> Iterator[None]:
    """Hosts whose clock can jump, and goes right again."""
    code = f"cat >{PLACE}/lab_clock.py <<'EOF'\n{CLOCK}\nEOF\n"
    everywhere(lambda host: host.run(f"{code}echo 'import lab_clock' >{PLACE}/lab_clock.pth"))
    try:
        yield
    finally:
        everywhere(lambda host: host.run(f"rm -f {PLACE}/lab_clock.* /run/clock"))


def jump(days: int) -> None:
    """Every clock is so many days wrong from now on."""
    everywhere(lambda host: host.run(f"echo {days * 86400} >/run/clock"))


@pytest.mark.parametrize("days", DAYS)
def test_a_clock_that_jumps_between_swap_and_switch_moves_no_deadline(days: int) -> None:
    with clock():
        opened(2 * TIMEOUT)
        jump(days)
        everywhere(healed_in_time)
        assert everywhere(lambda host: wrong_by(host.journal()[-1])) == dict.fromkeys(NAMES, days)


@pytest.mark.parametrize("days", DAYS)
def test_a_clock_that_jumps_before_the_confirmation_leaves_generations_in_order(days: int) -> None:
    with clock():
        first = opened(600)
        jump(days)
        call({n: {"state": "confirmed", "transaction": a["transaction"]} for n, a in first.items()})
        assert everywhere(lambda host: wrong_by(host.journal()[-1])) == dict.fromkeys(NAMES, days)
        now = everywhere(lambda host: host.sums())
        assert not any(a["failed"] for a in change_all(lambda h: setting(h, *HARDER)).values())
        back(dict.fromkeys(NAMES, "1"))
        assert everywhere(lambda host: host.sums()) == now
        back({name: answer["transaction"] for name, answer in first.items()})


def wrong_by(entry: dict[str, Any]) -> int:
    """Days from the beginning of a change to its end, as the journal has them."""
    return round(took(entry) / 86400)


def back(wanted: dict[str, str]) -> None:
    """Each host as it was before a kept change."""
    answers = call({n: {"state": "restored", "generation": g} for n, g in wanted.items()})
    assert not any(answer["failed"] for answer in answers.values()), answers


def test_the_switch_of_systemd_counts_no_clock_that_can_be_set() -> None:
    answers = opened(600)

    def timers(host: Host) -> str:
        unit = f"postmaster-tls-{answers[host.name]['transaction']}.timer"
        return host.run(f"systemctl show {unit} -p TimersMonotonic -p TimersCalendar")

    for name, said in everywhere(timers).items():
        assert "OnActiveUSec" in said, (name, said)
        assert "OnCalendar" not in said, (name, said)
    call({n: {"state": "reverted", "transaction": a["transaction"]} for n, a in answers.items()})


@contextlib.contextmanager
def without_systemd() -> Iterator[None]:
    """Hosts on which the program finds no systemd (sd_booted(3)), nor what starts its timers."""
    hide, show = "mv {0} {0}.hidden", "mv {0}.hidden {0}"
    places = ("/run/systemd/system", "/usr/bin/systemd-run")
    everywhere(lambda host: host.run("; ".join(hide.format(place) for place in places)))
    try:
        yield
    finally:
        everywhere(lambda host: host.run("; ".join(show.format(place) for place in places)))


def test_a_controller_that_is_killed_leaves_healed_hosts_without_systemd() -> None:
    """Dovecot reloads itself. Nothing restarts Courier there, so its settings are refused."""
    names = [name for name in NAMES if name.startswith("dovecot")]

    def healed(host: Host) -> None:
        assert json.loads(host.open_change())["switch"] == "process"
        await_(lambda: not host.state(), "the host healed itself", TIMEOUT + LATE)
        last = host.journal()[-1]
        assert (last["what"], last["reason"]) == ("reverted", "nobody confirmed it in time")

    with without_systemd():
        killed_at("swapped", TIMEOUT, signal.SIGCONT, names)
        everywhere(healed, names)
        courier = Host("courier-trixie")
        answer = courier.change(*setting(courier, *HARD))
    assert answer["failed"], answer
    assert "systemd does not answer here" in answer["msg"]


# ---------------------------------------------------------------------------------------------
# Two at once, and back again


def test_a_second_controller_is_refused_by_name() -> None:
    first = opened(60, who="first@laptop")
    second = change_all(lambda host: setting(host, *HARDER), who="second@laptop")
    for name, answer in second.items():
        assert answer["failed"], (name, answer)
        assert "another run is changing this host: first@laptop" in answer["msg"], (name, answer)
    call({n: {"state": "reverted", "transaction": a["transaction"]} for n, a in first.items()})


def test_a_second_controller_that_may_wait_has_its_turn_when_the_first_is_done() -> None:
    first = opened(60, who="first@laptop")
    with ThreadPoolExecutor(1) as pool:
        settings = {"who": "second@laptop", "wait": 60}
        second = pool.submit(change_all, lambda host: setting(host, *HARDER), **settings)
        everywhere(lambda host: await_(lambda: bool(host.modules()), "the second has come"))
        confirmed = {"state": "confirmed"}
        call({n: {**confirmed, "transaction": a["transaction"]} for n, a in first.items()})
        answers = second.result()
    for name, answer in answers.items():
        assert (answer["failed"], answer["changed"]) == (False, True), (name, answer)
    who = everywhere(lambda host: tuple(entry["who"] for entry in host.journal()[-2:]))
    assert who == dict.fromkeys(NAMES, ("first@laptop", "second@laptop"))
    back(dict.fromkeys(NAMES, "2"))


def test_any_kept_generation_comes_back_within_ten_seconds(playbook: Any) -> None:
    for words in (HARD, HARDER):
        answers = change_all(lambda host, words=words: setting(host, *words))
        assert not any(answer.get("failed") for answer in answers.values()), answers
    done = playbook("rollback", f"--limit={','.join(NAMES)}", "--extra-vars=generation=2")
    assert done.returncode == 0, done.stdout
    seconds = everywhere(lambda host: took(host.journal()[-1]))
    assert max(seconds.values()) < 10, seconds


def took(entry: dict[str, Any]) -> float:
    """Seconds from the beginning of a change to its end."""
    began, ended = (datetime.strptime(entry[key], "%Y-%m-%dT%H:%M:%S%z") for key in ("began", "at"))
    return (ended - began).total_seconds()
