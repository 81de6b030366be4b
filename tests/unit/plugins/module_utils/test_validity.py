# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a certificate ends: as another library reads it, and never more than None for garbage."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.postmaster.tls.plugins.module_utils.validity import ended, not_after

NOW = datetime.now(timezone.utc).replace(microsecond=0)
KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(end: datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example.org")])
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - timedelta(days=9000)).not_valid_after(end)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize(
    "end",
    [
        NOW - timedelta(seconds=5),
        NOW + timedelta(days=90),
        datetime(2049, 12, 31, 23, 59, 59, tzinfo=timezone.utc),
        datetime(2050, 1, 1, tzinfo=timezone.utc),  # from here on another type of time
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc),
    ],
)
def test_the_end_is_read(end: datetime) -> None:
    assert not_after(certificate(end)) == end.timestamp()


def test_what_has_ended_is_told_in_words() -> None:
    def chain(end: datetime) -> tuple[str, ...]:
        return (base64.b64encode(certificate(end)).decode(),)

    assert ended(chain(datetime(2024, 2, 29, 1, 2, 3, tzinfo=timezone.utc))) == (
        "ended at 2024-02-29 01:02:03Z"
    )
    assert ended(chain(NOW + timedelta(days=1))) is None
    assert ended(()) is None


def test_a_certificate_that_is_cut_anywhere_is_none() -> None:
    whole = certificate(NOW)
    assert {not_after(whole[:length]) for length in range(len(whole))} == {None}


@pytest.mark.parametrize(
    "der", [b"", b"\x30", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x30\x00"]
)
def test_garbage_is_none(der: bytes) -> None:
    assert not_after(der) is None
