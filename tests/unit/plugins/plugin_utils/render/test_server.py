# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the renderer: in which words a server is planned for, and for which none is."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Origin,
    Problem,
    Product,
    TlsLibrary,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import load_profile
from ansible_collections.postmaster.tls.plugins.plugin_utils.render.server import (
    Unplannable,
    plan,
    require_readable,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.render.seen import (
    courier,
    dovecot,
    planned,
    setting,
    wants,
)
from ansible_collections.postmaster.tls.tests.unit.worlds import GNUTLS_37, OPENSSL_30, OPENSSL_35

CURE = "so nothing was changed; repair it and run again"


@pytest.mark.parametrize(
    ("problems", "message"),
    [
        (
            (
                Problem("Unknown setting: ssl_foo", Origin("/etc/dovecot/local.conf", 7)),
                Problem("later"),
            ),
            "^/etc/dovecot/local.conf:7: Unknown setting: ssl_foo. The configuration of dovecot",
        ),
        ((Problem("doveconf did not answer"),), "^doveconf did not answer. The configuration"),
        ((), "^no effective setting could be read. The configuration of dovecot is broken"),
    ],
)
def test_a_broken_configuration_is_left_as_it_is(
    problems: tuple[Problem, ...], message: str
) -> None:
    broken = replace(dovecot(), effective=(), problems=problems)
    with pytest.raises(Unplannable, match=message) as raised:
        require_readable(broken)
    assert str(raised.value).endswith(CURE)
    assert isinstance(raised.value, ValueError)


def test_a_problem_beside_readable_values_stops_nothing() -> None:
    require_readable(replace(dovecot(), problems=(Problem("one scope was not asked for"),)))
    require_readable(courier())


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("2.3.13", "disable_plaintext_auth"),
        ("2.3.21.1", "disable_plaintext_auth"),
        ("2.4.0", "auth_allow_cleartext"),
        ("2.4.1-4 (7d8c0e5759)", "auth_allow_cleartext"),
    ],
)
def test_dovecot_is_planned_for_in_the_words_of_its_version(version: str, name: str) -> None:
    value = "no" if name.startswith("disable") else "yes"
    assert name in wants(dovecot(version, OPENSSL_30, [setting(name, value)]))


@pytest.mark.parametrize(
    ("library", "variable"),
    [(GNUTLS_37, "TLS_PRIORITY"), (OPENSSL_35, "TLS_PROTOCOL")],
)
def test_courier_is_planned_for_in_the_words_of_its_library(
    library: TlsLibrary, variable: str
) -> None:
    found = wants(courier(library))
    assert [n for n in ("TLS_PRIORITY", "TLS_PROTOCOL") if n in found] == [variable]


def test_names_go_into_the_certificate() -> None:
    server = replace(dovecot(), files=(), effective=dovecot().effective[:1])
    names = ["mail.example.org", "imap.example.org"]
    made = plan(server, load_profile("intermediate"), names).certificate
    assert made is not None
    assert made.names == tuple(names)


@pytest.mark.parametrize("version", [None, "", "unknown"])
def test_an_unknown_version_is_taken_for_the_older_dialect(version: Optional[str]) -> None:
    made = planned(replace(dovecot("2.3.19", OPENSSL_30), version=version))
    assert made.product is Product.DOVECOT
    assert "ssl" in {want.name for want in made.settings}
