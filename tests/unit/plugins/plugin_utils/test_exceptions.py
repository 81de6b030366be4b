# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exceptions of an inventory: what is one, whom it covers, and until when."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.posture import (
    Finding,
    Severity,
    Status,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.exceptions import (
    ALLOWS,
    CHECKS,
    SEEN,
    ExceptionError,
    as_waivers,
    read_exceptions,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.impact.changes import Kind
from ansible_collections.postmaster.tls.plugins.plugin_utils.judge import read_waivers, waive
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import load_checks

GOOD = {"network": "192.0.2.0/24", "reason": "the lift", "until": "2026-12-31"}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("192.0.2.0/24", "other keys"),
        ({**GOOD, "expires": "2026-12-31"}, "other keys"),
        ({**GOOD, "user": "a"}, "neither a network nor a user, or both"),
        ({"reason": "x", "until": "2026-12-31"}, "neither a network nor a user, or both"),
        ({**GOOD, "allow": "everything"}, "allows 'everything'"),
        ({**GOOD, "reason": "  "}, "gives no reason"),
        ({k: v for k, v in GOOD.items() if k != "reason"}, "gives no reason"),
        ({k: v for k, v in GOOD.items() if k != "until"}, "write its last day"),
        ({**GOOD, "until": "soon"}, "write its last day"),
        ({**GOOD, "network": "mail.example.org"}, "is no network"),
    ],
)
def test_what_is_no_exception_is_refused_with_what_is_wrong(entry: Any, words: str) -> None:
    with pytest.raises(ExceptionError, match=re.escape(words)):
        read_exceptions([entry])


def test_a_mapping_is_no_list() -> None:
    with pytest.raises(ExceptionError, match="are a list"):
        read_exceptions(GOOD)


@pytest.mark.parametrize("until", ["2026-12-31", date(2026, 12, 31)])
def test_the_last_day_still_counts(until: Any) -> None:
    (held,) = read_exceptions([{**GOOD, "until": until}])
    assert held.in_force(date(2026, 12, 31))
    assert not held.in_force(date(2027, 1, 1))


@pytest.mark.parametrize(
    ("entry", "kind", "user", "addresses", "covered"),
    [
        (GOOD, "plaintext", "a", ["192.0.2.7"], True),
        (GOOD, "plaintext", None, ["192.0.2.7", "192.0.2.8"], True),
        (GOOD, "plaintext", "a", ["192.0.2.7", "198.51.100.1"], False),
        (GOOD, "plaintext", "a", [], False),
        (GOOD, "plaintext", "a", ["no address"], False),
        (GOOD, "plaintext", "a", ["2001:db8::1"], False),
        (GOOD, "protocol", "a", ["192.0.2.7"], False),
        ({**GOOD, "allow": "old_tls"}, "protocol", "a", ["192.0.2.7"], True),
        ({**GOOD, "allow": "old_tls"}, "suite", "a", ["192.0.2.7"], True),
        ({**GOOD, "network": "2001:db8::/32"}, "plaintext", "a", ["2001:db8::1"], True),
        ({"user": "a", "reason": "told", "until": "2026-12-31"}, "plaintext", "a", [], True),
        ({"user": "a", "reason": "told", "until": "2026-12-31"}, "plaintext", "b", [], False),
        ({"user": "a", "reason": "told", "until": "2026-12-31"}, "plaintext", None, [], False),
    ],
)
def test_whom_it_covers(
    entry: Any, kind: str, user: Any, addresses: list[str], covered: bool
) -> None:
    (held,) = read_exceptions([entry])
    assert held.covers(kind, user, addresses) is covered


def test_its_words_are_those_of_changes_and_checks() -> None:
    kinds = {kind.value for kind in Kind}
    assert set().union(*ALLOWS.values()) <= kinds
    assert set().union(*CHECKS.values()) <= load_checks().keys()
    assert ALLOWS.keys() == CHECKS.keys()


def test_waivers_for_its_scope_keep_the_last_day() -> None:
    held = read_exceptions([GOOD, {"user": "a", "reason": "told", "until": "2026-12-31"}])
    waivers = read_waivers(as_waivers(held, {"192.0.2.1": None}), load_checks())
    assert {w.subject for w in waivers} == {
        "dovecot remote=192.0.2.0/24",
        "courier service=*,remote=192.0.2.0/24",
    }
    assert {w.check for w in waivers} == {"CFG-01", "CFG-02"}
    assert {w.expires for w in waivers} == {date(2026, 12, 31)}


def test_a_network_within_another_is_waived_what_that_one_is() -> None:
    """On Courier the clients of the inner one have both (courier_access.py)."""
    held = read_exceptions([GOOD, {**GOOD, "network": "192.0.2.7", "allow": "old_tls"}])
    found = {(w["check"], w["subject"]) for w in as_waivers(held, {})}
    assert ("CFG-02", "courier service=*,remote=192.0.2.7/32") in found
    assert ("CFG-03", "courier service=*,remote=192.0.2.7/32") in found
    assert ("CFG-03", "courier service=*,remote=192.0.2.0/24") not in found


@pytest.mark.parametrize(
    ("address", "seen_from", "covered"),
    [
        ("198.51.100.1", "192.0.2.9", True),
        ("198.51.100.1", "198.51.100.9", False),
        ("2001:db8::1", "192.0.2.9", True),
    ],
)
def test_who_looks_from_its_network_sees_the_exception(
    address: str, seen_from: str, covered: bool
) -> None:
    held = read_exceptions([{**GOOD, "allow": "old_tls"}])
    waivers = read_waivers(as_waivers(held, {address: seen_from}), load_checks())
    port = str(Endpoint(address, 993, Service.IMAP, TlsMode.IMPLICIT))
    finding = Finding("TLS-01", port, Status.FAIL, Severity.HIGH, "x", "y")
    (judged,) = waive([finding], waivers, date(2026, 11, 24))
    assert (judged.status is Status.WAIVED) is covered
    assert set().union(*SEEN.values()) <= load_checks().keys()
