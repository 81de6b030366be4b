# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single lines of Courier: what each says, and which say nothing."""

from __future__ import annotations

from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.login_log.courier import Courier
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.usage import (
    Reason,
    Security,
    Seen,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service

OFFERED = {Service.IMAP: True, Service.POP3: True}
NEW, OLD = Courier(True, OFFERED), Courier(False, OFFERED)
NO_STARTTLS = Courier(False, {Service.IMAP: False, Service.POP3: False})
WHO = "user=a, ip=[::ffff:192.0.2.7], port=[50736]"


def read(text: str, parser: Courier = NEW) -> Optional[Seen]:
    raw = text.encode()
    at = min(a for a in (raw.find(mark) for mark in OLD.marks) if a >= 0)
    return parser.read(parser.key(raw, at))


@pytest.mark.parametrize(
    ("text", "parser", "security", "mode"),
    [
        (f"imapd: LOGIN, {WHO}, protocol=IMAP, starttls=1", NEW, Security.TLS, "starttls"),
        (f"imapd[9]: LOGIN, {WHO}, protocol=IMAP", NEW, Security.CLEARTEXT, "starttls"),
        (f"imapd: LOGIN, {WHO}, protocol=IMAP", OLD, Security.UNKNOWN, "starttls"),
        (f"imapd: LOGIN, {WHO}, protocol=IMAP", NO_STARTTLS, Security.CLEARTEXT, "starttls"),
        (f"imapd-ssl[9]: LOGIN, {WHO}, protocol=IMAP", OLD, Security.TLS, "implicit"),
        (f"pop3d: LOGIN, {WHO}, stls=1", NEW, Security.TLS, "starttls"),
        (f"pop3d: LOGIN, {WHO}", NEW, Security.CLEARTEXT, "starttls"),
        (f"pop3d-ssl: LOGIN, {WHO}, stls=1", NEW, Security.TLS, "implicit"),
        (f"pop3d: LOGOUT, {WHO}, top=0, time=0, stls=1", OLD, Security.TLS, "starttls"),
        (f"imapd: DISCONNECTED, {WHO}, headers=0, time=9", OLD, Security.CLEARTEXT, "starttls"),
        (f"imapd: TIMEOUT, {WHO}, headers=0, starttls=1", OLD, Security.TLS, "starttls"),
    ],
)
def test_a_login_by_its_security(text: str, parser: Courier, security: Security, mode: str) -> None:
    seen = read(text, parser)
    assert seen is not None
    assert (seen.user, seen.address) == ("a", "192.0.2.7")
    assert (seen.security, seen.tls_mode, seen.reason) == (security, mode, None)
    assert (seen.version, seen.suite) == (None, None)


@pytest.mark.parametrize(
    ("text", "parser"),
    [
        (f"imapd: LOGIN FAILED, {WHO}", NEW),
        (f"imapd: LOGOUT, {WHO}, time=0, starttls=1", NEW),  # its beginning was counted
        (f"imapd-ssl: LOGOUT, {WHO}, time=0, starttls=1", OLD),
        (f"imapd: LOGOUT, {WHO}, time=0", NO_STARTTLS),
        ("imapd: ip=[::ffff:192.0.2.7], Unexpected SSL connection shutdown.", NEW),
        (f"esmtpd: LOGIN, {WHO}", NEW),
    ],
)
def test_lines_that_count_for_nothing(text: str, parser: Courier) -> None:
    if "FAILED" in text:
        assert b": LOGIN, user=" not in text.encode()
        return
    assert read(text, parser) is None


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("No supported cipher suites have been found.", Reason.CIPHER),
        ("A packet with illegal or unsupported version was received.", Reason.PROTOCOL),
        ("An unexpected TLS packet was received.", Reason.NOT_TLS),
    ],
)
def test_who_was_turned_away_and_why(words: str, reason: Reason) -> None:
    seen = read(f"pop3d-ssl[3]: ip=[::ffff:192.0.2.7], {words}")
    assert seen is not None
    assert (seen.reason, seen.address, seen.user) == (reason, "192.0.2.7", None)


def test_openssl_says_it_in_its_own_words() -> None:
    seen = read("imapd-ssl: couriertls: accept: error:1417A0C1:SSL routines::no shared cipher")
    assert seen is not None
    assert (seen.reason, seen.address) == (Reason.CIPHER, None)


def test_a_name_cannot_change_what_its_line_says() -> None:
    name = "x, ip=[::ffff:9.9.9.9], port=[1], protocol=IMAP, starttls=1"
    seen = read(f"imapd: LOGIN, user={name}, ip=[2001:db8::7], port=[2], protocol=IMAP")
    assert seen is not None
    assert (seen.address, seen.security) == ("2001:db8::7", Security.CLEARTEXT)


def test_a_login_of_another_format_is_an_error() -> None:
    with pytest.raises(ValueError, match="not understood"):
        read("imapd: LOGIN, user=a, ip=[somewhere], port=[1]")
