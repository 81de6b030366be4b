# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ClientHello reader, whole and cut at every byte."""

from __future__ import annotations

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.library import openssl

SUITES = bytes.fromhex("1301c02f00ff5600")
GROUPS = bytes.fromhex("001d0017")
EXTENSIONS = (
    bytes.fromhex("0017 0000")
    + b"\x00\x0a\x00\x06\x00\x04"
    + GROUPS
    + bytes.fromhex("002b 0002 0304")
)
BODY = (
    b"\x03\x03"
    + bytes(32)
    + b"\x02id"
    + b"\x00\x08"
    + SUITES
    + b"\x01\x00"
    + len(EXTENSIONS).to_bytes(2, "big")
    + EXTENSIONS
)
HANDSHAKE = b"\x01" + len(BODY).to_bytes(3, "big") + BODY
RECORD = b"\x16\x03\x01" + len(HANDSHAKE).to_bytes(2, "big") + HANDSHAKE


def test_the_lists_of_a_hello() -> None:
    hello = openssl._hello(RECORD)
    assert hello is not None
    assert hello.suites == (0x1301, 0xC02F)  # the two signals are no suites
    assert hello.groups == (29, 23)


@pytest.mark.parametrize("size", range(len(RECORD)))
def test_a_cut_hello_is_no_error(size: int) -> None:
    openssl._hello(RECORD[:size])


@pytest.mark.parametrize("record", [b"", b"\x15\x03\x01\x00\x02\x02\x28", RECORD[:5] + b"\x02"])
def test_anything_else_is_none(record: bytes) -> None:
    assert openssl._hello(record) is None
