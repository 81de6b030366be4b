# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller that reaches nothing of a host but SSH, and another host that looks for it.

Each host's firewall lets the mail ports be reached from the vantage host alone. What the vantage
host sees decides: a change is kept, or goes back where a port is dead for everybody but the host
itself, or where the vantage host is not there any more.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ansible_collections.postmaster.tls.lab.hosts import HOSTS, ipv4
from ansible_collections.postmaster.tls.molecule.shared.faults import (
    NAMES,
    Host,
    await_,
    call,
    everywhere,
)

# Who looks at whom: each host is looked at by the next.
VANTAGE = dict(zip(NAMES, (*NAMES[1:], NAMES[0])))
CONTROLLER = ipv4(HOSTS[NAMES[0]]).rsplit(".", 1)[0] + ".1"
PATIENCE = 300.0
"""Seconds for a whole harden run of all hosts, one server after the other."""
PORTS = "{ 110, 143, 993, 995, 1143, 10993 }"

pytestmark = pytest.mark.usefixtures("unbroken")


def nft(host: Host, *rules: str) -> None:
    """Rules in the network of a host, by this machine's nft: the host has none."""
    subprocess.run(
        ["nsenter", "-n", "-t", host.init().name, "--", "nft", "-f", "-"],
        input="\n".join(rules),
        text=True,
        check=True,
    )


@contextlib.contextmanager
def firewalls() -> Iterator[None]:
    """Hosts whose mail ports the controller does not reach, and the vantage host does."""
    table = "table ip vantage"
    chain = "type filter hook input priority 0; policy accept;"
    closed = f"ip saddr {CONTROLLER} tcp dport {PORTS} drop"
    everywhere(lambda host: nft(host, f"{table} {{\nchain input {{\n{chain}\n{closed}\n}}\n}}"))
    try:
        yield
    finally:
        everywhere(lambda host: nft(host, f"delete {table}"))


def break_for_the_vantage_host(host: Host) -> None:
    """Once the change is in force: what is seen from the host itself goes on as it did."""
    await_(lambda: host.state() == "swapped", "swapped", PATIENCE, pause=0.02)
    looks = ipv4(HOSTS[VANTAGE[host.name]])
    rule = f"ip saddr {looks} tcp dport {{ 993, 995 }} reject with tcp reset"
    nft(host, f"insert rule ip vantage input {rule}")


def harden(playbook: Any, *options: str, names: tuple[str, ...] = NAMES) -> Any:
    """Harden hosts, each looked at by its vantage host."""
    extra = {"vantages": VANTAGE, "mail_tls_impact": False}
    extra["mail_tls_vantage"] = "{{ vantages[inventory_hostname] }}"
    chosen = (f"--limit={','.join(names)}", f"--extra-vars={json.dumps(extra)}")
    return playbook("harden", *chosen, *options)


def ends(what: str) -> list[str]:
    """The reasons of the last changes, which all ended so."""
    last = everywhere(lambda host: host.journal()[-1])
    assert {name: entry["what"] for name, entry in last.items()} == dict.fromkeys(NAMES, what)
    return [entry["reason"] for entry in last.values()]


def test_what_the_vantage_host_proves_is_confirmed(playbook: Any) -> None:
    began = everywhere(lambda host: host.run("date '+%F %T'").strip())
    with firewalls():
        closed = everywhere(lambda host: host.doors_closed())
        assert all(closed.values()), "the controller reaches the ports, so this proves nothing"
        done = harden(playbook)
        assert done.returncode == 0, done.stdout
        ends("confirmed")
        for name, log in everywhere(lambda host: logged(host, began[host.name])).items():
            assert ipv4(HOSTS[VANTAGE[name]]) in log
        again = harden(playbook)
    assert re.findall(r"(\S+) +: .*changed=0 .*failed=0", again.stdout) == sorted(
        NAMES, key=again.stdout.rindex
    )
    back = call({name: {"state": "restored", "generation": "1"} for name in NAMES})
    assert not any(answer["failed"] for answer in back.values()), back


def test_a_host_that_is_its_own_vantage_host_is_not_changed(playbook: Any) -> None:
    host = Host(NAMES[0])
    before = host.look()
    extra = json.dumps({"mail_tls_vantage": host.name, "mail_tls_impact": False})
    done = playbook("harden", f"--limit={host.name}", f"--extra-vars={extra}")
    assert done.returncode == 2, done.stdout
    assert "belongs to the machine that looks" in " ".join(done.stdout.split())
    assert host.look() == before


def logged(host: Host, since: str) -> str:
    """What the host's server said since then."""
    return host.run(f"journalctl --quiet --no-pager --output=cat --since='{since}'")


def test_a_port_that_is_dead_for_the_vantage_host_alone_makes_all_go_back(playbook: Any) -> None:
    with firewalls(), ThreadPoolExecutor(1) as pool:
        breaking = pool.submit(everywhere, break_for_the_vantage_host)
        done = harden(playbook)
        breaking.result()
    assert done.returncode == 2, done.stdout
    said = " ".join(done.stdout.split())
    dead = r"imap://\S+:993 serves no TLS after the change \(refused at connect\)"
    assert re.search(dead, said)
    back = "Every file is as it was before and the server has read it again; from outside"
    assert said.count(back) >= len(NAMES)
    assert all(f"fatal: [{name}]: FAILED!" in said for name in NAMES)
    assert all(re.search(dead, reason) for reason in ends("reverted"))


def test_a_vantage_host_that_is_gone_after_the_swap_proves_nothing(playbook: Any) -> None:
    host = Host(NAMES[0])
    vantage = Host(VANTAGE[host.name])

    def leave() -> None:
        await_(lambda: host.state() == "swapped", "swapped", PATIENCE, pause=0.02)
        vantage.run("ip link set eth0 down")

    try:
        with ThreadPoolExecutor(1) as pool:
            leaving = pool.submit(leave)
            done = harden(playbook, "--extra-vars=mail_tls_confirm_timeout=60", names=(host.name,))
            leaving.result()
    finally:
        vantage.run("ip link set eth0 up")
    assert done.returncode == 2, done.stdout
    said = " ".join(done.stdout.split())
    assert "the vantage host could not look at the ports" in said
    assert "Every file is as it was before and the server has read it again" in said
    assert host.journal()[-1]["what"] == "reverted"
    await_(lambda: not vantage.doors_closed(), "reachable again")
