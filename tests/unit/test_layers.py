# Copyright (c) 2026, The postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import whom: the arrows between the parts of plugins/ only point downward.

    modules                                 run on the node: what is there, and change it
    action, filter, callback, inventory     run on the controller, at Ansible's edge
        plugin_utils                        the controller's mind: policy, judge, render
            module_utils                    on both: standard library only
                probe -> hellos -> talk -> transport, wire; config; all of them -> model, text

The rules are the tables below. Only the text of the files is read; nothing is imported.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import NamedTuple, Optional

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"

FLOOR = {"model", "plain", "text"}
"""What every part of module_utils may stand on."""

INSIDE_MODULE_UTILS = {
    "text": set(),
    "model": {"text"},
    "plain": set(),
    "wire": FLOOR,
    "config": FLOOR,
    "login_log": FLOOR,
    "local_tls": FLOOR | {"wire"},
    "host": FLOOR,
    "library": FLOOR | {"host"},
    "openssl_client": FLOOR | {"library", "local_tls"},
    "limits": set(),
    "names": set(),
    "readiness": set(),
    "tasks": set(),
    "transport": FLOOR | {"limits", "local_tls", "names", "readiness", "tasks"},
    "talk": FLOOR | {"transport", "wire"},
    "hellos": FLOOR | {"talk", "tasks", "transport", "wire"},
    "injection": FLOOR | {"talk", "transport", "wire"},
    "renegotiation": FLOOR | {"local_tls", "openssl_client", "talk", "transport", "wire"},
    "inventory": FLOOR
    | {
        "hellos",
        "local_tls",
        "openssl_client",
        "renegotiation",
        "talk",
        "tasks",
        "transport",
        "wire",
    },
    "port": FLOOR | {"hellos", "injection", "inventory", "talk", "tasks", "transport", "wire"},
    "probe": FLOOR
    | {
        "limits",
        "names",
        "openssl_client",
        "port",
        "renegotiation",
        "talk",
        "tasks",
        "transport",
    },
}
"""A part of module_utils and the other parts it may import.

A part that is not named here stands on top: it may import all of them, and none of them imports it.
"""

BETWEEN_FOLDERS = {
    "module_utils": {"module_utils"},
    "plugin_utils": {"plugin_utils", "module_utils"},
    "modules": {"module_utils", "doc_fragments"},
    "doc_fragments": set(),
}
"""A folder of plugins/ and those it may import. One that is not named runs on the controller."""
ON_THE_CONTROLLER = {"plugin_utils", "module_utils"}

FOREIGN = {
    "module_utils": {"ansible", "cryptography", "yaml"},
    "modules": {"cryptography", "yaml"},
}
"""Packages that a folder never imports; module_utils must need nothing but Python, see below."""

PURE = {
    ("module_utils", "wire"),
    ("module_utils", "config"),
    ("module_utils", "limits"),
    ("module_utils", "login_log"),
    ("plugin_utils", "judge"),
    ("plugin_utils", "impact"),
}
IMPURE = {
    "asyncio",
    "os",
    "random",
    "secrets",
    "select",
    "selectors",
    "shutil",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
}
"""Bytes in, events out: clock, host and network come to the pure parts as arguments."""

SOCKETS = {"asyncio", "select", "selectors", "socket", "socketserver"}
WITH_SOCKETS = {("module_utils", part) for part in ("drain", "names", "tasks", "transport")}
"""The one that keeps others from connecting, the one that asks the system's resolver, the one with
the event loop, the one that connects."""


class Imported(NamedTuple):
    """One imported thing: a part of this collection (its path below plugins/) or a package."""

    line: int
    own: Optional[tuple[str, ...]]
    package: str


