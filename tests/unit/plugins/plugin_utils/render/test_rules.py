# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hard enough or not: what the tables of Dovecot and Courier do not reach."""

from __future__ import annotations

from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.config.vocabulary import (
    COURIER_GNUTLS,
    DOVECOT_23,
    DOVECOT_24,
    PROTOCOLS,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Effective,
    Expansion,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import load_profile
from ansible_collections.postmaster.tls.plugins.plugin_utils.render.rules import (
    CIPHERS,
    DOVECOT_RULES,
    PRIORITY,
    PROTOCOL,
    Rule,
    Target,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.render.seen import (
    courier,
    dovecot,
)
from ansible_collections.postmaster.tls.tests.unit.worlds import AEAD, CBC, OPENSSL_111, SUITES_13


def row(value: Optional[str], native: str = "", expansion: Optional[Expansion] = None) -> Effective:
    return Effective("", "field", value, "name", native or value or "", None, expansion)


def target(profile: str = "intermediate", version: str = "2.4.1") -> Target:
    dialect = DOVECOT_24 if version.startswith("2.4") else DOVECOT_23
    return Target(load_profile(profile), dovecot(version, OPENSSL_111), dialect)


@pytest.mark.parametrize("rule", DOVECOT_RULES.values())
def test_a_value_that_was_not_observed_is_never_hard_enough(rule: Rule) -> None:
    assert not rule.enough(row(None, "$SET:value"), target())


@pytest.mark.parametrize("rule", [*DOVECOT_RULES.values(), PRIORITY])
def test_the_wanted_value_is_of_one_line(rule: Rule) -> None:
    value = rule.value(target())
    assert value is not None
    assert value == value.strip()
    assert "\n" not in value


@pytest.mark.parametrize("value", PROTOCOLS)
@pytest.mark.parametrize(
    ("profile", "version", "floor"),
    [
        ("intermediate", "2.3.13", "TLSv1.2"),
        ("intermediate", "2.4.1", "TLSv1.2"),
        ("modern", "2.4.1", "TLSv1.3"),
        ("modern", "2.3.15", "TLSv1.3"),
        ("modern", "2.3.14.1", "TLSv1.2"),
    ],
)
def test_floors(value: str, profile: str, version: str, floor: str) -> None:
    expected = PROTOCOLS.index(value) >= PROTOCOLS.index(floor)
    assert PROTOCOL.enough(row(value), target(profile, version)) is expected
    assert PROTOCOL.value(target(profile, version)) == floor


@pytest.mark.parametrize(
    ("suites", "enough"),
    [
        (AEAD, True),
        (AEAD[:1], True),
        ((*SUITES_13, *AEAD), True),
        ((*AEAD, CBC[0]), False),
        (SUITES_13, False),
        ((), False),
        (None, False),
    ],
)
def test_ciphers(suites: Optional[tuple[int, ...]], enough: bool) -> None:
    one = row("x", expansion=Expansion(suites=suites))
    assert CIPHERS.enough(one, target()) is enough
    assert CIPHERS.enough(row("x"), target()) is False
    assert CIPHERS.enough(one, target("modern")) is True


@pytest.mark.parametrize(
    ("versions", "suites", "profile", "enough"),
    [
        ((0x0304, 0x0303), (*SUITES_13, *AEAD), "intermediate", True),
        ((0x0304,), SUITES_13, "intermediate", True),
        ((0x0304,), SUITES_13, "modern", True),
        ((0x0304, 0x0303), (*SUITES_13, *AEAD), "modern", False),
        ((0x0304, 0x0303, 0x0302), AEAD, "intermediate", False),
        ((0x0303,), (*AEAD, *CBC), "intermediate", False),
        ((), AEAD, "intermediate", False),
        (None, AEAD, "intermediate", False),
        ((0x0304,), None, "intermediate", False),
    ],
)
def test_priorities(
    versions: Optional[tuple[int, ...]],
    suites: Optional[tuple[int, ...]],
    profile: str,
    enough: bool,
) -> None:
    where = Target(load_profile(profile), courier(), COURIER_GNUTLS)
    one = row("x", expansion=Expansion(versions, suites))
    assert PRIORITY.enough(one, where) is enough
    assert PRIORITY.enough(row(None, "`x`"), where) is False


@pytest.mark.parametrize(
    ("native", "enough"),
    [
        ("user=<%u> %k", True),
        ("user=<%{user}> %{ssl_security}", True),
        ("user=<%u> %c", False),
        ("user=<%{user}> %{secured}", False),
        ("", False),
    ],
)
def test_login_logs(native: str, enough: bool) -> None:
    assert DOVECOT_RULES["login_log"].enough(row(native, native), target()) is enough
