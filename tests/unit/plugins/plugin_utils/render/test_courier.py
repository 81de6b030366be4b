# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of a Courier in, plan out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Effective,
    ServerConfig,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import load_profile
from ansible_collections.postmaster.tls.plugins.plugin_utils.render.plan import (
    CertificateWant,
    ModeWant,
    Override,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.render.seen import (
    COURIER,
    courier,
    planned,
    setting,
    wants,
    wants_by_file,
)
from ansible_collections.postmaster.tls.tests.unit.worlds import (
    GNUTLS_37,
    GNUTLS_38,
    OPENSSL_35,
    absent,
    short_rsa,
    usable,
)

IMAP, POP3 = f"{COURIER}/imapd-ssl", f"{COURIER}/pop3d-ssl"
AEAD = ":".join(load_profile("intermediate").ciphers)
PRIORITY = {name: load_profile(name).gnutls_priority for name in ("modern", "intermediate")}
HARD = {
    "IMAP_TLS_REQUIRED": "1",
    "POP3_TLS_REQUIRED": "1",
    "TLS_PRIORITY": PRIORITY["intermediate"],
    "TLS_PROTOCOL": "TLSv1.2",
    "TLS_CIPHER_LIST": AEAD,
}


@pytest.mark.parametrize("profile", ["modern", "intermediate"])
@pytest.mark.parametrize("library", [GNUTLS_37, GNUTLS_38])
def test_a_stock_server_on_gnutls(profile: str, library: object) -> None:
    made = planned(courier(library), profile)  # type: ignore[arg-type]
    assert wants_by_file(courier(), profile) == {
        IMAP: {"IMAP_TLS_REQUIRED": "1", "TLS_PRIORITY": PRIORITY[profile]},
        POP3: {"POP3_TLS_REQUIRED": "1", "TLS_PRIORITY": PRIORITY[profile]},
    }
    assert (made.overrides, made.certificate, made.modes, made.notes) == ((), None, (), ())


def test_a_stock_server_on_openssl() -> None:
    assert wants_by_file(courier(OPENSSL_35)) == {
        IMAP: {"IMAP_TLS_REQUIRED": "1", "TLS_PROTOCOL": "TLSv1.2", "TLS_CIPHER_LIST": AEAD},
        POP3: {"POP3_TLS_REQUIRED": "1", "TLS_PROTOCOL": "TLSv1.2", "TLS_CIPHER_LIST": AEAD},
    }


def test_openssl_cannot_be_limited_to_tls_1_3() -> None:
    """A word that libcouriertls.c does not know opens TLS 1.0 and up."""
    made = planned(courier(OPENSSL_35), "modern")
    assert {w.value for w in made.settings if w.name == "TLS_PROTOCOL"} == {"TLSv1.2"}
    assert made.notes == (
        "courier 5.0.13 cannot be limited to TLSv1.3; it is set to TLSv1.2. A newer release can.",
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [("IMAPDSTARTTLS", "NO"), ("POP3_STARTTLS", "NO"), ("IMAPDSTARTTLS", "yes please")],
)
def test_tls_is_offered_where_it_is_required(variable: str, value: str) -> None:
    assert wants(courier(**{**HARD, variable: value}))[variable] == "YES"


@pytest.mark.parametrize("library", [GNUTLS_37, OPENSSL_35])
def test_a_hard_server_wants_nothing(library: object) -> None:
    assert planned(courier(library, **HARD)).empty  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("library", "variable", "value"),
    [
        (GNUTLS_37, "TLS_PRIORITY", PRIORITY["modern"]),
        (OPENSSL_35, "TLS_PROTOCOL", "TLSv1.2++"),
        (OPENSSL_35, "TLS_CIPHER_LIST", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ],
)
def test_what_is_harder_stays_as_it_is(library: object, variable: str, value: str) -> None:
    server = courier(library, **{**HARD, variable: value})  # type: ignore[arg-type]
    assert variable not in wants(server)


def test_what_only_the_shell_knows_is_set() -> None:
    computed = dict.fromkeys(("IMAPDSTARTTLS", "IMAP_TLS_REQUIRED", "TLS_PRIORITY"))
    found = wants_by_file(courier(**{**HARD, **computed}))[IMAP]
    assert found == {
        "IMAPDSTARTTLS": "YES",
        "IMAP_TLS_REQUIRED": "1",
        "TLS_PRIORITY": PRIORITY["intermediate"],
    }


def test_a_service_that_is_not_installed_is_not_planned_for() -> None:
    server = courier()
    rows = tuple(row for row in server.effective if "pop3" not in row.scope)
    assert set(wants_by_file(replace(server, effective=rows))) == {IMAP}


def test_starttls_under_a_name_of_its_own() -> None:
    """Upstream's scripts give TLS_STARTTLS_PROTOCOL to the server as TLS_PROTOCOL."""

    def renamed(row: Effective) -> Effective:
        other = row.field == "protocol_min" and row.scope in ("service=imap", "service=pop3")
        return replace(row, name="TLS_STARTTLS_PROTOCOL") if other else row

    server = courier(OPENSSL_35)
    server = replace(server, effective=tuple(map(renamed, server.effective)))
    for values in wants_by_file(server).values():
        assert values["TLS_PROTOCOL"] == values["TLS_STARTTLS_PROTOCOL"] == "TLSv1.2"


def test_couriertls_that_cannot_be_run_is_no_setting_of_ours() -> None:
    def renamed(row: Effective) -> Effective:
        return replace(row, name="COURIERTLS", value="no") if row.field == "starttls" else row

    server = courier(**HARD)
    server = replace(server, effective=tuple(map(renamed, server.effective)))
    assert wants(server) == {"IMAPDSTARTTLS": "YES", "POP3_STARTTLS": "YES"}


# ---------------------------------------------------------------------------------------------
# The other file


@pytest.mark.parametrize(
    ("name", "value", "neutralised"),
    [
        ("IMAP_TLS_REQUIRED", "0", True),
        ("IMAP_TLS_REQUIRED", "`echo 1`", True),
        ("IMAP_TLS_REQUIRED", "1", False),
        ("TLS_PRIORITY", "NORMAL", True),
        ("TLS_PROTOCOL", "TLSv1", False),  # never read by GnuTLS's back end
        ("PORT", "143", False),
    ],
)
def test_a_variable_that_is_wanted_stands_in_one_file(
    name: str, value: str, neutralised: bool
) -> None:
    other = f"{COURIER}/imapd"
    server = courier(settings=[setting(name, value, "imapd", other, 5)])
    assert planned(server).overrides == ((Override(other, 5, name, value),) if neutralised else ())


def test_files_of_the_other_service_do_not_matter() -> None:
    elsewhere = [
        setting("IMAP_TLS_REQUIRED", "0", "pop3d", f"{COURIER}/pop3d"),
        setting("IMAP_TLS_REQUIRED", "0", "imapd-ssl", IMAP),
    ]
    assert planned(courier(settings=elsewhere)).overrides == ()


def test_a_variable_that_is_hard_already_is_left_in_both_files() -> None:
    server = courier(settings=[setting("TLS_PRIORITY", "NORMAL", "imapd", f"{COURIER}/imapd")])
    hard = courier(settings=server.settings, **HARD)
    assert planned(hard).overrides == ()


# ---------------------------------------------------------------------------------------------
# Certificates

MADE = f"{COURIER}/postmaster-tls.pem"
IMAP_PEM, POP3_PEM = f"{COURIER}/imapd.pem", f"{COURIER}/pop3d.pem"


def with_files(server: ServerConfig, *facts: object) -> ServerConfig:
    return replace(server, files=facts)


def test_one_certificate_for_all_that_lack_one() -> None:
    server = with_files(
        courier(**HARD), absent(IMAP_PEM, "combined"), short_rsa(POP3_PEM, "combined")
    )
    made = planned(server)
    reason = f"{IMAP_PEM} does not exist"
    assert made.certificate == CertificateWant(MADE, MADE, ("mail.example.org",), reason)
    assert wants_by_file(server) == {IMAP: {"TLS_CERTFILE": MADE}, POP3: {"TLS_CERTFILE": MADE}}


def test_a_service_with_a_usable_one_keeps_it() -> None:
    server = with_files(courier(**HARD), usable(IMAP_PEM, "combined"), absent(POP3_PEM, "combined"))
    assert wants_by_file(server) == {POP3: {"TLS_CERTFILE": MADE}}


def test_a_key_in_a_file_of_its_own_goes_along() -> None:
    server = courier(**HARD, TLS_PRIVATE_KEYFILE="/etc/courier/key.pem")
    server = with_files(server, absent(IMAP_PEM, "certificate"), usable(POP3_PEM, "certificate"))
    assert wants_by_file(server) == {IMAP: {"TLS_CERTFILE": MADE, "TLS_PRIVATE_KEYFILE": MADE}}


def test_a_file_name_that_only_the_shell_knows_is_left_alone() -> None:
    server = with_files(courier(**HARD, TLS_CERTFILE=None))
    assert planned(server).empty


def test_no_file_name_at_all() -> None:
    made = planned(with_files(courier(**HARD, TLS_CERTFILE="")))
    assert made.certificate is not None
    assert made.certificate.reason == "no certificate is configured"


def test_a_combined_file_that_others_can_read_is_closed() -> None:
    server = with_files(
        courier(**HARD), usable(IMAP_PEM, "combined", mode="0644"), usable(POP3_PEM, "combined")
    )
    assert planned(server).modes == (ModeWant(IMAP_PEM, "0640"),)
