# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read is what another library reads, and no bytes break the reader."""

from __future__ import annotations

import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.module_utils import x509
from ansible_collections.postmaster.tls.tests.unit import pki

AUTHORITY = pki.Authority()
NAMES = ("mail.example.test", "*.example.test", "IMAP.Example.Test")
LEAF = AUTHORITY.leaf(pki.new_key(), NAMES)
DER = LEAF.public_bytes(Encoding.DER)


def read(certificate: object) -> x509.Certificate:
    return x509.read(certificate.public_bytes(Encoding.DER))  # type: ignore[attr-defined]


def test_a_leaf() -> None:
    found = x509.read(DER)
    assert found.common_name == found.title == "mail.example.test"
    assert found.names == ("mail.example.test", "*.example.test", "imap.example.test")
    assert found.not_before == LEAF.not_valid_before_utc.timestamp()
    assert found.not_after == LEAF.not_valid_after_utc.timestamp()
    assert found.subject == LEAF.subject.public_bytes()[2:]
    assert (found.authority, found.self_issued, found.for_servers) == (False, False, True)
    assert (found.key_type, found.key_bits, found.weak_signature) == ("ecdsa", 256, None)
    assert len(found.fingerprint) == 64


def test_an_authority_issued_it() -> None:
    issuer = read(AUTHORITY.intermediate)
    assert issuer.authority
    assert x509.read(DER).issuer == issuer.subject
    assert read(AUTHORITY.root).self_issued


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (pki.new_key(2048), ("rsa", 2048)),
        (ec.generate_private_key(ec.SECP384R1()), ("ecdsa", 384)),
        (ed25519.Ed25519PrivateKey.generate(), ("ed25519", 256)),
    ],
)
def test_kinds_of_keys(key: object, expected: tuple[str, int]) -> None:
    found = read(AUTHORITY.leaf(key))
    assert (found.key_type, found.key_bits) == expected


@pytest.mark.parametrize(
    ("purposes", "expected"),
    [
        ([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH], True),
        ([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], True),
        ([ExtendedKeyUsageOID.CLIENT_AUTH], False),
    ],
)
def test_purposes(purposes: list[object], expected: bool) -> None:
    assert read(AUTHORITY.leaf(pki.new_key(), purposes=purposes)).for_servers is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mail.example.test", True),
        ("MAIL.example.test.", True),
        ("other.example.test", True),
        ("example.test", False),
        ("a.b.example.test", False),
        ("test", False),
        ("*.example.test", True),
    ],
)
def test_which_names_it_covers(name: str, expected: bool) -> None:
    assert x509.read(DER).covers(name) is expected


def test_a_weak_signature_is_told() -> None:
    sha256, sha1 = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    key = pki.new_key(2048)
    der = pki.certificate("x", key).public_bytes(Encoding.DER)
    assert x509.read(der.replace(sha256, sha1)).weak_signature == "SHA-1"


@pytest.mark.parametrize("size", range(0, len(DER), 7))
def test_one_that_is_cut_is_none(size: int) -> None:
    with pytest.raises(x509.NotOne):
        x509.read(DER[:size])


@given(st.integers(0, len(DER) - 1), st.integers(0, 255))
def test_a_byte_that_is_wrong_never_breaks_the_reader(place: int, value: int) -> None:
    with contextlib.suppress(x509.NotOne):
        x509.read(DER[:place] + bytes([value]) + DER[place + 1 :])
