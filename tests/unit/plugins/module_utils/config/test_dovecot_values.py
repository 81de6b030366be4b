# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to doveconf and the meaning of its answers, recorded from real servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.config.dovecot import (
    read_document,
    settings,
)
from ansible_collections.postmaster.tls.plugins.module_utils.config.dovecot_values import (
    Value,
    banner,
    emitted,
    filter_arguments,
    global_names,
    items,
    listeners,
    names,
    normal,
    parse_dump,
    read_fields,
    refusal,
    reported,
    scopes,
    written_values,
)
from ansible_collections.postmaster.tls.plugins.module_utils.config.vocabulary import (
    DOVECOT_23,
    DOVECOT_24,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import Origin, Setting

FIXTURES = Path(__file__).parents[4] / "fixtures" / "config"
MAIN = "/etc/dovecot/dovecot.conf"


def recorded(name: str) -> dict[str, str]:
    """The answer of a real server."""
    return parse_dump((FIXTURES / name).read_text())


def written(text: str) -> tuple[Setting, ...]:
    """The assignments of a configuration of one file."""
    return settings(read_document(MAIN, {MAIN: text}.get, lambda _: []))


@pytest.mark.parametrize(
    ("fixture", "name", "value"),
    [
        ("doveconf-2.3.19-global.txt", "ssl", "yes"),
        ("doveconf-2.3.19-global.txt", "ssl_cert", "</etc/dovecot/private/mail.pem"),
        ("doveconf-2.3.19-global.txt", "protocols", "imap lmtp sieve pop3"),
        (
            "doveconf-2.3.19-global.txt",
            "service/imap-login/inet_listener/imaps-travel/port",
            "10993",
        ),
        ("doveconf-2.3.19-global.txt", "service/imap-login/type", "login"),
        ("doveconf-2.4.1-global.txt", "ssl_server_cert_file", "/etc/dovecot/private/mail.pem"),
        ("doveconf-2.4.1-global.txt", "ssl_server_prefer_ciphers", "client"),
        ("doveconf-2.4.1-global.txt", "service/imap-login/inet_listener/imap-tickets/port", "1143"),
        ("doveconf-2.4.1-global.txt", "protocols/imap", "yes"),
        ("doveconf-2.4.1-global.txt", "listen", "* ::"),
    ],
)
def test_answers_of_real_servers(fixture: str, name: str, value: str) -> None:
    assert recorded(fixture)[name] == value


def test_what_doveconf_hides_is_left_out() -> None:
    assert parse_dump("ssl_key = # hidden, use -P to show it\nssl = yes\n") == {"ssl": "yes"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({"l": ""}, ()),
        ({"l": "*, ::"}, ("*", "::")),
        ({"l": " a  b "}, ("a", "b")),
        ({"l/a": "yes", "l/b": "no", "l/c": "Y"}, ("a", "c")),
        ({"l": "", "l/a": "yes"}, ("a",)),
    ],
)
def test_lists(values: dict[str, str], expected: tuple[str, ...] | None) -> None:
    assert items(values, "l") == expected


@pytest.mark.parametrize(
    ("dialect", "field", "native", "value"),
    [
        (DOVECOT_23, "tls", "required", "required"),
        (DOVECOT_23, "tls", "maybe", None),
        (DOVECOT_23, "plaintext_login", "no", "yes"),
        (DOVECOT_23, "plaintext_login", "Y", "no"),
        (DOVECOT_24, "plaintext_login", "YES", "yes"),
        (DOVECOT_24, "protocol_min", "ANY", "SSLv3"),
        (DOVECOT_23, "protocol_min", "TLSv9", None),
        (DOVECOT_23, "certificate", "</etc/a.pem", "/etc/a.pem"),
        (DOVECOT_23, "certificate", "/etc/a.pem", None),
        (DOVECOT_23, "certificate", "", ""),
        (DOVECOT_24, "certificate", "/etc/a.pem", "/etc/a.pem"),
        (DOVECOT_24, "key", "inline:secret", None),
        (DOVECOT_24, "trusted_networks", "10.0.0.0/8, ::1", "10.0.0.0/8 ::1"),
        (DOVECOT_24, "ciphers", "HIGH", "HIGH"),
    ],
)
def test_normal_values(dialect: str, field: str, native: str, value: str | None) -> None:
    assert normal(dialect, field, native) == value


