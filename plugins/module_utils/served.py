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
from collections.abc import Sequence
from typing import Optional

from . import local_proof, probe
from .limits import OWN
from .model import Endpoint

PATIENCE = 10.0
"""Seconds from a reload until each port serves the new certificate: old processes may linger."""
PAUSE = 0.2


def fingerprints(
    endpoints: Sequence[Endpoint], server_name: Optional[str] = None
) -> dict[str, Optional[str]]:
    """SHA-256 of the leaf at each open port, by the port's name; ``None`` where TLS failed."""
    seen = probe.handshakes(local_proof.near(endpoints), OWN, server_name)
    return {
        str(o.endpoint): hashlib.sha256(base64.b64decode(o.chain[0])).hexdigest()
        if o.chain
        else None
        for o in seen
        if o.open
    }


def others(
    endpoints: Sequence[Endpoint], fingerprint: str, server_name: Optional[str] = None
) -> dict[str, Optional[str]]:
    """The open ports that serve another certificate than the one with this fingerprint."""
    found = fingerprints(endpoints, server_name)
    return {port: served for port, served in found.items() if served != fingerprint}


def await_certificate(
    endpoints: Sequence[Endpoint],
    fingerprint: str,
    server_name: Optional[str] = None,
    seconds: float = PATIENCE,
) -> Optional[str]:
    """``None`` as soon as each open port serves it, else a sentence when time is over."""
    deadline = time.monotonic() + seconds
    while True:
        wrong = others(endpoints, fingerprint, server_name)
        if not wrong:
            return None
        if time.monotonic() > deadline:
            return "; ".join(
                f"{port} serves {'another certificate' if served else 'no TLS'} after the change"
                for port, served in wrong.items()
            )
        time.sleep(PAUSE)
