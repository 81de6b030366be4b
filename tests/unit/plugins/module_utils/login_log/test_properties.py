# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The promises of the readers of login logs (tests/fuzz/properties.py), asked by hypothesis."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.tests.fuzz.properties import login_log

SPOKEN = [
    *[b"Nov 24 13:43:29 m ", b"1795527809.5 ", b"2026-11-24T13:43:29Z m ", b"Feb 29 00:00:00 m "],
    *[b"dovecot: imap-login: ", b"dovecot[1]: pop3-login: ", b"imap-login: Info: ", b"sshd: "],
    *[b"Login: ", b"Logged in: ", b"proxy(a): Started proxying to <b>: ", b"Disconnected: "],
    *[b"user=<", b"a>, ", b">, rip=9.9.9.9, ", b"method=PLAIN, ", b"method=CRAM-MD5, "],
    *[b"rip=192.0.2.7, ", b"lip=192.0.2.1, ", b"mpid=7, ", b"TLS, ", b"secured", b"session=<x>"],
    *[b"TLSv1.2 with cipher A (1/1 bits), ", b"no shared cipher ", b"(auth failed, 1): ", b": "],
    *[b"imapd: LOGIN, user=", b"pop3d-ssl[1]: LOGIN, user=", b"imapd: LOGOUT, user=a, "],
    *[b"ip=[::ffff:192.0.2.7], ", b"port=[1]", b", starttls=1", b", stls=1", b": ip=["],
    *[b"\n", b"\n", b"\n", b"\r", b"\0", b"\xff", b"\x1b[2J", "\u202e".encode(), b"%u %r %c"],
]
logs = st.lists(st.sampled_from(SPOKEN) | st.binary(max_size=8), max_size=40).map(b"".join)


@given(data=logs)
@settings(deadline=None, max_examples=200)
def test_any_log_at_all(data: bytes) -> None:
    login_log(data)
