# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exceptions as Dovecot's own scopes, Courier's access files, and stage 0."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.config.dovecot_edit import (
    drop_in_text,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Effective,
    Origin,
    Product,
    ServerConfig,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.exceptions import read_exceptions
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import load_profile
from ansible_collections.postmaster.tls.plugins.plugin_utils.render.dovecot import settled
from ansible_collections.postmaster.tls.plugins.plugin_utils.render.plan import Override, Plan, Want
from ansible_collections.postmaster.tls.plugins.plugin_utils.render.server import (
    Unplannable,
    evidence,
    plan,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.render import seen
from ansible_collections.postmaster.tls.tests.unit.worlds import OPENSSL_35

PROFILE = load_profile("intermediate")
TODAY = date(2026, 11, 24)
LIFT = {"network": "192.0.2.0/24", "reason": "the lift", "until": "2026-12-31"}


def made(server: ServerConfig, *entries: dict[str, Any]) -> Plan:
    return plan(server, PROFILE, (), read_exceptions(list(entries)), TODAY)


def scoped(found: Plan) -> dict[str, str]:
    return {s.name: s.value for s in found.scoped}


@pytest.mark.parametrize(
    ("version", "settings"),
    [
        ("2.3.19.1", {"ssl": "yes", "disable_plaintext_auth": "no"}),
        ("2.4.1", {"ssl": "yes", "auth_allow_cleartext": "yes"}),
    ],
)
def test_passwords_of_one_network(version: str, settings: dict[str, str]) -> None:
    found = made(seen.dovecot(version), LIFT)
    assert scoped(found) == settings
    assert {s.scope for s in found.scoped} == {"remote=192.0.2.0/24"}
    assert {s.reason for s in found.scoped} == {"until 2026-12-31: the lift"}


@pytest.mark.parametrize("version", ["2.3.19.1", "2.4.1"])
def test_old_tls_of_one_network(version: str) -> None:
    found = scoped(made(seen.dovecot(version), {**LIFT, "allow": "old_tls"}))
    assert found["ssl_min_protocol"] == "TLSv1"
    names = found["ssl_cipher_list"].split(":")
    assert names[: len(PROFILE.ciphers)] == list(PROFILE.ciphers)
    assert names[-1] == "@SECLEVEL=0"
    assert "ECDHE-RSA-AES256-SHA" in names


@pytest.mark.parametrize(
    "entry",
    [
        {**LIFT, "until": "2026-11-23"},
        {"user": "a", "reason": "told", "until": "2026-12-31"},
    ],
)
def test_what_writes_nothing(entry: dict[str, Any]) -> None:
    assert made(seen.dovecot(), entry).scoped == ()


def test_courier_gives_variables_to_one_network() -> None:
    found = made(seen.courier(), LIFT)
    assert [(s.scope, s.name, s.value) for s in found.scoped] == [
        ("service=imap,remote=192.0.2.0/24", "IMAP_TLS_REQUIRED", "0"),
        ("service=pop3,remote=192.0.2.0/24", "POP3_TLS_REQUIRED", "0"),
    ]


def test_courier_gives_old_tls_to_one_network() -> None:
    found = made(seen.courier(), {**LIFT, "allow": "old_tls"})
    assert {(s.scope, s.name) for s in found.scoped} == {
        (f"service={service},remote=192.0.2.0/24", "TLS_PRIORITY") for service in ("imap", "pop3")
    }
    for one in found.scoped:
        assert one.value.startswith(PROFILE.gnutls_priority + ":+VERS-TLS1.1:+VERS-TLS1.0")


def test_courier_on_openssl_refuses_old_tls_and_says_what_to_do() -> None:
    server, old = seen.courier(OPENSSL_35), {**LIFT, "allow": "old_tls"}
    with pytest.raises(Unplannable, match=r"exception for 192\.0\.2\.0/24.*Nothing was changed"):
        made(server, old)
    assert made(server, {**old, "until": "2026-11-23"}).settings
    assert made(server, LIFT).scoped


ACCESS = "/etc/courier/imapaccess/imapd-postmaster-tls"


def test_what_courier_was_given_goes_when_the_exception_ends() -> None:
    server, scope = seen.courier(), "service=imap,remote=192.0.2.0/24"
    row = Effective(scope, "tls", "yes", "IMAP_TLS_REQUIRED", "0", Origin(ACCESS, 2))
    theirs = replace(row, origin=Origin("/etc/courier/imapaccess/own", 1))
    server = replace(server, effective=(*server.effective, row, theirs))
    gone = Override(ACCESS, 2, "IMAP_TLS_REQUIRED", "0")
    assert gone not in made(server, LIFT).overrides
    assert [o for o in made(server).overrides if "access" in o.file] == [gone]
    assert gone in made(server, {**LIFT, "until": "2026-11-23"}).overrides


def ours(*pairs: tuple[str, str], scope: str = "remote=192.0.2.0/24") -> ServerConfig:
    settings = [seen.setting(n, v, scope, seen.OURS, i) for i, (n, v) in enumerate(pairs, 5)]
    return seen.dovecot("2.3.19.1", settings=settings)


def test_our_own_scopes_are_rewritten_not_commented_out() -> None:
    found = made(ours(("ssl", "yes"), ("disable_plaintext_auth", "no")), LIFT)
    assert found.overrides == ()
    assert scoped(found) == {"ssl": "yes", "disable_plaintext_auth": "no"}


def test_an_ended_exception_goes_even_where_nothing_else_is_ours() -> None:
    override = Override(seen.OURS, 5, "ssl", "yes")
    alone = Plan(Product.DOVECOT, overrides=(override,))
    assert settled(alone).overrides == (override,)
    assert settled(replace(alone, settings=(Want("ssl", "required"),))).overrides == ()


def test_stage_zero_wants_the_log_and_keeps_what_is_ours() -> None:
    server = seen.dovecot(
        "2.3.19.1",
        settings=[
            seen.setting("ssl_min_protocol", "TLSv1.1", "", seen.OURS),
            seen.setting("ssl", "yes", "remote=192.0.2.0/24", seen.OURS),
            seen.setting("disable_plaintext_auth", "no", "", seen.SSL),
        ],
    )
    found = evidence(server, PROFILE)
    wants = {w.name: w.value for w in found.settings}
    assert wants.keys() == {"ssl_min_protocol", "login_log_format_elements"}
    assert wants["ssl_min_protocol"] == "TLSv1.1"
    assert "%k" in wants["login_log_format_elements"]
    assert scoped(found) == {"ssl": "yes"}
    assert (found.overrides, found.certificate, found.modes) == ((), None, ())


def test_stage_zero_of_courier_is_nothing_and_says_so() -> None:
    found = evidence(seen.courier(), PROFILE)
    assert found.empty
    assert "cannot log the TLS version" in found.notes[0]


def test_scopes_in_our_file() -> None:
    rows = [
        ("remote=192.0.2.0/24", "ssl", "yes", "until 2026-12-31: the lift\\"),
        ("remote=192.0.2.0/24", "disable_plaintext_auth", "no", "until 2026-12-31: the lift\\"),
        ("remote=2001:db8::/32", "ssl", "yes", "a\nssl = no"),
    ]
    text = drop_in_text([("ssl", "required")], rows)
    assert text.split("\n", 2)[2] == (
        "ssl = required\n"
        "# until 2026-12-31: the lift\n"
        "remote 192.0.2.0/24 {\n"
        "  ssl = yes\n"
        "  disable_plaintext_auth = no\n"
        "}\n"
        "# a ssl = no\n"
        "remote 2001:db8::/32 {\n"
        "  ssl = yes\n"
        "}\n"
    )


@pytest.mark.parametrize(
    "scope", ["remote=a {", "protocol=!imap", "local_name=a b", "remote=", "remote", "x=1"]
)
def test_no_other_scope_is_written(scope: str) -> None:
    with pytest.raises(ValueError, match="no scope"):
        drop_in_text([], [(scope, "ssl", "yes", "")])


def test_origins_are_lines() -> None:
    assert ours(("ssl", "yes")).settings[0].origin == Origin(seen.OURS, 5)


@pytest.mark.parametrize("version", ["2.3.19.1", "2.4.1"])
def test_stage_zero_writes_one_line_and_nothing_else(version: str) -> None:
    made_ = evidence(seen.dovecot(version), PROFILE)
    (want,) = made_.settings
    assert made_ == Plan(Product.DOVECOT, settings=(want,))
    text = drop_in_text([(want.name, want.value)])
    lines = [line for line in text.splitlines() if line and line[0] != "#"]
    assert lines == [f"login_log_format_elements = {want.value}"]


def test_stage_zero_has_nothing_to_log_where_there_is_no_tls() -> None:
    server = seen.dovecot("2.4.1")
    off = tuple(replace(r, value="no") if r.field == "tls" else r for r in server.effective)
    found = evidence(replace(server, effective=off), PROFILE)
    assert found.empty
    assert "serves no TLS here" in found.notes[0]


def test_stage_zero_of_courier_is_a_sentence() -> None:
    found = evidence(seen.courier(), PROFILE)
    assert found.empty
    assert found.notes == ("Courier cannot log the TLS version of a login",)
