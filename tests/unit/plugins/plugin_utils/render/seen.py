# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observed servers for the tests of the renderer, each with the few facts that matter to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Optional

from ansible_collections.postmaster.tls.plugins.module_utils.config import vocabulary
from ansible_collections.postmaster.tls.plugins.module_utils.config.vocabulary import words
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Effective,
    Expansion,
    Origin,
    Product,
    ServerConfig,
    Setting,
    TlsLibrary,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import load_profile
from ansible_collections.postmaster.tls.plugins.plugin_utils.render.plan import Plan
from ansible_collections.postmaster.tls.plugins.plugin_utils.render.server import plan
from ansible_collections.postmaster.tls.tests.unit.worlds import (
    GNUTLS_37,
    OPENSSL_35,
    defaults,
    expand,
    usable,
)

FOLDER = "/etc/dovecot"
SSL = f"{FOLDER}/conf.d/10-ssl.conf"
OURS = f"{FOLDER}/conf.d/99-postmaster-tls.conf"
CERTIFICATE, KEY = f"{FOLDER}/private/mail.pem", f"{FOLDER}/private/mail.key"
COURIER = "/etc/courier"
_EXPANDED = ("ciphers", "cipher_suites", "groups")


def setting(
    name: str, value: str, scope: str = "", file: str = SSL, line: int = 1, **more: Any
) -> Setting:
    return Setting(name, value, scope, Origin(file, line), **more)


def dovecot(
    version: str = "2.4.1",
    library: Optional[TlsLibrary] = OPENSSL_35,
    settings: Sequence[Setting] = (),
    **changes: Any,
) -> ServerConfig:
    """A Dovecot with a usable certificate; every other field has its default or is in settings."""
    dialect = vocabulary.dovecot_dialect(version)
    names = {word.name: field for field, word in words(dialect).items()}
    mark = "<" if dialect == vocabulary.DOVECOT_23 else ""
    written = {
        **defaults(version),
        words(dialect)["certificate"].name: mark + CERTIFICATE,
        words(dialect)["key"].name: mark + KEY,
        words(dialect)["alt_certificate"].name: "",
        words(dialect)["alt_key"].name: "",
    }
    rows = {("", n): _row(dialect, library, "", names[n], v) for n, v in written.items()}
    for one in settings:
        if one.wins and one.name in written:
            row = _row(dialect, library, one.scope, names[one.name], one.value, one.origin)
            rows[one.scope, one.name] = row
    server = ServerConfig(
        Product.DOVECOT,
        version,
        library,
        f"{FOLDER}/dovecot.conf",
        settings=tuple(settings),
        effective=tuple(rows.values()),
        files=(usable(CERTIFICATE, "certificate"), usable(KEY, "key")),
    )
    return replace(server, **changes)


def _row(
    dialect: str,
    library: Optional[TlsLibrary],
    scope: str,
    field: str,
    native: str,
    origin: Optional[Origin] = None,
) -> Effective:
    files = ("certificate", "key", "alt_certificate", "alt_key", "dh")
    known = vocabulary.normalise(dialect, field, native)
    value = native.lstrip("<") if field in files else known
    asked = field in _EXPANDED and library is not None
    expansion = expand(library, **{field: native}) if asked and library else None
    return Effective(scope, field, value, words(dialect)[field].name, native, origin, expansion)


def courier(
    library: TlsLibrary = GNUTLS_37, settings: Sequence[Setting] = (), **values: Optional[str]
) -> ServerConfig:
    """A Courier as Debian ships it, with these variables in the files of both services.

    A variable that is ``None`` is computed by the shell.
    """
    gnutls = library.name == "gnutls"
    dialect = vocabulary.COURIER_GNUTLS if gnutls else vocabulary.COURIER_OPENSSL
    rows, files = [], []
    for service in ("imap", "pop3"):
        path = f"{COURIER}/{service}d.pem"
        shipped: dict[str, Optional[str]] = {
            "TLS_PRIORITY": "NORMAL:-CTYPE-OPENPGP",
            "TLS_PROTOCOL": "TLSv1",
            "TLS_CIPHER_LIST": "",
            "TLS_CERTFILE": path,
            "TLS_PRIVATE_KEYFILE": "",
            "IMAPDSTARTTLS": "YES",
            "POP3_STARTTLS": "YES",
            "IMAP_TLS_REQUIRED": "0",
            "POP3_TLS_REQUIRED": "0",
            **values,
        }
        for scope in (f"service={service}", f"service={service}s"):
            for field, word in words(dialect, service).items():
                switch = field in ("starttls", "require_tls")
                if word.name in shipped and not (switch and scope.endswith("s")):
                    rows.append(_variable(library, dialect, scope, field, shipped[word.name]))
        files.append(usable(path, "combined", mode="0640", group="courier"))
    return ServerConfig(
        Product.COURIER,
        "5.0.13",
        library,
        COURIER,
        settings=tuple(settings),
        effective=tuple(rows),
        files=tuple(files),
    )


def _variable(
    library: TlsLibrary, dialect: str, scope: str, field: str, native: Optional[str]
) -> Effective:
    service = scope.partition("=")[2][:4]
    name = words(dialect, service)[field].name
    origin = Origin(f"{COURIER}/{service}d-ssl", 7)
    if native is None:
        return Effective(scope, field, None, name, "`…`", origin)
    value = vocabulary.normalise(dialect, field, native, service)
    return Effective(scope, field, value, name, native, origin, _expanded(library, field, native))


def _expanded(library: TlsLibrary, field: str, native: str) -> Optional[Expansion]:
    """As Courier's observer asks: a cipher list together with the default TLS 1.3 suites."""
    if field == "priority":
        return expand(library, priority=native)
    if field == "ciphers":
        return expand(library, ciphers=native, cipher_suites="", groups="")
    return None


def planned(server: ServerConfig, profile: str = "intermediate") -> Plan:
    return plan(server, load_profile(profile), ("mail.example.org",))


def wants(server: ServerConfig, profile: str = "intermediate") -> dict[str, str]:
    """Name → value of what a plan wants."""
    return {want.name: want.value for want in planned(server, profile).settings}


def wants_by_file(server: ServerConfig, profile: str = "intermediate") -> dict[str, dict[str, str]]:
    """For Courier: file → name → value."""
    found: dict[str, dict[str, str]] = {}
    for want in planned(server, profile).settings:
        found.setdefault(want.file, {})[want.name] = want.value
    return found
