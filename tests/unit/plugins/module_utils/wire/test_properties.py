# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The promises of all parsers of the wire (tests/fuzz/properties.py), asked by hypothesis."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.tests.fuzz.properties import PROPERTIES
from ansible_collections.postmaster.tls.tests.hostile import tls_bytes as t

SPOKEN = [
    *[b"* OK x\r\n", b"* CAPABILITY A STARTTLS AUTH=PLAIN\r\n", b"p1 OK [X] y\r\n", b"* BYE\r\n"],
    *[b"+OK x\r\n", b"-ERR [AUTH] x\r\n", b"SASL PLAIN\r\n", b".\r\n", b"..\r\n", b"+ \r\n"],
    *[b'"SASL" "PLAIN"\r\n', b'"STARTTLS"\r\n', b'OK "x"\r\n', b"{3}\r\nabc\r\n", b"NO {3+}\r\n"],
    *[b"\x1b[2J", "\u202e".encode(), b"\0", b"\xff", b" ", b"\n", b'"', b"\\", b"(", b"["],
]
MESSAGES = [
    *[t.hello(), t.hello(0x0301, 0x2F), t.hello(suite=0x9E), t.hello13(t.share(29))],
    *[t.certificates(t.NOT_DER), t.key_exchange(), t.DONE, t.message(13, b"\0"), t.message(0, b"")],
    t.message(12, b"\0\2\1\1\0\1\2\0\1\2\4\1\0\0"),
]
some = st.binary(max_size=24)
records = st.builds(t.record, st.sampled_from(MESSAGES) | some, st.sampled_from([20, 21, 22, 23]))
cut = st.builds(lambda data, at: data[:at], st.sampled_from(MESSAGES), st.integers(0, 60))
pieces = st.one_of(
    st.lists(st.sampled_from(SPOKEN) | some, max_size=10),
    st.lists(records | st.builds(t.record, cut) | some, max_size=6),
).map(b"".join)


@pytest.mark.parametrize("family", PROPERTIES)
@given(data=pieces)
@settings(deadline=None)
def test_any_bytes_at_all(family: str, data: bytes) -> None:
    PROPERTIES[family](data)
