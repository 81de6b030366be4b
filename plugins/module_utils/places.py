# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a server's certificate goes: the files it is configured with, or files of our own.

A file that stands in the configuration is written in place when it is the server's alone: a plain
file, no link (Debian's stock ``dovecot.pem`` is a link to the snake oil certificate of the whole
host, certbot's to its archive), and not the file that is being deployed. Else the certificate goes
into a file of our own, and the setting is changed to name it, once. Pure but for one question: is
there a link?

Dovecot takes two files, ``local_name`` blocks for names (SNI), and a second pair with the other
kind of key. Courier reads key and chain out of one file at each connection, so
they are one file here whatever was configured, and ``TLS_CERTFILE.NAME`` for a name
(tcpd/libcouriergnutls.c, check_cert()). It serves the first pair of that file and no other: tried
with 5.0.13, 5.2.11 and 6.0.5, with the pairs in any order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from .config.dovecot_edit import DROP_IN
from .config.vocabulary import DOVECOT_23, WORDS, dovecot_dialect
from .model.configured import Effective, Origin, Product, ServerConfig
from .model.observed import Endpoint

DOVECOT_OWN = ("/etc/dovecot/private/postmaster-tls.pem", "/etc/dovecot/private/postmaster-tls.key")
DOVECOT_ALT = (
    "/etc/dovecot/private/postmaster-tls-alt.pem",
    "/etc/dovecot/private/postmaster-tls-alt.key",
)
COURIER_OWN = "postmaster-tls.pem"


class NoPlace(Exception):
    """The certificate cannot go anywhere; the message is a sentence with the cure."""


@dataclass(frozen=True)
class Place:
    """Where one certificate goes on one server.

    ``files`` are (certificate, key); they are equal for one combined file. ``alt`` are those of
    a second certificate, ``beside`` is the file of one that stays and is not ours. ``settings`` are
    (name, value, file) to change, ``overrides`` (file, line, name) to take away, ``scoped`` (scope,
    name, value) what our own file holds and keeps. ``names`` have to be covered besides those that
    the caller knows. ``ports`` serve it, to a client that asks for ``server_name``; ``now`` is the
    chain in force as base64 DER, empty where it is not known.
    """

    product: Product
    files: tuple[tuple[str, str], ...]
    ports: tuple[Endpoint, ...]
    alt: Optional[tuple[str, str]] = None
    beside: Optional[str] = None
    settings: tuple[tuple[str, str, str], ...] = ()
    overrides: tuple[tuple[str, int, str], ...] = ()
    scoped: tuple[tuple[str, str, str], ...] = ()
    names: tuple[str, ...] = ()
    server_name: Optional[str] = None
    now: tuple[str, ...] = ()


def place(
    server: ServerConfig, sources: Sequence[str], sni: Optional[str] = None, alt: bool = False
) -> Place:
    """Where a certificate read from the files ``sources`` goes, for all clients or for one name.

    ``alt``: and one with the other kind of key. Without it, one that we put there goes.
    Raises :class:`NoPlace` where the server has no place for that name, or for two.
    """
    find = _PLACES[server.product, sni is not None]
    return find(server, frozenset(sources), sni or "", alt)


def endpoints(server: ServerConfig) -> tuple[Endpoint, ...]:
    """The ports on which the server is to speak TLS."""
    return tuple(
        Endpoint(listener.address, listener.port, listener.service, listener.tls_mode)
        for listener in server.listeners
        if listener.tls_mode is not None
    )


# ---------------------------------------------------------------------------------------------
# Dovecot


def _dovecot(server: ServerConfig, sources: frozenset[str], _sni: str, alt: bool) -> Place:
    pair, other = _pair(server, ""), _pair(server, "", _ALT)
    chosen = pair if _usable(pair, sources) else DOVECOT_OWN
    placed = (other if _usable(other, sources) else DOVECOT_ALT) if alt else None
    wanted = dict(zip(_FIELDS, chosen)) if chosen != pair else {}
    if placed not in (None, other) or (placed is None and other == DOVECOT_ALT):
        wanted.update(zip(_ALT, placed or ("", "")))
    scoped = tuple(_scoped(server, alt))
    moved = bool(wanted) or scoped != tuple(_held(server))
    inherited = [name for name, block in _blocks(server) if block is None or block == pair]
    return Place(
        Product.DOVECOT,
        (chosen,),
        _dovecot_ports(server, pair),
        alt=placed,
        beside=other[0] if not alt and other != DOVECOT_ALT and other[0] else None,
        settings=_dovecot_settings(server, wanted) if moved else (),
        scoped=scoped if moved else (),
        names=tuple(inherited),
        now=_chain(server, pair[0]),
    )


def _dovecot_named(server: ServerConfig, sources: frozenset[str], sni: str, alt: bool) -> Place:
    pair = dict(_blocks(server)).get(sni)
    if pair is None or not _usable(pair, sources) or pair == _pair(server, ""):
        raise _no_block(server, sni, _FIELDS)
    other = _own_alt(server, sni)
    if alt and not _usable(other, sources):
        raise _no_block(server, sni, _ALT)
    return Place(
        Product.DOVECOT,
        (pair,),
        _dovecot_ports(server, _pair(server, "")),
        alt=other if alt else None,
        beside=other[0] if not alt and other[0] else None,
        names=(sni,),
        server_name=sni,
        now=_chain(server, pair[0]),
    )


def _no_block(server: ServerConfig, sni: str, fields: Sequence[str]) -> NoPlace:
    certificate, key = (WORDS[_dialect(server)][field].name for field in fields)
    return NoPlace(
        f"Dovecot has no local_name block for {sni} with files of its own; write one with "
        f"{certificate} and {key}, each a plain file, and run again"
    )


def _own_alt(server: ServerConfig, sni: str) -> tuple[str, str]:
    """The second pair that stands in the block itself: one of all clients is for other names."""
    for scope in {row.scope for row in server.effective}:
        if scope.startswith("local_name=") and sni in scope.partition("=")[2].split():
            rows = [_row(server, field, scope) for field in _ALT]
            certificate, key = (row.value or "" if row else "" for row in rows)
            return certificate, key
    return "", ""


def _dialect(server: ServerConfig) -> str:
    return dovecot_dialect(server.version or "")


def _dovecot_settings(
    server: ServerConfig, wanted: Mapping[str, str]
) -> tuple[tuple[str, str, str], ...]:
    """What our own file says already, and the files wanted; it is written as a whole."""
    held = {r.name: r.native for r in server.effective if not r.scope and _ours(r.origin)}
    words = WORDS[_dialect(server)]
    mark = "<" if _dialect(server) == DOVECOT_23 else ""
    held.update({words[field].name: path and mark + path for field, path in wanted.items()})
    return tuple((name, value, "") for name, value in held.items())


def _scoped(server: ServerConfig, alt: bool) -> Iterator[tuple[str, str, str]]:
    """What our own file says of narrower scopes, and where the second certificate is not for.

    A block with a certificate of its own inherits the second one of all clients, which is for other
    names; both dialects take an empty value for none (tried on 2.3.19 and 2.4.1).
    """
    names = [WORDS[_dialect(server)][field].name for field in _ALT]
    yield from (each for each in _held(server) if each[1] not in names)
    for scope in _inheriting(server) if alt else ():
        yield from ((scope, name, "") for name in names)


def _inheriting(server: ServerConfig) -> Iterator[str]:
    for row in server.effective:
        if row.field == "certificate" and row.scope and row.value != _pair(server, "")[0]:
            own = _row(server, _ALT[0], row.scope)
            if own is None or _ours(own.origin):
                yield row.scope


def _held(server: ServerConfig) -> Iterator[tuple[str, str, str]]:
    for setting in server.settings:
        if setting.scope and _ours(setting.origin):
            yield setting.scope, setting.name, setting.value


def _ours(origin: Optional[Origin]) -> bool:
    return origin is not None and os.path.basename(origin.file) == DROP_IN


def _dovecot_ports(server: ServerConfig, pair: tuple[str, str]) -> tuple[Endpoint, ...]:
    """Those whose protocol has no certificate of its own."""
    other = {
        row.scope.partition("=")[2]
        for row in server.effective
        if row.field == "certificate" and row.scope.startswith("protocol=") and row.value != pair[0]
    }
    return tuple(port for port in endpoints(server) if port.service.value not in other)


def _blocks(server: ServerConfig) -> Iterator[tuple[str, Optional[tuple[str, str]]]]:
    """Each name of a ``local_name`` block, and its files where it has some of its own."""
    scopes = dict.fromkeys([row.scope for row in server.effective])
    scopes.update(dict.fromkeys(setting.scope for setting in server.settings))
    for scope in scopes:
        kind, _equals, names = scope.partition("=")
        if kind == "local_name" and "," not in scope:
            held = _row(server, "certificate", scope) is not None
            yield from ((name, _pair(server, scope) if held else None) for name in names.split())


# ---------------------------------------------------------------------------------------------
# Courier


def _courier(server: ServerConfig, sources: frozenset[str], _sni: str, alt: bool) -> Place:
    _require_one(alt)
    files: list[tuple[str, str]] = []
    settings: list[tuple[str, str, str]] = []
    overrides: list[tuple[str, int, str]] = []
    own = os.path.join(server.config_file, COURIER_OWN)
    for service in ("imap", "pop3"):
        pairs = [_pair(server, scope) for scope in _scopes(server, service)]
        for path in dict.fromkeys(path for path, _key in pairs):
            combined = all(key in ("", path) for own_, key in pairs if own_ == path)
            if combined and _usable((path, path), sources):
                files.append((path, path))
                continue
            files.append((own, own))
            wants = ["TLS_CERTFILE"]
            wants += ["TLS_PRIVATE_KEYFILE"] if any(key for _path, key in pairs) else []
            file = os.path.join(server.config_file, f"{service}d-ssl")
            settings += [(name, own, file) for name in wants]
            overrides += _elsewhere(server, wants, file)
    now = next((chain for path, _key in files for chain in [_chain(server, path)] if chain), ())
    return Place(
        Product.COURIER,
        tuple(dict.fromkeys(files)),
        endpoints(server),
        settings=tuple(dict.fromkeys(settings)),
        overrides=tuple(dict.fromkeys(overrides)),
        now=now,
    )


def _courier_named(server: ServerConfig, _sources: frozenset[str], sni: str, alt: bool) -> Place:
    _require_one(alt)
    files = []
    for service in ("imap", "pop3"):
        for scope in _scopes(server, service):
            path, key = _pair(server, scope)
            if not path:
                raise NoPlace(
                    f"Courier's TLS_CERTFILE for {service} is not a plain name, so the file for "
                    f"{sni} is not known; deploy a certificate for all names first"
                )
            if key and key != path:
                raise NoPlace(
                    f"Courier's TLS_PRIVATE_KEYFILE for {service} is another file than "
                    "TLS_CERTFILE, and two files are not changed at one time; deploy a certificate "
                    "for all names first"
                )
            files.append((f"{path}.{sni}", f"{path}.{sni}"))
    unique = tuple(dict.fromkeys(files))
    now = next((chain for path, _key in unique for chain in [_chain(server, path)] if chain), ())
    ports = endpoints(server)
    return Place(Product.COURIER, unique, ports, names=(sni,), server_name=sni, now=now)


def _require_one(alt: bool) -> None:
    if alt:
        raise NoPlace(
            "Courier serves one certificate to every client, so there is no place for a second one "
            "with another kind of key; deploy one (certificate_key_type: ecdsa or rsa)"
        )


def _scopes(server: ServerConfig, service: str) -> list[str]:
    present = {row.scope for row in server.effective}
    return [s for s in (f"service={service}", f"service={service}s") if s in present]


def _elsewhere(
    server: ServerConfig, names: Sequence[str], file: str
) -> Iterator[tuple[str, int, str]]:
    """The same variables in the service's other file, which some services source last."""
    for setting in server.settings:
        if setting.name in names and setting.origin.file == file[: -len("-ssl")]:
            yield setting.origin.file, setting.origin.line, setting.name


# ---------------------------------------------------------------------------------------------


_PLACES = {
    (Product.DOVECOT, False): _dovecot,
    (Product.DOVECOT, True): _dovecot_named,
    (Product.COURIER, False): _courier,
    (Product.COURIER, True): _courier_named,
}


def _row(server: ServerConfig, field: str, scope: str) -> Optional[Effective]:
    found = (row for row in server.effective if row.field == field and row.scope == scope)
    return next(found, None)


_FIELDS = ("certificate", "key")
_ALT = ("alt_certificate", "alt_key")


def _pair(server: ServerConfig, scope: str, fields: Sequence[str] = _FIELDS) -> tuple[str, str]:
    """Certificate and key of a scope; empty where there is none or its name is not known."""
    rows = [_row(server, field, scope) or _row(server, field, "") for field in fields]
    certificate, key = (row.value or "" if row else "" for row in rows)
    return certificate, key


def _usable(pair: tuple[str, str], sources: frozenset[str]) -> bool:
    """Whether both are files of this server alone, which can be written in place."""
    return all(
        path.startswith("/") and not os.path.islink(path) and path not in sources for path in pair
    ) and os.path.isdir(os.path.dirname(pair[0]))


def _chain(server: ServerConfig, path: str) -> tuple[str, ...]:
    return next((fact.chain for fact in server.files if fact.path == path and fact.chain), ())
