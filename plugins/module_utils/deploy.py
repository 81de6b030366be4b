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
from .model.configured import Product, ServerConfig
from .model.observed import Endpoint
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

    ``alt`` is a second certificate with the other kind of key. ``product`` limits it to one server.
    ``who`` is for the journal, ``wait`` in seconds.
    """

    source: Source
    sni: Optional[str] = None
    product: Optional[str] = None
    who: str = ""
    wait: float = WAIT
    alt: Optional[Source] = None


@dataclass(frozen=True)
class Deployed:
    """What happened on one server.

    ``alt`` is the second certificate. ``paths`` are the files that changed; ``reread`` says that
    nothing changed on disk and the server was told to read it, since it served another certificate.
    """

    product: str
    sni: Optional[str]
    leaf: x509.Certificate
    paths: tuple[str, ...] = ()
    diff: tuple[Mapping[str, str], ...] = ()
    generation: Optional[str] = None
    reread: bool = False
    notes: tuple[str, ...] = field(default=())
    alt: Optional[x509.Certificate] = None

    @property
    def changed(self) -> bool:
        """Whether anything was done to the server."""
        return bool(self.paths) or self.reread

    @property
    def ends(self) -> x509.Certificate:
        """The certificate that ends first, where there are two."""
        both = [self.leaf, *([self.alt] if self.alt else [])]
        return min(both, key=lambda leaf: leaf.not_after)


def deploy(wanted: Wanted, check_mode: bool = False) -> tuple[Deployed, ...]:
    """Put a certificate in force on every server of this host, one after the other.

    Nothing is changed before the certificate is found fit for all of them. Raises one of EXPECTED;
    the server at which it failed is then as it was before.
    """
    return tuple(_in_force(wanted, each, check_mode) for each in _fit(wanted))


def checked(wanted: Wanted) -> tuple[str, ...]:
    """Each chain as PEM, without its key, once all is found fit for every server of this host.

    Nothing is touched. Raises one of EXPECTED.
    """
    fit = _fit(wanted)[0]
    return tuple(made.pem.decode("ascii") for made in fit.made)


def in_force(wanted: Wanted) -> tuple[x509.Certificate, ...]:
    """The certificates that a deployment would replace, where they are known."""
    source = (wanted.source.certificate, wanted.source.key)
    found = (places.place(server, source, wanted.sni).now for server in _servers(wanted.product))
    return tuple(leaf for leaf in map(_leaf, found) if leaf is not None)


def installed() -> list[str]:
    """The servers that are on this host."""
    return [server.product.value for server in observe_all()[0]]


@dataclass(frozen=True)
class _Fit:
    """A server, where the certificates go, and the one or two that do."""

    server: ServerConfig
    place: Place
    made: tuple[Material, ...]

    @property
    def proof(self) -> served.Wanted:
        """What each port has to serve; asked by kind of key where there is more than one."""
        leaves = [made.leaf for made in self.made]
        alone = len(leaves) == 1 and self.place.beside is None
        return {None if alone else leaf.key_type: leaf.fingerprint for leaf in leaves}


def _fit(wanted: Wanted) -> list[_Fit]:
    """What is to be done on each server, once it is known that it can be."""
    given = [source for source in (wanted.source, wanted.alt) if source is not None]
    files = [path for source in given for path in (source.certificate, source.key)]
    found = []
    for server in _servers(wanted.product):
        place = places.place(server, files, wanted.sni, wanted.alt is not None)
        taken = [material.take(replace(s, names=_names(s.names, place))) for s in given]
        _require_kinds(taken, given, server, place)
        found.append(_Fit(server, place, tuple(taken)))
    return found


def _require_kinds(
    taken: Sequence[Material], given: Sequence[Source], server: ServerConfig, place: Place
) -> None:
    """Two certificates are served beside each other for two kinds of key, and for no other end."""
    kinds = [(made.leaf.key_type, source.certificate) for made, source in zip(taken, given)]
    if place.beside is not None:
        chain = next((fact.chain for fact in server.files if fact.path == place.beside), ())
        kinds.append(
            (x509.read(base64.b64decode(chain[0])).key_type if chain else "", place.beside)
        )
    if len(kinds) == 1:
        return
    (kind, path), (other, beside) = kinds
    if kind == other:
        raise BadInput(
            f"{path} has an {kind.upper()} key as {beside}, which is served beside it, has; one of "
            "the two has to be of another kind"
        )
    for each, file in kinds:
        if each not in served.KINDS:
            raise BadInput(
                f"{file} has no ECDSA and no RSA key, so what is served beside it cannot be told "
                "from it; deploy it alone"
            )


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
    leaf = _leaf(chain)
    return () if leaf is None or leaf.self_issued else leaf.names


def _leaf(chain: Sequence[str]) -> Optional[x509.Certificate]:
    try:
        return x509.read(base64.b64decode(chain[0])) if chain else None
    except x509.NotOne:
        return None


def _in_force(wanted: Wanted, fit: _Fit, check_mode: bool) -> Deployed:
    place, name = fit.place, fit.place.server_name
    plan = candidate.build(
        _parameters(fit.server, place),
        pem(place, fit.made),
        lambda: served.await_certificate(place.ports, fit.proof, name),
    )
    outcome = change.apply(plan, _order(wanted), check_mode)
    done = Deployed(
        product=fit.server.product.value,
        sni=wanted.sni,
        leaf=fit.made[0].leaf,
        alt=fit.made[1].leaf if wanted.alt else None,
        paths=outcome.paths,
        diff=outcome.diff,
        generation=outcome.generation,
        notes=outcome.notes,
    )
    if outcome.changed:
        unknown = (note for made in fit.made for note in made.notes)
        return replace(done, notes=(*done.notes, *unknown))
    if not served.others(place.ports, fit.proof, name):
        return done
    if not check_mode:
        _reread(wanted, fit)
    return replace(done, reread=True)


def pem(place: Place, made: Sequence[Material]) -> candidate.Pem:
    """The files of a place, the longest path first: one that begins like another is found whole."""
    found: dict[str, bytes] = {}
    keys = set()
    pairs = [(pair, made[0]) for pair in place.files]
    pairs += [(place.alt, made[1])] if place.alt else []
    for (certificate, key), each in pairs:
        one = certificate == key
        found[certificate] = each.key + each.pem if one else each.pem
        if not one:
            found[key] = each.key
        keys.add(key)
    ordered = {path: found[path] for path in sorted(found, key=len, reverse=True)}
    words = " and ".join(
        f"the certificate of {each.leaf.title}, sha256 {each.leaf.fingerprint}" for each in made
    )
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


def _reread(wanted: Wanted, fit: _Fit) -> None:
    """The files are right and the server serves another: it has not read them yet."""
    place, product = fit.place, fit.server.product
    with settle.turn(wanted.wait):
        hands = settle.HANDS[product.value]
        paths = [path for pair in place.files for path in pair]
        problem = hands.activate(hands.running(), paths) or served.await_certificate(
            place.ports, fit.proof, place.server_name
        )
    if problem:
        whose = "Dovecot" if product is Product.DOVECOT else "Courier"
        raise Refused(
            f"{problem}, though {paths[0]} holds the right one and {whose} was told to read it; "
            "look for a second instance or a proxy"
        )
