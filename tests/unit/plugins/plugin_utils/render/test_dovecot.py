# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of a Dovecot in, plan out."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    FileFact,
    TlsLibrary,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import load_profile
from ansible_collections.postmaster.tls.plugins.plugin_utils.render.plan import (
    CertificateWant,
    ModeWant,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.render.seen import (
    CERTIFICATE,
    FOLDER,
    KEY,
    OURS,
    SSL,
    dovecot,
    planned,
    setting,
    wants,
)
from ansible_collections.postmaster.tls.tests.unit.worlds import (
    OPENSSL_30,
    OPENSSL_35,
    OPENSSL_111,
    absent,
    short_rsa,
    usable,
)

AEAD = ":".join(load_profile("intermediate").ciphers)
SUITES = ":".join(load_profile("intermediate").cipher_suites)
CLASSIC = "X25519:prime256v1:secp384r1"
HYBRID = f"X25519MLKEM768:{CLASSIC}"
LOG_23 = {
    "login_log_format_elements": "user=<%u> method=%m rip=%r %c %k session=<%{session}>",
}
LOG_24 = {
    "login_log_format_elements": "user=<%{user}> rip=%{remote_ip} %{secured} %{ssl_security}",
}
REQUIRED, TLS_12, TLS_13 = (
    {"ssl": "required"},
    {"ssl_min_protocol": "TLSv1.2"},
    {"ssl_min_protocol": "TLSv1.3"},
)
CIPHERS = {"ssl_cipher_list": AEAD}

# No setting of the administrator but the certificate: what each version lacks by default.
STOCK = {
    ("2.3.13", OPENSSL_111, "intermediate"): {**REQUIRED, **TLS_12, **CIPHERS, **LOG_23},
    # It cannot leave TLS 1.2 out, so at least what RFC 9325 recommends for it.
    ("2.3.13", OPENSSL_111, "modern"): {
        **REQUIRED,
        **TLS_12,
        "ssl_cipher_list": ":".join(load_profile("intermediate").ciphers[:4]),
        **LOG_23,
    },
    ("2.3.19", OPENSSL_30, "intermediate"): {**REQUIRED, **CIPHERS, **LOG_23},
    ("2.3.19", OPENSSL_30, "modern"): {**REQUIRED, **TLS_13, **LOG_23},
    ("2.4.1", OPENSSL_35, "intermediate"): {**REQUIRED, **CIPHERS, **LOG_24},
    ("2.4.1", OPENSSL_35, "modern"): {**REQUIRED, **TLS_13, **LOG_24},
}


@pytest.mark.parametrize(("version", "library", "profile"), STOCK)
def test_a_stock_server(version: str, library: TlsLibrary, profile: str) -> None:
    made = planned(dovecot(version, library), profile)
    assert {w.name: w.value for w in made.settings} == STOCK[version, library, profile]
    assert (made.overrides, made.certificate, made.modes) == ((), None, ())
    note = "dovecot 2.3.13 cannot be limited to TLSv1.3; it is set to TLSv1.2. A newer release can."
    assert made.notes == ((note,) if (version, profile) == ("2.3.13", "modern") else ())
    assert not made.empty


@pytest.mark.parametrize(
    ("version", "name", "value", "native"),
    [
        ("2.3.19", "ssl", "no", "required"),
        ("2.3.19", "disable_plaintext_auth", "no", "yes"),
        ("2.4.1", "auth_allow_cleartext", "yes", "no"),
        ("2.4.1", "ssl_min_protocol", "TLSv1", "TLSv1.2"),
        ("2.4.1", "ssl_min_protocol", "ANY", "TLSv1.2"),
        ("2.4.1", "ssl_min_protocol", "nonsense", "TLSv1.2"),
        ("2.4.1", "ssl_cipher_list", "HIGH:@SECLEVEL=0", AEAD),
        ("2.4.1", "ssl_cipher_suites", "TLS_AES_128_CCM_8_SHA256", SUITES),
        # the classical list turns the hybrid off
        ("2.4.1", "ssl_curve_list", CLASSIC, HYBRID),
        ("2.4.1", "ssl_curve_list", "secp224r1", HYBRID),
        ("2.3.19", "ssl_curve_list", "X25519:ffdhe2048", CLASSIC),
    ],
)
def test_what_is_weak_is_wanted_hard(version: str, name: str, value: str, native: str) -> None:
    library = OPENSSL_35 if version == "2.4.1" else OPENSSL_30
    assert wants(dovecot(version, library, [setting(name, value)]))[name] == native


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ssl", "required"),
        ("auth_allow_cleartext", "no"),
        ("ssl_min_protocol", "TLSv1.2"),
        ("ssl_min_protocol", "TLSv1.3"),
        ("ssl_cipher_list", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ("ssl_cipher_list", AEAD),
        ("ssl_cipher_suites", ""),
        ("ssl_cipher_suites", "TLS_AES_256_GCM_SHA384"),
        ("ssl_curve_list", ""),
        ("ssl_curve_list", HYBRID),
        ("ssl_curve_list", "X25519MLKEM768"),
        ("ssl_curve_list", "SecP384r1MLKEM1024:X25519MLKEM768"),
        ("ssl_curve_list", "X25519MLKEM768:X448:secp521r1"),
        ("login_log_format_elements", "user=<%{user}> %{ssl_security}"),
    ],
)
def test_what_is_at_least_as_hard_stays_as_it_is(name: str, value: str) -> None:
    assert name not in wants(dovecot(settings=[setting(name, value)]))


