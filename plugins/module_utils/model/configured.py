# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen on the node: a mail server as it is configured.

Frozen values that survive JSON, as in observed.py. Names of settings are the server's own
(``ssl_min_protocol``); what is normalised says so.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Optional

from .observed import Service, TlsMode


class Product(enum.Enum):
    """A mail server this collection understands."""

    DOVECOT = "dovecot"
    COURIER = "courier"


@dataclass(frozen=True)
class Origin:
    """Where a setting stands: absolute path and line (counted from 1)."""

    file: str
    line: int


@dataclass(frozen=True)
class Expansion:
    """What a native string means to the TLS library that the server is linked to.

    Code points in the library's order; ``None`` where the library could not be asked.
    """

    versions: Optional[tuple[int, ...]] = None
    suites: Optional[tuple[int, ...]] = None
    groups: Optional[tuple[int, ...]] = None


@dataclass(frozen=True)
class Setting:
    """One assignment as written in a configuration file, in the order the server reads it.

    ``scope`` is ``""`` for global, else the filters from outermost to innermost joined by
    ``,``: ``protocol=imap``, ``local_name=mail.example.org``, ``remote=10.0.0.0/8,protocol=pop3``;
    for Courier the name of the file's service (``imapd-ssl``). ``wins`` says whether this
    assignment decides the value within its own scope. ``dynamic`` marks a value that the server
    computes (shell expansion) and that was therefore not evaluated.
    """

    name: str
    value: str
    scope: str
    origin: Origin
    wins: bool = True
    dynamic: bool = False


@dataclass(frozen=True)
class Effective:
    """The value in force for one normalised field in one scope.

    ``field`` and ``value`` are normalised (module_utils/config/vocabulary.py), ``name`` and
    ``native`` are the server's own words, ``origin`` is ``None`` for a built-in default.
    ``value`` is ``None`` where it could not be determined (a dynamic value, an unknown word).
    """

    scope: str
    field: str
    value: Optional[str]
    name: str
    native: str
    origin: Optional[Origin] = None
    expansion: Optional[Expansion] = None


@dataclass(frozen=True)
class Listener:
    """A port the configuration opens. ``address`` is ``*``, ``::`` or an address.

    ``tls_mode`` is ``None`` where TLS is off on that port (no STARTTLS either).
    """

    service: Service
    address: str
    port: int
    tls_mode: Optional[TlsMode]
    origin: Optional[Origin] = None


@dataclass(frozen=True)
class FileFact:
    """A certificate or key file the configuration names; never any key bytes.

    ``mode`` is four octal digits, ``chain`` holds each certificate as base64 DER in file order
    (also from a combined PEM). ``key_matches`` says whether the private key belongs to the
    first certificate. ``bits`` is the size of a DH file's prime. ``problem`` is one clause:
    ``does not exist``, ``is not PEM`` …
    """

    path: str
    role: str  # certificate | key | combined | dh
    exists: bool
    owner: Optional[str] = None
    group: Optional[str] = None
    mode: Optional[str] = None
    chain: tuple[str, ...] = ()
    key_matches: Optional[bool] = None
    bits: Optional[int] = None
    problem: Optional[str] = None


@dataclass(frozen=True)
class TlsLibrary:
    """The library a server is linked to: ``openssl`` or ``gnutls``, its version and its file."""

    name: str
    version: Optional[str]
    path: Optional[str] = None


@dataclass(frozen=True)
class Unit:
    """A service manager unit. ``None`` where the manager could not be asked."""

    name: str
    enabled: Optional[bool]
    active: Optional[bool]


@dataclass(frozen=True)
class Problem:
    """Something that kept the observer from seeing: one sentence, and where."""

    message: str
    origin: Optional[Origin] = None


@dataclass(frozen=True)
class ServerConfig:
    """One mail server as configured on its host."""

    product: Product
    version: Optional[str]
    tls_library: Optional[TlsLibrary]
    config_file: str
    units: tuple[Unit, ...] = ()
    settings: tuple[Setting, ...] = ()
    effective: tuple[Effective, ...] = ()
    listeners: tuple[Listener, ...] = ()
    files: tuple[FileFact, ...] = ()
    problems: tuple[Problem, ...] = ()

    def value(self, name: str, scope: str = "") -> Optional[Effective]:
        """The effective row of a normalised field in exactly this scope, if there is one."""
        return next((e for e in self.effective if e.field == name and e.scope == scope), None)
