# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that was harder than the profile is so still, after its one weakness was mended."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.postmaster.tls.lab.hosts import HOSTS, ipv4
from ansible_collections.postmaster.tls.molecule.shared import clients

V = clients.V
STRICTER = ("dovecot-trixie", "courier-trixie")
NAMES = (*STRICTER, "dovecot-bookworm")


@pytest.mark.parametrize("door", clients.DOORS)
@pytest.mark.parametrize("name", STRICTER)
def test_tls_1_2_is_refused_as_before(name: str, door: str) -> None:
    with pytest.raises(clients.NoHandshake):
        clients.handshake(ipv4(HOSTS[name]), door, clients.context(V.TLSv1_2, V.TLSv1_2))


@pytest.mark.parametrize("door", clients.DOORS)
@pytest.mark.parametrize("name", NAMES)
def test_a_user_reads_her_mail(name: str, door: str) -> None:
    assert clients.count_mail(ipv4(HOSTS[name]), door, clients.context()) == 3


@pytest.mark.parametrize("door", ["imap 143", "pop3 110"])
@pytest.mark.parametrize("name", NAMES)
def test_a_login_without_tls_is_refused_again(name: str, door: str) -> None:
    answer = clients.login_without_tls(ipv4(HOSTS[name]), door)
    assert re.match(clients.REFUSED, answer), answer


def test_verify_exits_0(reported: Any) -> None:
    code, _ = reported("verify", f"--limit={','.join(NAMES)}")
    assert code == 0
