"""Containers: started from an image, reached by SSH, compared by a label.

A container carries the digest of all that it was started from; when it equals
the digest of what is wanted now, the container stays as it is.
"""

from __future__ import annotations

import json
import socket
import time

from builder import image
from hosts import (
    Host,
    addresses,
    container,
    has_ipv6,
    ipv4,
    ipv6,
    ipv6_prefix,
    mac,
    network,
    prefix,
)
from shell import CACHE, LabError, cache, digest, locked, run, succeeds

KEY = CACHE / "id_ed25519"
KNOWN_HOSTS = CACHE / "known_hosts"
START_TIMEOUT = 90.0


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


def make_network() -> None:
    if succeeds("podman", "network", "exists", network()):
        return
    v4 = ["--subnet", f"{prefix()}.0/24", "--gateway", f"{prefix()}.1"]
    v6 = (
        ["--ipv6", "--subnet", f"{ipv6_prefix()}/64", "--gateway", f"{ipv6_prefix()}1"]
        if has_ipv6()
        else []
    )
    cure = "if the subnet is taken, set LAB_PREFIX (default 10.203.7) to another"
    run("podman", "network", "create", "--disable-dns", *v4, *v6, network(), cure=cure)


def run_flags(host: Host) -> list[str]:
    where = {"ip": ipv4(host), "ip6": ipv6(host) if has_ipv6() else None, "mac": mac(host)}
    options = ",".join(f"{name}={value}" for name, value in where.items() if value)
    return [
        f"--name={container(host)}",
        f"--hostname={host.name}.example.test",
        f"--network={network()}:{options}",
        "--systemd=always",
        "--cap-add=AUDIT_WRITE",
        "--stop-signal=SIGKILL",
        f"--volume={KEY}.pub:/root/.ssh/authorized_keys:ro",
    ]


def wanted(host: Host) -> str:
    """The digest of all that a container of this host is started from."""
    return digest([image(host), *run_flags(host), make_key()])


def actual() -> dict[str, tuple[str, str]]:
    """Container name → (state, digest it was started from), for this lab."""
    there = json.loads(
        run("podman", "ps", "--all", f"--filter=label=lab={network()}", "--format=json") or "[]"
    )
    return {
        entry["Names"][0]: (entry["State"], entry["Labels"].get("lab.digest", ""))
        for entry in there
    }


def remove(host: Host) -> None:
    run("podman", "rm", "--force", "--ignore", "--time=0", container(host))


def start(host: Host) -> None:
    remove(host)
    labels = [f"--label=lab={network()}", f"--label=lab.digest={wanted(host)}"]
    run("podman", "run", "--detach", *run_flags(host), *labels, image(host))
    remember_key(host)
    for address in addresses(host):
        for port in host.ports:
            await_port(host, address, port)


def known(host: Host) -> bool:
    """Whether known_hosts has a line for the host."""
    lines = KNOWN_HOSTS.read_text().splitlines() if KNOWN_HOSTS.exists() else []
    return ",".join(addresses(host)) in {line.split(" ")[0] for line in lines}


def remember_key(host: Host) -> None:
    """Put the host's SSH key, as read from inside, into known_hosts."""
    # Each systemd takes about eight, and most kernels give 128 to all of a user's processes.
    cure = "if it ended at once: sysctl fs.inotify.max_user_instances=512, or fewer hosts"
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
