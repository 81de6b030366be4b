# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assignments, scopes and the flat file of a Dovecot configuration."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.module_utils.config.dovecot import (
    Document,
    filters,
    flatten,
    read_document,
    settings,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import Origin

MAIN = "/etc/dovecot/dovecot.conf"
SSL = "/etc/dovecot/conf.d/10-ssl.conf"
LOCAL = "/etc/dovecot/local.conf"


def document(files: dict[str, str] | str) -> Document:
    """A document over files in memory; a lone text is the main file."""
    tree = {MAIN: files} if isinstance(files, str) else files

    def glob(pattern: str) -> list[str]:
        return sorted(p for p in tree if fnmatch.fnmatchcase(p, pattern))

    return read_document(MAIN, tree.get, glob)


@pytest.mark.parametrize(
    ("text", "name", "value", "scope"),
    [
        ("ssl = yes", "ssl", "yes", ""),
        ("protocol imap {\nssl = no\n}", "ssl", "no", "protocol=imap"),
        ("protocol !pop3 {\nssl = no\n}", "ssl", "no", "protocol=!pop3"),
        ("local 192.0.2.1 {\nssl = no\n}", "ssl", "no", "local=192.0.2.1"),
        ("local_name A.Example {\nssl = no\n}", "ssl", "no", "local_name=a.example"),
        ('local_name "a b" {\nssl = no\n}', "ssl", "no", "local_name=a b"),
        (
            "remote 10.0.0.0/8 {\nprotocol pop3 {\nssl = no\n}\n}",
            *("ssl", "no", "remote=10.0.0.0/8,protocol=pop3"),
        ),
        (
            "service imap-login {\ninet_listener imaps {\nport = 993\n}\n}",
            *("service/imap-login/inet_listener/imaps/port", "993", ""),
        ),
        (
            "service imap-login {\ninet_listener imaps {\ninet_listener_port = 993\n}\n}",
            *("service/imap-login/inet_listener/imaps/port", "993", ""),
        ),
        (
            "service/imap-login/inet_listener/imaps/port = 0",
            *("service/imap-login/inet_listener/imaps/port", "0", ""),
        ),
        ("ssl_server {\ncert_file = /a\n}", "ssl_server_cert_file", "/a", ""),
        ("ssl_server {\nssl_server_cert_file = /a\n}", "ssl_server_cert_file", "/a", ""),
        ("ssl_server/cert_file = /a", "ssl_server_cert_file", "/a", ""),
        (
            "local_name a {\nssl_server {\ncert_file = /a\n}\n}",
            *("ssl_server_cert_file", "/a", "local_name=a"),
        ),
        ("auth_mechanisms {\nplain = yes\n}", "auth_mechanisms/plain", "yes", ""),
        ("plugin {\nsieve = x\n}", "plugin/sieve", "x", ""),
        ("passdb {\ndriver = pam\n}", "passdb/0/driver", "pam", ""),
        ("passdb pam {\ndriver = pam\n}", "passdb/pam/driver", "pam", ""),
        ("group @tls strict {\nssl = no\n}", "@tls/strict/ssl", "no", ""),
        ("@tls = strict", "@tls", "strict", ""),
    ],
)
def test_name_and_scope(text: str, name: str, value: str, scope: str) -> None:
    (found,) = settings(document(text))
    assert (found.name, found.value, found.scope) == (name, value, scope)
    assert found.wins


OVERRIDES = {
    "second assignment": (
        {MAIN: "ssl = yes\nssl = no\n"},
        [("ssl", "", MAIN, 1, False), ("ssl", "", MAIN, 2, True)],
    ),
    "later include": (
        {
            MAIN: "!include conf.d/*.conf\n!include_try local.conf\n",
            SSL: "ssl = required\n",
            LOCAL: "ssl = no\n",
        },
        [("ssl", "", SSL, 1, False), ("ssl", "", LOCAL, 1, True)],
    ),
    "earlier include": (
        {MAIN: "!include_try local.conf\nssl = yes\n", LOCAL: "ssl = no\n"},
        [("ssl", "", LOCAL, 1, False), ("ssl", "", MAIN, 2, True)],
    ),
    "a scope of its own": (
        {MAIN: "protocol pop3 {\n ssl = no\n}\nssl = yes\nprotocol pop3 {\n ssl = yes\n}\n"},
        [
            ("ssl", "protocol=pop3", MAIN, 2, False),
            ("ssl", "", MAIN, 4, True),
            ("ssl", "protocol=pop3", MAIN, 6, True),
        ],
    ),
    "blocks without a name do not override each other": (
        {MAIN: "passdb {\n driver = a\n}\npassdb {\n driver = b\n}\n"},
        [("passdb/0/driver", "", MAIN, 2, True), ("passdb/1/driver", "", MAIN, 5, True)],
    ),
}


