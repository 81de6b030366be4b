"""The network of the lab: a bridge on which every host has an address of its own.

Podman keeps a list of which address belongs to which container. When its
processes are killed at a bad moment, an address stays on that list though its
container is gone, and podman 4 keeps the list even when the network goes. So
a network is never mended: another is made, under a new name. The bridge of the
killed is still there as well, and would keep podman from making the next.
"""

from __future__ import annotations

import json
import re
import secrets

from hosts import has_ipv6, ipv6_prefix, lab, prefix
from shell import locked, run


def names() -> list[str]:
    """The lab's networks: one, or none; all of them have the lab's name before the first dot."""
    return [
        name
        for name in run("podman", "network", "ls", "--format={{.Name}}").split()
        if name.split(".")[0] == lab()
    ]


def network() -> str:
    """The name of the lab's network, which is made when there is none."""
    with locked("network"):
        return next(iter(names()), "") or make_network()


def make_network() -> str:
    remove_bridges()
    name = f"{lab()}.{secrets.token_hex(3)}"
    v4 = ["--subnet", f"{prefix()}.0/24", "--gateway", f"{prefix()}.1"]
    v6 = (
        ["--ipv6", "--subnet", f"{ipv6_prefix()}/64", "--gateway", f"{ipv6_prefix()}1"]
        if has_ipv6()
        else []
    )
    cure = "if the subnet is taken, set LAB_PREFIX (default 10.203.7) to another"
    run("podman", "network", "create", "--disable-dns", *v4, *v6, name, cure=cure)
    return name


def remove_network() -> None:
    """Remove the lab's network and the containers that are still on it."""
    for name in names():
        run("podman", "network", "rm", "--force", name)
    remove_bridges()


def remove_bridges() -> None:
    """Remove bridges of podman's that have the gateway's address though their network is gone."""
    found = json.loads(run("ip", "-json", "address", "show", "to", f"{prefix()}.1") or "[]")
    for name in (entry.get("ifname", "") for entry in found):
        if re.fullmatch(r"podman\d+", name):
            run("ip", "link", "delete", name)
