# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users still get their mail, and nobody gets a login without TLS, on each hardened server."""

from __future__ import annotations

import re
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.postmaster.tls.lab.hosts import (
    HOSTS,
    PASSWORD,
    USER,
    addresses,
    ipv4,
)
from ansible_collections.postmaster.tls.molecule.shared import clients

SERVERS = [host for host in HOSTS.values() if host.packages]
DOVECOT = [host for host in SERVERS if host.name.startswith("dovecot")]
# Dovecot 2.4 of Debian also listens on the port that ManageSieve had before RFC 5804.
OLD_SIEVE_PORT = ("dovecot-trixie", "dovecot-sid")
EVERYWHERE = [
    pytest.param(address, id=f"{host.name}-v{6 if ':' in address else 4}")
    for host in SERVERS
    for address in addresses(host)
]
# Every port on which TLS begins by a command, registered or not.
STARTTLS = {110: "pop3", 143: "imap", 1143: "imap", 2000: "sieve", 4190: "sieve"}
OPEN_DOORS = [
    pytest.param(address, f"{STARTTLS[port]} {port}", id=f"{host.name}-{port}-{address}")
    for host in SERVERS
    for port in (*host.ports, *((2000,) if host.name in OLD_SIEVE_PORT else ()))
    if port in STARTTLS
    for address in addresses(host)
]


@pytest.mark.parametrize("door", clients.DOORS)
@pytest.mark.parametrize("address", EVERYWHERE)
def test_a_user_reads_her_mail(address: str, door: str) -> None:
    assert clients.count_mail(address, door, clients.context()) == 3


@pytest.mark.parametrize(("address", "door"), OPEN_DOORS)
def test_a_login_without_tls_is_refused(address: str, door: str) -> None:
    answer = clients.login_without_tls(address, door)
    assert re.match(clients.REFUSED, answer), answer


@pytest.mark.parametrize("version", [clients.V.TLSv1, clients.V.TLSv1_1])
@pytest.mark.parametrize("door", clients.DOORS)
@pytest.mark.parametrize("address", EVERYWHERE)
def test_old_versions_are_refused(address: str, door: str, version: ssl.TLSVersion) -> None:
    with pytest.raises(clients.NoHandshake):
        clients.handshake(address, door, clients.context(version, version))


@pytest.mark.parametrize("version", [clients.V.TLSv1_2, clients.V.TLSv1_3])
@pytest.mark.parametrize("address", EVERYWHERE)
def test_versions_of_the_profile_are_served(address: str, version: ssl.TLSVersion) -> None:
    found, _ = clients.handshake(address, "imaps 993", clients.context(version, version))
    assert found == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]


@pytest.mark.parametrize("host", DOVECOT, ids=lambda host: host.name)
def test_filters_are_managed_over_tls(host: Any) -> None:
    """ManageSieve, RFC 5804: before TLS no mechanism is offered, within it PLAIN is."""
    with clients.Lines(ipv4(host), 4190) as peer:
        before = " ".join(peer.until("OK|NO|BYE"))
        peer.say("STARTTLS")
        peer.until("OK")
        peer.encrypt(clients.context())
        within = " ".join(peer.until("OK|NO|BYE"))
    assert '"STARTTLS"' in before
    assert '"SASL" ""' in before
    assert re.search(r'"SASL" "[^"]*PLAIN', within)


@pytest.mark.parametrize("door", clients.DOORS)
@pytest.mark.parametrize("host", SERVERS, ids=lambda host: host.name)
def test_curl_fetches_a_message(host: Any, door: str, tmp_path: Path) -> None:
    """A mail program that trusts this certificate and no other, and asks for its name."""
    kind, port = door.split()
    _, certificate = clients.handshake(ipv4(host), door, clients.context())
    (tmp_path / "trusted.pem").write_text(ssl.DER_cert_to_PEM_cert(certificate))
    name = clients.names(certificate)[0]
    message = {"imap": "INBOX/;MAILINDEX=1", "pop3": "1"}[kind.removesuffix("s")]
    done = subprocess.run(
        [
            *("curl", "--silent", "--show-error", "--max-time", "30", "--ssl-reqd"),
            *("--user", f"{USER}:{PASSWORD}", "--cacert", f"{tmp_path}/trusted.pem"),
            *("--resolve", f"{name}:{port}:{ipv4(host)}", f"{kind}://{name}:{port}/{message}"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "This is message" in done.stdout
