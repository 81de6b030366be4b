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
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Callable

from builder import build
from containers import (
    actual,
    await_port,
    known,
    make_key,
    make_network,
    remember_key,
    remove,
    start,
    wanted,
)
from hosts import DEFAULT_PREFIX, GROUPS, HOSTS, Host, addresses, container, ipv4, network, prefix
from shell import LAB, LabError, at_once, locked, run, say

PIN = Path("/run/postmaster-tls-lab/mount-namespace")
TOOLS = {
    "podman": "podman",
    "runc": "runc",
    "mmdebstrap": "mmdebstrap",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
    "iptables": "iptables",
    "nft": "nftables",
    "/usr/lib/podman/netavark": "netavark",
}


def command_build(hosts: Sequence[Host]) -> None:
    build(hosts)


def command_up(hosts: Sequence[Host]) -> None:
    build(hosts)
    make_network()
    there = actual()
    late = [host for host in hosts if there.get(container(host)) != ("running", wanted(host))]
    if late:
        say(f"starting {' '.join(host.name for host in late)}")
    at_once(start, late, workers=4)
    at_once(remember_key, [host for host in hosts if not known(host)])
    for host in hosts:
        await_port(host, ipv4(host), 22)


def command_reset(hosts: Sequence[Host]) -> None:
    build(hosts)
    make_network()
    make_key()
    at_once(start, hosts, workers=4)


def command_down(hosts: Sequence[Host]) -> None:
    at_once(remove, hosts)
    if not actual():
        run("podman", "network", "rm", "--force", network())


def command_status(hosts: Sequence[Host]) -> None:
    there = actual()
    for host in hosts:
        state, label = there.get(container(host), ("absent", ""))
        note = (
            "" if state == "absent" or label == wanted(host) else "  (outdated: up makes it anew)"
        )
        print(f"{host.name:18} {state:8} {' '.join(addresses(host))}{note}")


def command_exec(hosts: Sequence[Host], argv: Sequence[str]) -> None:
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    os.execvp("podman", ["podman", "exec", "--interactive", *terminal, container(hosts[0]), *argv])


COMMANDS: dict[str, tuple[Callable[..., None], str]] = {
    "build": (command_build, "build the images that are missing"),
    "up": (command_up, "build and start what is missing, and wait until all ports answer"),
    "reset": (command_reset, "make hosts anew, in their weak state"),
    "down": (command_down, "remove hosts, and with the last one the network; images stay"),
    "status": (command_status, "say what is there"),
    "exec": (command_exec, "run a command on a host"),
}


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
        count = {"exec": 1, "reset": "+"}.get(name, "*")
        command.add_argument("hosts", nargs=count, metavar="HOST", help="a host or a group")  # type: ignore[arg-type]
        if name == "exec":
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


def enter_cgroup2() -> None:
    """Go on in the mount namespace PIN with cgroup v2, where this machine shows v1 or a hybrid.

    systemd 258 and later starts only there. One namespace for all calls: podman
    finds its mounts only where it made them.
    """
    os.environ["CONTAINERS_CONF"] = str(LAB / "containers.conf")
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return
    with locked("namespace"):
        if not os.path.ismount(PIN):
            make_namespace()
    os.execvp(
        "nsenter", ["nsenter", f"--mount={PIN}", sys.executable, str(LAB / "lab.py"), *sys.argv[1:]]
    )


def make_namespace() -> None:
    """A file holds the namespace; its folder must be a private mount (see unshare(1))."""
    PIN.parent.mkdir(exist_ok=True)
    if not os.path.ismount(PIN.parent):
        run("mount", "--bind", str(PIN.parent), str(PIN.parent))
        run("mount", "--make-private", str(PIN.parent))
    PIN.touch()
    mount = ("mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
    try:
        run("unshare", f"--mount={PIN}", "--propagation=slave", *mount)
    except LabError as error:
        subprocess.run(("umount", str(PIN)), stderr=subprocess.DEVNULL, check=False)
        raise LabError(
            "cgroup v2 can't be mounted, so systemd would not start: "
            f"use a machine with cgroup v2 ({error})"
        ) from error


def main(argv: Sequence[str]) -> int:
    parsed = arguments(argv)
    work, _ = COMMANDS[parsed.command]
    extra = (parsed.argv,) if parsed.command == "exec" else ()
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
