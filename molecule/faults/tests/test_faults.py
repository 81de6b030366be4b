# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with a candidate or a host; nobody is ever left without a port.

Each test ends as every change has to: whatever door worked before works, seen from outside, the
files are the old ones byte for byte or the new ones proven, and nothing is left over.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.postmaster.tls.molecule.shared.faults import (
    HARD,
    NAMES,
    Host,
    await_,
    call,
    change_all,
    everywhere,
    lay_out,
    pairs,
    setting,
)

GROUP = {"dovecot": "dovecot", "courier": "courier"}
PAIRS = pairs()

pytestmark = pytest.mark.usefixtures("unbroken")


# ---------------------------------------------------------------------------------------------
# Candidates that are wrong


@pytest.mark.parametrize(
    "wrong", ["wrong key", "truncated", "truncated key", "reversed", "expired"]
)
def test_a_certificate_that_cannot_be_served_is_refused(wrong: str) -> None:
    def laid_out(host: Host) -> list[dict[str, str]]:
        return lay_out(host, PAIRS[wrong], "640", f"root:{GROUP[host.product]}")

    for name, answer in change_all(laid_out).items():
        assert answer["failed"], (name, answer)
        assert re.search(r"faults/|rehearsal of the candidate failed", answer["msg"]), (
            name,
            answer,
        )


def test_a_key_that_the_server_cannot_read_is_refused_by_the_rehearsal() -> None:
    """Courier serves port 110 as its own user; Dovecot reads keys as root, and takes it."""
    host = Host("courier-trixie")
    answer = host.change(*lay_out(host, PAIRS["good"], "600", "root:root"))
    assert answer.get("failed"), answer
    assert re.search(r"a rehearsal of the candidate failed: pop3://127\.0\.0\.1:\d+", answer["msg"])


def test_a_key_of_a_wrong_owner_is_served_where_the_server_reads_it_as_root() -> None:
    """Dovecot does: the change is proven and kept, and goes back as a kept one."""
    names = ("dovecot-bookworm", "dovecot-trixie")
    answers = change_all(lambda host: lay_out(host, PAIRS["good"], "600", "nobody:nogroup"), names)
    assert not any(answer["failed"] for answer in answers.values()), answers
    back = call({name: {"state": "restored", "generation": "1"} for name in names})
    assert not any(answer["failed"] for answer in back.values()), back


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

    for name, answer in change_all(lambda host: setting(host, *words)).items():
        assert answer["failed"], (name, answer)
        assert "Every file is as it was" not in answer["msg"], (name, answer)


def test_a_setting_that_courier_does_not_know_breaks_nothing() -> None:
    """Its files are shell: any name can be set, and nobody reads this one. It is kept, proven."""
    host = Host("courier-trixie")
    unknown = {"name": "NO_SUCH_SETTING", "value": "yes", "file": "/etc/courier/imapd-ssl"}
    answer = host.change(unknown)
    assert (answer["failed"], answer["changed"]) == (False, True), answer
    assert answer["rehearsal"]["done"], answer
    assert host.doors_closed() == []
    back = host.module(state="restored", generation="1")
    assert not back["failed"], back


# ---------------------------------------------------------------------------------------------
# Hosts that are wrong


def test_a_port_that_another_has_taken_makes_all_go_back() -> None:
    """Courier binds all of its ports when it is restarted; a rehearsal has ports of its own."""
    host = Host("courier-trixie")
    with taken(host):
        answer = host.change({"name": "PORT", "value": "110,2525", "file": "/etc/courier/pop3d"})
    assert answer.get("failed"), answer
    assert "Every file is as it was before and the server has read it again" in answer["msg"]


DOVECOTS = tuple(name for name in NAMES if name.startswith("dovecot"))
TAKEN = {"service": "imap", "address": "*", "port": 2525, "tls_mode": "starttls"}


@pytest.mark.parametrize("name", DOVECOTS)
def test_a_port_of_dovecots_that_another_has_taken_costs_no_other_port(name: str) -> None:
    """A reload binds only ports that are new, and goes on without one that is taken.

    So does this: the taken port is open and shakes no hands, so the change goes back.
    """
    host = Host(name)
    with taken(host), listening(host):
        answer = host.change(*setting(host, *HARD), **with_port(host))
        assert answer["failed"], answer
        assert "2525 serves no TLS with the new configuration" in answer["msg"]
        assert "Every file is as it was before and the server has read it again" in answer["msg"]
        assert host.doors_closed() == []
        assert "Address already in use" in host.run("journalctl -q --no-pager -o cat -n 200")


