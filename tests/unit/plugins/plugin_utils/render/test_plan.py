# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as a value."""

from __future__ import annotations

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Origin,
    Product,
    Setting,
)
from ansible_collections.postmaster.tls.plugins.module_utils.plain import to_plain
from ansible_collections.postmaster.tls.plugins.plugin_utils.render.plan import (
    CertificateWant,
    ModeWant,
    Override,
    Plan,
    Want,
    override,
)

PARTS = {
    "settings": (Want("ssl", "required"),),
    "overrides": (Override("/f", 3, "ssl", "no"),),
    "certificate": CertificateWant("/c", "/k", ("mail.example.org",), "there is none"),
    "modes": (ModeWant("/k", "0600"),),
}


def test_a_plan_of_nothing_is_empty() -> None:
    assert Plan(Product.DOVECOT).empty
    assert Plan(Product.DOVECOT, notes=("it cannot be limited to TLSv1.3",)).empty


@pytest.mark.parametrize("part", PARTS)
def test_a_plan_of_anything_is_not(part: str) -> None:
    assert not Plan(Product.DOVECOT, **{part: PARTS[part]}).empty  # type: ignore[arg-type]


def test_an_override_names_the_assignment_and_its_place() -> None:
    setting = Setting("ssl", "no", "protocol=pop3", Origin("/etc/f", 7))
    assert override(setting) == Override("/etc/f", 7, "ssl", "no")


def test_a_plan_is_plain_data_for_the_module() -> None:
    plain = to_plain(Plan(Product.COURIER, **PARTS))  # type: ignore[arg-type]
    assert plain["product"] == "courier"
    assert plain["settings"] == [{"name": "ssl", "value": "required", "file": ""}]
    assert plain["overrides"] == [{"file": "/f", "line": 3, "name": "ssl", "value": "no"}]
    assert plain["certificate"]["names"] == ["mail.example.org"]
    assert plain["modes"] == [{"path": "/k", "mode": "0600"}]
