# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role documents its variables once and truly, and reads like its README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Undefined
from jinja2.nativetypes import NativeEnvironment

ROLES = sorted((Path(__file__).resolve().parents[2] / "roles").iterdir())
NAMES = [role.name for role in ROLES]


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def options(role: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = loaded(role / "meta" / "argument_specs.yml")[
        "argument_specs"
    ]["main"].get("options", {})
    return found


def defaults(role: Path) -> dict[str, Any]:
    path = role / "defaults" / "main.yml"
    return (loaded(path) or {}) if path.exists() else {}


def fallback(value: Any) -> Any:
    """What a variable is where nobody sets anything; ``None`` where it depends on the host."""
    if not isinstance(value, str) or not value:
        return value
    rendered = NativeEnvironment().from_string(value).render()  # no HTML
    unset = isinstance(rendered, list) and any(isinstance(item, Undefined) for item in rendered)
    return None if unset else rendered


def test_there_are_roles() -> None:
    assert {"audit", "courier", "dovecot", "verify"} <= set(NAMES)


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_what_has_a_default_is_documented_with_it(role: Path) -> None:
    documented = options(role)
    assert list(documented) == list(defaults(role))
    for name, value in defaults(role).items():
        assert documented[name].get("default") == fallback(value), name


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_every_variable_is_the_roles_own_and_explained(role: Path) -> None:
    for name, option in options(role).items():
        assert name.startswith(f"{role.name}_")
        assert option["type"]
        assert option["type"] != "list" or option["elements"]
        assert str(option["description"]).strip().endswith((".", "]", "'")), name


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_every_role_has_a_readme_that_names_its_variables(role: Path) -> None:
    text = (role / "README.md").read_text("utf-8")
    assert text.startswith("# ")
    assert [name for name in options(role) if name not in text] == []


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_every_task_has_a_name(role: Path) -> None:
    for path in sorted((role / "tasks").glob("*.yml")):
        for task in loaded(path) or []:
            assert task.get("name"), path
