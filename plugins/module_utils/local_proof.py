# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does every port still shake hands? Asked on the host itself, right after a change.

This is the quick half of the proof: TLS works, or the change goes back at once, whatever becomes of
the controller. It cannot say whether a login without TLS is refused (Dovecot takes a client with
its own address for a secured one), so that is proven from outside.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Optional

from . import probe
from .limits import OWN
from .model.observed import Endpoint, EndpointObservation, Failure

PATIENCE = 15.0
"""Seconds a server may take from its reload or restart to the first handshake on each port."""
SETTLED = 3.0
"""Seconds for which a port may answer and fail its handshake, since old processes may linger."""
PAUSE = 0.3
_LOOPBACK = {4: "127.0.0.1", 6: "::1"}


class LocalProof:
    """Remembers which ports were open, and judges whether all of them speak TLS.

    ``served`` are those that shook hands when they were looked at: whatever becomes of a change,
    they have to again. With ``served_only`` no other port is judged.
    """

    def __init__(self, endpoints: Sequence[Endpoint], served_only: bool = False) -> None:
        self._endpoints = near(endpoints)
        self._served_only = served_only
        self.served: tuple[Endpoint, ...] = ()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The ports that are judged."""
        return tuple(self._endpoints)

    def remember(self) -> None:
        """Keep the ports that are open now; a closed one is not asked of the server later."""
        seen = probe.handshakes(self._endpoints, OWN)
        self.served = tuple(o.endpoint for o in seen if o.handshake)
        is_open = [o.endpoint for o in seen if o.open]
        self._endpoints = list(self.served) if self._served_only else is_open

    def judge(self) -> Optional[str]:
        """``None`` when each port completed a handshake, else a sentence about those that did not.

        Asked again until PATIENCE is over: a restarted server needs a moment to listen.
        """
        return await_handshakes(self._endpoints, PATIENCE)


def await_handshakes(
    endpoints: Sequence[Endpoint], seconds: float, linger: float = SETTLED
) -> Optional[str]:
    """``None`` as soon as each port completes a handshake, else a sentence when time is over.

    ``linger``: seconds for which ports that are all open may fail their handshakes.
    """
    deadline = time.monotonic() + seconds
    settled = time.monotonic() + linger
    while True:
        dead = [o for o in probe.handshakes(endpoints, OWN) if o.handshake is None]
        if not dead:
            return None
        if any(not o.open for o in dead):  # it is still starting, or does not start
            settled = time.monotonic() + linger
        if time.monotonic() > min(deadline, settled):
            return "; ".join(_sentence(o) for o in dead)
        time.sleep(PAUSE)


def near(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """The same ports as they are reached from the host itself, each once."""
    reached = [replace(e, host=_near(e.host)) for e in endpoints]
    return list({(e.host, e.port): e for e in reached}.values())


def _near(host: str) -> str:
    """Where a port that listens on ``host`` is reached from the host itself."""
    if host == "*":
        return _LOOPBACK[4]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return _LOOPBACK[address.version] if address.is_unspecified else host


def _sentence(observation: EndpointObservation) -> str:
    failure = observation.failures[-1] if observation.failures else Failure("starttls", "refused")
    words = f"{failure.cause} at {failure.stage}" + (
        f" ({failure.detail})" if failure.detail else ""
    )
    return f"{observation.endpoint} serves no TLS with the new configuration: {words}"