@pytest.mark.parametrize("value", ["", CLASSIC, "secp384r1", "X448", "secp521r1:secp384r1"])
def test_classical_groups_stay_where_the_library_has_no_hybrid(value: str) -> None:
    server = dovecot("2.3.19", OPENSSL_30, [setting("ssl_curve_list", value)])
    assert "ssl_curve_list" not in wants(server)


@pytest.mark.parametrize(
    ("library", "groups"),
    [
        (OPENSSL_111, CLASSIC),
        (OPENSSL_30, CLASSIC),
        (TlsLibrary("openssl", "3.4.9"), CLASSIC),
        (TlsLibrary("openssl", None), CLASSIC),
        (OPENSSL_35, HYBRID),
        (TlsLibrary("openssl", "3.10.0"), HYBRID),
        (TlsLibrary("openssl", "4.0.0"), HYBRID),
        (TlsLibrary("LibreSSL", "4.0.0"), CLASSIC),
    ],
)
def test_the_hybrid_group_only_where_the_library_has_it(library: TlsLibrary, groups: str) -> None:
    server = dovecot("2.4.1", library, [setting("ssl_curve_list", "sect163k1")])
    assert wants(server)["ssl_curve_list"] == groups


def test_an_unknown_library_keeps_its_default_groups() -> None:
    """A list without the hybrid would turn it off where the library has it."""
    assert "ssl_curve_list" not in wants(dovecot(library=None))
    with_list = dovecot(library=None, settings=[setting("ssl_curve_list", "sect163k1")])
    assert wants(with_list)["ssl_curve_list"] == CLASSIC


def test_a_setting_that_the_version_does_not_know_is_never_written() -> None:
    weak = [setting("ssl_cipher_suites", "TLS_AES_128_CCM_8_SHA256")]
    assert "ssl_cipher_suites" in wants(dovecot("2.3.15", OPENSSL_30, weak))
    assert "ssl_cipher_suites" not in wants(dovecot("2.3.13", OPENSSL_111, weak))


# ---------------------------------------------------------------------------------------------
# Our own file


def test_what_is_in_our_file_stays_there_while_it_is_hard() -> None:
    ours = [
        setting("ssl", "required", file=OURS),
        setting("ssl_min_protocol", "TLSv1.3", file=OURS),
        setting("ssl_curve_list", HYBRID, file=OURS),
    ]
    found = wants(dovecot(settings=ours))
    assert (found["ssl"], found["ssl_min_protocol"]) == ("required", "TLSv1.3")
    assert found["ssl_curve_list"] == HYBRID
    assert "auth_allow_cleartext" not in found


def test_a_weak_value_in_our_file_is_written_anew() -> None:
    ours = [setting("ssl_min_protocol", "TLSv1.2", file=OURS)]
    assert wants(dovecot(settings=ours), "modern")["ssl_min_protocol"] == "TLSv1.3"


def test_a_second_certificate_in_our_file_stays_there() -> None:
    names = ("ssl_server_alt_cert_file", "ssl_server_alt_key_file")
    ours = [setting(name, f"/etc/dovecot/private/{name}", file=OURS) for name in names]
    block = [setting(name, "", "local_name=old.example.org", OURS) for name in names]
    made = planned(dovecot(settings=[*ours, *block]))
    assert {(one.name, one.value) for one in made.settings} >= {(s.name, s.value) for s in ours}
    assert [(one.scope, one.name, one.value) for one in made.scoped] == [
        ("local_name=old.example.org", name, "") for name in names
    ]


def test_a_log_format_that_tells_enough_is_not_told_twice() -> None:
    ours = [setting(name, value, file=OURS) for name, value in LOG_24.items()]
    assert LOG_24.items() <= wants(dovecot(settings=ours)).items()


def test_without_a_log_format_none_is_made_up() -> None:
    server = dovecot()
    rows = tuple(r for r in server.effective if r.field not in ("login_log", "cipher_suites"))
    found = wants(replace(server, effective=rows))
    assert not {"login_log_format_elements", "ssl_cipher_suites"} & set(found)


# ---------------------------------------------------------------------------------------------
# Narrower scopes