@pytest.mark.parametrize(
    ("dialect", "scope", "arguments"),
    [
        (DOVECOT_23, "", ()),
        (DOVECOT_23, "local_name=a b", ("-f", "lname=a")),
        (DOVECOT_24, "local_name=a", ("-f", "local_name=a")),
        (
            *(DOVECOT_24, "remote=10.0.0.0/8,protocol=pop3"),
            ("-f", "remote=10.255.255.255", "-f", "protocol=pop3"),
        ),
    ],
)
def test_filter_arguments(dialect: str, scope: str, arguments: tuple[str, ...]) -> None:
    assert filter_arguments(dialect, scope) == arguments


@pytest.mark.parametrize(
    ("scope", "known", "chosen"),
    [
        ("remote=10.0.0.0/8", (), "10.255.255.255"),
        ("remote=10.0.0.0/8", ("remote=10.0.0.0/16",), "10.255.255.255"),
        ("remote=10.0.0.0/8", ("remote=10.255.0.0/16",), "10.0.0.0"),
        ("remote=10.0.0.0/8", ("local=10.255.0.0/16",), "10.255.255.255"),
        (
            "remote=10.0.0.0/8",
            ("remote=10.0.0.0/9", "remote=10.255.0.0/16,protocol=imap"),
            "10.128.0.0",
        ),
        ("remote=10.0.0.0/8", ("remote=10.0.0.0/9", "remote=10.128.0.0/9"), "10.0.0.0/8"),
        ("remote=2001:db8::/32", (), "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("remote=192.0.2.1", (), "192.0.2.1"),
        ("remote=mx.example", (), "mx.example"),
    ],
)
def test_a_network_is_asked_for_by_an_address_that_is_its_own(
    scope: str, known: tuple[str, ...], chosen: str
) -> None:
    assert filter_arguments(DOVECOT_23, scope, known) == ("-f", f"remote={chosen}")


def test_the_block_is_asked_after_the_flat_names() -> None:
    assert names(DOVECOT_24)[-1] == "ssl_server"
    assert "ssl_server" not in names(DOVECOT_23)
    assert set(names(DOVECOT_24)) < set(global_names(DOVECOT_24))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssl = yes", [""]),
        ("protocol imap {\nmail_plugins = x\n}", [""]),
        ("protocol imap {\nssl = no\n}", ["", "protocol=imap"]),
        ("protocol lmtp {\nssl = no\n}", [""]),
        ("protocol !imap {\nssl = no\n}", ["", "protocol=pop3", "protocol=sieve"]),
        ("local_name a {\nssl_cert = <a\n}", ["", "local_name=a"]),
        ("local_name a {\nssl_protocols = !TLSv1\n}", ["", "local_name=a"]),
        # Two blocks with different fields are the sum of both.
        (
            "local_name a {\nssl_cert = <a\n}\nprotocol pop3 {\nssl = no\n}",
            ["", "protocol=pop3", "local_name=a"],
        ),
        (
            "local_name a {\nssl = yes\n}\nprotocol pop3 {\nssl = no\n}",
            ["", "protocol=pop3", "local_name=a", "local_name=a,protocol=pop3"],
        ),
        (
            "local_name a {\nssl_cert = <a\nprotocol pop3 {\nssl = no\n}\n}",
            ["", "protocol=pop3", "local_name=a", "local_name=a,protocol=pop3"],
        ),
        (
            "remote 10.0.0.0/8 {\n@tls = a\n}\nprotocol pop3 {\nssl = no\n}",
            ["", "protocol=pop3", "remote=10.0.0.0/8", "remote=10.0.0.0/8,protocol=pop3"],
        ),
    ],
)
def test_scopes_to_ask(text: str, expected: list[str]) -> None:
    assert list(scopes(written(text), DOVECOT_23)) == expected


def test_fields_of_a_scope_with_the_line_that_decides() -> None:
    found = written("ssl = yes\nssl = required\nssl_cert = <certs/a.pem\n")
    answer = {"ssl": "required", "ssl_cert": "<certs/a.pem", "ssl_cipher_list": "HIGH"}
    fields = read_fields(DOVECOT_23, found, "", answer)
    rows = {f: (v.value, v.native, v.setting and v.setting.origin.line) for f, v in fields.items()}
    assert rows == {
        "tls": ("required", "required", 2),
        "ciphers": ("HIGH", "HIGH", None),
        "certificate": ("/etc/dovecot/certs/a.pem", "<certs/a.pem", 3),
    }


