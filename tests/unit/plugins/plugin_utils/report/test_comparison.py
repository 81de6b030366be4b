# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two reports side by side."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.module_utils.model.posture import Posture
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.comparison import before_after
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.layout import columns
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    GOOD,
    NOTHING,
    WEAK,
    report,
)

HARDENED = replace(GOOD, host=WEAK.host)
BOTH = ("192.0.2.7", "2001:db8::7")


def seen_at(host: Posture, *addresses: str) -> Posture:
    """The host with every port at each of these addresses."""
    seen = (
        replace(e, endpoint=replace(e.endpoint, host=a)) for a in addresses for e in host.endpoints
    )
    return replace(host, endpoints=tuple(seen))


def test_weak_to_good() -> None:
    text = before_after(report(WEAK), report(HARDENED))
    rows = [line.split() for line in text.splitlines()]
    assert ["verdict", "FAILS", "passes"] in rows
    assert ["no-TLS", "login", "TAKEN", "refused"] in rows
    assert ["143", "imap", "TLS", "versions", "1.0", "1.2", "1.3", "1.2", "1.3"] in rows
    assert ["4190", "imap", "port", "closed", "not", "there"] not in rows
    assert text.endswith("Before: 0 of 1 hosts pass. After: 1 of 1 hosts pass.\n")
    assert all(columns(line) <= 80 for line in text.splitlines())


def test_nothing_changed() -> None:
    text = before_after(report(GOOD), report(GOOD))
    assert f"verdict      {'passes':24}  same" in text
    assert "TAKEN" not in text


def test_hosts_that_come_and_go() -> None:
    text = before_after(report(WEAK), report(NOTHING))
    assert "not there" in text
    assert text.index("nothing.example.org") < text.index("weak.example.org")


def test_a_port_that_was_closed() -> None:
    shut = tuple(replace(e, open=False, handshake=None, offers=()) for e in GOOD.endpoints)
    text = before_after(report(GOOD), report(replace(GOOD, endpoints=shut)))
    assert f"143 imap      port         {'open':24}  closed" in text


def test_addresses_that_are_alike_show_once() -> None:
    text = before_after(report(seen_at(WEAK, *BOTH)), report(seen_at(HARDENED, *BOTH)))
    assert text.count("143 imap ") == 1
    assert "v6" not in text


def test_addresses_that_differ_show_each() -> None:
    text = before_after(report(seen_at(WEAK, BOTH[0])), report(seen_at(HARDENED, *BOTH)))
    assert text.count("143 imap ") == 2
    assert text.count("143 imap v6 ") == 1


def test_a_port_says_only_what_changed() -> None:
    rows = [line.split() for line in before_after(report(WEAK), report(HARDENED)).splitlines()]
    assert [row for row in rows if row[-1:] == ["same"]] == []


@given(st.text(max_size=80))
@settings(deadline=None, max_examples=60)
def test_no_control_character_ever(text: str) -> None:
    made = report(WEAK)
    made["hosts"][0]["host"] = text + "\x1b[2J"
    for endpoint in made["hosts"][0]["endpoints"]:
        endpoint.update(host=text, service=text, versions=[text + "\u202e"])
    shown = before_after(made, report(GOOD))
    assert not [c for c in shown if c != "\n" and unicodedata.category(c) in ("Cc", "Cf")]
    assert all(columns(line) <= 80 for line in shown.splitlines())
