# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can break in a change, one by one, on real servers; nobody is ever left without a port.

Each test ends as every change has to: whatever door worked before works, seen from outside, the
files are the old ones byte for byte or the new ones proven, and nothing is left over.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.postmaster.tls.molecule.shared.faults import (
    LAB,
    NAMES,
    ROOT,
    Host,
    await_,
    environment,
    everywhere,
    lay_out,
    pairs,
)
from ansible_collections.postmaster.tls.plugins.module_utils.rehearsal import descendants

TIMEOUT = 6
"""Seconds of the switch, where one waits for it."""
COURIER_FILES = tuple(f"/etc/courier/{name}" for name in ("imapd-ssl", "pop3d-ssl"))
PAIRS = pairs()


@pytest.fixture(scope="module")
def before() -> dict[str, tuple[str, str]]:
    """Each host as it was made."""
    return everywhere(lambda host: host.look())


@pytest.fixture(autouse=True)
def unbroken(before: dict[str, tuple[str, str]]) -> Iterator[None]:
    """Each host as it was made when the test is over, with nothing left over, whatever it did."""
    yield
    assert everywhere(lambda host: host.doors_closed()) == {name: [] for name in NAMES}
    assert everywhere(lambda host: host.look()) == before


def setting(host: Host, dovecot: tuple[str, str], courier: tuple[str, str]) -> list[dict[str, str]]:
    """A setting in the words of the host's server; Courier's in both files."""
    if host.product == "dovecot":
        return [{"name": dovecot[0], "value": dovecot[1]}]
    return [{"name": courier[0], "value": courier[1], "file": file} for file in COURIER_FILES]


HARD = (
    ("ssl_min_protocol", "TLSv1.2"),
    ("TLS_PRIORITY", "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3"),
)
"""A change that every server takes."""
HARDER = (("ssl_min_protocol", "TLSv1.3"), ("TLS_PRIORITY", "NORMAL:-VERS-ALL:+VERS-TLS1.3"))


# ---------------------------------------------------------------------------------------------
# Candidates that are wrong


@pytest.mark.parametrize(
    "wrong", ["wrong key", "truncated", "truncated key", "reversed", "expired"]
)
def test_a_certificate_that_cannot_be_served_is_refused(wrong: str) -> None:
    def refused(host: Host) -> str:
        answer = host.change(*lay_out(host, PAIRS[wrong], "640", f"root:{GROUP[host.product]}"))
        assert answer.get("failed"), answer
        return str(answer["msg"])

    for name, said in everywhere(refused).items():
        assert re.search(r"faults/|rehearsal of the candidate failed", said), (name, said)


GROUP = {"dovecot": "dovecot", "courier": "courier"}


def test_a_key_that_the_server_cannot_read_is_refused_by_the_rehearsal() -> None:
    """Courier serves port 110 as its own user; Dovecot reads keys as root, and takes it."""
    host = Host("courier-trixie")
    answer = host.change(*lay_out(host, PAIRS["good"], "600", "root:root"))
    assert answer.get("failed"), answer
    assert re.search(r"a rehearsal of the candidate failed: pop3://127\.0\.0\.1:\d+", answer["msg"])


@pytest.mark.parametrize(
    "words",
    [
        (("ssl_min_protocol", "TLSv1.9"), ("TLS_PRIORITY", "NORMAL:-VERS-ALL:+VERS-TLS1.9")),
        (("ssl_cipher_list", "NO-SUCH"), ("TLS_PRIORITY", "NORMAL:+NO-SUCH")),
        (("ssl_curve_list", "no-such"), ("TLS_PRIORITY", "NORMAL:-GROUP-ALL:+GROUP-NO-SUCH")),
        (("no_such_setting", "yes"), ("TLS_PRIORITY", "NORMAL:-KX-ALL:-VERS-TLS1.3")),
    ],
    ids=["protocol", "cipher", "group", "unknown setting"],
)
def test_a_setting_that_ends_every_handshake_is_refused(words: Any) -> None:
    """Before a live file is touched: by the server, by its library, or by the rehearsal."""

    def refused(host: Host) -> Any:
        answer = host.change(*setting(host, *words))
        return answer.get("failed") and "Every file is as it was" not in answer["msg"]

    assert everywhere(refused) == dict.fromkeys(NAMES, True)


# ---------------------------------------------------------------------------------------------
# Hosts that are wrong


