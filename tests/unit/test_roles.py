# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each role documents its variables once and truly, and reads like its README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.plugins.filter.core import regex_replace
from ansible.plugins.test.core import version_compare
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


@pytest.mark.parametrize(
    ("certbot", "said"),
    [
        ("1.12.0-2", "knows no profiles"),
        ("2.1.0-4", "knows no profiles"),
        ("4.0.0-2~bpo12+1", "forgets a profile when it renews"),
        ("4.0.0-2", "forgets a profile when it renews"),
        ("4.0.0-2+deb13u1", None),
        ("4.1.1-1", None),
        ("5.5.0-3", None),
        ("", None),  # check mode, before it is installed
    ],
)
def test_a_certbot_that_forgets_profiles_is_refused(certbot: str, said: str | None) -> None:
    """certbot 4.1.0 keeps what was asked for (its CHANGELOG), and so does Debian's 4.0.0-2+deb13u1
    (python-certbot, debian/changelog, bug 1125267)."""
    path = Path(__file__).resolve().parents[2] / "roles" / "certificate" / "tasks"
    block = next(task for task in loaded(path / "acme_certbot.yml") if "profiles" in str(task))
    required = block["block"][-1]["ansible.builtin.assert"]
    world = NativeEnvironment()  # no HTML
    world.tests["version"], world.filters["regex_replace"] = version_compare, regex_replace
    variables = {"certificate_certbot": {"stdout": certbot}}
    met = world.compile_expression(required["that"])(**variables)
    assert met is (said is None)
    if said:
        words = world.from_string(required["fail_msg"]).render(variables)
        assert f"certbot {certbot} of this host {said}; 4.0.0-2+deb13u1 does" in words
