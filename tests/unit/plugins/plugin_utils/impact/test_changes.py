# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan takes away: each change where it is one, and none where nothing goes away."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Effective,
    Listener,
    Origin,
    Product,
    ServerConfig,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service, TlsMode
from ansible_collections.postmaster.tls.plugins.plugin_utils.exceptions import read_exceptions
from ansible_collections.postmaster.tls.plugins.plugin_utils.impact.changes import (
    ALL,
    Change,
    Kind,
    changes,
    closing,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import load_profile
from ansible_collections.postmaster.tls.plugins.plugin_utils.render.server import evidence, plan
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.render import seen

PROFILE = load_profile("intermediate")
IMAP, POP3 = frozenset({Service.IMAP}), frozenset({Service.POP3})


def made(server: ServerConfig, profile: str = "intermediate") -> dict[Kind, Change]:
    wanted = load_profile(profile)
    return {c.kind: c for c in changes(server, plan(server, wanted), wanted)}


def dovecot(*settings: Any, version: str = "2.3.19.1", **more: Any) -> ServerConfig:
    return seen.dovecot(version, settings=settings, **more)


@pytest.mark.parametrize("version", ["2.3.19.1", "2.4.1"])
def test_stock_dovecot_refuses_passwords_already(version: str) -> None:
    found = made(seen.dovecot(version))
    assert Kind.PLAINTEXT not in found
    assert found[Kind.SASL].services == ALL


@pytest.mark.parametrize(
    ("version", "setting"),
    [("2.3.19.1", ("disable_plaintext_auth", "no")), ("2.4.1", ("auth_allow_cleartext", "yes"))],
)
@pytest.mark.parametrize(
    ("scope", "services"),
    [
        ("", ALL),
        ("protocol=pop3", POP3),
        ("remote=10.0.0.0/8", ALL),
        ("remote=10.0.0.0/8,protocol=imap", IMAP),
    ],
)
def test_passwords_pass_in_some_scope(
    version: str, setting: tuple[str, str], scope: str, services: frozenset[Service]
) -> None:
    server = dovecot(seen.setting(*setting, scope=scope), version=version)
    assert made(server)[Kind.PLAINTEXT].services == services


def test_required_tls_holds_passwords_back_already() -> None:
    settings = seen.setting("disable_plaintext_auth", "no"), seen.setting("ssl", "required")
    assert Kind.PLAINTEXT not in made(dovecot(*settings))


def test_a_low_floor_and_a_weak_list_go_away() -> None:
    server = dovecot(seen.setting("ssl_min_protocol", "TLSv1"))
    found = made(server)
    assert found[Kind.PROTOCOL].floor == "TLSv1.2"
    assert found[Kind.SUITE].suites is not None
    assert 0xC02F in found[Kind.SUITE].suites
    assert 0x002F not in found[Kind.SUITE].suites
    assert made(server, "modern")[Kind.PROTOCOL].floor == "TLSv1.3"


def test_trusted_networks_lose_only_where_there_are_some() -> None:
    assert Kind.TRUSTED not in made(seen.dovecot("2.4.1"))
    for version in ("2.3.19.1", "2.4.1"):
        server = dovecot(seen.setting("login_trusted_networks", "10.0.0.0/8"), version=version)
        assert Kind.TRUSTED in made(server)


def test_stage_zero_takes_nothing_away() -> None:
    server = dovecot(seen.setting("disable_plaintext_auth", "no"))
    assert changes(server, evidence(server, PROFILE), PROFILE) == ()


OURS = [
    seen.setting(name, value, "remote=192.0.2.0/24", seen.OURS)
    for name, value in (("ssl", "yes"), ("disable_plaintext_auth", "no"))
]


@pytest.mark.parametrize(("until", "lost"), [("2026-12-31", False), ("2026-11-01", True)])
def test_an_exception_that_ends_is_a_change(until: str, lost: bool) -> None:
    server = dovecot(*OURS)
    held = read_exceptions([{"network": "192.0.2.0/24", "reason": "x", "until": until}])
    today = date(2026, 11, 24)
    found = changes(server, plan(server, PROFILE, (), held, today), PROFILE)
    assert (Kind.PLAINTEXT in {c.kind for c in found}) is lost


def test_courier_by_service() -> None:
    found = changes(*courier_and_plan(), PROFILE)
    assert {(c.kind, *(s.value for s in c.services)) for c in found} == {
        (kind, service)
        for kind in (Kind.PLAINTEXT, Kind.PROTOCOL, Kind.SUITE)
        for service in ("imap", "pop3")
    }
    assert {c.product for c in found} == {Product.COURIER}


def courier_and_plan() -> tuple[ServerConfig, Any]:
    server = seen.courier()
    return server, plan(server, PROFILE)


@pytest.mark.parametrize(("until", "lost"), [("2026-12-31", False), ("2026-11-01", True)])
def test_an_exception_of_courier_that_ends_is_a_change(until: str, lost: bool) -> None:
    hard = {f"{name}_TLS_REQUIRED": "1" for name in ("IMAP", "POP3")}
    server = seen.courier(TLS_PRIORITY=PROFILE.gnutls_priority, **hard)
    file = "/etc/courier/imapaccess/imapd-postmaster-tls"
    scope = "service=imap,remote=192.0.2.0/24"
    row = Effective(scope, "require_tls", "no", "IMAP_TLS_REQUIRED", "0", Origin(file, 2))
    others = Effective("service=imap", "plaintext_login", "no", "IMAP_TLS_REQUIRED", "1")
    server = replace(server, effective=(*server.effective, others, row))
    held = read_exceptions([{"network": "192.0.2.0/24", "reason": "x", "until": until}])
    found = changes(server, plan(server, PROFILE, (), held, date(2026, 11, 24)), PROFILE)
    assert [(c.kind, *(s.value for s in c.services)) for c in found] == (
        [(Kind.PLAINTEXT, "imap")] if lost else []
    )


def test_closing_ports_by_how_tls_begins_there() -> None:
    listeners = (
        Listener(Service.IMAP, "*", 143, TlsMode.STARTTLS),
        Listener(Service.POP3, "*", 110, None),
        Listener(Service.IMAP, "*", 993, TlsMode.IMPLICIT),
    )
    server = replace(seen.dovecot(), listeners=listeners)
    (clear,) = closing(server, [143, 110])
    assert (clear.tls_mode, clear.services) == ("starttls", IMAP | POP3)
    assert closing(server, [25]) == ()


def test_titles_are_words() -> None:
    assert [Change(kind, Product.DOVECOT, floor="TLSv1.2").title for kind in Kind][:1] == [
        "passwords without TLS are refused"
    ]
    assert Change(Kind.SASL, Product.DOVECOT, POP3).title.endswith(" (pop3)")
