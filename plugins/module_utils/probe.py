# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at many mail ports from outside: the door of all that module_utils knows of live servers.

Says which ports, resolves their names once, and has port.py look at each of them, in parallel
within the limits. Source of the registered ports: RFC 8314, RFC 5804.
"""

from __future__ import annotations

import base64
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Optional

from .limits import OWN, Limits
from .model.observed import Endpoint, EndpointObservation, Failure, Service, TlsMode
from .names import is_address, resolve
from .port import observe
from .talk import Depth, Target
from .tasks import in_turn, run
from .text import clean
from .transport import SocketNetwork

NOBODY = "postmaster-tls-probe-"
"""How the name of nobody begins; a random number follows."""

DEFAULT_PORTS: tuple[tuple[int, Service, TlsMode], ...] = (
    (143, Service.IMAP, TlsMode.STARTTLS),
    (993, Service.IMAP, TlsMode.IMPLICIT),
    (110, Service.POP3, TlsMode.STARTTLS),
    (995, Service.POP3, TlsMode.IMPLICIT),
    (4190, Service.SIEVE, TlsMode.STARTTLS),
)
_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_-]+)*\Z"
)


def default_endpoints(hosts: Sequence[str]) -> tuple[Endpoint, ...]:
    """The registered ports of IMAP, POP3 and ManageSieve on each host (RFC 8314, RFC 5804)."""
    return tuple(Endpoint(host, *where) for host in hosts for where in DEFAULT_PORTS)


def probe(
    endpoints: Sequence[Endpoint],
    limits: Limits = OWN,
    server_name: Optional[str] = None,
    depth: Depth = Depth.JUDGE,
) -> tuple[EndpointObservation, ...]:
    """Looks at all endpoints as :func:`look` does; observations in the order of the endpoints.

    What is asked for twice, by its name and by its address say, is looked at and told once.
    """
    found = look(endpoints, limits, server_name, depth)
    told = [seen for several in found.values() for seen in several]
    return tuple({(seen.endpoint, seen.server_name): seen for seen in told}.values())


def look(
    endpoints: Sequence[Endpoint],
    limits: Limits = OWN,
    server_name: Optional[str] = None,
    depth: Depth = Depth.JUDGE,
) -> dict[Endpoint, tuple[EndpointObservation, ...]]:
    """What is seen of each endpoint; all are looked at in parallel within the limits.

    A host that is a name is resolved once, and gives one observation for each of its addresses,
    with the address as ``host``; the name is sent in TLS (SNI) unless ``server_name`` is given.
    Nothing that a peer does raises.
    Raises ValueError for a ``server_name`` that is no host name in ASCII.
    """
    if server_name is not None and not _HOST_NAME.match(server_name):
        raise ValueError(f"server_name {server_name!r} is no host name; write it in ASCII")
    addresses = resolve([endpoint.host for endpoint in endpoints])
    wanted = {e: _targets(e, addresses[e.host], server_name, depth) for e in endpoints}
    once = {_key(target): target for targets in wanted.values() for target in targets}
    seen = dict(zip(once, run(_probe(list(once.values()), limits))))
    return {e: tuple(seen[_key(t)] for t in targets) for e, targets in wanted.items()}


def _key(target: Target) -> tuple[Endpoint, Optional[str]]:
    return target.endpoint, target.server_name


def handshakes(
    endpoints: Sequence[Endpoint], limits: Limits = OWN, server_name: Optional[str] = None
) -> tuple[EndpointObservation, ...]:
    """Whether each port completes a TLS handshake: one connection each, no login is attempted.

    The hosts are addresses, ``server_name`` is the name to ask for (SNI); observations come in the
    order of the endpoints.
    """
    targets = [Target(endpoint, server_name, "", depth=Depth.SWEEP) for endpoint in endpoints]
    return run(_probe(targets, limits))


def chains(
    endpoints: Sequence[Endpoint],
    kind: str,
    limits: Limits = OWN,
    server_name: Optional[str] = None,
) -> tuple[tuple[str, ...], ...]:
    """What each port serves to a client that takes one kind of key alone, ``rsa`` or ``ecdsa``.

    Base64 DER, leaf first; none where no handshake was completed, or none can be made here
    (openssl_client.py). The hosts are addresses.
    """
    targets = [Target(endpoint, server_name, "", depth=Depth.SWEEP) for endpoint in endpoints]
    return run(_chains(targets, kind, limits))


async def _chains(
    targets: Sequence[Target], kind: str, limits: Limits
) -> tuple[tuple[str, ...], ...]:
    # Nothing but this needs them here, and they take a tenth of the time to start.
    from .openssl_client import available
    from .renegotiation import chain_for

    network = SocketNetwork(limits, [(t.endpoint.host, t.endpoint.port) for t in targets])

    async def look(target: Target) -> tuple[str, ...]:
        if not available():
            return ()
        found = await chain_for(target, network, kind)
        return tuple(base64.b64encode(der).decode("ascii") for der in found)

    return tuple(await in_turn(look, targets, limits.parallel))


def _targets(
    endpoint: Endpoint, addresses: Sequence[str], name: Optional[str], depth: Depth
) -> list[Target]:
    if name is None and not is_address(endpoint.host) and _HOST_NAME.match(endpoint.host):
        name = endpoint.host
    if not addresses:
        return [Target(endpoint, name, "", resolved=False)]
    pinned = [replace(endpoint, host=address) for address in addresses]
    return [Target(each, name, NOBODY + os.urandom(8).hex(), depth=depth) for each in pinned]


async def _probe(targets: Sequence[Target], limits: Limits) -> tuple[EndpointObservation, ...]:
    # To begin TLS by command takes a round trip more, and what comes before it takes several.
    places = [(t.endpoint.host, t.endpoint.port, t.endpoint.tls_mode) for t in targets]
    longest = [(host, port) for host, port, mode in places if mode is TlsMode.STARTTLS]
    network = SocketNetwork(limits, longest)

    async def look(target: Target) -> EndpointObservation:
        try:
            return await observe(target, network)
        except Exception as error:  # a flaw of ours on one port must not cost the others
            detail = clean(f"{type(error).__name__}: {error}", 128)
            failure = Failure("probe", "unexpected", detail)
            return EndpointObservation(target.endpoint, failures=(failure,))

    order = _spread(targets)
    seen = await in_turn(look, [targets[place] for place in order], limits.parallel)
    found = dict(zip(order, seen))
    return tuple(found[place] for place in range(len(order)))


def _spread(targets: Sequence[Target]) -> list[int]:
    """In which order: one port of each host, then a second one of each, and so on, so that nobody
    waits for a host with many ports."""
    met: Counter[str] = Counter()
    rounds = []
    for target in targets:
        rounds.append(met[target.endpoint.host])
        met[target.endpoint.host] += 1
    return sorted(range(len(targets)), key=rounds.__getitem__)
