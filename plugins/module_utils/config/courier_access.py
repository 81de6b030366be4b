# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Courier's access files: variables that some networks alone get. Pure: text in, text out.

    # 192.0.2.32/31 until 2027-03-31: the lift's alarm
    192.0.2.32<TAB>allow,IMAP_TLS_REQUIRED=0
    192.0.2.33<TAB>allow,IMAP_TLS_REQUIRED=0

couriertcpd asks for the whole address, then without its last part, and so on, and takes the first
line that is there: only that one sets variables, over those of the start script. So a line of ours
holds all that is given to its clients, and none may stand where an administrator's line speaks to
the same clients. CIDR needs a Perl module that Debian does not install with Courier: networks are
written as the prefixes that couriertcpd asks for.

Sources: couriertcpd(1), makedat(1); ``tcpd/tcpd.c`` (allowaccess, doallowaccess), ``makedat.in``
and ``makedatprog.c`` (the key ends at the first tab); tried on 5.0.13, 5.2.11 and 6.0.5.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from ..text import NAME, clean
from .networks import Network, holds

# scope (``service=imap,remote=192.0.2.0/24``), variable, value, reason
Given = tuple[str, str, str, str]

OURS = {"imap": "imapd-postmaster-tls", "pop3": "pop3d-postmaster-tls"}
"""Service → the name of our own source file; what is made of it is read when a unit starts."""
KEYS = 256
"""Lines that one network may come to."""

_OPTION = re.compile(r"(?:^|\s)-access=(\S+)\.dat(?=\s|$)")
_EVERYBODY = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
_RANGE = re.compile(r"([0-9A-Fa-f:.]+)([-/])([0-9A-Fa-f:.]+)\s+(.*)\Z", re.DOTALL)
_PIECE = re.compile(r"""((?:"[^"]*"|'[^']*'|[^,])*),?""")
_BARE = re.compile(r"[A-Za-z0-9_@.:+%/!-]*\Z")


@dataclass(frozen=True)
class Entry:
    """One line: the networks it speaks to, and the variables that it gives them.

    ``group`` numbers the lines below one comment; ``network`` is the one that a comment of ours
    names.
    """

    line: int
    networks: tuple[Network, ...]
    variables: tuple[tuple[str, str], ...]
    group: int = 0
    network: Optional[Network] = None


def place(options: str) -> str:
    """The source of the database that couriertcpd's options name; empty where they name none."""
    match = _OPTION.search(options)
    return match.group(1) if match else ""


def without(options: str) -> str:
    """The options without a database."""
    return _OPTION.sub("", options).strip()


def parse(text: str) -> tuple[Entry, ...]:
    """The lines of one access file; a line whose key is no network is left out."""
    found: list[Entry] = []
    group, named = 0, None
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("#"):
            group, named = group + 1, _named(line)
            continue
        key, value = _split(line)
        networks = _networks(key)
        if networks:
            found.append(Entry(number, networks, tuple(_variables(value)), group, named))
    return tuple(found)


def _named(comment: str) -> Optional[Network]:
    words = comment[1:].split()
    return _network(words[0]) if words and "/" in words[0] else None


def _network(text: str) -> Optional[Network]:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _split(line: str) -> tuple[str, str]:
    match = _RANGE.match(line)
    if match:
        return "".join(match.group(1, 2, 3)), match.group(4)
    key, _tab, value = line.partition("\t")
    return key, value


def _networks(key: str) -> tuple[Network, ...]:
    """What a key stands for: ``10.0``, ``10.0.0.0/8``, ``10.0.0.1-10.0.0.9``, ``:2001:0db8``."""
    if key == "*":
        return _EVERYBODY
    first, dash, last = key.partition("-")
    try:
        if dash:
            ends = (ipaddress.ip_address(first), ipaddress.ip_address(last))
            return tuple(ipaddress.summarize_address_range(*ends))
        if "/" in key:
            return (ipaddress.ip_network(key.lstrip(":") or key, strict=False),)
        return (_prefix(key),)
    except (ValueError, TypeError):
        return ()


def _prefix(key: str) -> Network:
    """A network by the parts that are there, of four or of eight."""
    if key.startswith(":"):
        parts = key[1:].split(":")
        rest = ":".join([*parts, *["0"] * (8 - len(parts))])
        return ipaddress.ip_network(f"{rest}/{16 * len(parts)}")
    parts = key.split(".")
    return ipaddress.ip_network(f"{'.'.join([*parts, *['0'] * (4 - len(parts))])}/{8 * len(parts)}")


