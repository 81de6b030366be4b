# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a certificate will do, when one has to be made, and which key files are closed."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.config.vocabulary import DOVECOT_24
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    FileFact,
    ServerConfig,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import load_profile
from ansible_collections.postmaster.tls.plugins.plugin_utils.render.certificates import (
    mode_wants,
    unusable,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.render.plan import ModeWant
from ansible_collections.postmaster.tls.plugins.plugin_utils.render.rules import Target
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    NAME,
    SELF_SIGNED,
    certificate,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.render.seen import (
    CERTIFICATE,
    KEY,
    dovecot,
)
from ansible_collections.postmaster.tls.tests.unit.worlds import absent, short_rsa, usable


def reason(server: ServerConfig, profile: str = "intermediate") -> Optional[str]:
    return unusable(Target(load_profile(profile), server, DOVECOT_24), "")


def served(*facts: FileFact) -> ServerConfig:
    return replace(dovecot(), files=facts)


GOOD_KEY = usable(KEY, "key")
EXPIRED = certificate(NAME, "Example CA", (NAME,), days=5, age=10)
OTHER_NAME = certificate("other.example", "Example CA", ("other.example",))
RSA_2048 = certificate(NAME, NAME, (NAME,), "rsa2048", "rsa2048")


@pytest.mark.parametrize("chain", [EXPIRED, OTHER_NAME, SELF_SIGNED, RSA_2048])
@pytest.mark.parametrize("profile", ["modern", "intermediate"])
def test_what_users_may_distrust_is_still_a_certificate(chain: str, profile: str) -> None:
    fact = usable(CERTIFICATE, "certificate", chain=(chain,))
    assert reason(served(fact, GOOD_KEY), profile) is None


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((absent(CERTIFICATE, "certificate"), GOOD_KEY), f"{CERTIFICATE} does not exist"),
        (
            (usable(CERTIFICATE, "certificate"), absent(KEY, "key")),
            f"{KEY} does not exist",
        ),
        (
            (usable(CERTIFICATE, "certificate", problem="is not PEM", chain=()), GOOD_KEY),
            f"{CERTIFICATE} is not PEM",
        ),
        (
            (usable(CERTIFICATE, "certificate", chain=()), GOOD_KEY),
            f"{CERTIFICATE} holds no certificate",
        ),
        (
            (usable(CERTIFICATE, "certificate", key_matches=False), GOOD_KEY),
            f"the key does not belong to {CERTIFICATE}",
        ),
        (
            (short_rsa(CERTIFICATE, "certificate"), GOOD_KEY),
            f"the key of {CERTIFICATE} is RSA with 1024 bits",
        ),
        # not observed: the checks on the candidate will tell
        ((), None),
        ((usable(CERTIFICATE, "certificate"),), None),
        ((usable(CERTIFICATE, "certificate", key_matches=None), GOOD_KEY), None),
        # ssl_key_password may open it
        (
            (usable(CERTIFICATE, "certificate"), usable(KEY, "key", problem="is encrypted")),
            None,
        ),
    ],
)
def test_what_cannot_shake_hands(facts: tuple[FileFact, ...], expected: Optional[str]) -> None:
    assert reason(served(*facts)) == expected


@pytest.mark.parametrize("chain", ["bm90IGEgY2VydGlmaWNhdGU=", "!", ""])
def test_what_is_no_certificate_is_told(chain: str) -> None:
    said = reason(served(usable(CERTIFICATE, "certificate", chain=(chain,)), GOOD_KEY))
    assert said is not None
    assert said.startswith(f"{CERTIFICATE}: ")


@pytest.mark.parametrize(
    ("value", "expected"), [("", "no certificate is configured"), (None, None)]
)
def test_no_file_and_an_unknown_one(value: Optional[str], expected: Optional[str]) -> None:
    """One that the server computes was not observed, so it is left alone."""
    server = dovecot()
    rows = tuple(
        replace(row, value=value) if row.field == "certificate" else row for row in server.effective
    )
    assert reason(replace(server, effective=rows)) == expected


def test_without_a_row_there_is_no_certificate() -> None:
    server = dovecot()
    rows = tuple(row for row in server.effective if row.field != "certificate")
    assert reason(replace(server, effective=rows)) == "no certificate is configured"


@pytest.mark.parametrize(
    ("role", "mode", "wanted"),
    [
        ("key", "0644", "0640"),
        ("key", "0604", "0600"),
        ("key", "0777", "0770"),
        ("combined", "0664", "0660"),
        ("key", "0640", None),
        ("key", "0600", None),
        ("key", "0400", None),
        ("key", None, None),
        ("certificate", "0644", None),
        ("dh", "0644", None),
    ],
)
def test_modes_of_keys(role: str, mode: Optional[str], wanted: Optional[str]) -> None:
    expected = [ModeWant("/k", wanted)] if wanted else []
    assert mode_wants([FileFact("/k", role, True, mode=mode)]) == expected


def test_a_key_that_is_not_there_gets_no_mode() -> None:
    assert mode_wants([FileFact("/k", "key", False, mode="0644")]) == []
