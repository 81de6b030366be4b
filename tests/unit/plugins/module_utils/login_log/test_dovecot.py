# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single lines of Dovecot: what each says, and which say nothing."""

from __future__ import annotations

from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.login_log.dovecot import (
    MARKS,
    Dovecot,
)
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.layout import compiled
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.usage import (
    Reason,
    Security,
    Seen,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service

WHO = "user=<a>, method={m}, rip={r}, lip=198.51.100.1, mpid=7"
SESSION = ", session=<c4v79AVhjLwKyw8B>"


def line(rest: str, method: str = "PLAIN", rip: str = "192.0.2.7", word: str = "Login") -> bytes:
    who = WHO.format(m=method, r=rip)
    return f"imap-login: {word}: {who}{rest}{SESSION}".encode()


def read(text: bytes, parser: Optional[Dovecot] = None) -> Optional[Seen]:
    parser = parser or Dovecot()
    return parser.read(parser.key(text, text.find(MARKS[0])))


@pytest.mark.parametrize(
    ("text", "security", "version", "suite"),
    [
        (line(""), Security.CLEARTEXT, None, None),
        (line("", "LOGIN"), Security.CLEARTEXT, None, None),
        (line("", "XOAUTH2"), Security.CLEARTEXT, None, None),
        (line("", "CRAM-MD5"), Security.SASL, None, None),
        (line("", "SCRAM-SHA-256"), Security.SASL, None, None),
        (line(", secured"), Security.SECURED, None, None),
        (line(", secured", rip="198.51.100.1"), Security.LOCAL, None, None),
        (line(", secured", rip="127.0.0.1"), Security.LOCAL, None, None),
        (line(", secured", rip="::1"), Security.LOCAL, None, None),
        (line(", TLS"), Security.TLS, None, None),
        (line(", TSL"), Security.TLS, None, None),
        (line(", TLS", word="Logged in"), Security.TLS, None, None),
        (line(", TLS: SSL_read() failed: error:0A000126:x, y"), Security.TLS, None, None),
        (line(", TLS, (proxied)"), Security.TLS, None, None),
        (
            line(", TLS, TLSv1 with cipher ECDHE-RSA-AES256-SHA (256/256 bits)"),
            Security.TLS,
            "TLSv1",
            "ECDHE-RSA-AES256-SHA",
        ),
        (
            line(", TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) zlib"),
            Security.TLS,
            "TLSv1.3",
            "TLS_AES_256_GCM_SHA384",
        ),
    ],
)
def test_a_login_by_its_security(
    text: bytes, security: Security, version: Optional[str], suite: Optional[str]
) -> None:
    seen = read(text)
    assert seen is not None
    assert (seen.security, seen.version, seen.suite) == (security, version, suite)
    assert (seen.service, seen.user, seen.reason) == (Service.IMAP, "a", None)
    assert seen.absent is (security in (Security.CLEARTEXT, Security.SASL))
    assert seen.shown is not seen.absent


FAILED = (
    "imap-login: Disconnected: Connection closed{how}: user=<{user}>, {method}rip=192.0.2.7, "
    "lip=198.51.100.1{tls}"
)
ACCEPT = ": SSL_accept() failed: error:0A000102:SSL routines::{}"


def failed(how: str, user: str = "", method: str = "", tls: str = "") -> bytes:
    return (FAILED.format(how=how, user=user, method=method, tls=tls) + SESSION).encode()


def handshake(words: str) -> bytes:
    how = ACCEPT.format(words)
    return failed(f"{how} (no auth attempts in 0 secs)", tls=f", TLS handshaking{how}")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (handshake("no shared cipher"), Reason.CIPHER),
        (handshake("unsupported protocol"), Reason.PROTOCOL),
        (handshake("version too low"), Reason.PROTOCOL),
        (handshake("no suitable key share"), Reason.PARAMETERS),
        (handshake("wrong version number"), Reason.NOT_TLS),
        (handshake("http request"), Reason.NOT_TLS),
        (handshake("tlsv1 alert unknown ca"), Reason.CERTIFICATE),
        (failed(" (auth failed, 1 attempts in 0 secs)", "a"), Reason.PLAINTEXT),
        (failed(" (tried to use disallowed plaintext auth)", "a"), Reason.PLAINTEXT),
        # A wrong password, with and without TLS, and one of a client that the server trusts.
        (failed(" (auth failed, 1 attempts in 0 secs)", "a", "method=PLAIN, "), None),
        (failed(" (auth failed, 1 attempts in 0 secs)", "a", "method=PLAIN, ", ", TLS"), None),
        (failed(" (auth failed, 1 attempts in 0 secs)", "a", "", ", TLS"), None),
        (failed(" (auth failed, 1 attempts in 0 secs)", "a", "", ", secured"), None),
        (failed(" (no auth attempts in 0 secs)"), None),
        (failed(" (no auth attempts in 0 secs)", tls=", TLS handshaking: Connection closed"), None),
        (b"imap-login: Error: no shared cipher", None),
        (b"imap-login: Disconnected: no shared cipher", None),
        (b"imap-login: ", None),
        (b"lmtp-login: Login: user=<a>", None),
        (b"submission-login: Login: user=<a>, rip=192.0.2.7, lip=192.0.2.1", None),
    ],
)
def test_who_was_turned_away_and_why(text: bytes, reason: Optional[Reason]) -> None:
    seen = read(text)
    assert (seen.reason if seen else None) is reason
    assert seen is None or seen.address == "192.0.2.7"


