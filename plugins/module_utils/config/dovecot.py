# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Dovecot configuration: its lines, assignments and scopes, and the same as one flat file.

It knows which blocks are filters (they choose for whom a setting holds) and which are part of a
setting's name. It refuses to know values: only ``doveconf`` computes those. No I/O. How the
language is read is in dovecot_lines.py, which assignment decides in dovecot_origin.py.

Sources: ``src/config/config-parser.c`` of 2.3.19 and 2.4.1 (``config_filter_add_new_filter``,
``config_apply_line_full``, ``fix_relative_path``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Optional

from ..model.configured import Origin, Setting
from .dovecot_lines import (
    BLANK,
    CLOSE,
    COMMENT,
    CONTINUATION,
    ERROR,
    FILE,
    INCLUDE,
    MISSING,
    OPEN,
    PLAIN,
    QUOTED,
    SETTING,
    VARIABLE,
    Block,
    Document,
    Line,
    read_document,
    relative_to,
)

__all__ = [
    "BLANK",
    "CLOSE",
    "COMMENT",
    "CONTINUATION",
    "ERROR",
    "FILE",
    "INCLUDE",
    "MISSING",
    "OPEN",
    "PLAIN",
    "QUOTED",
    "SETTING",
    "VARIABLE",
    "Block",
    "Document",
    "Line",
    "filters",
    "flatten",
    "read_document",
    "relative_to",
    "scope_of",
    "setting_name",
    "settings",
]

FILTERS = ("protocol", "local", "remote", "local_name")

# Blocks of 2.3 that may stand several times without a name, each its own.
_REPEATED = ("passdb", "userdb", "namespace")
# Blocks of 2.4 that only shorten names: ssl_server { cert_file = } is ssl_server_cert_file.
_PREFIXES = ("ssl_server", "ssl_client")


def settings(document: Document) -> tuple[Setting, ...]:
    """Every assignment of the document in reading order.

    ``wins`` is true for the last one of its name in its scope. Settings of a 2.4 group have
    ``@label/name/`` before their names: they hold where ``@label = name`` stands.
    """
    found = [
        Setting(
            name=setting_name(line),
            value=line.value,
            scope=scope_of(line.scope),
            origin=line.origin,
            dynamic=line.form == VARIABLE,
        )
        for line in document.lines
        if line.kind == SETTING
    ]
    last = {(s.name, s.scope): index for index, s in enumerate(found)}
    return tuple(
        dataclasses.replace(s, wins=last[s.name, s.scope] == index) for index, s in enumerate(found)
    )


def scope_of(blocks: Sequence[Block]) -> str:
    """The filters among ``blocks`` as a scope: ``remote=10.0.0.0/8,protocol=pop3`` or ``""``."""
    return ",".join(f"{b.kind}={_filter_value(b)}" for b in blocks if b.kind in FILTERS)


def _filter_value(block: Block) -> str:
    # Names are compared without regard to case: config_filters_equal, config_filter_parse.
    return block.name.lower() if block.kind == "local_name" else block.name


def setting_name(line: Line) -> str:
    """A setting's name with the blocks that belong to it, as ``doveconf`` writes it."""
    path = [part for b in line.scope if b.kind not in FILTERS for part in _parts(b)]
    key = line.name
    for prefix in _PREFIXES:
        if path[-1:] == [prefix] or key.startswith(prefix + "/"):
            key = prefix + "_" + _bare(key, prefix)
            path = path[:-1] if path[-1:] == [prefix] else path
    inside = line.scope[-1].kind if line.scope else ""
    if inside == "inet_listener":
        key = _bare(key, inside)
    return "/".join([*path, key])


def _parts(block: Block) -> tuple[str, ...]:
    if block.name:
        return block.kind, block.name
    return (block.kind, str(block.number)) if block.kind in _REPEATED else (block.kind,)


def _bare(key: str, prefix: str) -> str:
    """``ssl_server_cert_file`` → ``cert_file``: 2.4 takes both within the block."""
    bare = key.startswith((prefix + "_", prefix + "/"))
    return key[len(prefix) + 1 :] if bare else key


def filters(scope: str) -> tuple[tuple[str, str], ...]:
    """``remote=10.0.0.0/8,protocol=pop3`` → its (kind, value) pairs, outermost first."""
    pairs = (part.partition("=") for part in scope.split(",") if part)
    return tuple((kind, value) for kind, _equals, value in pairs)


# ---------------------------------------------------------------------------------------------
# One file without includes


def flatten(
    document: Document,
    replace: Optional[Mapping[Origin, str]] = None,
    append: Sequence[str] = (),
) -> tuple[str, tuple[Origin, ...]]:
    """The whole configuration as one file, and the origin of each of its lines.

    ``replace`` gives other text for some lines (several lines of text are allowed, ``""`` leaves
    an empty line); the continuation of a replaced line goes with it. ``append`` is put at the
    end; its lines have the origin ``Origin("", n)``, n from 1. Paths that Dovecot takes relative
    to the file they stand in are made absolute, an include that cannot be followed stays.
    """
    out: list[tuple[str, Origin]] = []
    replace = replace or {}
    whole = True  # False while the continuation of a line written anew is passed over
    for line in document.lines:
        if line.kind == CONTINUATION and not whole and line.origin not in replace:
            continue
        texts = _flat(line, replace)
        whole = texts == [line.text]
        out += [(text, line.origin) for text in texts]
    out += [(text, Origin("", number)) for number, text in enumerate(append, 1)]
    return "".join(text + "\n" for text, _origin in out), tuple(origin for _text, origin in out)


def _flat(line: Line, replace: Mapping[Origin, str]) -> list[str]:
    """The lines that stand for ``line`` in the flat file."""
    if line.origin in replace:
        return replace[line.origin].split("\n")
    if line.kind == INCLUDE:
        path = relative_to(line.file, line.value)
        return [f"{line.name} {path}"] if line.form == MISSING else []
    path = _relative_path(line)
    if path:
        mark = "<" if line.form == FILE else ""
        return [f"{line.name} = {mark}{relative_to(line.file, path)}"]
    return [line.text]


def _relative_path(line: Line) -> str:
    """The path in a setting whose meaning depends on the file it stands in, else ``""``.

    ``<path`` in both dialects, and 2.4's settings of type SET_FILE: all are named ``…_file``.
    """
    if line.kind != SETTING:
        return ""
    if line.form == FILE:
        return "" if line.value.startswith("</") else line.value[1:]
    names_file = line.name.endswith("_file") and line.form in (PLAIN, QUOTED)
    literal = not line.value.startswith(("/", "inline:")) and "%{" not in line.value
    return line.value if names_file and literal else ""
