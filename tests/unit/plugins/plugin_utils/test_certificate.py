# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""X.509: facts, links, names, and bytes that are no certificate."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.plugin_utils.certificate import (
    Certificate,
    CertificateError,
    covers,
    fingerprint,
    read,
    read_base64,
    signed_by,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    CA,
    LEAF,
    NAME,
    NOW,
    SELF_SIGNED,
    certificate,
    srv,
)

DER = base64.b64decode(LEAF)


def test_facts() -> None:
    facts = read(DER)
    assert facts.subject == f"CN={NAME}"
    assert facts.issuer == "CN=Example CA"
    assert facts.common_name == NAME
    assert facts.names == (NAME,)
    assert facts.not_after - facts.not_before == timedelta(days=90)
    assert facts.not_before == NOW - timedelta(days=10)
    assert (facts.key_type, facts.key_bits, facts.curve) == ("ecdsa", 256, "secp256r1")
    assert facts.signature_hash == "sha256"
    assert (facts.self_signed, facts.is_ca, facts.must_staple) == (False, False, False)
    assert facts.names_issuer
    assert (facts.services, facts.signs) == ((), None)
    assert facts.serial == "1267"
    assert facts.sha256 == fingerprint(LEAF) == hashlib.sha256(DER).hexdigest()


def test_other_facts() -> None:
    assert read_base64(SELF_SIGNED).self_signed
    assert read_base64(CA).is_ca
    assert read_base64(CA).key_type == "ecdsa"
    assert [read_base64(certificate(signs=s)).signs for s in (True, False)] == [True, False]
    srv_names = (srv("_imap.example.org"), b"\x0c\x01x", b"\x16\x81\x80" + bytes(128))
    assert read_base64(certificate(services=srv_names)).services == ("_imap.example.org",)
    rsa = read_base64(certificate(kind="rsa2048"))
    assert (rsa.key_type, rsa.key_bits, rsa.curve) == ("rsa", 2048, None)


def test_equal_names_do_not_make_it_self_signed() -> None:
    cross = certificate(NAME, NAME, issuer_kind="p384")
    assert not read_base64(cross).self_signed


LINKS = [(LEAF, CA, True), (LEAF, LEAF, False), (LEAF, "AAAA", None), ("!", CA, None)]


@pytest.mark.parametrize(("text", "issuer", "answer"), LINKS)
def test_signed_by(text: str, issuer: str, answer: object) -> None:
    assert signed_by(text, issuer) is answer


NAMES = [
    # in the certificate, wanted, covered
    ("mail.example.org", "mail.example.org", True),
    ("mail.example.org", "MAIL.Example.ORG.", True),
    ("mail.example.org", "www.example.org", False),
    ("mail.example.org", "mail.example.org.evil.net", False),
    ("*.example.org", "mail.example.org", True),
    ("*.example.org", "a.mail.example.org", False),
    ("*.example.org", "example.org", False),
    ("*.example.org", ".example.org", False),
    ("*.org", "example.org", False),
    ("*", "localhost", False),
    ("mail*.example.org", "mail1.example.org", False),
    ("a.*.example.org", "a.b.example.org", False),
    ("*.*.example.org", "a.b.example.org", False),
    ("*.example.org", "*.example.org", False),  # a pattern is no host name
    ("xn--mller-kva.example", "müller.example", True),
    ("192.0.2.1", "192.0.2.1", True),
    ("192.0.2.1", "192.0.2.2", False),
    ("2001:db8::1", "[2001:0db8::0001]", True),
    ("*.0.2.1", "192.0.2.1", False),
]


def named(*names: str) -> Certificate:
    facts = read(DER)
    return Certificate(**{**vars(facts), "names": names})


@pytest.mark.parametrize(("held", "wanted", "covered"), NAMES)
def test_covers(held: str, wanted: str, covered: bool) -> None:
    assert covers(named("other.example", held), wanted) is covered


def test_a_common_name_is_never_matched() -> None:
    facts = read_base64(certificate(names=()))
    assert facts.common_name == NAME
    assert not covers(facts, NAME)


def test_text_is_clean() -> None:
    facts = read_base64(certificate("a\x1b[31m\u202eb\n", issuer="\x00c"))
    assert "\\x1b" in facts.subject
    for text in (facts.subject, facts.issuer, facts.common_name or ""):
        assert not any(unicodedata.category(c) in ("Cc", "Cf") for c in text)


HOSTILE = [b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", DER[:-1], DER + b"\x00", b"\x30" * 70000]


@pytest.mark.parametrize("der", HOSTILE)
def test_hostile(der: bytes) -> None:
    with pytest.raises(CertificateError) as caught:
        read(der)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_not_base64() -> None:
    for text in ("!", "AAA", "ä", "AAAA\n"):
        with pytest.raises(CertificateError, match="not base64"):
            fingerprint(text)


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_any_bytes(der: bytes) -> None:
    with pytest.raises(CertificateError):
        read(der)


@given(st.integers(0, len(DER) - 1), st.integers(0, 255), st.integers(0, len(DER)))
@settings(deadline=None, max_examples=400)
def test_a_spoilt_certificate(place: int, value: int, end: int) -> None:
    spoilt = bytearray(DER)
    spoilt[place] = value
    for der in (bytes(spoilt), bytes(spoilt[:end])):
        try:
            facts = read(der)
        except CertificateError:
            continue
        shown = " ".join([facts.subject, facts.issuer, *facts.names])
        assert not any(unicodedata.category(c) == "Cc" for c in shown)
        covers(facts, NAME)
        signed_by(base64.b64encode(der).decode(), CA)
