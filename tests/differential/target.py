# Copyright (c) 2026, The postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A port of a lab host, as the tools are told of it."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    Service,
    TlsMode,
)

KINDS: dict[int, tuple[Service, TlsMode]] = {
    993: (Service.IMAP, TlsMode.IMPLICIT),
    10993: (Service.IMAP, TlsMode.IMPLICIT),
    143: (Service.IMAP, TlsMode.STARTTLS),
    1143: (Service.IMAP, TlsMode.STARTTLS),
    110: (Service.POP3, TlsMode.STARTTLS),
    995: (Service.POP3, TlsMode.IMPLICIT),
}
"""The lab's ports that every tool speaks to; of ManageSieve (4190) only testssl.sh 3.2 knows."""


@dataclass(frozen=True)
class Target:
    """``host`` is the name in the lab, ``address`` what is connected to."""

    host: str
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def place(self) -> str:
        """The address and port, as every tool takes them."""
        return f"{self.address}:{self.port}"

    @property
    def protocol(self) -> str:
        """``imap`` or ``pop3``, as every tool calls it."""
        return KINDS[self.port][0].value

    @property
    def starttls(self) -> bool:
        """Whether TLS begins after a command."""
        return KINDS[self.port][1] is TlsMode.STARTTLS

    @property
    def endpoint(self) -> Endpoint:
        """The same for our own probe."""
        return Endpoint(self.address, self.port, *KINDS[self.port])
