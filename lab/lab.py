#!/usr/bin/env python3
"""The lab: weak mail servers in containers, made from Debian packages.

Why it exists: the roles are proven on real systemd hosts with real versions
of Dovecot and Courier, reached by SSH as a fleet is. This is the one command
that makes such hosts, puts them back into their weak state and removes them.

It is told apart what a host *is* (the table HOSTS, the files in images/ and
servers/HOST) and what state it is in (podman knows). Images are named by the
digest of all that goes into them, containers carry the digest of what they
were started from, so each command compares and does only what is missing.
README.md says what is wrong with each host.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from typing import Callable

from builder import build
from containers import (
    ABSENT,
    actual,
    await_port,
    crash,
    is_as_wanted,
    known,
    make_key,
    make_room,
    remember_key,
    remove,
    start,
)
from hosts import DEFAULT_PREFIX, GROUPS, HOSTS, Host, addresses, container, ipv4, prefix
from namespace import enter_cgroup2
from network import names, network, remove_network
from shell import LabError, at_once, say

TOOLS = {
    "podman": "podman",
    "runc": "runc",
    "mmdebstrap": "mmdebstrap",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
    "ip": "iproute2",
    "iptables": "iptables",
    "nft": "nftables",
    "/usr/lib/podman/netavark": "netavark",
}


def command_build(hosts: Sequence[Host]) -> None:
    build(hosts)


def command_up(hosts: Sequence[Host]) -> None:
    build(hosts)
    there, name = actual(), network()
    late = [
        host for host in hosts if not is_as_wanted(there.get(container(host), ABSENT), host, name)
    ]
    if late:
        say(f"starting {' '.join(host.name for host in late)}")
        start_all(late)
    at_once(remember_key, [host for host in hosts if not known(host)])
    for host in hosts:
        await_port(host, ipv4(host), 22)


def command_reset(hosts: Sequence[Host]) -> None:
    build(hosts)
    start_all(hosts)


def start_all(hosts: Sequence[Host]) -> None:
    """Start hosts anew; where podman keeps their addresses for what is gone, the network too."""
    make_room()
    make_key()
    try:
        at_once(partial(start, network=network()), hosts, workers=4)
    except LabError as error:
        if "already allocated" not in str(error):
            raise
        others = [
            host
            for host in HOSTS.values()
            if actual().get(container(host), ABSENT).state == "running"
        ]
        say(
            "podman keeps addresses for containers that are gone: "
            "the network and all hosts on it are made anew"
        )
        remove_network()
        at_once(partial(start, network=network()), dict.fromkeys([*hosts, *others]), workers=4)


def command_crash(hosts: Sequence[Host]) -> None:
    """As a power cut and a boot: what is on the disk stays, all processes and /run are gone."""
    at_once(crash, hosts)


def command_down(hosts: Sequence[Host]) -> None:
    at_once(remove, hosts)
    if not actual():
        remove_network()


def command_status(hosts: Sequence[Host]) -> None:
    there, name = actual(), next(iter(names()), "")
    for host in hosts:
        found = there.get(container(host), ABSENT)
        note = "" if found == ABSENT or is_as_wanted(found, host, name) else "  (up makes it anew)"
        print(
            f"{host.name:18} {found.state:8} {found.identity:13}{' '.join(addresses(host))}{note}"
        )


def command_exec(hosts: Sequence[Host], argv: Sequence[str], *options: str) -> None:
    if sys.stdin.isatty() and sys.stdout.isatty():
        options = (*options, "--tty")
    os.execvp("podman", ["podman", "exec", "--interactive", *options, container(hosts[0]), *argv])


def command_intrude(hosts: Sequence[Host], argv: Sequence[str]) -> None:
    """With rights that the host's own root lacks: to fill a disk, to cut a cable."""
    command_exec(hosts, argv, "--privileged")


COMMANDS: dict[str, tuple[Callable[..., None], str]] = {
    "build": (command_build, "build the images that are missing"),
    "up": (command_up, "build and start what is missing, and wait until all ports answer"),
    "reset": (command_reset, "make hosts anew, in their weak state"),
    "crash": (command_crash, "cut a host's power and start it again: its disk stays"),
    "down": (command_down, "remove hosts, and with the last one the network; images stay"),
    "status": (command_status, "say what is there"),
    "exec": (command_exec, "run a command on a host"),
    "intrude": (command_intrude, "the same with this machine's rights: mount, cut the network"),
}

COUNTS: dict[str, int | str] = {"exec": 1, "intrude": 1, "reset": "+", "crash": "+"}
"""How many hosts a command takes, where it is not any number, none for all."""
RUNNING = ("exec", "intrude")
"""Commands that take another one, after ``--``."""


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="lab.py",
        description="Weak mail servers in containers, to try postmaster.tls on.",
        epilog=f"HOST is one of {', '.join(HOSTS)}, or a group: {', '.join(GROUPS)}. "
        f"LAB_PREFIX={DEFAULT_PREFIX} in the environment names the network, "
        "LAB_MIRROR a Debian mirror.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text.capitalize() + ".")
        count = COUNTS.get(name, "*")
        command.add_argument("hosts", nargs=count, metavar="HOST", help="a host or a group")
        if name in RUNNING:
            command.add_argument(
                "argv", nargs="+", metavar="ARGUMENT", help="the command, after --"
            )
    return parser.parse_args(argv)


def chosen(names: Sequence[str]) -> list[Host]:
    unknown = [name for name in names if name not in HOSTS and name not in GROUPS]
    if unknown:
        raise LabError(
            f"no host or group is called {unknown[0]}: choose from {', '.join([*HOSTS, *GROUPS])}"
        )
    members = {member for name in names or ["all"] for member in GROUPS.get(name, (name,))}
    return [host for name, host in HOSTS.items() if name in members]


def require_machine() -> None:
    if sys.platform != "linux":
        raise LabError(
            "containers with systemd need Linux: run this in a Debian 12 or 13 virtual machine"
        )
    if os.geteuid() != 0:
        raise LabError(
            "only root may start systemd containers with addresses of their own: use sudo"
        )
    if not re.fullmatch(r"(\d{1,3}\.){2}\d{1,3}", prefix()):
        raise LabError(
            f"LAB_PREFIX is the first three parts of an IPv4 network, as {DEFAULT_PREFIX}; "
            f"it was {prefix()}"
        )
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    if missing:
        raise LabError(f"{', '.join(missing)} missing: apt-get install {' '.join(missing)}")


def main(argv: Sequence[str]) -> int:
    parsed = arguments(argv)
    work, _ = COMMANDS[parsed.command]
    extra = (parsed.argv,) if parsed.command in RUNNING else ()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    try:
        hosts = chosen(parsed.hosts)
        require_machine()
        enter_cgroup2()
        work(hosts, *extra)
        sys.stdout.flush()
    except LabError as error:
        print(f"lab.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print(f"lab.py: {error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
