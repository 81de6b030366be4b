# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe agrees with the label of each server: its versions, suites, groups, chain and more."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model import (
    Endpoint,
    EndpointObservation,
    Offer,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.probe import probe
from ansible_collections.postmaster.tls.plugins.module_utils.transport import Limits
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
)
from ansible_collections.postmaster.tls.tests.ground_truth.servers import behind_starttls, started
from ansible_collections.postmaster.tls.tests.hostile.server import Server, servers

# They know nothing of mail, so that inside TLS there is only silence to be heard.
LIMITS = Limits(total=2.5, host=40.0, per_address=64, parallel=64)
PROGRAMS = {"openssl": OPENSSL, "gnutls-serv": GNUTLS, "tlslite-ng": TLSLITE}
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
    assert [text for each, was in zip(labels, seen) for text in differences(each, was)] == []


def _seen(ports: Sequence[int]) -> list[EndpointObservation]:
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
        return list(probe(endpoints, LIMITS))


def _behind(front: Server, kind: Service) -> Endpoint:
    return Endpoint(front.address, front.port, kind, TlsMode.STARTTLS)


def differences(label: Label, seen: EndpointObservation) -> Iterator[str]:
    """Where an observation is not as the label says."""
    for names, expected in (
        ((SSL3, T10, T11, T12, T13), label.versions),
        ((CBC, RSA, DHE, BROKEN), label.families),
    ):
        accepted = tuple(name for name in names if _offer(seen, name).accepted)
        if set(accepted) != set(expected):
            yield f"{label.name}: {accepted}, not {expected}"
    facts = _facts(label, seen)
    for name, expected in label.facts.items():
        if facts[name] != expected:
            yield f"{label.name}: {name} is {facts[name]}, not {expected}"


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
    for labels in PROGRAMS.values():
        assert len({label.name for label in labels}) == len(labels)