@pytest.mark.parametrize(
    ("scope", "decides"),
    [
        ("protocol=imap", True),
        ("protocol=pop3", True),
        ("protocol=sieve", True),
        ("protocol=!imap", True),
        ("protocol=!lmtp", True),
        ("local=192.0.2.1", True),
        ("remote=10.0.0.0/8", True),
        ("local_name=old.example.org", True),
        ("remote=10.0.0.0/8,protocol=pop3", True),
        ("protocol=lmtp", False),
        ("protocol=lda", False),
        ("protocol=submission", False),
        ("protocol=doveadm", False),
        ("remote=10.0.0.0/8,protocol=lmtp", False),
        ("protocol=lmtp,local=192.0.2.1", False),
    ],
)
def test_scopes_that_decide_about_logins(scope: str, decides: bool) -> None:
    made = planned(dovecot(settings=[setting("ssl", "no", scope, line=7)]))
    assert [(o.file, o.line, o.name, o.value) for o in made.overrides] == (
        [(SSL, 7, "ssl", "no")] if decides else []
    )


@pytest.mark.parametrize(
    ("version", "name", "value", "neutralised"),
    [
        ("2.3.19", "ssl", "yes", True),
        ("2.3.19", "ssl", "required", False),
        ("2.3.19", "disable_plaintext_auth", "no", True),
        ("2.3.19", "disable_plaintext_auth", "yes", False),
        ("2.3.19", "ssl_min_protocol", "TLSv1.1", True),
        ("2.3.19", "ssl_min_protocol", "TLSv1.3", False),
        ("2.3.19", "ssl_cipher_list", "LOW", True),
        ("2.3.19", "ssl_cipher_list", "ECDHE-ECDSA-AES256-GCM-SHA384", False),
        ("2.3.19", "ssl_curve_list", "X25519:ffdhe2048", True),
        ("2.3.19", "ssl_curve_list", "X25519", False),
        ("2.3.19", "login_log_format_elements", "user=<%u>", True),
        ("2.3.19", "login_log_format_elements", "user=<%u> %k", False),
        ("2.3.19", "ssl_protocols", "!SSLv3", True),
        ("2.3.19", "ssl_disable", "no", True),
        ("2.3.19", "ssl_cert", "</etc/other.pem", False),
        ("2.3.19", "auth_mechanisms", "plain", False),
        ("2.4.1", "auth_allow_cleartext", "yes", True),
        ("2.4.1", "disable_plaintext_auth", "no", False),
        ("2.4.1", "ssl_curve_list", CLASSIC, True),
    ],
)
def test_weak_values_of_narrower_scopes(
    version: str, name: str, value: str, neutralised: bool
) -> None:
    library = OPENSSL_35 if version == "2.4.1" else OPENSSL_30
    one = setting(name, value, "local_name=old.example.org", line=3)
    overrides = planned(dovecot(version, library, [one])).overrides
    assert [o.line for o in overrides] == ([3] if neutralised else [])


def test_each_of_several_assignments_is_neutralised() -> None:
    scope = "protocol=pop3"
    several = [
        setting("ssl_cipher_list", "LOW", scope, line=1, wins=False),
        setting("ssl_cipher_list", AEAD, scope, line=2),
        setting("ssl", "no", scope, line=3, wins=False),
        setting("ssl", "yes", scope, line=4),
    ]
    made = planned(dovecot(settings=several))
    assert [o.line for o in made.overrides] == [1, 3, 4]


def test_global_assignments_are_no_overrides() -> None:
    """Our file is read after them; the editor sees to those that come later still."""
    assert planned(dovecot(settings=[setting("ssl", "no")])).overrides == ()


# ---------------------------------------------------------------------------------------------
# Who counts as secured


@pytest.mark.parametrize(
    ("version", "networks", "scope", "neutralised"),
    [
        ("2.3.19", "10.0.0.0/8", "", True),
        ("2.3.19", "127.0.0.1 10.0.0.1", "", True),
        ("2.3.19", "127.0.0.0/8, 192.168.1.0/24", "", True),
        ("2.3.19", "0.0.0.0/0", "", True),
        ("2.3.19", "webmail.example.org", "", True),
        ("2.3.19", "$trusted", "", True),
        ("2.3.19", "10.0.0.0/8", "protocol=imap", True),
        ("2.3.19", "", "", False),
        ("2.3.19", "127.0.0.1", "", False),
        ("2.3.19", "127.0.0.0/8 ::1", "", False),
        ("2.3.19", "10.0.0.0/8", "protocol=lmtp", False),
        # 2.4 does not count them as secured when ssl = required (NEWS 2.4.0)
        ("2.4.1", "10.0.0.0/8", "", False),
    ],
)
def test_trusted_networks(version: str, networks: str, scope: str, neutralised: bool) -> None:
    one = setting("login_trusted_networks", networks, scope, line=9)
    overrides = planned(dovecot(version, OPENSSL_30, [one])).overrides
    assert [o.line for o in overrides] == ([9] if neutralised else [])


