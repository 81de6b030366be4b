# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What certbot and an ACME server can do where they are new: two kinds of key, profiles, ARI.

The first of the files that are run: it finds what the scenario's converge.yml got. Both hosts have
certificates of the profile shortlived.
"""

from __future__ import annotations

import json
import ssl
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.postmaster.tls.molecule.certificate.hosts import (
    BOTH,
    LIVE,
    NEWEST,
    RENEW,
    RENEW_DUE,
    doors,
    is_short,
    managed,
    name_of,
    of_each_kind,
    roots,
    served,
)
from ansible_collections.postmaster.tls.molecule.shared.faults import Host


def kept_by_certbot(host: Host) -> dict[Any, x509.Certificate]:
    """The newest of each kind that certbot has."""
    chains = {ec.EllipticCurvePublicKey: LIVE, rsa.RSAPublicKey: f"{LIVE}-rsa"}
    return {
        kind: x509.load_pem_x509_certificate(host.run(f"cat {folder}/cert.pem").encode())
        for kind, folder in chains.items()
    }


def test_each_client_gets_the_kind_that_it_can_take_and_one_is_renewed_alone() -> None:
    """Two lineages of certbot and one hook; what is renewed is served beside the other."""
    host = Host(BOTH)
    assert "No renewals were attempted" in host.run(RENEW_DUE)  # 4.0 knows 30 days alone
    before = kept_by_certbot(host)
    for door in doors(host):
        assert of_each_kind(host, door) == before, door
    for kind, leaf in before.items():
        assert isinstance(leaf.public_key(), kind)
    for alone, lineage in ((rsa.RSAPublicKey, "mail-rsa"), (ec.EllipticCurvePublicKey, "mail")):
        said = host.run(f"{RENEW} --cert-name {lineage}")
        assert "all renewals succeeded" in said, said
        now = kept_by_certbot(host)
        assert {kind for kind in now if now[kind] != before[kind]} == {alone}
        assert is_short(now[alone])  # which certbot 4.0.0 forgot
        assert of_each_kind(host, "imaps 993") == now
        before = now


def test_a_short_profile_is_kept_and_the_server_says_when_to_renew() -> None:
    """ARI (RFC 9773): nothing has to be set for it. The certificate is not due by its dates."""
    host = Host(NEWEST)
    before = served(host, name_of(host.name), ssl.create_default_context(cadata=roots()))
    assert "No renewals were attempted" in host.run(RENEW_DUE)
    asked = host.run("journalctl -q -o cat -u pebble@profiles")
    assert "GET /draft-ietf-acme-ari-03/renewalInfo/" in asked
    ended = datetime.now(timezone.utc) - timedelta(hours=1)
    window = {"start": ended - timedelta(hours=1), "end": ended}
    answer = {"suggestedWindow": {name: f"{at:%Y-%m-%dT%H:%M:%SZ}" for name, at in window.items()}}
    certificate = before.public_bytes(Encoding.PEM).decode()
    body = {"certificate": certificate, "ariResponse": json.dumps(answer)}
    managed(NEWEST, 15000, "set-renewal-info/", json.dumps(body).encode())
    host.run("sed -i /ari_retry_after/d /etc/letsencrypt/renewal/mail.conf")  # six hours later
    said = host.run(RENEW_DUE)
    assert "all renewals succeeded" in said, said
    after = served(host, name_of(host.name))
    assert after != before
    assert is_short(before)
    assert is_short(after)
