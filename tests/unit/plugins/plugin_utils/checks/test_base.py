# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every check shares, and the promises that all of them keep."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Effective,
    Product,
    ServerConfig,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    EndpointObservation,
    Failure,
    Inventory,
    Offer,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.posture import (
    Posture,
    Severity,
    Status,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.checks.base import (
    failure_text,
    in_force,
    unseen,
    worst,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.checks.table import CHECKS
from ansible_collections.postmaster.tls.plugins.plugin_utils.judge import judge
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import load_profile
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    CATALOGUE,
    NOW,
    PORTS,
    TRUST,
    courier,
    dovecot,
    posture,
    row,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    unseen as unseen_port,
)

FIELDS = ("tls", "plaintext_login", "protocol_min", "ciphers", "priority", "groups", "login_log")
BLANK = [
    ServerConfig(product, None, None, "", effective=tuple(row(f, None) for f in FIELDS))
    for product in Product
]
REFUSED = Offer("tls1.2", None), Offer("tls1.3", None), Offer("broken", None)

NOTHING_SEEN = {
    "no part": posture(),
    "bare servers": posture(*(ServerConfig(p, None, None, "") for p in Product)),
    "unknown values": posture(*BLANK),
    "open ports": posture(*(EndpointObservation(p.endpoint, open=True) for p in PORTS)),
    "silent hellos": posture(*(replace(unseen_port(), offers=REFUSED) for _ in PORTS)),
    "an empty inventory": posture(replace(unseen_port(), inventory=Inventory())),
    "unreached": posture(*(replace(unseen_port(), open=None) for _ in PORTS)),
}  # fmt: skip


def judged(host: Posture, profile: str = "intermediate") -> Any:
    names = ("mail.example.org",)
    return judge(host, load_profile(profile), CATALOGUE, NOW, names, trust=TRUST)


@pytest.mark.parametrize("case", NOTHING_SEEN)
def test_what_was_not_seen_never_passes(case: str) -> None:
    passing = {f.check_id for f in judged(NOTHING_SEEN[case]) if f.status is Status.PASS}
    assert passing == set()


def test_the_table_and_the_catalogue_have_the_same_keys() -> None:
    assert set(CHECKS) == set(CATALOGUE)


@pytest.mark.parametrize("server", [dovecot(), courier()])
def test_each_check_speaks_of_a_full_host(server: ServerConfig) -> None:
    ports = [replace(port, inventory=Inventory()) for port in PORTS]
    found = {f.check_id for f in judged(posture(server, *ports))}
    assert set(CHECKS) - found <= {"PT-08"}  # Courier has no such setting


def test_a_good_host_has_nothing_to_complain_of() -> None:
    statuses = {f.status for f in judged(posture(dovecot(), *PORTS))}
    assert statuses == {Status.PASS, Status.NOT_APPLICABLE}


def test_findings_have_all_their_words() -> None:
    for finding in judged(posture(dovecot(), courier(), *PORTS)):
        assert finding.subject
        assert finding.actual
        assert finding.expected
        assert finding.remediation


CAUSES = [
    (Failure("handshake", "alert", "", 40), "handshake: alert handshake_failure"),
    (Failure("handshake", "alert", "x", 199), "handshake: alert alert 199 (x)"),
    (Failure("connect", "timeout", "5 s"), "connect: timeout (5 s)"),
]


@pytest.mark.parametrize(("failure", "text"), CAUSES)
def test_failure_text(failure: Failure, text: str) -> None:
    assert failure_text(failure) == text


def test_unseen_is_an_error_only_where_somebody_looked() -> None:
    assert unseen("it").status is Status.NOT_CHECKED
    assert unseen("it", [None]).status is Status.NOT_CHECKED
    assert unseen("it", [None, Failure("hello", "reset")]).status is Status.ERROR


def test_worst() -> None:
    assert worst(Severity.LOW, Severity.CRITICAL, Severity.INFO) is Severity.CRITICAL


IN_FORCE = [
    ("", "a"),
    ("protocol=imap", "a"),
    ("remote=x", "b"),
    ("remote=x,protocol=imap", "b"),
    ("remote=x,protocol=pop3", "c"),
]


@pytest.mark.parametrize(("scope", "value"), IN_FORCE)
def test_in_force(scope: str, value: str) -> None:
    rows = {"": "a", "remote=x": "b", "remote=x,protocol=pop3": "c"}
    server = ServerConfig(
        Product.DOVECOT,
        None,
        None,
        "",
        effective=tuple(Effective(s, "tls", v, "ssl", v) for s, v in rows.items()),
    )
    found = in_force(server, "tls", scope)
    assert found is not None
    assert found.value == value
    assert in_force(server, "key", scope) is None
