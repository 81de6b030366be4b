# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificate does each port serve? Asked on the host itself.

A handshake proves that TLS works, not that it works with the certificate on disk: a server that was
not told to read it, a second instance or a proxy serves another. Only ports that are open are
judged.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Optional

from . import local_proof, probe, renegotiation
from .limits import OWN
from .model.observed import Endpoint

PATIENCE = 10.0
"""Seconds from a reload until each port serves the new certificate: old processes may linger."""
PAUSE = 0.2


Wanted = Mapping[Optional[str], str]
"""Kind of key → SHA-256 of the leaf that clients get who take that kind alone; ``None``: any."""
KINDS = frozenset(renegotiation.KINDS)
"""The kinds that a client can be limited to."""


def fingerprints(
    endpoints: Sequence[Endpoint], server_name: Optional[str] = None, kind: Optional[str] = None
) -> dict[str, Optional[str]]:
    """SHA-256 of the leaf at each open port, by the port's name; ``None`` where TLS failed.

    ``kind`` is that of the one key that the client takes.
    """
    seen = [o for o in probe.handshakes(local_proof.near(endpoints), OWN, server_name) if o.open]
    if kind is None:
        return {str(o.endpoint): _fingerprint(o.chain) for o in seen}
    chains = probe.chains([o.endpoint for o in seen], kind, OWN, server_name)
    return {str(o.endpoint): _fingerprint(chain) for o, chain in zip(seen, chains)}


def _fingerprint(chain: Sequence[str]) -> Optional[str]:
    return hashlib.sha256(base64.b64decode(chain[0])).hexdigest() if chain else None


def others(
    endpoints: Sequence[Endpoint], wanted: Wanted, server_name: Optional[str] = None
) -> dict[str, Optional[str]]:
    """The open ports that serve another certificate, by name and kind of key, and which."""
    found = {}
    for kind, fingerprint in wanted.items():
        to_whom = f" to clients that take {kind.upper()} alone" if kind else ""
        for port, served in fingerprints(endpoints, server_name, kind).items():
            if served != fingerprint:
                found[f"{port} serves{{}}{to_whom}"] = served
    return found


def await_certificate(
    endpoints: Sequence[Endpoint],
    wanted: Wanted,
    server_name: Optional[str] = None,
    seconds: float = PATIENCE,
) -> Optional[str]:
    """``None`` as soon as each open port serves it, else a sentence when time is over."""
    deadline = time.monotonic() + seconds
    while True:
        wrong = others(endpoints, wanted, server_name)
        if not wrong:
            return None
        if time.monotonic() > deadline:
            return "; ".join(
                words.format(" another certificate" if served else " no TLS") + " after the change"
                for words, served in wrong.items()
            )
        time.sleep(PAUSE)
