# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile modern, seen from outside: TLS 1.3, and users who read their mail."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.postmaster.tls.lab.hosts import HOSTS, addresses
from ansible_collections.postmaster.tls.molecule.shared import clients

V = clients.V
NAMES = ("dovecot-trixie", "courier-trixie")
EVERYWHERE = [address for name in NAMES for address in addresses(HOSTS[name])]


@pytest.mark.parametrize("door", clients.DOORS)
@pytest.mark.parametrize("address", EVERYWHERE)
def test_tls_1_2_is_refused(address: str, door: str) -> None:
    with pytest.raises(clients.NoHandshake):
        clients.handshake(address, door, clients.context(V.TLSv1_2, V.TLSv1_2))


@pytest.mark.parametrize("door", clients.DOORS)
@pytest.mark.parametrize("address", EVERYWHERE)
def test_a_user_reads_her_mail(address: str, door: str) -> None:
    assert clients.count_mail(address, door, clients.context(V.TLSv1_3)) == 3


def test_verify_exits_0(reported: Any) -> None:
    code, report = reported(
        "verify", f"--limit={','.join(NAMES)}", "--extra-vars=mail_tls_profile=modern"
    )
    assert (code, report["profile"]["name"]) == (0, "modern")