def imports(source: str, location: tuple[str, ...]) -> list[Imported]:
    """Everything that a file imports, also inside functions; `location` is as in complaints()."""
    found: list[Imported] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [Imported(node.lineno, None, alias.name.split(".")[0]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = tuple(node.module.split(".")) if node.module else ()
            if node.level == 0:
                found.append(Imported(node.lineno, None, names[0]))
                continue
            base = location[: len(location) - node.level] + names
            # `from ..module_utils import model` names the part after the import.
            targets = {(*base, alias.name) if len(base) < 2 else base for alias in node.names}
            found += [Imported(node.lineno, target, "") for target in sorted(targets)]
    return found


def may_stand_on(part: str, other: str) -> bool:
    """Whether one part of module_utils may import the other."""
    return other == part or other in INSIDE_MODULE_UTILS.get(part, {other})


def complaints(source: str, location: tuple[str, ...]) -> list[str]:
    """What a file at `location` (parts below plugins/, no suffix) imports against the rules."""
    folder, part = location[0], location[1]
    reach = BETWEEN_FOLDERS.get(folder, ON_THE_CONTROLLER)
    found = []
    for line, own, package in imports(source, location):

        def complain(text: str, line: int = line) -> None:
            found.append(f"line {line}: {text}")

        if own is not None:
            if own[0] not in reach:
                complain(f"{folder} imports {own[0]}")
            elif folder == "module_utils" and not may_stand_on(part, own[1]):
                complain(f"module_utils/{part} imports module_utils/{own[1]}")
            continue
        if package == "ansible_collections":
            complain("a plugin imports its own collection by relative names only")
        if package in FOREIGN.get(folder, set()):
            complain(f"{folder} imports {package}")
        if (folder, part) in PURE and package in IMPURE:
            complain(f"{folder}/{part} is pure and imports {package}")
        if package in SOCKETS and (folder, part) not in WITH_SOCKETS:
            complain(f"only module_utils/transport opens sockets, and this imports {package}")
    return found


def location(path: Path) -> tuple[str, ...]:
    """The place of a file below plugins/, as the rules speak of it."""
    return path.relative_to(PLUGINS).with_suffix("").parts


FILES = sorted(PLUGINS.rglob("*.py"))
SHARED = [path for path in FILES if location(path)[0] == "module_utils"]


def name(path: Path) -> str:
    """How a file is called in the list of tests."""
    return str(path.relative_to(PLUGINS))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_arrows_point_downward(path: Path) -> None:
    assert complaints(path.read_text(encoding="utf-8"), location(path)) == []


@pytest.mark.skipif(sys.version_info < (3, 10), reason="sys.stdlib_module_names came with 3.10")
@pytest.mark.parametrize("path", SHARED, ids=name)
def test_nodes_need_nothing_but_python(path: Path) -> None:
    packages = {
        found.package
        for found in imports(path.read_text(encoding="utf-8"), location(path))
        if found.own is None
    }
    assert packages - sys.stdlib_module_names - {"__future__"} == set()


def test_plugins_have_no_package_files() -> None:
    assert [name(path) for path in FILES if path.name == "__init__.py"] == []


WIRE = ("module_utils", "wire", "imap")


@pytest.mark.parametrize(
    ("source", "location", "complaint"),
    [
        ("from ..model import Service", WIRE, None),
        ("from .tls import Hello", WIRE, None),
        ("import re, struct", WIRE, None),
        ("import socket", WIRE, "is pure"),
        ("def f():\n    import os.path", WIRE, "is pure"),
        ("from ..probe import probe", WIRE, "module_utils/probe"),
        ("from .. import probe", WIRE, "module_utils/probe"),
        ("from ..config import dovecot", WIRE, "module_utils/config"),
        ("from .transport import open", ("module_utils", "probe"), None),
        ("from .config import dovecot", ("module_utils", "probe"), "module_utils/config"),
        ("from .probe import probe", ("module_utils", "observe"), None),
        ("import socket", ("module_utils", "transport"), None),
        ("import socket", ("module_utils", "probe"), "only module_utils/transport"),
        ("import yaml", ("module_utils", "model"), "imports yaml"),
        ("from ansible.errors import X", ("module_utils", "text"), "imports ansible"),
        ("from ..plugin_utils.judge import judge", ("module_utils", "model"), "plugin_utils"),
        ("from ansible.module_utils.basic import X", ("modules", "dovecot_info"), None),
        ("from ..module_utils.probe import probe", ("modules", "endpoint_info"), None),
        ("from ..plugin_utils import policy", ("modules", "endpoint_info"), "plugin_utils"),
        ("import yaml", ("modules", "dovecot_info"), "imports yaml"),
        ("from . import dovecot", ("module_utils", "config", "vocabulary"), None),
        ("import time", ("plugin_utils", "judge"), "is pure"),
        ("import yaml", ("plugin_utils", "policy"), None),
        ("from ..action.audit import X", ("plugin_utils", "judge"), "imports action"),
        ("from ..plugin_utils.judge import judge", ("action", "audit"), None),
        ("from ..modules.endpoint_info import X", ("action", "audit"), "imports modules"),
        (
            "from ansible_collections.postmaster.tls.plugins.module_utils import model",
            ("action", "audit"),
            "relative names",
        ),
    ],
)
def test_the_rules_themselves(
    source: str, location: tuple[str, ...], complaint: Optional[str]
) -> None:
    said = complaints(source, location)
    if complaint is None:
        assert said == []
    else:
        assert len(said) >= 1
        assert complaint in said[0]
