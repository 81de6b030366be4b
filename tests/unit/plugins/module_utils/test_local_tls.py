# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client between its two buffers, against the library's own server between two others."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.local_tls import LocalTls, TlsFailed
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.evil_server import context


class Server:
    """A TLS server without a socket."""

    def __init__(self, made: ssl.SSLContext) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = made.wrap_bio(self._in, self._out, server_side=True)

    def hears(self, data: bytes) -> bytes:
        """What it sends back to a handshake's flight."""
        self._in.write(data)
        with suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self._out.read()

    def says(self, data: bytes) -> bytes:
        """Records that carry the data."""
        self.tls.write(data)
        return self._out.read()

    def leaves(self) -> bytes:
        """A close_notify."""
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self._out.read()

    def understands(self, data: bytes) -> bytes:
        """What was said to it."""
        self._in.write(data)
        return self.tls.read(100)


def met(
    made: Optional[ssl.SSLContext] = None, piece: int = 1 << 16, alpn: str = ""
) -> tuple[LocalTls, Server]:
    """A client and a server after their handshake, carried in pieces."""
    client, server = LocalTls("mail.example.org", alpn), Server(made or context())
    done = False
    for _ in range(4):
        done = client.handshake()
        answer = server.hears(client.outgoing.read())
        for start in range(0, len(answer), piece):
            client.incoming.write(answer[start : start + piece])
            if not done:
                done = client.handshake()
        if done:
            client.incoming.write(server.hears(client.outgoing.read()))
            return client, server
    raise AssertionError("no handshake")


@pytest.mark.parametrize("piece", [1 << 16, 1])
def test_a_handshake(piece: int) -> None:
    client, _ = met(piece=piece)
    session = client.session()
    assert session.handshake.version == 0x0304
    assert session.handshake.suite in (0x1301, 0x1302, 0x1303)
    assert [der[:2] for der in session.chain] == [b"\x30\x82"]


@pytest.mark.parametrize(
    ("known", "offered", "chosen"),
    [(["imap"], "imap", "imap"), ([], "imap", ""), (["imap"], "", None), ([], "", None)],
)
def test_the_protocol_by_name(known: list[str], offered: str, chosen: Optional[str]) -> None:
    made = context()
    if known:
        made.set_alpn_protocols(known)
    client, _ = met(made, alpn=offered)
    assert client.session().handshake.alpn == chosen


def test_an_older_version_and_its_suite() -> None:
    made = context()
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256")
    client, _ = met(made)
    session = client.session()
    assert session.handshake.version == 0x0303
    assert session.handshake.suite in (0xC02F, 0xC02B)


def test_what_is_said_inside() -> None:
    client, server = met()
    assert client.read() is None
    client.incoming.write(server.says(b"inside"))
    assert client.read() == b"inside"
    assert client.encrypt(b"") == b""
    assert server.understands(client.encrypt(b"said")) == b"said"
    client.incoming.write(server.leaves())
    assert client.read() == b""


def test_noise_inside_is_a_failure() -> None:
    client, _ = met()
    client.incoming.write(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(TlsFailed) as caught:
        client.read()
    # "bad record mac", and from OpenSSL 3.5 on "record layer failure".
    assert caught.value.cause in ("unexpected", "not_tls")


ALERT = (0x15, 3, 3, 0, 2)


@pytest.mark.parametrize(
    ("answer", "cause", "detail", "alert"),
    [
        ((*ALERT, 2, 70), "alert", "tlsv1_alert_protocol_version", 70),
        ((*ALERT, 2, 40), "alert", None, 40),
        ((*ALERT, 2, 90), "alert", None, 90),
        ((*ALERT, 2, 109), "alert", None, 109),
        ((*ALERT, 2, 110), "alert", None, 110),
        ((*ALERT, 2, 112), "alert", None, 112),
        ((*ALERT, 2, 115), "alert", None, 115),
        ((*ALERT, 2, 116), "alert", None, 116),
        ((*ALERT, 2, 120), "alert", None, 120),
        ((*ALERT, 1, 0), "closed", "close_notify", None),
        (b"HTTP/1.1 400 Bad Request\r\n", "not_tls", None, None),
        (b"* OK hello\r\n", "not_tls", None, None),
        (b"\x16\x03\x03\x00\x04\x02\xff\xff\xff", "too_much", "excessive_message_size", None),
        (b"\x16\x03\x03\x00\x04\x63\x00\x00\x00", "unexpected", None, None),
    ],
)
def test_how_a_handshake_fails(
    answer: Sequence[int], cause: str, detail: Optional[str], alert: Optional[int]
) -> None:
    client = LocalTls(None)
    assert client.handshake() is False
    assert client.outgoing.read()[:1] == b"\x16"
    client.incoming.write(bytes(answer))
    with pytest.raises(TlsFailed) as caught:
        client.handshake()
    failed = caught.value
    assert (failed.cause, failed.alert) == (cause, alert)
    assert detail in (None, failed.detail)


def test_an_end_in_the_middle_is_closed() -> None:
    client = LocalTls(None)
    client.handshake()
    client.incoming.buffer.write_eof()
    with pytest.raises(TlsFailed) as caught:
        client.handshake()
    assert caught.value.cause in ("closed", "unexpected")  # Python names it since 3.10
