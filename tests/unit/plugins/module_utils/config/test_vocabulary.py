# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The vocabulary says the same in both directions."""

from __future__ import annotations

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.config.vocabulary import (
    CODE_POINTS,
    COURIER_GNUTLS,
    COURIER_OPENSSL,
    COURIER_SWITCHES,
    DOVECOT_23,
    DOVECOT_24,
    PROTOCOLS,
    WORDS,
    dovecot_dialect,
    native_name,
    normalise,
    parse_version,
    to_native,
    words,
)

CLOSED = [
    (dialect, field, service, native)
    for dialect in WORDS
    for service in ("", *COURIER_SWITCHES)
    for field, word in words(dialect, service).items()
    for native in (word.values or ())
]


@pytest.mark.parametrize(("dialect", "field", "service", "native"), CLOSED)
def test_what_is_written_means_what_was_wanted(
    dialect: str, field: str, service: str, native: str
) -> None:
    normal = normalise(dialect, field, native, service)
    assert normal is not None
    assert normalise(dialect, field, to_native(dialect, field, normal, service), service) == normal


@pytest.mark.parametrize(
    ("dialect", "field", "value", "service", "native"),
    [
        (DOVECOT_23, "plaintext_login", "no", "", "yes"),
        (DOVECOT_24, "plaintext_login", "no", "", "no"),
        (DOVECOT_23, "cipher_order", "client", "", "no"),
        (DOVECOT_24, "cipher_order", "client", "", "client"),
        (DOVECOT_24, "protocol_min", "SSLv3", "", "SSLv3"),
        (DOVECOT_24, "client_certificate", "yes", "", "yes"),
        (COURIER_OPENSSL, "protocol_min", "TLSv1.2", "", "TLSv1.2"),
        (COURIER_OPENSSL, "protocol_min", "TLSv1", "", "TLSv1"),
        (COURIER_GNUTLS, "client_certificate", "yes", "", "PEER"),
        (COURIER_GNUTLS, "starttls", "yes", "imap", "YES"),
        (COURIER_GNUTLS, "require_tls", "yes", "pop3", "1"),
        (DOVECOT_23, "ciphers", "HIGH", "", "HIGH"),
    ],
)
def test_words_that_are_written(
    dialect: str, field: str, value: str, service: str, native: str
) -> None:
    assert to_native(dialect, field, value, service) == native


@pytest.mark.parametrize(
    ("dialect", "field", "value"),
    [(COURIER_OPENSSL, "protocol_min", "TLSv1.3"), (DOVECOT_23, "tls", "maybe")],
)
def test_what_a_dialect_cannot_say_is_a_key_error(dialect: str, field: str, value: str) -> None:
    with pytest.raises(KeyError):
        to_native(dialect, field, value)


@pytest.mark.parametrize(
    ("dialect", "field", "native"),
    [
        (DOVECOT_23, "protocol_min", "ANY"),
        (COURIER_OPENSSL, "protocol_min", "TLSv1.3"),
        (COURIER_OPENSSL, "protocol_min", ""),
        (DOVECOT_24, "tls", "Required"),
    ],
)
def test_a_word_outside_a_closed_vocabulary_means_nothing(
    dialect: str, field: str, native: str
) -> None:
    assert normalise(dialect, field, native) is None


def test_a_value_of_an_open_vocabulary_is_itself() -> None:
    assert normalise(DOVECOT_24, "ciphers", "HIGH:!aNULL") == "HIGH:!aNULL"


@pytest.mark.parametrize(
    ("dialect", "field", "service", "name"),
    [
        (DOVECOT_23, "certificate", "", "ssl_cert"),
        (DOVECOT_24, "certificate", "", "ssl_server_cert_file"),
        (COURIER_GNUTLS, "priority", "", "TLS_PRIORITY"),
        (COURIER_OPENSSL, "priority", "", None),
        (COURIER_GNUTLS, "ciphers", "", None),
        (COURIER_GNUTLS, "starttls", "imap", "IMAPDSTARTTLS"),
        (COURIER_GNUTLS, "starttls", "pop3", "POP3_STARTTLS"),
        (DOVECOT_23, "starttls", "", None),
    ],
)
def test_names(dialect: str, field: str, service: str, name: str | None) -> None:
    assert native_name(dialect, field, service) == name


def test_no_two_fields_share_a_name() -> None:
    for dialect in WORDS:
        for service in ("", *COURIER_SWITCHES):
            names = [word.name for word in words(dialect, service).values()]
            assert len(names) == len(set(names))


def test_protocols_stand_in_the_order_of_their_code_points() -> None:
    assert list(CODE_POINTS) == list(PROTOCOLS)
    assert sorted(CODE_POINTS.values()) == list(CODE_POINTS.values())


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2.3.19.1", (2, 3, 19, 1)),
        ("2.4.1-4", (2, 4, 1)),
        ("2.4.1-4 (7d8c0e5759)", (2, 4, 1)),
        ("3.0.15+deb12", (3, 0, 15)),
        ("1.1.1w", (1, 1, 1)),
        ("2.4.", (2, 4)),
        ("2..4", (2,)),
        ("", ()),
        ("v2", ()),
        ("LibreSSL 3.9", ()),
    ],
)
def test_versions(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("version", "dialect"),
    [
        ("2.3.13", DOVECOT_23),
        ("2.3.21.1", DOVECOT_23),
        ("2.4.0", DOVECOT_24),
        ("2.4.1-4", DOVECOT_24),
        ("2.10.0", DOVECOT_24),
        ("3.0", DOVECOT_24),
        ("", DOVECOT_23),
    ],
)
def test_the_dialect_of_a_version(version: str, dialect: str) -> None:
    assert dovecot_dialect(version) == dialect