@pytest.mark.parametrize("name", DOVECOTS)
def test_a_port_that_is_broken_already_does_not_stop_stage_0(name: str) -> None:
    """To log more is no affair of a port that shakes no hands, before and after."""
    host = Host(name)
    wanted = {"name": "login_log_format_elements", "value": "user=<%u> %k"}
    if host.name == "dovecot-trixie":
        wanted["value"] = "user=<%{user}> %{ssl_security}"
    with taken(host), listening(host):
        answer = host.change(wanted, served_only=True, **with_port(host))
        assert (answer["failed"], answer["changed"]) == (False, True), answer
        back = host.module(state="restored", generation="1")
        assert not back["failed"], back


@contextlib.contextmanager
def taken(host: Host) -> Iterator[None]:
    """Port 2525 of a host in the hands of another program, which never says a word."""
    program = "import socket,time; s=socket.create_server(('', 2525)); time.sleep(300)"
    host.run(f'python3 -c "{program}" >/dev/null 2>&1 & echo $! >/run/taken')
    try:
        await_(lambda: "ok" in host.run("grep -q :09DD /proc/net/tcp && echo ok || true"), "bound")
        yield
    finally:
        host.run("kill $(cat /run/taken); rm /run/taken")


@contextlib.contextmanager
def listening(host: Host) -> Iterator[None]:
    """A Dovecot whose administrator has just given it that port."""
    file = f"{host.folder}/conf.d/98-taken.conf"
    block = "service imap-login {\n  inet_listener taken {\n    port = 2525\n  }\n}"
    host.run(f"printf '{block}\n' >{file}")
    try:
        yield
    finally:
        host.run(f"rm {file}; systemctl reload dovecot")


def with_port(host: Host) -> dict[str, Any]:
    """The arguments of a change that knows of that port, as hardening would."""
    return {"listeners": [*host.wants()["listeners"], TAKEN]}


def test_a_full_disk_touches_nothing() -> None:
    """The folder on a small disk of its own, with room for its files and for nothing else."""
    with on_disks("512k"):
        everywhere(lambda host: host.run(FILL.format(host.folder)))
        answers = change_all(lambda host: setting(host, *HARD))
    for name, answer in answers.items():
        assert answer["failed"], (name, answer)
        assert "No space left on device" in answer["msg"], (name, answer["msg"])


def test_a_folder_that_cannot_be_written_touches_nothing() -> None:
    only_read = "mount --bind {0} {0}; mount -o remount,bind,ro {0}"
    everywhere(lambda host: host.run(only_read.format(host.folder)))
    try:
        answers = change_all(lambda host: setting(host, *HARD))
    finally:
        everywhere(lambda host: host.run(f"umount -l {host.folder}"))
    for name, answer in answers.items():
        assert answer["failed"], (name, answer)
        assert "Read-only file system" in answer["msg"], (name, answer["msg"])


def test_a_disk_that_fills_after_the_swap_keeps_nothing_from_going_back() -> None:
    with on_disks("2M"):
        before = everywhere(lambda host: host.sums())
        answers = change_all(lambda host: setting(host, *HARD), confirm_timeout=60)
        assert all(answer.get("transaction") for answer in answers.values()), answers
        everywhere(lambda host: host.run(FILL.format(host.folder)))
        back = call(
            {
                name: {"state": "reverted", "transaction": answer["transaction"]}
                for name, answer in answers.items()
            }
        )
        everywhere(lambda host: host.run(f"rm {host.folder}/faults"))
        assert everywhere(lambda host: host.sums()) == before
    said = "Every file is as it was before and the server has read it again"
    assert {name: answer.get("msg") for name, answer in back.items()} == dict.fromkeys(NAMES, said)


FILL = "cat /dev/zero >{0}/faults 2>/dev/null || true"


@contextlib.contextmanager
def on_disks(size: str) -> Iterator[None]:
    """The folder of each host's server on a disk of its own, of that size."""
    made = (
        "cp -a {0} /root/sound; mount -t tmpfs -o size={1},mode=755 tmpfs {0}; "
        "cp -a /root/sound/. {0}/"
    )
    everywhere(lambda host: host.run(made.format(host.folder, size)))
    try:
        yield
    finally:
        everywhere(lambda host: host.run(f"umount -l {host.folder}; rm -rf /root/sound"))