@pytest.mark.parametrize("case", OVERRIDES)
def test_the_last_assignment_in_a_scope_wins(case: str) -> None:
    files, expected = OVERRIDES[case]
    found = settings(document(files))
    assert [(s.name, s.scope, s.origin.file, s.origin.line, s.wins) for s in found] == expected


def test_values_with_variables_are_dynamic() -> None:
    found = settings(document('a = $a x\nb = "$b"\nc = $ENV:HOME\nd = d\n'))
    assert [s.dynamic for s in found] == [True, False, True, False]


def test_filters_of_a_scope() -> None:
    assert filters("") == ()
    assert filters("remote=10.0.0.0/8,protocol=pop3") == (
        ("remote", "10.0.0.0/8"),
        ("protocol", "pop3"),
    )


TREE = {
    MAIN: "a = 1\n!include conf.d/*.conf\n!include_try none.conf\nz = 1\n",
    SSL: "ssl_cert = <certs/a.pem\nssl_server_key_file = k.pem\nssl_cipher_list = A \\\n  B\n",
}


def test_flat_file_has_no_includes_and_knows_where_its_lines_come_from() -> None:
    text, origins = flatten(document(TREE))
    assert text.splitlines() == [
        "a = 1",
        "ssl_cert = </etc/dovecot/conf.d/certs/a.pem",
        "ssl_server_key_file = /etc/dovecot/conf.d/k.pem",
        "ssl_cipher_list = A \\",
        "  B",
        "z = 1",
    ]
    assert [(o.file, o.line) for o in origins] == [
        *((MAIN, 1), (SSL, 1), (SSL, 2), (SSL, 3), (SSL, 4), (MAIN, 4)),
    ]


def test_flat_file_with_lines_replaced_and_appended() -> None:
    text, origins = flatten(
        document(TREE),
        {Origin(SSL, 3): "# off\nssl_cipher_list = C", Origin(MAIN, 1): ""},
        ("ssl = required", "b = 2"),
    )
    assert text.splitlines()[0] == ""
    assert text.splitlines()[3:] == [
        *("# off", "ssl_cipher_list = C", "z = 1", "ssl = required", "b = 2")
    ]
    assert [(o.file, o.line) for o in origins[3:]] == [
        *((SSL, 3), (SSL, 3), (MAIN, 4), ("", 1), ("", 2))
    ]


@pytest.mark.parametrize(
    "line",
    [
        "ssl_cert = </a.pem",
        "ssl_server_cert_file = /a.pem",
        "ssl_server_cert_file = inline:abc",
        "ssl_server_cert_file = %{home}/a",
        "ssl_server_cert_file =",
        'ssl_cert = "<a.pem"',
        "  odd   =  spacing  # and comment\r",
        "broken",
    ],
)
def test_flat_file_leaves_other_lines_alone(line: str) -> None:
    assert flatten(document(line))[0] == line + "\n"


def test_flat_file_keeps_an_include_that_fails() -> None:
    assert flatten(document("!include none.conf\n"))[0] == "!include /etc/dovecot/none.conf\n"


@hypothesis_settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab=#{}\"'\\ \n<@p", max_size=60))
def test_any_text_flattens_to_one_origin_a_line_and_again_to_itself(text: str) -> None:
    flat, origins = flatten(document(text))
    assert flat.count("\n") == len(origins)
    again, _ = flatten(document(flat))
    assert again == flat
    assert len(settings(document(flat))) == len(settings(document(text)))
