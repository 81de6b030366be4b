# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observe Courier on this host: its files, its units, its TLS library, and what follows from them.

Puts together config/courier.py (files), config/courier_services.py (what they mean to each port),
tls_library.py (what a priority opens) and host.py (commands and files). Judges nothing, never
sources a file, and never reads the authentication back ends' files, which hold passwords.

Places: Debian's packages, and the prefix that upstream's INSTALL takes by default. Certificates by
name and by address: ``imapd-ssl`` on TLS_CERTFILE and TLS_PRIVATE_KEYFILE, check_cert() in
tcpd/libcouriergnutls.c.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Optional

from . import host, tls_library
from .config import courier_access as access
from .config import courier_services as services
from .config.courier import FILES, SourceFile, faults, parse, settings
from .config.vocabulary import COURIER_GNUTLS, COURIER_OPENSSL
from .model.configured import (
    Effective,
    Expansion,
    FileFact,
    Listener,
    Origin,
    Problem,
    Product,
    ServerConfig,
    TlsLibrary,
    Unit,
)
from .model.observed import Service

_LIMIT = 1024 * 1024
_MAX_CERTIFICATES = 256
_AUTHDAEMON = "courier-authdaemon.service"
_DIALECTS = {"gnutls": COURIER_GNUTLS, "openssl": COURIER_OPENSSL}
_VERSION = re.compile(r"Courier-IMAP[ /](\d[0-9.]*)")
# A host name or an address, and not what editors and packages leave behind.
_SUFFIX = re.compile(r"[A-Za-z0-9_*-]+(?:\.[A-Za-z0-9_-]+)+\Z|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*\Z")
_LEFT_BEHIND = re.compile(r"(?:\.(?:bak|old|orig|new|save|tmp|dpkg-\w+)|~)\Z")
# Lines of an access file that are looked at, and variables that make them worth it.
_MAX_ENTRIES = 1024
_OF_TLS = re.compile(r"TLS_|(?:IMAP|POP3)_(?:STARTTLS|TLS_REQUIRED)|COURIERTLS")


@dataclass(frozen=True)
class _Layout:
    """Where an installation keeps its files, start scripts and programs."""

    config: str
    scripts: tuple[str, ...]
    programs: str


_LAYOUTS = (
    _Layout("/etc/courier", ("/usr/lib/courier/{}", "/usr/sbin/{}"), "/usr/bin"),
    _Layout(
        "/usr/lib/courier-imap/etc",
        ("/usr/lib/courier-imap/libexec/{}.rc",),
        "/usr/lib/courier-imap/bin",
    ),
)


@dataclass(frozen=True)
class _Served:
    """One service of this host with its variables and what they come to."""

    port: services.Port
    variables: services.Variables
    rows: tuple[Effective, ...]
    listeners: tuple[Listener, ...]
    problems: tuple[Problem, ...]

    def value(self, field: str) -> str:
        """A row's value; empty where it is unset or unknown."""
        return next((row.value for row in self.rows if row.field == field), None) or ""


def observe() -> Optional[ServerConfig]:
    """Courier's IMAP and POP3 services as configured here; ``None`` where none is installed.

    Never raises for anything a configuration may hold: what could not be seen is a problem in it.
    """
    for layout in _LAYOUTS:
        starts = _starts(layout)
        if starts:
            return _observe(layout, starts)
    return None


def _observe(layout: _Layout, starts: Mapping[str, str]) -> ServerConfig:
    ports = [port for port in services.PORTS if port.script in starts]
    files, problems = _files(layout, ports)
    units = _units([_AUTHDAEMON, *(port.unit for port in ports)])
    version, unknown = _version(layout)
    program = os.path.join(layout.programs, "couriertls")
    library = tls_library.linked(program)
    if library is None:
        problems.append(Problem(f"{program} is linked to no TLS library that is known"))
    served = [_served(port, starts[port.script], files, library) for port in ports]
    running = {unit.name for unit in units if unit.active is not False or unit.enabled is not False}
    return ServerConfig(
        product=Product.COURIER,
        version=version,
        tls_library=library,
        config_file=layout.config,
        units=units,
        settings=settings(list(files.values())),
        effective=tuple(row for one in served for row in one.rows),
        listeners=tuple(x for one in served if one.port.unit in running for x in one.listeners),
        files=_file_facts(served),
        problems=_distinct(
            [
                *unknown,
                *problems,
                *(p for one in served for p in one.problems),
            ]
        ),
    )


def _starts(layout: _Layout) -> dict[str, str]:
    """The start scripts that are there: name → path."""
    found: dict[str, str] = {}
    for port in services.PORTS:
        for pattern in layout.scripts:
            path = pattern.format(port.script)
            if port.script not in found and os.path.isfile(path):
                found[port.script] = path
    return found


def _files(
    layout: _Layout, ports: Sequence[services.Port]
) -> tuple[dict[str, SourceFile], list[Problem]]:
    needed = {name for port in ports for name in port.start.outer}
    files: dict[str, SourceFile] = {}
    problems: list[Problem] = []
    for name in FILES:
        path = os.path.join(layout.config, name)
        text = host.read_text(path, _LIMIT)
        if text is not None:
            files[name] = SourceFile(name, path, parse(text))
            problems += [Problem(f"{name}: {clause}", at) for at, clause in faults(files[name])]
        elif os.path.lexists(path) or name in needed:
            problems.append(Problem(f"{path} cannot be read, so its settings are not known"))
    return files, problems


