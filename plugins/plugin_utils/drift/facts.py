# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A posture as facts that can be compared: what the policy asks, the disk says, a port serves.

Reads a host's part of the report's document (docs/report.md) and nothing else. A fact has a key
that is the same on every day, a value, and the place where it stands. What was not observed is no
fact, so that it is never compared; :func:`blind` says of which keys nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional

from ..report.layout import plaintext

Host = Mapping[str, Any]

POLICY, DISK, SERVED = "policy", "disk", "served"


class Key(NamedTuple):
    """Which fact: the side that it is of, what it is about, and its name."""

    side: str
    subject: str
    name: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.name}"


@dataclass(frozen=True)
class Fact:
    """A value (text, or texts in order), as the host's own words have it, and its place."""

    value: Any
    shown: str
    place: str


Facts = dict[Key, Fact]


def facts(host: Host) -> Facts:
    """All facts of a host."""
    found: Facts = {}
    for key, fact in _all(host):
        found.setdefault(key, fact)
    return found


def blind(host: Host) -> tuple[frozenset[str], frozenset[str]]:
    """Sides of which nothing was seen, and subjects (ports) that could not be looked at."""
    sides = set()
    if host["problems"] or any(not server["effective"] for server in host["servers"]):
        sides.add(DISK)
    if not host["endpoints"]:
        sides.add(SERVED)
    return frozenset(sides), frozenset(e["url"] for e in host["endpoints"] if e["open"] is None)


def _all(host: Host) -> Iterator[tuple[Key, Fact]]:
    profile = host.get("profile")
    if profile:
        yield Key(POLICY, "profile", "name"), Fact(profile, profile, "mail_tls_profile")
    for finding in host["findings"]:
        if finding["status"] == "waived":
            why = next((e for e in reversed(finding["evidence"]) if e.startswith("waived: ")), "")
            key = Key(POLICY, f"{finding['check_id']}, {why or 'waived'}", "waiver")
            yield key, Fact("waived", "in force", "mail_tls_accept")
    for server in host["servers"]:
        yield from _server(server)
    for file in host.get("written") or ():
        value = file["sha256"] if file["exists"] else "absent"
        if value is not None:
            shown = value if value == "absent" else f"sha256 {value[:16]}"
            yield Key(DISK, file["path"], "content"), Fact(value, shown, file["path"])
    for endpoint in host["endpoints"]:
        yield from _endpoint(endpoint)


# ---------------------------------------------------------------------------------------------
# On disk


def _server(server: Host) -> Iterator[tuple[Key, Fact]]:
    product, folder = server["product"], server["config_file"]
    if server["version"]:
        yield Key(DISK, product, "version"), Fact(server["version"], server["version"], product)
    library = server["tls_library"]
    if library and library["version"]:
        shown = f"{library['name']} {library['version']}"
        yield Key(DISK, product, "TLS library"), Fact(shown, shown, library["path"] or product)
    for row in server["effective"]:
        yield from _effective(product, row)
    for listener in server["listeners"]:
        door = f"port {listener['port']} {listener['service']} on {listener['address']}"
        mode = listener["tls_mode"] or "no TLS"
        yield Key(DISK, f"{product} {door}", "listener"), Fact(mode, mode, _place(listener, folder))
    for unit in server["units"]:
        for name in ("enabled", "active"):
            if unit[name] is not None:
                value = "yes" if unit[name] else "no"
                yield Key(DISK, unit["name"], name), Fact(value, value, unit["name"])
    for file in server["files"]:
        yield from _file(file)


def _effective(product: str, row: Host) -> Iterator[tuple[Key, Fact]]:
    subject, place = f"{product} {row['scope']}".strip(), _place(row, "built-in default")
    shown = f"{row['name']} = {row['native']}"
    # A value that could not be worked out (a shell's) is compared by its own words.
    value = row["native"] if row["value"] is None else row["value"]
    yield Key(DISK, subject, row["field"]), Fact(value, shown, place)
    for name, codes in (row["expansion"] or {}).items():
        if codes is not None:
            key = Key(DISK, subject, f"{name} by {row['name']}")
            yield key, Fact(tuple(codes), " ".join(codes) or "none", place)


def _file(file: Host) -> Iterator[tuple[Key, Fact]]:
    path = file["path"]
    if not file["exists"]:
        yield Key(DISK, path, file["role"]), Fact("absent", "absent", path)
        return
    if file["chain"]:
        yield Key(DISK, path, "certificate"), _certificate(file["chain"], path)
    if file["mode"] and file["role"] in ("key", "combined"):
        owned = f"{file['mode']} {file['owner']}:{file['group']}"
        yield Key(DISK, path, "mode"), Fact(owned, owned, path)


def _place(row: Host, otherwise: str) -> str:
    origin: Optional[Mapping[str, Any]] = row["origin"]
    return f"{origin['file']}:{origin['line']}" if origin else otherwise


def _certificate(chain: Any, place: str) -> Fact:
    """By what decides whether a renewal is one: names, key, issuer, and how long it is good."""
    leaf = chain[0]
    if leaf.get("error"):
        return Fact((leaf["sha256"],), "a certificate that cannot be read", place)
    names = " ".join(leaf["names"]) or leaf["common_name"] or "no name"
    value = (leaf["sha256"], leaf["not_after"], names, leaf["self_signed"])
    return Fact(value, f"{names}, until {leaf['not_after'][:10]}, {leaf['sha256'][:16]}", place)


# ---------------------------------------------------------------------------------------------
# Served

# Those of single families; of versions there is a fact of its own, the others combine some.
_OFFERS = frozenset({"cbc", "static_rsa", "dhe", "broken", "alpn"})


def _endpoint(endpoint: Host) -> Iterator[tuple[Key, Fact]]:
    url, is_open = endpoint["url"], endpoint["open"]
    if is_open is None:
        return

    def fact(name: str, value: Any, shown: str = "") -> tuple[Key, Fact]:
        return Key(SERVED, url, name), Fact(value, shown or str(value), url)

    yield fact("port", "open" if is_open else "closed")
    if not is_open:
        return
    versions = tuple(endpoint["versions"])
    if versions:
        yield fact("versions", versions, " ".join(versions))
    login = plaintext(endpoint)
    if login in ("TAKEN", "refused"):
        yield fact("login without TLS", login)
    if endpoint["starttls"] is not None:
        yield fact("STARTTLS", "offered" if endpoint["starttls"] else "not offered")
    if endpoint["chain"]:
        yield Key(SERVED, url, "certificate"), _certificate(endpoint["chain"], url)
    handshake = endpoint["handshake"]
    if handshake and handshake["group"]:
        yield fact("group", handshake["group"])
    for offer in endpoint["offers"]:
        if offer["name"] in _OFFERS and offer["accepted"] is not None:
            yield fact(f"offer {offer['name']}", "accepted" if offer["accepted"] else "refused")
