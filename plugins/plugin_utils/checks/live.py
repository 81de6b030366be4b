# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which open ports show what a scope of a configuration does.

A probe stands at one place and names one host, so it shows nothing of a scope for other networks,
addresses or names. Scopes are written as module_utils/model says.
"""

from __future__ import annotations

from typing import Optional

from ...module_utils.model.configured import ServerConfig
from ...module_utils.model.observed import EndpointObservation, Service, TlsMode
from .base import Subject


def live_ports(server: ServerConfig, scope: str, subject: Subject) -> list[EndpointObservation]:
    """The open ports that show what a scope does; none for one that speaks to others only."""
    if any(word in scope for word in ("remote=", "local=", "local_name=")):
        return []
    service, mode = _reach(scope)
    ports = {listener.port for listener in server.listeners}
    return [
        seen
        for seen in subject.posture.endpoints
        if seen.open
        and (not ports or seen.endpoint.port in ports)
        and service in (None, seen.endpoint.service)
        and mode in (None, seen.endpoint.tls_mode)
    ]


def _reach(scope: str) -> tuple[Optional[Service], Optional[TlsMode]]:
    """The service and TLS mode that a scope is for: ``protocol=imap``, ``service=pop3s``."""
    for service in Service:
        word = service.value
        if f"protocol={word}" in scope:
            return service, None
        if scope in (f"service={word}", f"{word}d"):
            return service, TlsMode.STARTTLS
        if scope in (f"service={word}s", f"{word}d-ssl"):
            return service, TlsMode.IMPLICIT
    return None, None
