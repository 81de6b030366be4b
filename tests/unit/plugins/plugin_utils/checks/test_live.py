# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports show what a scope does."""

from __future__ import annotations

import pytest

from ansible_collections.postmaster.tls.plugins.plugin_utils.checks.base import Subject
from ansible_collections.postmaster.tls.plugins.plugin_utils.checks.live import live_ports
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import load_profile
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    NOW,
    PORTS,
    dovecot,
    port,
    posture,
)

SCOPES = [
    ("", [143, 993, 110, 995, 4190]),
    ("protocol=imap", [143, 993]),
    ("protocol=pop3", [110, 995]),
    ("protocol=sieve", [4190]),
    ("service=imap", [143]),
    ("service=imaps", [993]),
    ("service=pop3s", [995]),
    ("pop3d", [110]),
    ("imapd-ssl", [993]),
    ("remote=10.0.0.0/8", []),
    ("local=192.0.2.1,protocol=imap", []),
    ("local_name=mail.example.org", []),
]


@pytest.mark.parametrize(("scope", "numbers"), SCOPES)
def test_scope(scope: str, numbers: list[int]) -> None:
    closed = port(1143, open=False)
    foreign = port(2143)  # open, but of another server
    subject = Subject(posture(*PORTS, closed, foreign), load_profile("intermediate"), NOW)
    assert [seen.endpoint.port for seen in live_ports(dovecot(), scope, subject)] == numbers


def test_without_listeners_every_open_port_counts() -> None:
    subject = Subject(posture(port(2143)), load_profile("intermediate"), NOW)
    assert len(live_ports(dovecot(listeners=()), "", subject)) == 1
