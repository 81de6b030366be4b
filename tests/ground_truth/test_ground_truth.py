# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe agrees with the label of each server: its versions, suites, groups, chain and more."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Optional

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.postmaster.tls.plugins.module_utils.limits import Limits
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    EndpointObservation,
    Listing,
    Offer,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.probe import probe
from ansible_collections.postmaster.tls.plugins.module_utils.talk import Depth
from ansible_collections.postmaster.tls.plugins.plugin_utils.dh_groups import dh_group_name
from ansible_collections.postmaster.tls.tests.ground_truth import inventory_labels
from ansible_collections.postmaster.tls.tests.ground_truth.certificates import make_all
from ansible_collections.postmaster.tls.tests.ground_truth.labels import (
    BROKEN,
    CBC,
    DHE,
    GNUTLS,
    OPENSSL,
    RSA,
    SSL3,
    T10,
    T11,
    T12,
    T13,
    TLSLITE,
    Label,
    Since,
)
from ansible_collections.postmaster.tls.tests.ground_truth.servers import (
    behind_starttls,
    started,
    version,
)
from ansible_collections.postmaster.tls.tests.hostile.server import Server, servers

# They know nothing of mail, so that inside TLS there is only silence to be heard. s_server serves
# one client at a time, and who waits behind that silence hears nothing either.
LIMITS = Limits(total=2.5, host=80.0, per_port=1, per_address=64, parallel=64)
VERSIONS = {SSL3: 0x0300, T10: 0x0301, T11: 0x0302, T12: 0x0303, T13: 0x0304}
PROGRAMS = {"openssl": OPENSSL, "gnutls-serv": GNUTLS, "tlslite-ng": TLSLITE}
NAME = inventory_labels.NAME
FULL = {
    "openssl": inventory_labels.OPENSSL,
    "gnutls-serv": inventory_labels.GNUTLS,
    "tlslite-ng": inventory_labels.TLSLITE,
}
INSTALL = {
    "openssl": "apt-get install openssl",
    "gnutls-serv": "apt-get install gnutls-bin",
    "tlslite-ng": "scripts/setup.sh dev",
}
THERE = {
    "openssl": lambda: shutil.which("openssl") is not None,
    "gnutls-serv": lambda: shutil.which("gnutls-serv") is not None,
    "tlslite-ng": lambda: find_spec("tlslite") is not None and find_spec("kyber_py") is not None,
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("ground-truth")
    make_all(made)
    return made


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_probe_agrees_with_each_label(program: str, folder: Path) -> None:
    if not THERE[program]():
        pytest.skip(f"{program} is not installed: {INSTALL[program]}")
    labels = PROGRAMS[program]
    with started(program, labels, folder) as ports:
        seen = _seen(ports)
    known = version(program)
    assert [text for each in zip(labels, seen) for text in differences(*each, known)] == []


@pytest.mark.parametrize("program", FULL)
def test_the_inventory_agrees_with_each_label(program: str, folder: Path) -> None:
    if not THERE[program]():
        pytest.skip(f"{program} is not installed: {INSTALL[program]}")
    labels = FULL[program]
    with started(program, labels, folder) as ports:
        seen = _seen(ports, Depth.FULL, NAME)
    assert [text for each in zip(labels, seen) for text in inventory_differences(*each)] == []


def _seen(
    ports: Sequence[int], depth: Depth = Depth.JUDGE, name: Optional[str] = None
) -> list[EndpointObservation]:
    """Each fourth port is asked directly, the others behind STARTTLS of each protocol."""
    kinds = (None, Service.IMAP, Service.POP3, Service.SIEVE)
    asked = [(port, kinds[at % 4]) for at, port in enumerate(ports)]
    with servers([behind_starttls(kind, port) for port, kind in asked if kind]) as fronts:
        waiting = iter(fronts)
        endpoints = [
            Endpoint("127.0.0.1", port, Service.IMAP, TlsMode.IMPLICIT)
            if kind is None
            else _behind(next(waiting), kind)
            for port, kind in asked
        ]
        return list(probe(endpoints, LIMITS, name, depth))


def _behind(front: Server, kind: Service) -> Endpoint:
    return Endpoint(front.address, front.port, kind, TlsMode.STARTTLS)


def differences(label: Label, seen: EndpointObservation, known: tuple[int, ...]) -> Iterator[str]:
    """Where an observation is not as the label says of that version of the program."""
    for names, expected in (
        ((SSL3, T10, T11, T12, T13), label.versions),
        ((CBC, RSA, DHE, BROKEN), label.families),
    ):
        accepted = tuple(name for name in names if _offer(seen, name).accepted)
        if set(accepted) != set(expected):
            yield f"{label.name}: {accepted}, not {expected}"
    facts = _facts(label, seen)
    for name, fact in label.facts.items():
        expected = fact.of(known) if isinstance(fact, Since) else fact
        if facts[name] != expected:
            yield f"{label.name}: {name} is {facts[name]}, not {expected}"


def inventory_differences(label: Label, seen: EndpointObservation) -> Iterator[str]:
    """The same for a label of inventory_labels.py."""
    found = seen.inventory
    if found is None:
        yield f"{label.name}: no inventory, {seen.failures}"
        return
    lists = {listing.version: listing for listing in found.listings}
    if set(lists) != {VERSIONS[name] for name in label.versions}:
        yield f"{label.name}: {[hex(version) for version in lists]}, not {label.versions}"
    chains = {chain.asked_by: chain.certificates for chain in found.chains}
    keys = {c.certificates[0] for c in found.chains if c.asked_by in ("suites", "signatures")}
    for name, expected in label.facts.items():
        listing = lists.get({"12": 0x0303, "13": 0x0304}.get(name[-2:], 0), Listing(0))
        actual: Any = {
            "signs": {*listing.signatures} if listing.all_signatures else None,
            "order": listing.order,
            "renegotiation": found.renegotiation,
            "keys": len(keys),
            "staple": found.ocsp_staple,
            "asks": found.client_certificate,
            "dh": tuple(dh_group_name(field.bits, field.prime) for field in listing.dh_groups),
            "fallback": found.fallback_scsv,
            "tickets": found.session_tickets,
            "hint": found.ticket_seconds,
            "resumes": found.resumption,
            "stranger": found.unknown_name,
            "named": _kind(seen.chain),
            "unnamed": _kind(chains.get("no_name", ())),
            "unknown": _kind(chains.get("unknown_name", ())),
            "heartbeat": found.heartbeat,
            "etm": found.encrypt_then_mac,
            "ems": found.extended_master_secret,
            "secure": found.secure_renegotiation,
        }[name.rstrip("123")]
        if actual != expected:
            yield f"{label.name}: {name} is {actual}, not {expected}"


def _kind(chain: Sequence[str]) -> Optional[str]:
    """What kind of key the leaf of a chain has."""
    if not chain:
        return None
    leaf = x509.load_der_x509_certificate(base64.b64decode(chain[0]))
    return "rsa" if isinstance(leaf.public_key(), rsa.RSAPublicKey) else "ec"


def _offer(seen: EndpointObservation, name: str) -> Offer:
    return seen.offer(name) or Offer(name, None)


def _facts(label: Label, seen: EndpointObservation) -> dict[str, Any]:
    tls12, tls13 = _offer(seen, T12), _offer(seen, T13)
    shook = seen.handshake
    alpn = shook.alpn if shook else None
    alerts = [failure.alert for failure in seen.failures if failure.alert is not None]
    return {
        "chain": len(seen.chain),
        "group12": tls12.group,
        "group13": tls13.group,
        "suite12": tls12.suite,
        "suite13": tls13.suite,
        "dh_bits": tls12.dh_bits,
        "signature": tls12.signature,
        "asks": tls12.client_certificate,
        "alpn": bool(alpn) if label.facts.get("alpn") is True else alpn,
        "foreign": _offer(seen, "alpn").accepted or ("alpn" not in _asked(seen) and alpn == ""),
        "handshake": shook.version if shook else None,
        "alert": alerts[0] if alerts else None,
        "has": tuple(e for e in label.facts.get("has", ()) if e in tls12.extensions),
        "lacks": tuple(e for e in label.facts.get("lacks", ()) if e not in tls12.extensions),
    }


def _asked(seen: EndpointObservation) -> set[str]:
    return {offer.name for offer in seen.offers}


def test_there_are_labels_enough() -> None:
    assert sum(len(labels) for labels in PROGRAMS.values()) >= 100
    for labels in (*PROGRAMS.values(), *FULL.values()):
        assert len({label.name for label in labels}) == len(labels)