def test_a_port_that_another_has_taken_makes_all_go_back() -> None:
    """Only a restart binds ports, so it is Courier's; a rehearsal has ports of its own."""
    host = Host("courier-trixie")
    taken = "import socket,time; s=socket.create_server(('', 2525)); time.sleep(60)"
    host.run(f'python3 -c "{taken}" >/dev/null 2>&1 & echo $! >/run/taken')
    await_(
        lambda: "2525" in host.run("cat /proc/net/tcp | grep :09DD && echo 2525 || true"), "bound"
    )
    answer = host.change({"name": "PORT", "value": "110,2525", "file": "/etc/courier/pop3d"})
    host.run("kill $(cat /run/taken); rm /run/taken")
    assert answer.get("failed"), answer
    assert "Every file is as it was before and the server has read it again" in answer["msg"]


def test_a_full_disk_touches_nothing() -> None:
    """The folder on a small disk of its own, with room for its files and for nothing else."""

    def refused(host: Host) -> Any:
        folder = host.folder
        host.intrude(
            f"cp -a {folder} /root/sound; mount -t tmpfs -o size=512k,mode=755 tmpfs {folder}; "
            f"cp -a /root/sound/. {folder}/; cat /dev/zero >{folder}/faults 2>/dev/null || true"
        )
        try:
            return host.change(*setting(host, *HARD))
        finally:
            host.intrude(f"umount -l {folder}; rm -rf /root/sound")

    for name, answer in everywhere(refused).items():
        assert answer.get("failed"), (name, answer)
        assert "No space left on device" in answer["msg"], (name, answer["msg"])


def test_a_folder_that_cannot_be_written_touches_nothing() -> None:
    def refused(host: Host) -> Any:
        host.intrude(
            f"mount --bind {host.folder} {host.folder}; mount -o remount,bind,ro {host.folder}"
        )
        try:
            return host.change(*setting(host, *HARD))
        finally:
            host.intrude(f"umount -l {host.folder}")

    for name, answer in everywhere(refused).items():
        assert answer.get("failed"), (name, answer)
        assert "Read-only file system" in answer["msg"], (name, answer["msg"])


def test_a_disk_that_fills_after_the_swap_keeps_nothing_from_going_back() -> None:
    def gone_back(host: Host) -> Any:
        folder = host.folder
        host.intrude(
            f"cp -a {folder} /root/sound; mount -t tmpfs -o size=2M,mode=755 tmpfs {folder}; "
            f"cp -a /root/sound/. {folder}/"
        )
        try:
            before = host.sums()
            answer = host.change(*setting(host, *HARD), confirm_timeout=60)
            assert answer.get("transaction"), answer
            host.run(f"cat /dev/zero >{folder}/faults 2>/dev/null || true")
            back = host.module(state="reverted", transaction=answer["transaction"])
            host.run(f"rm {folder}/faults")
            return host.sums() == before, back.get("msg")
        finally:
            host.intrude(f"umount -l {folder}; rm -rf /root/sound")

    said = "Every file is as it was before and the server has read it again"
    assert everywhere(gone_back) == dict.fromkeys(NAMES, (True, said))


# ---------------------------------------------------------------------------------------------
# Kills


