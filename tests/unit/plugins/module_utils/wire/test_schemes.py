# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signature schemes: what a hello with one of them means (test_enumeration.py: whole servers)."""

from __future__ import annotations

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Failure, Offer
from ansible_collections.postmaster.tls.plugins.module_utils.wire import suites
from ansible_collections.postmaster.tls.plugins.module_utils.wire.hello import TLS13
from ansible_collections.postmaster.tls.plugins.module_utils.wire.schemes import PSS, Schemes

NAME = "tls1.3"
TAKEN = Offer(NAME, True, TLS13, 0x1302)


@pytest.mark.parametrize(
    ("failure", "doubted"),
    [
        (Failure("hello", "timeout"), False),
        (Failure("greeting", "closed"), False),
        (Failure("hello", "closed"), True),  # how Dovecot 2.3 refuses
        (Failure("hello", "reset"), True),
    ],
)
def test_an_unheard_hello_refuses_no_scheme(failure: Failure, doubted: bool) -> None:
    schemes = Schemes(TLS13, suites.SIGNATURES)
    assert schemes.ride(0) == PSS[:1]
    assert schemes.add(Offer(NAME, None, failure=failure)) is doubted
    assert schemes.ride(0) == (suites.SIGNATURES if doubted else PSS[:1])
    schemes.add(TAKEN)
    assert schemes.found == ([] if doubted else [PSS[0]])
