# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.wire import suites
from ansible_collections.postmaster.tls.plugins.module_utils.wire.hello import (
    EMPTY_RENEGOTIATION_INFO_SCSV,
    KEY_SHARE,
    SERVER_NAME,
    SIGNATURE_ALGORITHMS,
    SSL30,
    SUPPORTED_GROUPS,
    SUPPORTED_VERSIONS,
    TLS12,
    TLS13,
    ClientHello,
)
from ansible_collections.postmaster.tls.plugins.module_utils.wire.offers import HELLOS
from ansible_collections.postmaster.tls.plugins.module_utils.wire.reader import Cursor
from ansible_collections.postmaster.tls.plugins.module_utils.wire.records import (
    HANDSHAKE,
    Record,
    RecordReader,
)

RANDOM = bytes(range(32))


def parsed(hello: bytes) -> tuple[int, Cursor]:
    """The record's version and the body of the one handshake message in it."""
    reader = RecordReader()
    reader.receive(hello)
    found = reader.next_record()
    assert isinstance(found, Record)
    assert (found.content_type, len(hello)) == (HANDSHAKE, 5 + len(found.fragment))
    cursor = Cursor(found.fragment)
    assert cursor.number(1) == 1
    body = cursor.vector(3)
    assert cursor.left == 0
    return found.version, body


def fields(hello: bytes) -> tuple[int, list[int], bytes, dict[int, bytes]]:
    """Legacy version, suites, compressions and extensions."""
    _, body = parsed(hello)
    version = body.number(2)
    assert body.take(32) == RANDOM
    body.vector(1)
    listed = body.vector(2)
    offered = [listed.number(2) for _ in range(listed.left // 2)]
    compressions = body.vector(1).rest()
    extensions = {}
    if body.left:
        rest = body.vector(2)
        while rest.left:
            kind = rest.number(2)
            assert kind not in extensions
            extensions[kind] = rest.vector(2).rest()
    assert body.left == 0
    return version, offered, compressions, extensions


@pytest.mark.parametrize("name", HELLOS)
def test_every_hello_is_well_formed(name: str) -> None:
    hello = HELLOS[name]
    version, offered, compressions, extensions = fields(hello.encode(RANDOM, "mail.example.org"))
    assert version == min(hello.version, TLS12)
    assert len(set(offered)) == len(offered)
    assert compressions == (b"\0" if hello.version == TLS13 else b"\1\0")
    assert (SERVER_NAME in extensions) is (hello.version != SSL30)
    assert (SUPPORTED_VERSIONS in extensions) is (name in ("tls1.3", "deprecated", "alpn"))
    assert (SIGNATURE_ALGORITHMS in extensions) is (hello.version >= TLS12)
    assert (EMPTY_RENEGOTIATION_INFO_SCSV in offered) is (name != "tls1.3")
    assert extensions.get(16) == (b"\0\x09\x08http/1.1" if name == "alpn" else None)


def test_ssl3_has_no_extension_and_its_own_record_version() -> None:
    hello = HELLOS["ssl3"].encode(RANDOM, "mail.example.org")
    assert parsed(hello)[0] == SSL30
    assert fields(hello)[3] == {}


def test_the_bytes_of_a_small_hello() -> None:
    hello = ClientHello(TLS12, (0xC02F,), groups=(0x001D,), signatures=(0x0804,), flags=(23,))
    expected = (
        "160301" + "0057" + "010000" + "53" + "0303" + RANDOM.hex() + "00" + "0004c02f00ff" + "0100"
        "0026" + "0000" + "0008" + "0006" + "00" + "0003" + b"a.b".hex() + "000a00040002001d"
        "000b00020100" + "000d000400020804" + "00170000"
    )
    assert hello.encode(RANDOM, "a.b").hex() == expected


def test_tls13_offers_no_key_so_that_the_server_names_its_group() -> None:
    extensions = fields(HELLOS["tls1.3"].encode(RANDOM))[3]
    assert extensions[KEY_SHARE] == b"\0\0"
    assert extensions[SUPPORTED_VERSIONS] == b"\2\3\4"
    assert extensions[SUPPORTED_GROUPS][2:4] == suites.X25519MLKEM768.to_bytes(2, "big")


def test_versions_are_listed_below_the_highest() -> None:
    """A server that knows the list takes none but these; another one sees a TLS 1.2 client."""
    version, offered, _, extensions = fields(HELLOS["deprecated"].encode(RANDOM))
    assert version == TLS12
    assert extensions[SUPPORTED_VERSIONS] == b"\6\3\2\3\1\3\0"
    assert not set(offered) & suites.SINCE_TLS12


FAMILIES = [
    *[suites.ECDHE_AEAD, suites.ECDHE_CBC, suites.DHE_AEAD, suites.DHE_CBC],
    *[suites.RSA_AEAD, suites.RSA_CBC, suites.BROKEN, suites.TLS13],
]


def test_a_suite_stands_in_one_family() -> None:
    listed = [suite for family in FAMILIES for suite in family]
    assert len(set(listed)) == len(listed)
    assert set(listed) > suites.SINCE_TLS12


@pytest.mark.parametrize("suite", [0x0005, 0x000A, 0x0002, 0x0003, 0x0009, 0x0018, 0xC012, 0xC018])
def test_what_is_broken_is_offered_as_broken(suite: int) -> None:
    assert suite in HELLOS["broken"].suites
    assert suite not in HELLOS["cbc"].suites
