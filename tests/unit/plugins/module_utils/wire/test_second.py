# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ansible_collections.postmaster.tls.plugins.module_utils.wire import suites
from ansible_collections.postmaster.tls.plugins.module_utils.wire.flight import ServerHello
from ansible_collections.postmaster.tls.plugins.module_utils.wire.hello import (
    COOKIE,
    KEY_SHARE,
    SUPPORTED_VERSIONS,
    TLS13,
)
from ansible_collections.postmaster.tls.plugins.module_utils.wire.offers import HELLOS
from ansible_collections.postmaster.tls.plugins.module_utils.wire.second import KEYS, second

FIRST = HELLOS["tls1.3"]
ALPN = (b"http/1.1",)
RETRY = ServerHello(TLS13, 0x1302, 0, (SUPPORTED_VERSIONS, KEY_SHARE), suites.X25519, True)
MLKEM768, MLKEM1024 = 1184, 1568
"""Bytes of an encapsulation key (FIPS 203, table 3)."""


def point(curve: ec.EllipticCurve) -> bytes:
    """The public key of the secret 1."""
    public = ec.derive_private_key(1, curve).public_key()
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


P256, P384 = point(ec.SECP256R1()), point(ec.SECP384R1())


@pytest.mark.parametrize(
    ("group", "key"),
    [
        (suites.SECP256R1, P256),
        (suites.SECP384R1, P384),
        (suites.SECP256R1MLKEM768, P256 + bytes(MLKEM768)),
        (suites.SECP384R1MLKEM1024, P384 + bytes(MLKEM1024)),
        (suites.X25519MLKEM768, bytes(MLKEM768) + KEYS[suites.X25519]),
    ],
)
def test_keys_are_those_of_their_groups(group: int, key: bytes) -> None:
    assert KEYS[group] == key


def test_the_key_of_x25519_is_one() -> None:
    assert len(KEYS[suites.X25519]) == 32
    assert X25519PrivateKey.generate().exchange(
        X25519PublicKey.from_public_bytes(KEYS[suites.X25519])
    )


def test_what_follows_differs_by_the_key_and_the_protocol_only() -> None:
    shares = ((suites.X25519, KEYS[suites.X25519]),)
    assert second(FIRST, RETRY, ALPN) == replace(FIRST, alpn=ALPN, shares=shares)


@pytest.mark.parametrize(
    "told",
    [
        None,
        replace(RETRY, retry=False),
        replace(RETRY, group=None),
        replace(RETRY, group=0x001E),
        replace(RETRY, extensions=(*RETRY.extensions, COOKIE)),
    ],
)
def test_nothing_follows_what_cannot_be_answered(told: ServerHello) -> None:
    assert second(FIRST, told, ALPN) is None
