# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The observer of Dovecot: asks the installed server what is in force, and the files where.

It runs ``doveconf``, reads configuration and certificate files through host.py,
and puts a ServerConfig together; it judges nothing and changes nothing. A broken configuration is
an observation: what Dovecot says of it, and what can still be seen.

``doveconf`` is asked once for the whole check, once for the global values and once for each scope
in which a TLS setting is written; each call takes 10 to 30 ms. ``-P`` is never used. How questions
and answers look is in config/dovecot_values.py.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Optional

from . import host, tls_library
from .config.dovecot import Document, read_document, settings
from .config.dovecot_origin import deciding
from .config.dovecot_values import (
    VALUE_LIMIT,
    Value,
    banner,
    emitted,
    filter_arguments,
    global_names,
    listeners,
    names,
    parse_dump,
    read_fields,
    refusal,
    reported,
    scopes,
    written_values,
)
from .config.vocabulary import CODE_POINTS, DOVECOT_23, dovecot_dialect
from .model.configured import (
    Effective,
    Expansion,
    FileFact,
    Listener,
    Origin,
    Problem,
    Product,
    ServerConfig,
    Setting,
    TlsLibrary,
)
from .text import NAME, WORD, clean

DEFAULT_FILE = "/etc/dovecot/dovecot.conf"
UNITS = ("dovecot.service", "dovecot.socket")

FILE_BYTES = 1024 * 1024
SCOPE_LIMIT = 256
SETTING_LIMIT = 5000
FAILURE_LIMIT = 3  # each may have cost host.run's time out

_MODULES = (
    "/usr/lib/dovecot/modules",
    "/usr/lib64/dovecot",
    "/usr/lib/dovecot",
    "/usr/lib/*/dovecot/modules",
    "/usr/local/lib/dovecot",
)
_TLS_MODULE = "libssl_iostream_openssl.so"

# field → the argument of tls_library.expand
_EXPANDED = ("ciphers", "cipher_suites", "groups")

_Rows = dict[str, dict[str, Value]]
_File = tuple[str, str, Optional[str]]  # path, role, path of the key


def observe() -> Optional[ServerConfig]:
    """The Dovecot of this host as configured; ``None`` when none is installed. Never raises."""
    check = host.run(["doveconf", "-n", "-x"])
    if check.rc == host.NOT_FOUND:
        return None
    version, main = banner(check.stdout)
    version = version or _version()
    observer = _Observer(dovecot_dialect(version or ""), read_configuration(main or DEFAULT_FILE))
    problems = () if check.rc == 0 else (refusal(check.stderr),)
    # Without -x only the files that it names are not opened. If that fails too, answers to single
    # questions cannot be trusted: 2.4 gives them with code 0, but without its defaults.
    sound = check.rc == 0 or host.run(["doveconf", "-n"]).rc == 0
    return replace(observer.config(problems, sound), version=version, units=host.units(UNITS))


def _version() -> Optional[str]:
    answer = host.run(["dovecot", "--version"])
    return clean(answer.stdout.split(" ")[0].strip(), WORD) or None


def read_configuration(main: str = DEFAULT_FILE) -> Document:
    """The configuration files of this host, from ``main`` on."""
    return read_document(main, lambda path: host.read_text(path, FILE_BYTES), host.glob_files)