# ---------------------------------------------------------------------------------------------
# Files


@pytest.mark.parametrize(
    ("version", "name", "value"),
    [
        ("2.3.19", "ssl_dh", "</etc/dovecot/conf.d/dh.pem"),
        ("2.3.19", "ssl_dh", "<dh.pem"),
        ("2.4.1", "ssl_server_dh_file", "/etc/dovecot/conf.d/dh.pem"),
        ("2.4.1", "ssl_server_dh_file", "dh.pem"),
    ],
)
@pytest.mark.parametrize(
    ("bits", "neutralised"), [(1024, True), (2047, True), (2048, False), (None, False)]
)
def test_a_short_dh_file_is_taken_out(
    version: str, name: str, value: str, bits: Optional[int], neutralised: bool
) -> None:
    server = dovecot(version, OPENSSL_30, [setting(name, value, line=4)])
    dh = FileFact(f"{FOLDER}/conf.d/dh.pem", "dh", True, bits=bits)
    made = planned(replace(server, files=(*server.files, dh)))
    assert [o.line for o in made.overrides] == ([4] if neutralised else [])


@pytest.mark.parametrize(
    ("version", "names", "mark"),
    [
        ("2.3.19", ("ssl_cert", "ssl_key"), "<"),
        ("2.4.1", ("ssl_server_cert_file", "ssl_server_key_file"), ""),
    ],
)
@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (absent(CERTIFICATE, "certificate"), f"{CERTIFICATE} does not exist"),
        (short_rsa(CERTIFICATE, "certificate"), f"the key of {CERTIFICATE} is RSA with 1024 bits"),
        (
            usable(CERTIFICATE, "certificate", key_matches=False),
            f"the key does not belong to {CERTIFICATE}",
        ),
    ],
)
def test_an_unusable_certificate_is_replaced_beside_it(
    fact: FileFact, reason: str, version: str, names: tuple[str, str], mark: str
) -> None:
    server = replace(dovecot(version, OPENSSL_30), files=(fact, usable(KEY, "key")))
    made = planned(server)
    base = f"{FOLDER}/private/postmaster-tls"
    hosts = ("mail.example.org",)
    assert made.certificate == CertificateWant(f"{base}.crt", f"{base}.key", hosts, reason)
    found = {w.name: w.value for w in made.settings}
    assert [found[name] for name in names] == [f"{mark}{base}.crt", f"{mark}{base}.key"]


@pytest.mark.parametrize(
    ("fact", "lines"),
    [
        (short_rsa("/etc/ssl/own.pem", "certificate"), [4, 5]),
        (absent("/etc/ssl/own.pem", "certificate"), [4, 5]),
        (usable("/etc/ssl/own.pem", "certificate", key_matches=False), [4, 5]),
        (usable("/etc/ssl/own.pem", "certificate"), []),
        (usable("/etc/ssl/own.pem", "certificate", problem="its key /k is encrypted"), []),
    ],
)
def test_a_certificate_of_a_narrower_scope_that_is_dead_is_taken_out(
    fact: FileFact, lines: list[int]
) -> None:
    own = [
        setting("ssl_server_cert_file", fact.path, "local_name=old.example.org", line=4),
        setting("ssl_server_key_file", "/etc/ssl/own.key", "local_name=old.example.org", line=5),
    ]
    server = dovecot(settings=own)
    files = (*server.files, fact, usable("/etc/ssl/own.key", "key"))
    made = planned(replace(server, files=files))
    assert [o.line for o in made.overrides] == lines
    assert made.certificate is None


def test_a_certificate_that_we_made_stays_ours() -> None:
    crt, key = f"{FOLDER}/private/postmaster-tls.crt", f"{FOLDER}/private/postmaster-tls.key"
    ours = [
        setting("ssl_server_cert_file", crt, file=OURS),
        setting("ssl_server_key_file", key, file=OURS),
    ]
    files = (usable(crt, "certificate"), usable(key, "key"))
    made = planned(replace(dovecot(settings=ours), files=files))
    assert made.certificate is None
    found = {w.name: w.value for w in made.settings}
    assert (found["ssl_server_cert_file"], found["ssl_server_key_file"]) == (crt, key)


def test_the_certificate_of_the_administrator_is_not_taken_into_our_file() -> None:
    assert not {"ssl_server_cert_file", "ssl_server_key_file"} & set(wants(dovecot()))


def test_a_key_that_others_can_read_is_closed() -> None:
    files = (usable(CERTIFICATE, "certificate", mode="0644"), usable(KEY, "key", mode="0644"))
    assert planned(replace(dovecot(), files=files)).modes == (ModeWant(KEY, "0640"),)