def controller(host: Host) -> subprocess.Popen[bytes]:
    """A harden run of one host that can be killed with all its children."""
    return subprocess.Popen(
        [
            *("ansible-playbook", "harden.yml", f"--limit={host.name}"),
            f"--extra-vars=mail_tls_confirm_timeout={TIMEOUT}",
        ],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def killed_at(host: Host, state: str, module_too: bool = False) -> None:
    """A controller that gets SIGKILL as soon as its change comes to a state."""
    host.init()
    run = controller(host)
    try:
        while host.state() != state:
            assert run.poll() is None, f"it ended before it came to {state}"
            time.sleep(0.001)
        if module_too:
            host.kill_module()
    finally:
        # Ansible's workers are in sessions of their own, and one would go on alone.
        for pid in (run.pid, *descendants(run.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        run.wait()


@pytest.mark.parametrize("state", ["staged", "rehearsed", "armed", "swapped"])
def test_a_controller_that_is_killed_leaves_healed_hosts(state: str) -> None:
    def killed(host: Host) -> float:
        killed_at(host, state)
        seconds = await_(lambda: not host.open_change(), "the host healed itself", TIMEOUT + 10)
        assert host.journal()[-1]["what"] == "reverted"
        return seconds

    everywhere(killed)


@pytest.mark.parametrize("state", ["staged", "swapped"])
def test_what_a_killed_module_leaves_is_ended_by_the_next_run(state: str) -> None:
    """Also a rehearsal that it was at: its instance ends by itself."""

    def killed(host: Host) -> None:
        killed_at(host, state, module_too=True)
        await_(lambda: not host.run("pgrep -f '[r]ehearsal' || true"), "the instance ended")
        answer = host.module(state="settled", wait=TIMEOUT + 10)
        assert not answer["failed"], answer
        assert not host.open_change()
        assert host.journal()[-1]["what"] == "reverted"

    everywhere(killed)


def test_a_server_that_is_killed_while_it_reloads_runs_again() -> None:
    def killed(host: Host) -> Any:
        pid = {"dovecot": "run/dovecot/master.pid", "courier": "run/courier/imapd-ssl.pid"}
        number = (host.init() / "root" / pid[host.product]).read_text().strip()
        with ThreadPoolExecutor(1) as pool:
            doing = pool.submit(host.change, *setting(host, *HARD))
            while host.state() != "swapped" and not doing.done():
                time.sleep(0.001)
            # By its number in the host, so from there: exec takes longer than a reload.
            inside = [p for p in Path("/proc").glob("[0-9]*") if is_process(p, host, number)]
            os.kill(int(inside[0].name), signal.SIGKILL)
            answer = doing.result()
        # Proven or taken back, both will do; here all hosts have to be as before.
        if not answer.get("failed"):
            host.module(state="restored", generation="1")
        return host.doors_closed()

    assert everywhere(killed) == {name: [] for name in NAMES}


def is_process(path: Path, host: Host, number: str) -> bool:
    """Whether a process of this machine is the one that the host calls by a number."""
    try:
        status = (path / "status").read_text()
        own = os.readlink(path / "ns" / "pid") == os.readlink(host.init() / "ns" / "pid")
    except OSError:
        return False
    return own and re.search(rf"^NSpid:.*\t{number}$", status, re.MULTILINE) is not None


def test_a_network_that_is_cut_after_the_swap_heals_without_it() -> None:
    def cut(host: Host) -> float:
        answer = host.change(*setting(host, *HARD), confirm_timeout=TIMEOUT)
        assert answer.get("transaction"), answer
        host.intrude("ip link set eth0 down")
        try:
            return await_(lambda: not host.open_change(), "healed", TIMEOUT + 10)
        finally:
            host.intrude("ip link set eth0 up")

    everywhere(cut)
    everywhere(lambda host: await_(lambda: not host.doors_closed(), "reachable again"))


def test_a_host_that_loses_power_comes_back_as_it_was() -> None:
    def crashed(host: Host) -> str:
        answer = host.change(*setting(host, *HARD), confirm_timeout=600)
        assert answer.get("transaction"), answer
        subprocess.run([LAB, "crash", host.name], check=True)
        return str(host.journal()[-1]["what"])

    assert everywhere(crashed) == dict.fromkeys(NAMES, "reverted")


# ---------------------------------------------------------------------------------------------
# Two at once, and back again


def test_a_second_controller_is_refused_by_name() -> None:
    host = Host("courier-trixie")
    first = host.change(*setting(host, *HARD), confirm_timeout=60, who="first@laptop")
    second = host.change(*setting(host, *HARDER), who="second@laptop")
    assert second.get("failed")
    assert "another run is changing this host: first@laptop" in second["msg"]
    host.module(state="reverted", transaction=first["transaction"])


def test_any_kept_generation_comes_back_within_ten_seconds(playbook: Any) -> None:
    for words in (HARD, HARDER):
        answers = everywhere(lambda host, words=words: host.change(*setting(host, *words)))
        assert not any(answer.get("failed") for answer in answers.values()), answers
    done = playbook("rollback", f"--limit={','.join(NAMES)}", "--extra-vars=generation=2")
    assert done.returncode == 0, done.stdout
    seconds = everywhere(lambda host: took(host.journal()[-1]))
    assert max(seconds.values()) < 10, seconds


def took(entry: dict[str, Any]) -> float:
    """Seconds from the beginning of a change to its end."""
    began, ended = (datetime.strptime(entry[key], "%Y-%m-%dT%H:%M:%S%z") for key in ("began", "at"))
    return (ended - began).total_seconds()