def test_the_path_of_a_hidden_key_comes_from_the_file_and_key_text_never_shows() -> None:
    fields = read_fields(DOVECOT_23, written("ssl_key = </a.key\n"), "", {})
    assert (fields["key"].value, fields["key"].native) == ("/a.key", "</a.key")
    inline = read_fields(DOVECOT_24, (), "", {"ssl_server_key_file": "inline:SECRET"})
    assert (inline["key"].value, inline["key"].native) == (None, "…")


NESTED = """\
protocol pop3 {
  ssl_min_protocol = TLSv1.2
}
remote 10.0.0.0/8 {
  auth_allow_cleartext = yes
  protocol pop3 {
    auth_allow_cleartext = no
  }
}
"""


def test_nested_blocks_that_doveconf_loses_are_read_from_the_file() -> None:
    scope = "remote=10.0.0.0/8,protocol=pop3"
    fields = read_fields(DOVECOT_24, written(NESTED), scope, {"auth_allow_cleartext": "yes"})
    assert fields["plaintext_login"].value == "no"
    assert fields["plaintext_login"].setting is not None
    assert fields["plaintext_login"].setting.origin.line == 7
    outer = read_fields(
        DOVECOT_24, written(NESTED), "protocol=pop3", {"auth_allow_cleartext": "yes"}
    )
    assert outer["plaintext_login"].value == "yes"


def row(native: str, scope: str | None = None) -> dict[str, Value]:
    """One field in a scope, set in ``scope``."""
    setting = None if scope is None else Setting("ssl", native, scope, Origin(MAIN, 1))
    return {"tls": Value("tls", "ssl", native, native, setting)}


@pytest.mark.parametrize(
    ("scope", "rows", "expected"),
    [
        ("", {"": row("yes")}, True),
        ("p=1", {"": row("yes"), "p=1": row("yes")}, False),
        ("p=1", {"": row("yes"), "p=1": row("no")}, True),
        ("p=1", {"": row("yes"), "p=1": row("yes", "p=1")}, True),
        ("p=1", {"": row("yes", ""), "p=1": row("yes", "")}, False),
        ("r=1,p=1", {"": row("a"), "r=1": row("a"), "p=1": row("b"), "r=1,p=1": row("b")}, False),
        ("r=1,p=1", {"": row("a"), "r=1": row("a"), "p=1": row("b"), "r=1,p=1": row("a")}, True),
        ("r=1,p=1", {"": row("a"), "r=1": row("c"), "p=1": row("b"), "r=1,p=1": row("c")}, True),
        ("r=1,p=1", {"": row("a"), "r=1": row("c"), "p=1": row("b"), "r=1,p=1": row("b")}, True),
        ("r=1,p=1", {"": row("a"), "r=1": row("b"), "p=1": row("b"), "r=1,p=1": row("b")}, False),
    ],
)
def test_rows_that_say_something(
    scope: str, rows: dict[str, dict[str, Value]], expected: bool
) -> None:
    assert emitted(scope, "tls", rows) is expected


# ---------------------------------------------------------------------------------------------
# Ports


def ports(values: dict[str, str], tls: str = "yes") -> list[tuple[str, str, int, str | None]]:
    """Listeners as service, address, port and mode."""
    found = listeners(values, lambda _: tls, lambda _: None)
    return [(p.service.value, p.address, p.port, p.tls_mode and p.tls_mode.value) for p in found]


def test_ports_of_a_real_2_3() -> None:
    found = ports(recorded("doveconf-2.3.19-global.txt"))
    assert {(s, p, m) for s, _, p, m in found} == {
        ("imap", 143, "starttls"),
        ("imap", 993, "implicit"),
        ("imap", 10993, "implicit"),
        ("pop3", 110, "starttls"),
        ("pop3", 995, "implicit"),
        ("sieve", 4190, "starttls"),
    }
    assert {a for _, a, _, _ in found} == {"*", "::"}


def test_ports_of_a_real_2_4_with_own_addresses_a_closed_port_and_no_sieve() -> None:
    assert ports(recorded("doveconf-2.4.5-one-protocol-off.txt")) == [
        ("imap", "127.0.0.1", 993, "implicit"),
        ("imap", "::1", 993, "implicit"),
        ("imap", "*", 1993, "implicit"),
        ("pop3", "*", 110, "starttls"),
        ("pop3", "*", 995, "implicit"),
    ]


