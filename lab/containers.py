"""Containers: started from an image, reached by SSH, compared by a label.

A container carries the digest of all that it was started from; when it equals
the digest of what is wanted now, the container stays as it is.
"""

from __future__ import annotations

import json
import re
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from builder import image
from hosts import Host, addresses, container, has_ipv6, ipv4, ipv6, lab, mac
from shell import CACHE, LabError, cache, digest, locked, run, succeeds

KEY = CACHE / "id_ed25519"
KNOWN_HOSTS = CACHE / "known_hosts"
START_TIMEOUT = 90.0
# A systemd takes about eight, and most kernels give 128 to all processes of a user.
INOTIFY, INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances"), 512


@dataclass(frozen=True)
class Container:
    """What podman knows of a host; `digest` is of all that it was started from."""

    state: str
    digest: str
    identity: str


ABSENT = Container("absent", "", "")


def make_room() -> None:
    """Raise the kernel's limit that a dozen of systemds run into, where that is allowed."""
    with suppress(OSError):
        if int(INOTIFY.read_text()) < INSTANCES:
            INOTIFY.write_text(str(INSTANCES))


def make_key() -> str:
    """The public key that opens every host; made once per checkout."""
    if not KEY.exists():
        cache()
        run(
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            "postmaster.tls lab",
            "-f",
            str(KEY),
        )
    return KEY.with_suffix(".pub").read_text()


def run_flags(host: Host, network: str) -> list[str]:
    where = {"ip": ipv4(host), "ip6": ipv6(host) if has_ipv6() else None, "mac": mac(host)}
    options = ",".join(f"{name}={value}" for name, value in where.items() if value)
    return [
        f"--name={container(host)}",
        f"--hostname={host.name}.example.test",
        f"--network={network}:{options}",
        "--systemd=always",
        *(f"--cap-add={right}" for right in ("AUDIT_WRITE", *host.may)),
        "--stop-signal=SIGKILL",
        f"--volume={KEY}.pub:/root/.ssh/authorized_keys:ro",
    ]


def wanted(host: Host, network: str) -> str:
    """The digest of all that a container of this host is started from."""
    return digest([image(host), *run_flags(host, network), make_key()])


def actual() -> dict[str, Container]:
    """This lab's containers by name."""
    there = json.loads(
        run("podman", "ps", "--all", f"--filter=label=lab={lab()}", "--format=json") or "[]"
    )
    return {
        entry["Names"][0]: Container(
            state(entry["State"], entry["Pid"]),
            entry["Labels"].get("lab.digest", ""),
            entry["Id"][:12],
        )
        for entry in there
    }


def is_as_wanted(found: Container, host: Host, network: str) -> bool:
    return (found.state, found.digest) == ("running", wanted(host, network))


def state(said: str, pid: int) -> str:
    """What podman says, unless the process is gone: killed with its watcher, it told nobody."""
    return "killed" if said == "running" and not is_init(pid) else said


def is_init(pid: int) -> bool:
    """Whether the process is the first one of a process namespace, as a container's is."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return any(
        line.startswith("NSpid:") and line.split()[-1] == "1" for line in status.splitlines()
    )


def remove(host: Host) -> None:
    """Remove the host's container, if there is one, in whatever state."""
    command = ("podman", "rm", "--force", "--ignore", "--time=0", container(host))
    try:
        run(*command)
    except LabError as error:
        # Of a container that was killed podman 5 has to find out first that it no longer runs, and
        # podman 4 may not know what of it is still mounted; the second call then succeeds.
        busy = re.search(r"(/\S+): device or resource busy", str(error))
        if busy:
            succeeds("umount", "--lazy", busy[1])
        run(*command)


def start(host: Host, network: str) -> None:
    remove(host)
    labels = [f"--label=lab={lab()}", f"--label=lab.digest={wanted(host, network)}"]
    run("podman", "run", "--detach", *run_flags(host, network), *labels, image(host))
    remember_key(host)
    for address in addresses(host):
        for port in host.ports:
            await_port(host, address, port)


def crash(host: Host) -> None:
    """Kill all of a host at once and start it again."""
    run("podman", "restart", "--time=0", container(host))
    for address in addresses(host):
        for port in host.ports:
            await_port(host, address, port)


def known(host: Host) -> bool:
    """Whether known_hosts has a line for the host."""
    lines = KNOWN_HOSTS.read_text().splitlines() if KNOWN_HOSTS.exists() else []
    return ",".join(addresses(host)) in {line.split(" ")[0] for line in lines}


def remember_key(host: Host) -> None:
    """Put the host's SSH key, as read from inside, into known_hosts."""
    cure = f"if it ended at once: sysctl fs.inotify.max_user_instances={INSTANCES}, or fewer hosts"
    command = ("podman", "exec", container(host), "cat", "/etc/ssh/ssh_host_ed25519_key.pub")
    key = run(*command, cure=cure).split()[:2]
    names = ",".join(addresses(host))
    with locked("known_hosts"):
        old = KNOWN_HOSTS.read_text().splitlines() if KNOWN_HOSTS.exists() else []
        kept = [line for line in old if line.split(" ")[0] != names]
        KNOWN_HOSTS.write_text("\n".join([*kept, " ".join([names, *key])]) + "\n")


def answers(address: str, port: int) -> bool:
    """Whether the port accepts, and greets unless its clients speak first."""
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            connection.settimeout(2)
            return port % 1000 in (993, 995) or connection.recv(1) != b""
    except OSError:
        return False


def await_port(host: Host, address: str, port: int) -> None:
    give_up = time.monotonic() + START_TIMEOUT
    while not answers(address, port):
        if time.monotonic() > give_up:
            raise LabError(
                f"{host.name}: port {port} of {address} does not answer after "
                f"{START_TIMEOUT:.0f} s; see "
                f"'lab.py exec {host.name} -- systemctl --failed' and '-- journalctl -b'"
            )
        time.sleep(0.05)  # between two polls; the condition above decides
