# Copyright (c) 2026, The postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one tool says of one port, in words that all tools share.

A view has topics, and for each the names that the tool saw there; ``None`` is a topic that it asked
for without getting an answer, and a topic that is absent is one that it never asks for. Topics are
``TLSv1.2`` (holds OFFERED where that version is offered), ``TLSv1.2 suites``, ``TLSv1.2 groups``,
and for tools that do not tell versions apart ``curves`` (elliptic), ``fields`` (finite) and
``kems`` (with ML-KEM).
Names are those of IANA's registry "TLS Parameters", as plugin_utils/registry.py has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Optional

from ansible_collections.postmaster.tls.plugins.plugin_utils.registry import (
    VERSIONS,
    group_code,
    group_name,
    openssl_to_code,
    suite_name,
)

OFFERED = "offered"
CURVES, FIELDS, KEMS = "curves", "fields", "kems"
LISTED = tuple(name for name in VERSIONS.values() if name != "SSLv2")
"""The versions whose suites are listed; SSL 2.0 has suites of its own, and is only asked for."""

Names = Optional[frozenset[str]]
NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class View:
    """The topics that a tool asked for, and what it saw."""

    tool: str
    release: str
    topics: Mapping[str, Names]


class Unreadable(ValueError):
    """The tool said something that its parser does not know: never taken for 'nothing found'."""


def suites_of(version: str) -> str:
    """The topic of a version's suites."""
    return f"{version} suites"


def groups_of(version: str) -> str:
    """The topic of a version's groups."""
    return f"{version} groups"


def offered(answer: Optional[bool]) -> Names:
    """The names under a version's topic."""
    return None if answer is None else frozenset({OFFERED} if answer else ())


def suites(codes: Iterable[int]) -> frozenset[str]:
    """Suites by code point."""
    return frozenset(suite_name(code) for code in codes)


def groups(codes: Iterable[int]) -> frozenset[str]:
    """Groups by code point."""
    return frozenset(group_name(code) for code in codes)


def suite_named(name: str) -> int:
    """The code point of a suite by its IANA or OpenSSL name. Raises Unreadable."""
    code = openssl_to_code(name)
    if code is None:
        raise Unreadable(f"no suite is called {name!r}")
    return code


def group_named(name: str) -> int:
    """The code point of a group by any of its names. Raises Unreadable."""
    code = group_code(name)
    if code is None:
        raise Unreadable(f"no group is called {name!r}")
    return code