class _Observer:
    """What is known while one server is observed: its dialect, its files, its answers."""

    def __init__(self, dialect: str, document: Document) -> None:
        self._dialect = dialect
        self._document = document
        self._settings = settings(document)
        self._problems: list[Problem] = []

    def config(self, problems: tuple[Problem, ...], sound: bool) -> ServerConfig:
        """Everything but version and units.

        ``problems`` are what ``doveconf`` complained of; only a ``sound`` configuration is asked.
        """
        answer = self._ask(global_names(self._dialect), ()) if sound else None
        values = written_values(self._settings) if answer is None else answer
        rows = {} if answer is None else self._rows(answer)
        library = linked_library(values.get("login_plugin_dir", ""))
        effective = self._effective(rows, library)
        known = {p.origin for p in problems}
        own = (p for p in self._document.problems if p.origin not in known)
        return ServerConfig(
            product=Product.DOVECOT,
            version=None,
            tls_library=library,
            config_file=self._document.main,
            settings=self._reported(),
            effective=effective,
            listeners=self._listeners(values, rows),
            files=_files(rows),
            # A fault of the language stands where it is; doveconf may see it only later on.
            problems=(*own, *problems, *self._problems),
        )

    def _ask(self, wanted: Sequence[str], chosen: Sequence[str]) -> Optional[dict[str, str]]:
        answer = host.run(["doveconf", *chosen, *wanted])
        return parse_dump(answer.stdout) if answer.rc == 0 else None

    def _rows(self, answer: Mapping[str, str]) -> _Rows:
        """Fields by scope; the global ones are in ``answer`` already."""
        wanted = scopes(self._settings, self._dialect)
        if len(wanted) > SCOPE_LIMIT:
            message = f"{len(wanted)} scopes set TLS; only the first {SCOPE_LIMIT} were asked for"
            self._problems.append(Problem(message))
        rows = {"": read_fields(self._dialect, self._settings, "", answer)}
        for scope in wanted[1:SCOPE_LIMIT]:
            chosen = filter_arguments(self._dialect, scope, wanted)
            values = self._ask(names(self._dialect), chosen)
            if values is not None:
                rows[scope] = read_fields(self._dialect, self._settings, scope, values)
                continue
            self._problems.append(Problem(f"doveconf gave no values for {clean(scope)}"))
            if len(self._problems) >= FAILURE_LIMIT:
                break
        return rows

    def _effective(self, rows: _Rows, library: Optional[TlsLibrary]) -> tuple[Effective, ...]:
        return tuple(
            self._row(scope, value, library)
            for scope, fields in rows.items()
            for value in fields.values()
            if emitted(scope, value.field, rows)
        )

    def _row(self, scope: str, value: Value, library: Optional[TlsLibrary]) -> Effective:
        origin = value.setting.origin if value.setting else None
        return Effective(
            scope=clean(scope, NAME),
            field=value.field,
            value=value.value,
            name=value.name,
            native=value.native,
            origin=origin,
            expansion=self._expansion(value, library, origin),
        )

    def _expansion(
        self, value: Value, library: Optional[TlsLibrary], origin: Optional[Origin]
    ) -> Optional[Expansion]:
        if value.field == "protocol_min":
            return _versions(value.value)
        if value.field not in _EXPANDED or library is None or value.value is None:
            return None
        try:
            return tls_library.expand(library, **{value.field: value.value})
        except tls_library.Rejected as error:
            linked = f"{library.name} {library.version or ''}".strip()
            message = f"{value.name} is refused by {linked}: {error.reason}; TLS handshakes fail"
            problem = Problem(clean(message), origin)
            if problem not in self._problems:
                self._problems.append(problem)
            return None

    def _listeners(self, values: Mapping[str, str], rows: _Rows) -> tuple[Listener, ...]:
        written = next(
            (s for s in reversed(self._settings) if s.name == "ssl" and not s.scope), None
        )

        def tls(scope: str) -> Optional[str]:
            row = rows.get(scope, rows.get("", {})).get("tls")
            return row.value if row else (written.value if written else None)

        def origin(name: str) -> Optional[Origin]:
            wins = deciding(self._settings, name, "", lambda _: True, self._dialect == DOVECOT_23)
            return wins.origin if wins else None

        return listeners(values, tls, origin)

    def _reported(self) -> tuple[Setting, ...]:
        chosen = [s for s in self._settings if reported(s)][:SETTING_LIMIT]
        return tuple(
            replace(
                s,
                name=clean(s.name, NAME),
                value=_safe(s),
                scope=clean(s.scope, NAME),
            )
            for s in chosen
        )


def _safe(setting: Setting) -> str:
    """The value, but never PEM text that stands in the file itself."""
    inline = "-----BEGIN" in setting.value or setting.value.startswith("inline:")
    return "…" if inline else clean(setting.value, VALUE_LIMIT)


def _versions(minimum: Optional[str]) -> Optional[Expansion]:
    if minimum not in CODE_POINTS:
        return None
    floor = CODE_POINTS[minimum]
    return Expansion(versions=tuple(v for v in CODE_POINTS.values() if v >= floor))


def linked_library(plugins: str = "") -> Optional[TlsLibrary]:
    """The library that Dovecot's TLS module is linked to; ``plugins`` is its login_plugin_dir."""
    folders = ([os.path.dirname(plugins)] if plugins else []) + list(_MODULES)
    found = (path for folder in folders for path in host.glob_files(f"{folder}/{_TLS_MODULE}"))
    return next((lib for lib in map(tls_library.linked, found) if lib is not None), None)


def _files(rows: _Rows) -> tuple[FileFact, ...]:
    """Each certificate, key and DH file of any scope once, certificates with their key."""
    wanted: dict[_File, None] = {}
    for fields in rows.values():
        path = {name: row.value for name, row in fields.items()}
        wanted.update(dict.fromkeys(_pair(path.get("certificate"), path.get("key"))))
        wanted.update(dict.fromkeys(_pair(path.get("alt_certificate"), path.get("alt_key"))))
        if path.get("dh"):
            wanted[str(path["dh"]), "dh", None] = None
    return tuple(host.file_fact(path, role, key) for path, role, key in wanted)


def _pair(certificate: Optional[str], key: Optional[str]) -> tuple[_File, ...]:
    """Path, role and partner of a certificate and its key: one file where they are the same."""
    if certificate and certificate == key:
        return ((certificate, "combined", None),)
    of_certificate = ((certificate, "certificate", key or None),) if certificate else ()
    return (*of_certificate, *(((key, "key", None),) if key else ()))
