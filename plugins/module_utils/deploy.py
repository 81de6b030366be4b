# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate goes into force: checked, written, read by the server, proven, or all as before.

The one way for every client of an authority: the role calls it through a module, hooks through the
program on the host (deploy_command.py). How a change is made, kept and taken back is change.py's;
what is fit to be served is material.py's, where it goes is places.py's. A certificate that is in
force and served already changes nothing, and nobody is disturbed.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from . import candidate, change, material, places, served, settle, x509
from .config.edit import Stale
from .material import BadInput, Material, Source
from .model import Endpoint, Product, ServerConfig
from .places import NoPlace, Place
from .server import observe_all
from .transaction import Refused

WAIT = 150.0
"""Seconds to wait for another change of the host: one that nobody confirms is over after 120."""
EXPECTED = (BadInput, NoPlace, Refused, Stale, OSError, ValueError)
"""What :func:`deploy` raises; each says in its message what is wrong."""


@dataclass(frozen=True)
class Wanted:
    """What is to be deployed: for clients that ask for the name ``sni``, or for all.

    ``product`` limits it to one server. ``who`` is for the journal, ``wait`` in seconds.
    """

    source: Source
    sni: Optional[str] = None
    product: Optional[str] = None
    who: str = ""
    wait: float = WAIT


@dataclass(frozen=True)
class Deployed:
    """What happened on one server.

    ``paths`` are the files that changed; ``reread`` says that nothing changed on disk and the
    server was told to read it, since it served another certificate.
    """

    product: str
    sni: Optional[str]
    leaf: x509.Certificate
    paths: tuple[str, ...] = ()
    diff: tuple[Mapping[str, str], ...] = ()
    generation: Optional[str] = None
    reread: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def changed(self) -> bool:
        """Whether anything was done to the server."""
        return bool(self.paths) or self.reread


def deploy(wanted: Wanted, check_mode: bool = False) -> tuple[Deployed, ...]:
    """Put a certificate in force on every server of this host, one after the other.

    Nothing is changed before the certificate is found fit for all of them. Raises one of EXPECTED;
    the server at which it failed is then as it was before.
    """
    return tuple(_in_force(wanted, *each, check_mode) for each in _fit(wanted))


def checked(wanted: Wanted) -> str:
    """The chain as PEM, without the key, once it is found fit for every server of this host.

    Nothing is touched. Raises one of EXPECTED.
    """
    _server, _place, made = _fit(wanted)[0]
    return made.pem.decode("ascii")


def installed() -> list[str]:
    """The servers that are on this host."""
    return [server.product.value for server in observe_all()[0]]


def _fit(wanted: Wanted) -> list[tuple[ServerConfig, Place, Material]]:
    """Each server, where the certificate goes, and what does."""
    sources = (wanted.source.certificate, wanted.source.key)
    found = []
    for server in _servers(wanted.product):
        place = places.place(server, sources, wanted.sni)
        made = material.take(replace(wanted.source, names=_names(wanted.source.names, place)))
        found.append((server, place, made))
    return found


def _servers(product: Optional[str]) -> list[ServerConfig]:
    servers, problems = observe_all()
    chosen = [s for s in servers if product in (None, s.product.value)]
    if chosen:
        return chosen
    said = "; ".join(problem.message for problem in problems)
    raise NoPlace(said or f"there is no {product or 'Dovecot and no Courier'} on this host")


def _names(given: Sequence[str], place: Place) -> tuple[str, ...]:
    """What the certificate has to cover: the given names, else those that are covered now."""
    known = given or _covered_now(place.now)
    return tuple(dict.fromkeys((*known, *place.names)))


def _covered_now(chain: Sequence[str]) -> tuple[str, ...]:
    """The names of the certificate in force; those of a self-signed one are nobody's word."""
    try:
        leaf = x509.read(base64.b64decode(chain[0])) if chain else None
    except x509.NotOne:
        return ()
    return () if leaf is None or leaf.self_issued else leaf.names


def _in_force(
    wanted: Wanted, server: ServerConfig, place: Place, made: Material, check_mode: bool
) -> Deployed:
    fingerprint = made.leaf.fingerprint
    plan = candidate.build(
        _parameters(server, place),
        pem(place, made),
        lambda: served.await_certificate(place.ports, fingerprint, place.server_name),
    )
    outcome = change.apply(plan, _order(wanted), check_mode)
    done = Deployed(
        product=server.product.value,
        sni=wanted.sni,
        leaf=made.leaf,
        paths=outcome.paths,
        diff=outcome.diff,
        generation=outcome.generation,
        notes=outcome.notes,
    )
    if outcome.changed or not served.others(place.ports, fingerprint, place.server_name):
        return done
    if not check_mode:
        _reread(wanted, server, place, fingerprint)
    return replace(done, reread=True)


def pem(place: Place, made: Material) -> candidate.Pem:
    """The files of a place, the longest path first: one that begins like another is found whole."""
    found: dict[str, bytes] = {}
    for certificate, key in place.files:
        one = certificate == key
        found[certificate] = made.key + made.pem if one else made.pem
        if not one:
            found[key] = made.key
    keys = {key for _certificate, key in place.files}
    ordered = {path: found[path] for path in sorted(found, key=len, reverse=True)}
    words = f"the certificate of {made.leaf.title}, sha256 {made.leaf.fingerprint}"
    return candidate.Pem(ordered, tuple(sorted(keys)), words)


def _parameters(server: ServerConfig, place: Place) -> dict[str, Any]:
    """The arguments of a change, as server_config has them."""
    return {
        "product": server.product.value,
        "config_file": server.config_file,
        "version": server.version or "",
        "settings": [{"name": n, "value": v, "file": f} for n, v, f in place.settings],
        "overrides": [{"file": f, "line": line, "name": n} for f, line, n in place.overrides],
        "scoped": _scoped(place) if server.product is Product.DOVECOT else None,
        "certificate": None,
        "modes": [],
        "listeners": [_listener(port) for port in places.endpoints(server)],
    }


def _scoped(place: Place) -> list[dict[str, str]]:
    """Dovecot's drop-in is written whole; what stands in it for others stays."""
    return [{"scope": s, "name": n, "value": v, "reason": ""} for s, n, v in place.scoped]


def _listener(port: Endpoint) -> dict[str, Any]:
    return {
        "address": port.host,
        "port": port.port,
        "service": port.service.value,
        "tls_mode": port.tls_mode.value,
    }


def _order(wanted: Wanted) -> change.Order:
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return change.Order(f"{moment}-{secrets.token_hex(4)}", who=wanted.who, wait=wanted.wait)


def _reread(wanted: Wanted, server: ServerConfig, place: Place, fingerprint: str) -> None:
    """The files are right and the server serves another: it has not read them yet."""
    with settle.turn(wanted.wait):
        hands = settle.HANDS[server.product.value]
        paths = [path for pair in place.files for path in pair]
        problem = hands.activate(hands.running(), paths) or served.await_certificate(
            place.ports, fingerprint, place.server_name
        )
    if problem:
        whose = "Dovecot" if server.product is Product.DOVECOT else "Courier"
        raise Refused(
            f"{problem}, though {paths[0]} holds the right one and {whose} was told to read it; "
            "look for a second instance or a proxy"
        )