@pytest.mark.parametrize(
    "user",
    [
        "b>, method=PLAIN, rip=9.9.9.9, lip=8.8.8.8, mpid=1, TLS, session=<x",
        "b>, rip=9.9.9.9, TLS, z=<",
        ": user=<ghost>, method=PLAIN, rip=9.9.9.9, lip=8.8.8.8",
        "(auth failed, no shared cipher",
    ],
)
def test_a_name_cannot_change_what_its_line_says(user: str) -> None:
    text = line(", TLS").decode().replace("user=<a>", f"user=<{user}>")
    seen = read(text.encode())
    assert seen is not None
    assert (seen.address, seen.security, seen.reason) == ("192.0.2.7", Security.TLS, None)


def test_a_name_without_brackets_ends_where_the_address_stands_last() -> None:
    parser = Dovecot("%u %r %{local_name}")
    seen = read(b"imap-login: Login: b, 9.9.9.9, 192.0.2.7", parser)
    assert seen is not None
    assert (seen.user, seen.address) == ("b, 9.9.9.9", "192.0.2.7")


def test_a_name_is_bounded_and_printable() -> None:
    seen = read(line("").replace(b"<a>", b"<\x1b[31m\xe2\x80\xae" + b"x" * 900 + b">"))
    assert seen is not None
    assert seen.user is not None
    assert seen.user.startswith("\\x1b[31m\\u202ex")
    assert len(seen.user) == 256


def test_a_log_without_the_word_proves_nothing() -> None:
    parser = Dovecot("user=<%u> method=%m rip=%r lip=%l")
    seen = read(b"pop3-login: Login: user=<a>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1", parser)
    assert seen is not None
    assert (seen.security, seen.absent) == (Security.UNKNOWN, False)
    assert not parser.shows_tls


def test_a_login_of_another_format_is_an_error() -> None:
    with pytest.raises(ValueError, match="not understood"):
        read(b"imap-login: Login: someone from somewhere")


@pytest.mark.parametrize(
    ("elements", "shows"),
    [
        ("", set()),
        ("plain words", set()),
        ("user=<%u>", {"user"}),
        ("user=<%Lu>", {"user"}),
        ("%{user | lower} %{remote_ip}", {"user", "address"}),
        ("%n@%d [%{rip}]", {"local_part", "address"}),
        ("%k", {"tls"}),
        ("%{ssl_security}", {"tls"}),
        ("%{unknown} %%", set()),
        ("%c %c %c", {"secured"}),
        ("(((( [ * + ? %r", {"address"}),
    ],
)
def test_any_format_compiles(elements: str, shows: set[str]) -> None:
    assert compiled(elements).shows == shows


@pytest.mark.parametrize(("port", "mode"), [("143", "starttls"), ("993", "implicit"), ("1", None)])
def test_a_port_in_the_log_tells_how_tls_began(port: str, mode: Optional[str]) -> None:
    parser = Dovecot("user=<%u> rip=%r lip=%l:%a %c")
    text = f"imap-login: Login: user=<a>, rip=192.0.2.7, lip=192.0.2.1:{port}, TLS".encode()
    seen = read(text, parser)
    assert seen is not None
    assert seen.tls_mode == mode


def test_process_and_session_do_not_make_another_line() -> None:
    parser = Dovecot()
    keys = {
        parser.key(
            line(", TLS").replace(b"mpid=7", b"mpid=%d" % n).replace(b"<c4v", b"<%d" % n), 10
        )
        for n in range(9)
    }
    assert len(keys) == 1