def _variables(value: str) -> Iterator[tuple[str, str]]:
    """``allow,A=b,C="d,e"``; a name alone is set to nothing, and ``deny`` gives nothing."""
    pieces = [p.strip() for p in _PIECE.findall(value[:4096]) if p.strip()]
    if pieces and pieces[0].startswith("deny"):
        return
    for piece in pieces[1:] if pieces and pieces[0].startswith("allow") else pieces:
        name, _equals, text = piece.partition("=")
        yield name, re.sub("[\"']", "", text)


def given(entries: Sequence[Entry]) -> tuple[tuple[Network, Entry], ...]:
    """Whom variables are given to, and by which line first; a group's equal lines are put together.

    Networks that our own comments name are told by these names.
    """
    groups: dict[tuple[object, ...], list[Entry]] = {}
    for entry in entries:
        if entry.variables:
            groups.setdefault((entry.group, entry.network, entry.variables), []).append(entry)
    found: list[tuple[Network, Entry]] = []
    for lines in groups.values():
        named = lines[0].network
        networks = [named] if named else _together(n for line in lines for n in line.networks)
        found += [(network, lines[0]) for network in networks]
    return tuple(found)


def _together(networks: Iterator[Network]) -> list[Network]:
    every = list(networks)
    four = [n for n in every if isinstance(n, ipaddress.IPv4Network)]
    six = [n for n in every if isinstance(n, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]


# ---------------------------------------------------------------------------------------------
# Our own file


def scope(service: str, network: object) -> str:
    """The scope of a setting for one network of one service."""
    return f"service={service},remote={network}"


def written(service: str, scoped: Sequence[Given]) -> str:
    """Our own access file of a service; empty where it gives nothing to anybody.

    Raises ValueError for a network of too many prefixes, or a value that a line cannot carry.
    """
    networks: dict[Network, list[Given]] = {}
    for one in scoped:
        of, _comma, remote = one[0].partition(",remote=")
        if of == f"service={service}":
            networks.setdefault(ipaddress.ip_network(remote), []).append(one)
    done: set[str] = set()
    blocks = []
    for network in sorted(networks, key=lambda n: (-n.prefixlen, str(n))):
        lines = [key for key in keys(network) if key not in done]
        done.update(lines)
        words = _words(network, networks)
        reasons = dict.fromkeys(one[3] for one in networks[network])
        blocks += [f"# {network} {clean(reason, NAME)}" for reason in reasons]
        blocks += [f"{key}\tallow,{words}" for key in lines]
    return "".join(f"{line}\n" for line in blocks)


def _words(network: Network, networks: Mapping[Network, Sequence[Given]]) -> str:
    """All variables for the clients of a network: its own, and those of networks around it."""
    found: dict[str, str] = {}
    for other in sorted(networks, key=lambda n: n.prefixlen):
        if holds(other, network):
            found.update((name, value) for _scope, name, value, _reason in networks[other])
    for name, value in found.items():
        if not _BARE.match(value):
            raise ValueError(f"{name}: {value!r} cannot stand in an access file")
    return ",".join(f"{name}={value}" for name, value in found.items())


def keys(network: Network) -> list[str]:
    """A network as the keys that couriertcpd asks for. Raises ValueError for more than KEYS."""
    step = 8 if network.version == 4 else 16
    length = max(step, -(-network.prefixlen // step) * step)
    if 2 ** (length - network.prefixlen) > KEYS:
        raise ValueError(
            f"{network} is {2 ** (length - network.prefixlen)} lines of Courier's access file; "
            f"write it as networks of a length that {step} divides"
        )
    return [_key(part) for part in network.subnets(new_prefix=length)]


def _key(network: Network) -> str:
    if network.version == 4:
        return ".".join(str(network.network_address).split(".")[: network.prefixlen // 8])
    parts = network.network_address.exploded.split(":")[: network.prefixlen // 16]
    return "".join(f":{part}" for part in parts)


def overlapping(theirs: Sequence[Entry], ours: Sequence[Entry]) -> Optional[Entry]:
    """The first line of an administrator's file that speaks to a client of ours."""
    networks = [network for entry in ours for network in entry.networks]
    for entry in theirs:
        for network in entry.networks:
            if any(holds(network, n) or holds(n, network) for n in networks):
                return entry
    return None
