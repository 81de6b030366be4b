# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenario's hosts and ACME servers: what they serve, and what nobody may read."""

from __future__ import annotations

import base64
import io
import socket
import ssl
import tarfile
import urllib.request
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ansible_collections.postmaster.tls.lab.hosts import HOSTS, ipv4
from ansible_collections.postmaster.tls.molecule.shared import clients
from ansible_collections.postmaster.tls.molecule.shared.faults import Host
from ansible_collections.postmaster.tls.tests.unit import pki

NAMES = ("dovecot-bookworm", "dovecot-trixie", "courier-trixie")
LIVE = "/etc/letsencrypt/live/mail"
BOTH = "dovecot-trixie"
"""Has two certificates of the ACME server, one for each kind of key."""
NEWEST = "courier-sid"
"""Has the newest certbot, which asks the ACME server when to renew, and that server on it."""
ACME = (("nomail", 15000), ("nomail", 15001), (NEWEST, 15000))
"""The hosts with ACME servers, and the ports by which those are managed."""
RENEW_DUE = (
    "REQUESTS_CA_BUNDLE=/etc/ssl/acme-server.pem certbot renew --no-random-sleep-on-renew 2>&1"
)
RENEW = f"{RENEW_DUE} --force-renewal"
SECRETS = (
    "for each in /etc/letsencrypt/archive/*/privkey*.pem /var/lib/postmaster-tls/certificates/* "
    "/var/lib/postmaster-tls/generations/*/*; do base64 -w0 <$each; echo; done"
)


def name_of(host: str) -> str:
    return f"{host}.example.test"


def managed(host: str, port: int, path: str, body: bytes | None = None) -> str:
    """What an ACME server answers to who manages it."""
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    url = f"https://{ipv4(HOSTS[host])}:{port}/{path}"
    with urllib.request.urlopen(url, body, context=unverified, timeout=15) as answer:
        return str(answer.read().decode())


def roots() -> str:
    """The roots of the ACME servers, which are others each time that they start."""
    return "".join(managed(host, port, "roots/0") for host, port in ACME)


def served(host: Host, name: str, context: ssl.SSLContext | None = None) -> x509.Certificate:
    """What port 993 serves to a client that asks for this name."""
    context = context or clients.context()
    with (
        socket.create_connection((ipv4(HOSTS[host.name]), 993), clients.TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=name) as tls,
    ):
        return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")


KINDS = {
    ec.EllipticCurvePublicKey: "ECDHE-ECDSA-AES128-GCM-SHA256",
    rsa.RSAPublicKey: "ECDHE-RSA-AES128-GCM-SHA256",
}


def of_each_kind(host: Host, door: str) -> dict[Any, x509.Certificate]:
    """What a port serves to clients that take one kind of key alone, of TLS 1.2."""
    found = {}
    for kind, suite in KINDS.items():
        context = clients.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(suite)
        _version, leaf = clients.handshake(ipv4(HOSTS[host.name]), door, context)
        found[kind] = x509.load_der_x509_certificate(leaf)
    return found


def doors(host: Host) -> tuple[str, ...]:
    """courier-trixie offers no STARTTLS for IMAP before it is hardened."""
    known: tuple[str, ...] = clients.DOORS
    return tuple(d for d in known if host.product == "dovecot" or d != "imap 143")


def archive() -> str:
    """Every bad input in a folder of its own, as base64 of a tar file."""
    authority, packed = pki.Authority(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for number, bad in enumerate(pki.BAD):
            for name, content in zip((pki.CHAIN, pki.KEY), bad.make(authority)):
                if content is not None:
                    entry = tarfile.TarInfo(f"{number}/{name}")
                    entry.size, entry.mode = len(content), 0o600
                    tar.addfile(entry, io.BytesIO(content))
    return base64.b64encode(packed.getvalue()).decode()


def secret_lines(content: bytes) -> list[str]:
    """The lines of a key that hold what nobody else has: what is public is in requests as well.

    PKCS #8 has the scalar of an ECDSA key in the first two of its three lines, and the exponents of
    an RSA key in the last ones (RFC 5915, RFC 8017 appendix A.1.2).
    """
    begin = content.index(b"PRIVATE KEY-----") + 16
    body = content[begin : content.index(b"-----END", begin)].decode().split()
    return body[:2] if len(body) < 6 else body[-9:-1]


SHORT = timedelta(hours=160)
"""How long a certificate of the profile shortlived lasts."""


def is_short(leaf: x509.Certificate) -> bool:
    """To the minute, as the ACME server counts."""
    return abs(leaf.not_valid_after_utc - leaf.not_valid_before_utc - SHORT) < timedelta(minutes=1)