def test_without_tls_there_are_no_implicit_ports_and_no_starttls() -> None:
    found = ports(recorded("doveconf-2.4.1-global.txt"), tls="no")
    assert {(s, p, m) for s, _, p, m in found} == {
        *(("imap", 143, None), ("imap", 1143, None), ("pop3", 110, None)),
        *(("sieve", 4190, None), ("sieve", 2000, None)),
    }


def test_tls_off_for_one_protocol_leaves_the_other_alone() -> None:
    tls = {"": "yes", "protocol=imap": "no", "protocol=pop3": "required"}
    values = written_values(())
    found = listeners(values, tls.get, lambda _: None)
    modes = {p.port: p.tls_mode and p.tls_mode.value for p in found}
    assert modes == {143: None, 993: "implicit", 110: "starttls", 995: "implicit"}


@pytest.mark.parametrize("port", ["0", "-1", "abc", "", "65536", "9" * 5000, "²"])
def test_what_is_no_port_opens_none(port: str) -> None:
    values = {**written_values(()), "service/imap-login/inet_listener/imap/port": port}
    assert 143 not in {p for _, _, p, _ in ports(values)}


@pytest.mark.parametrize(
    ("text", "services"),
    [
        ("", {"imap", "pop3"}),
        ("protocols = imap sieve", {"imap", "sieve"}),
        ("protocols = $protocols imap\nprotocols = $protocols sieve", {"imap", "sieve"}),
        ("protocols {\npop3 = yes\nimap = no\n}", {"pop3"}),
    ],
)
def test_ports_of_a_broken_configuration_come_from_the_files(text: str, services: set[str]) -> None:
    text += "\nservice imap-login {\ninet_listener x {\nport = 1143\n}\n}\n"
    found = ports(written_values(written(text)))
    assert {s for s, _, _, _ in found} == services
    assert (1143 in {p for _, _, p, _ in found}) == ("imap" in services)


# ---------------------------------------------------------------------------------------------
# Complaints and secrets


BRACE = "Error in configuration file /d.conf: Missing '}' (section started at /d.conf:3)"
CLASH = (
    "Error in configuration file /d.conf: auth_allow_cleartext=yes has no effect with ssl=required"
)
UNKNOWN = "Error in configuration file /d.conf line 1: Unknown setting: ssl_foo"
NOISE = "doveconf: Error: managesieve-login: dump-capability process returned 89\n"


@pytest.mark.parametrize(
    ("stderr", "message", "origin"),
    [
        (f"{NOISE}doveconf: Fatal: {UNKNOWN}\n", UNKNOWN, Origin("/d.conf", 1)),
        (f"doveconf: Fatal: {BRACE}", BRACE, Origin("/d.conf", 3)),
        (f"doveconf: Fatal: {CLASH}", CLASH, None),
        ("", "it gave no reason", None),
        ("odd\x1b[31m", "odd\\x1b[31m", None),
    ],
)
def test_complaints(stderr: str, message: str, origin: Origin | None) -> None:
    found = refusal(stderr)
    assert found.message == f"Dovecot refuses its configuration: {message}"
    assert found.origin == origin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# 2.3.13 (89f716dc2): /etc/dovecot/dovecot.conf\n", ("2.3.13", MAIN)),
        ("# 2.4.1-4 (7d8c0e5759): /etc/dovecot/dovecot.conf\n# x: /y\n", ("2.4.1-4", MAIN)),
        ("", (None, None)),
        ("nonsense", (None, None)),
    ],
)
def test_banner(text: str, expected: tuple[str | None, str | None]) -> None:
    assert banner(text) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((n, True) for n in ("ssl", "ssl_cert", "ssl_server_cert_file", "auth_mechanisms/plain")),
        *((n, True) for n in ("@tls", "@tls/strict/ssl", "protocols", "listen")),
        ("service/imap-login/inet_listener/imaps/port", True),
        *(
            (n, False)
            for n in ("ssl_key_password", "ssl_server_key_password", "ssl_client_key_password")
        ),
        *(
            (n, False)
            for n in ("doveadm_password", "auth_policy_hash_nonce", "@tls/a/ssl_key_password")
        ),
        *(
            (n, False)
            for n in ("passdb/ldap/password", "auth_policy_server_api_header", "plugin/ssl")
        ),
        ("service/auth/unix_listener/x/mode", False),
    ],
)
def test_only_settings_without_secrets_are_reported(name: str, expected: bool) -> None:
    assert reported(Setting(name, "x", "", Origin(MAIN, 1))) is expected
