# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who takes a renegotiation that the client begins, who refuses it, and who does not say."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Callable, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import openssl_client
from ansible_collections.postmaster.tls.plugins.module_utils.limits import Limits
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.renegotiation import (
    Renegotiation,
    chain_for,
    renegotiate,
)
from ansible_collections.postmaster.tls.plugins.module_utils.talk import Target
from ansible_collections.postmaster.tls.plugins.module_utils.tasks import run
from ansible_collections.postmaster.tls.plugins.module_utils.transport import SocketNetwork
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.evil_server import (
    Behaviour,
    context,
    evil,
    hears,
    imap,
    imaps,
    reset,
    says,
    silent,
    then,
)

ALLOW_CLIENT_RENEGOTIATION = 0x100 if ssl.OPENSSL_VERSION_INFO >= (3, 0) else 0
pytestmark = pytest.mark.skipif(
    not openssl_client.available(), reason="this Python has an OpenSSL that cannot be called"
)


def tls(options: int = 0) -> ssl.SSLContext:
    made = context()
    made.options |= options
    return made


def inside(
    behave: Callable[[ssl.SSLSocket], None], made: Optional[ssl.SSLContext] = None
) -> Behaviour:
    """Shakes hands in TLS 1.2 and then does this."""
    used = made or context()

    def serve(sock: socket.socket) -> None:
        with contextlib.suppress(OSError), used.wrap_socket(sock, server_side=True) as peer:
            behave(peer)

    return serve


def deaf(peer: ssl.SSLSocket) -> None:
    """Takes bytes and understands none."""
    with socket.socket(fileno=peer.detach()) as raw:
        raw.settimeout(5)
        silent(raw)


def asked(
    behaviour: Behaviour, mode: TlsMode = TlsMode.IMPLICIT, newest: int = 0x0303
) -> Renegotiation:
    async def ask(port: int) -> Renegotiation:
        endpoint = Endpoint("127.0.0.1", port, Service.IMAP, mode)
        target = Target(endpoint, "x.invalid", "")
        return await renegotiate(target, SocketNetwork(Limits(total=1)), newest)

    with evil(behaviour) as server:
        found = run(ask(server.port))
        assert server.total == 1
    return found


TAKES = tls(ALLOW_CLIENT_RENEGOTIATION)
REFUSES = tls(ssl.OP_NO_RENEGOTIATION)


def strict() -> ssl.SSLContext:
    made = context()
    made.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME  # type: ignore[assignment]
    return made


def only_13() -> ssl.SSLContext:
    made = context()
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    return made


# A server, whether it shook hands, and whether it did so again.
SERVERS: list[tuple[str, Behaviour, Optional[bool], Optional[bool]]] = [
    ("takes it", lambda sock: imaps(sock, TAKES), True, True),
    ("refuses it", lambda sock: imaps(sock, REFUSES), True, False),
    ("hangs up", inside(lambda peer: peer.unwrap().close()), True, False),
    ("resets", inside(reset), True, False),
    ("says nothing", inside(deaf), True, None),
    ("TLS 1.3 only", lambda sock: imaps(sock, only_13()), False, None),
    ("does not know the name", lambda sock: imaps(sock, strict()), False, None),
    ("no TLS", then(hears, says(b"HTTP/1.1 400 Bad Request\r\n\r\n")), None, None),
    ("closes", then(hears, says()), None, None),
    ("silent", silent, None, None),
]


@pytest.mark.parametrize(
    ("behaviour", "served", "accepted"),
    [case[1:] for case in SERVERS],
    ids=[case[0] for case in SERVERS],
)
def test_server(behaviour: Behaviour, served: Optional[bool], accepted: Optional[bool]) -> None:
    found = asked(behaviour)
    assert (found.served, found.accepted) == (served, accepted)
    assert len(found.chain) == (1 if served else 0)


@pytest.mark.parametrize("made", [TAKES, REFUSES])
def test_behind_starttls(made: ssl.SSLContext) -> None:
    found = asked(lambda sock: imap(sock, made), TlsMode.STARTTLS)
    assert (found.served, found.accepted) == (True, made is TAKES)


def test_words_in_between_are_no_answer() -> None:
    """A greeting may cross the renegotiation."""

    def talks(peer: ssl.SSLSocket) -> None:
        peer.sendall(b"* OK hi\r\n")
        peer.sendall(b"* OK again\r\n")
        silent(peer)

    assert asked(inside(talks, TAKES)).accepted is True


@pytest.mark.parametrize("newest", [0x0303, 0x0304])
@pytest.mark.parametrize("asks", [True, False])
def test_the_request_for_a_client_certificate(asks: bool, newest: int) -> None:
    made = tls(ALLOW_CLIENT_RENEGOTIATION)
    made.verify_mode = ssl.CERT_OPTIONAL if asks else ssl.CERT_NONE
    found = asked(lambda sock: imaps(sock, made), newest=newest)
    assert (found.served, found.asked, found.stapled) == (True, asks, False)
    assert found.accepted is (None if newest == 0x0304 else True)


@pytest.mark.parametrize(("kind", "count"), [("ecdsa", 1), ("rsa", 0)])
def test_the_chain_for_a_kind_of_key(kind: str, count: int) -> None:
    async def ask(port: int) -> tuple[bytes, ...]:
        endpoint = Endpoint("127.0.0.1", port, Service.IMAP, TlsMode.IMPLICIT)
        return await chain_for(Target(endpoint, None, ""), SocketNetwork(Limits(total=1)), kind)

    with evil(lambda sock: imaps(sock, context())) as server:
        chain = run(ask(server.port))
    assert len(chain) == count
    assert all(der[:1] == b"\x30" for der in chain)


def test_where_openssl_cannot_be_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openssl_client, "_openssl", lambda: None)
    assert openssl_client.available() is False
    with pytest.raises(RuntimeError):
        openssl_client.OpenSslClient(None, 0x0303)