def _units(names: Sequence[str]) -> tuple[Unit, ...]:
    """All units in one question to systemd."""
    shown = host.run(["systemctl", "show", "-p", "ActiveState,UnitFileState,LoadState", *names])
    blocks = shown.stdout.strip().split("\n\n") if shown.rc == 0 else []
    blocks = blocks if len(blocks) == len(names) else [""] * len(names)
    return tuple(host.parse_unit(name, block) for name, block in zip(names, blocks))


def _version(layout: _Layout) -> tuple[Optional[str], list[Problem]]:
    """Courier-IMAP's version from its imapd; POP3 alone carries no number of its own."""
    program = os.path.join(layout.programs, "imapd")
    match = _VERSION.search(host.run([program, "--version"], timeout=10.0).stdout)
    if match:
        return match.group(1), []
    return None, [Problem(f"{program} --version names no version of Courier-IMAP")]


def _served(
    port: services.Port,
    script: str,
    files: Mapping[str, SourceFile],
    library: Optional[TlsLibrary],
) -> _Served:
    start = services.start_script(host.read_text(script, _LIMIT) or "")
    problems = [] if start else [Problem(f"{script} is of an unknown shape, taken for Debian's")]
    variables = services.Variables(start or port.start, files)
    dialect = _DIALECTS[library.name] if library else None
    expand = lru_cache(maxsize=None)(_expander(library))
    rows, unknown = services.effective(port, variables, dialect, expand, _runs)
    tls = next((row.value for row in rows if row.field == "tls"), None)
    listeners, unopened = services.listeners(port, variables, tls)
    told = (*problems, *unknown, *unopened)
    one = _Served(port, variables, rows, listeners, told)
    more, differing = _excepted(one, dialect, expand)
    return replace(one, rows=(*rows, *more), problems=(*told, *differing))


def _expander(library: Optional[TlsLibrary]) -> services.Expand:
    def expand(field: str, string: str) -> Optional[Expansion]:
        if library is None:
            return None
        if field == "priority":
            return tls_library.expand(library, priority=string)
        # Courier sets neither TLS 1.3 suites nor groups: OpenSSL's defaults are in force.
        return tls_library.expand(library, ciphers=string, cipher_suites="", groups="")

    return expand


def _runs(program: str) -> bool:
    return "\0" not in program and os.path.isfile(program) and os.access(program, os.X_OK)


# ---------------------------------------------------------------------------------------------
# Files


def _file_facts(served: Sequence[_Served]) -> tuple[FileFact, ...]:
    facts: dict[tuple[str, str], FileFact] = {}
    for one in served:
        for path, role, partner in _certificates(one.value("certificate"), one.value("key")):
            facts.setdefault((path, role), host.file_fact(path, role, partner))
        for role in ("key", "dh"):
            path = one.value(role)
            if path:
                facts.setdefault((path, role), host.file_fact(path, role))
    return tuple(facts.values())


def _certificates(certificate: str, key: str) -> Iterator[tuple[str, str, Optional[str]]]:
    """Each certificate file that may be served: path, role, and the file of its key.

    A file with a suffix (name or address) takes the key with that suffix, or holds its own.
    """
    if not certificate:
        return
    yield (certificate, "certificate", key) if key else (certificate, "combined", None)
    for path in host.glob_files(glob.escape(certificate) + ".*")[:_MAX_CERTIFICATES]:
        suffix = path[len(certificate) + 1 :]
        if not _SUFFIX.match(suffix) or _LEFT_BEHIND.search(suffix):
            continue
        partner = f"{key}.{suffix}" if key else ""
        if partner and os.path.lexists(partner):
            yield path, "certificate", partner
        else:
            yield path, "combined", None


def _excepted(
    one: _Served, dialect: Optional[str], expand: services.Expand
) -> tuple[tuple[Effective, ...], tuple[Problem, ...]]:
    """What differs for the clients of some networks, as rows of scopes of their own."""
    rows: list[Effective] = []
    problems: list[Problem] = []
    for path in _access_files(one):
        entries = access.parse(host.read_text(path, _LIMIT) or "")
        concerned = [e for e in entries if any(_OF_TLS.match(n) for n, _value in e.variables)]
        for network, entry in access.given(concerned[:_MAX_ENTRIES]):
            at = Origin(path, entry.line)
            port = replace(one.port, scope=f"{one.port.scope},remote={network}")
            other = one.variables.given(dict(entry.variables), at)
            found, told = services.effective(port, other, dialect, expand, _runs)
            rows += [new for new, old in zip(found, one.rows) if _held(new) != _held(old)]
            problems += [problem for problem in told if problem.origin == at]
    return tuple(rows), tuple(problems)


def _held(row: Effective) -> tuple[Optional[str], str]:
    return row.value, row.native


def _access_files(one: _Served) -> list[str]:
    """The files that couriertcpd's database is made of."""
    outer = one.variables.outer
    place = access.place(outer["TCPDOPTS"].text or "")
    if not place and one.port.protocol is Service.IMAP:
        place = outer["IMAPACCESSFILE"].text or ""
    if not os.path.isdir(place):
        return [place] if place else []
    return [path for path in host.glob_files(f"{glob.escape(place)}/*") if path[-1] != "~"]


def _distinct(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    return tuple(dict.fromkeys(problems))
