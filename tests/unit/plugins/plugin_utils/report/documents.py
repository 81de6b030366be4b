# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report documents for tests: real judgements of hosts that are good, weak and hostile."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Origin,
    Problem,
    Setting,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Chain,
    DhGroup,
    EndpointObservation,
    Failure,
    Inventory,
    Listing,
    LoginAttempt,
    Offer,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.posture import Posture
from ansible_collections.postmaster.tls.plugins.plugin_utils.judge import judge
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import load_profile
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.json import document
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    CATALOGUE,
    IMAPS,
    NAME,
    NOW,
    POP3,
    PORTS,
    SELF_SIGNED,
    TRUST,
    courier,
    dovecot,
    port,
    posture,
    row,
    with_offers,
)

PROFILE = load_profile("intermediate")


def judged(host: Posture) -> Posture:
    return replace(host, findings=judge(host, PROFILE, CATALOGUE, NOW, (NAME,), trust=TRUST))


GOOD = judged(posture(dovecot(), *PORTS, host="good.example.org"))
OLD = (Offer("tls1.0", True, 0x0301, 0x2F), Offer("static_rsa", True, 0x0303, 0x2F))
WEAK_143 = port(
    capabilities=("IMAP4rev1", "STARTTLS", "AUTH=PLAIN"),
    mechanisms=("PLAIN",),
    attempts=(LoginAttempt("AUTHENTICATE PLAIN", False, "+ go ahead"),),
    offers=with_offers(*OLD),
    chain=(SELF_SIGNED,),
)
CLOSED = EndpointObservation(
    port(4190).endpoint, False, failures=(Failure("connect", "refused", "connection refused"),)
)
OAKLEY_2 = "3f35a3f5f6c4376a744acad409bb22f8d897f949d2311d885adaa890981b67a0"
FULL = Inventory(
    ssl2=False,
    listings=(
        Listing(
            0x0303,
            (0xC02F, 0x2F),
            "client",
            (29, 23),
            (1024,),
            (0x0804,),
            dh_groups=(DhGroup(1024, OAKLEY_2), DhGroup(2048, "00")),
        ),
    ),
    chains=(Chain("no_name", (SELF_SIGNED,)),),
    ticket_seconds=7200,
)
WEAK = judged(
    posture(
        dovecot(row("tls", "yes"), row("plaintext_login", "yes")),
        WEAK_143,
        replace(WEAK_143, endpoint=port(*IMAPS).endpoint, inventory=FULL),
        port(*POP3, starttls=False, offers=(), handshake=None, chain=()),
        CLOSED,
        host="weak.example.org",
        problems=(Problem("half of it was not seen", Origin("/etc/x", 3)),),
    )
)
SECRET = judged(
    posture(
        courier(
            row("key", "-----BEGIN PRIVATE KEY-----", name="ssl_key"),
            settings=(
                Setting("ssl_key_password", "hunter2", "", Origin("/c", 1)),
                Setting("ssl_key", "-----BEGIN RSA PRIVATE KEY-----", "", Origin("/c", 2)),
            ),
        ),
        host="secret.example.org",
    )
)
NOTHING = judged(posture(host="nothing.example.org"))
HOSTS = (WEAK, GOOD, SECRET, NOTHING)


def report(*hosts: Posture, previous: Optional[Any] = None) -> dict[str, Any]:
    """The document, once through JSON, as programs read it."""
    made = document(hosts or HOSTS, PROFILE, NOW, previous)
    return dict(json.loads(json.dumps(made)))
