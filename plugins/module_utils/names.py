# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, addresses and ports: each name is looked up once, by the system's resolver.

Whoever connects later does so to an address, so that all connections of a run go to the same place.
Opens no connection itself. Source: the ``socket`` and ``ipaddress`` chapters of the Python library.
"""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import socket
import threading
import time
from collections.abc import Sequence
from typing import Optional

RESOLVE_SECONDS = 10.0
_LOOPBACK = "127.0.0.1"
LOOKUPS = 64
"""Names that are looked up at the same time."""


def is_address(host: str) -> bool:
    """Whether a host is given as an IPv4 or IPv6 address (with or without a zone)."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=4096)
def one_spelling(address: str) -> str:
    """The same text for all spellings of an IPv6 address (RFC 5952); other texts as they are."""
    number, percent, zone = address.partition("%")
    if ":" not in number or not is_address(number):
        return address
    return str(ipaddress.IPv6Address(number)) + percent + zone


def is_own(address: str) -> bool:
    """Whether ``address`` belongs to this machine, so that a probe from here is a local one."""
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as own:
            own.bind((address, 0))
    except (OSError, ValueError, TypeError):  # TypeError: a NUL in a name
        return False
    return True


def source(address: str) -> Optional[str]:
    """The address of this machine that ``address`` sees, where nothing translates it."""
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as own:
            own.connect((address, 9))  # sends nothing
            return str(own.getsockname()[0])
    except (OSError, ValueError, TypeError):
        return None


def resolve(hosts: Sequence[str], seconds: float = RESOLVE_SECONDS) -> dict[str, tuple[str, ...]]:
    """The addresses of each host, IPv4 and IPv6, in the system's order; none where unknown.

    Names are looked up side by side, LOOKUPS at a time. One that takes longer than ``seconds``
    makes room for the next, and is unknown if it has no answer when all others are through.
    """
    found: dict[str, tuple[str, ...]] = {h: (h,) for h in hosts if is_address(h)}
    room = threading.Semaphore(LOOKUPS)
    threads = []
    for name in sorted(set(hosts) - set(found)):
        room.acquire(timeout=seconds)
        # A daemon: a resolver cannot be interrupted, and must not hold up the process's end.
        threads.append(threading.Thread(target=_look_up, args=(name, found, room), daemon=True))
        threads[-1].start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return {host: found.get(host, ()) for host in hosts}


def _look_up(name: str, found: dict[str, tuple[str, ...]], room: threading.Semaphore) -> None:
    try:
        answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        found[name] = tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))
    except (OSError, ValueError):  # ValueError: a NUL, or a label that is too long
        return
    finally:
        room.release()


def free_ports(count: int) -> tuple[int, ...]:
    """Ports on 127.0.0.1 that nobody listens on now; another may take one before it is used."""
    with contextlib.ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _port in range(count)]
        for each in found:
            each.bind((_LOOPBACK, 0))
        return tuple(each.getsockname()[1] for each in found)
