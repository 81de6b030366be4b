"""The hosts of the lab as a table: what each is, and where it is.

inventories/lab/hosts.yml lists the same names and numbers for Ansible.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_PREFIX = "10.203.7"
USER, PASSWORD = "alice", "lab-only-password"  # also in inventories/lab/group_vars/all.yml

DOVECOT = (
    "dovecot-core dovecot-imapd dovecot-pop3d dovecot-managesieved dovecot-sieve dovecot-lmtpd"
)
COURIER = "courier-imap courier-pop"
NET = ("NET_ADMIN",)


@dataclass(frozen=True)
class Host:
    """A machine of the lab; `ports` answer when it has started, `may` are more rights of root."""

    name: str
    suite: str
    number: int
    packages: str
    ports: tuple[int, ...]
    may: tuple[str, ...] = ()


HOSTS = {
    host.name: host
    for host in (
        Host("dovecot-bullseye", "bullseye", 11, DOVECOT, (22, 110, 143, 993, 995, 4190)),
        Host("dovecot-bookworm", "bookworm", 12, DOVECOT, (22, 110, 143, 993, 995, 4190, 10993)),
        Host("dovecot-trixie", "trixie", 13, DOVECOT, (22, 110, 143, 993, 995, 1143, 4190)),
        Host("dovecot-sid", "sid", 14, DOVECOT, (22, 110, 143, 4190)),
        # Their root may put a filter on a socket, as that of a machine of its own.
        Host("courier-bookworm", "bookworm", 15, COURIER, (22, 110, 143, 993, 995), NET),
        Host("courier-trixie", "trixie", 16, COURIER, (22, 110, 143, 993, 995, 1143), NET),
        Host("courier-sid", "sid", 17, COURIER, (22, 110, 143, 993, 995), NET),
        # Its root may mount, as that of a machine of its own: systemd then shuts services off.
        Host("nomail", "trixie", 18, "", (22,), ("SYS_ADMIN",)),
    )
}
GROUPS = {
    "all": tuple(HOSTS),
    "dovecot": tuple(name for name in HOSTS if name.startswith("dovecot-")),
    "courier": tuple(name for name in HOSTS if name.startswith("courier-")),
    "demo": ("dovecot-bookworm", "dovecot-trixie", "courier-bookworm", "courier-trixie"),
}


def prefix() -> str:
    return os.environ.get("LAB_PREFIX") or DEFAULT_PREFIX


def lab() -> str:
    """The lab's name, and the first part of the names of its network and its containers."""
    suffix = "" if prefix() == DEFAULT_PREFIX else "-" + prefix().replace(".", "-")
    return f"postmaster-tls-lab{suffix}"


def container(host: Host) -> str:
    return f"{lab()}-{host.name}"


def has_ipv6() -> bool:
    """Whether the kernel has IPv6 switched on; inventories/lab asks the same file."""
    try:
        return Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").read_text().strip() == "0"
    except OSError:
        return False


def ipv4(host: Host) -> str:
    return f"{prefix()}.{host.number}"


def ipv6_prefix() -> str:
    return "fd42:" + prefix().replace(".", ":") + "::"


def ipv6(host: Host) -> str:
    return f"{ipv6_prefix()}{host.number}"


def addresses(host: Host) -> tuple[str, ...]:
    return (ipv4(host), ipv6(host)) if has_ipv6() else (ipv4(host),)


def mac(host: Host) -> str:
    """A fixed one: after a reset, a neighbour's old entry still finds the host."""
    octets = [int(part) for part in ipv4(host).split(".")]
    return "02:42:" + ":".join(f"{octet:02x}" for octet in octets)
