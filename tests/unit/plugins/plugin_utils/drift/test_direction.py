# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every direction, by name, before and after."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.plugin_utils.drift.direction import (
    Direction,
    direction,
)

W, N, S = Direction.WEAKER, Direction.NEUTRAL, Direction.STRONGER
OURS = ("aa", "2027-01-01T00:00:00Z", "mail.example.org", False)


@pytest.mark.parametrize(
    ("name", "before", "after", "expected"),
    [
        ("tls", "required", "yes", W),
        ("tls", "no", "yes", S),
        ("plaintext_login", "no", "yes", W),
        ("plaintext_login", "yes", "no", S),
        ("plaintext_login", "no", "$COMPUTED", N),
        ("protocol_min", "TLSv1.2", "TLSv1", W),
        ("protocol_min", "TLSv1.2", "TLSv1.3", S),
        ("versions", ("TLSv1.2",), ("TLSv1.0", "TLSv1.2"), W),
        ("versions", ("TLSv1.2", "TLSv1.3"), ("TLSv1.2",), W),
        ("versions", ("TLSv1.1", "TLSv1.2"), ("TLSv1.2",), S),
        ("versions", ("TLSv1.1", "TLSv1.2", "TLSv1.3"), ("TLSv1.2",), W),
        ("versions", ("TLSv1.2",), ("TLSv1.2", "TLSv1.3"), S),
        ("versions by TLS_PRIORITY", ("TLSv1.2",), ("TLSv1.2", "TLSv1.1"), W),
        ("suites by ssl_cipher_list", ("a",), ("a", "b"), W),
        ("suites by ssl_cipher_list", ("a", "b"), ("b",), S),
        ("suites by ssl_cipher_list", ("a", "b"), ("b", "a"), N),
        ("groups by ssl_curve_list", ("a",), ("b",), N),
        ("version", "2.4.1", "2.4.5", S),
        ("version", "5.2.11", "5.2.9", W),
        ("version", "2.4.1", "2.4.1 (a)", N),
        ("TLS library", "openssl 3.5.1", "openssl 3.0.9", W),
        ("listener", None, "no TLS", W),
        ("listener", None, "starttls", W),
        ("listener", "implicit", "starttls", W),
        ("listener", "no TLS", "implicit", S),
        ("listener", "starttls", None, N),
        ("port", None, "open", W),
        ("port", "closed", "open", W),
        ("port", "open", "closed", S),
        ("enabled", "no", "yes", W),
        ("active", "yes", "no", S),
        ("waiver", None, "waived", W),
        ("waiver", "waived", None, S),
        ("login without TLS", "refused", "TAKEN", W),
        ("STARTTLS", "offered", "not offered", W),
        ("group", "X25519MLKEM768", "x25519", W),
        ("group", "x25519", "secp256r1", N),
        ("offer cbc", "refused", "accepted", W),
        ("offer alpn", "accepted", "refused", W),
        ("certificate", OURS, ("bb", "2027-06-01T00:00:00Z", "mail.example.org", False), S),
        ("certificate", OURS, ("bb", "2026-06-01T00:00:00Z", "mail.example.org", False), N),
        ("certificate", OURS, ("bb", "2027-06-01T00:00:00Z", "other.example.org", False), N),
        ("certificate", OURS, ("bb", "2027-06-01T00:00:00Z", "mail.example.org", True), W),
        ("certificate", OURS, ("unreadable",), N),
        ("mode", "0640 root:courier", "0644 root:courier", W),
        ("mode", "0640 root:courier", "0600 root:root", S),
        ("mode", "0600 root:root", "0600 dovecot:root", N),
        ("content", "aa", "bb", N),
        ("what nobody ranked", "a", "b", N),
        ("tls", "yes", "yes", N),
    ],
)
def test_direction(name: str, before: Any, after: Any, expected: Direction) -> None:
    assert direction(name, before, after) is expected
