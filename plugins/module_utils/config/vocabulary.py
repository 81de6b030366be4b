# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One vocabulary, two directions: native settings and their normalised fields.

The observers read through these tables and the renderer writes through them; what differs between
Dovecot 2.3, Dovecot 2.4, Courier on GnuTLS and Courier on OpenSSL stands here only. No I/O.

Sources: Dovecot ``doc/settings`` of 2.3 and 2.4 (``ssl-settings.c``, ``login-settings.c``,
``auth-settings.c``); Courier ``imapd-ssl.dist``, ``pop3d-ssl.dist`` and ``libcouriertls.c`` /
``libcouriergnutls.c`` of 5.0.13 to 6.0.5 (the GnuTLS back end never reads ``TLS_PROTOCOL`` or
``TLS_CIPHER_LIST``, the OpenSSL one never reads ``TLS_PRIORITY``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

DOVECOT_23 = "dovecot-2.3"
DOVECOT_24 = "dovecot-2.4"
COURIER_GNUTLS = "courier-gnutls"
COURIER_OPENSSL = "courier-openssl"

# Protocol versions in order of strength; the words of Dovecot's ssl_min_protocol.
PROTOCOLS: tuple[str, ...] = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
CODE_POINTS: dict[str, int] = {
    "SSLv2": 0x0002,
    "SSLv3": 0x0300,
    "TLSv1": 0x0301,
    "TLSv1.1": 0x0302,
    "TLSv1.2": 0x0303,
    "TLSv1.3": 0x0304,
}

_YES_NO = {"yes": "yes", "no": "no"}
_NOT = {"yes": "no", "no": "yes"}
_SHELL_BOOL = {"YES": "yes", "NO": "no"}
_SHELL_FLAG = {"1": "yes", "0": "no"}
_PROTOCOL = {name: name for name in PROTOCOLS}
_PROTOCOL_24 = {**_PROTOCOL, "ANY": "SSLv3"}


@dataclass(frozen=True)
class Word:
    """A native setting: its name and, for closed vocabularies, native value → normalised value."""

    name: str
    values: Optional[Mapping[str, str]] = None


# field → what it is called in each dialect. Fields:
#   tls                no | yes | required: TLS on the service's ports, and whether it must be used
#   plaintext_login    yes | no: a password may cross the wire without TLS
#   protocol_min       the oldest protocol version accepted (one of PROTOCOLS)
#   ciphers            suites up to TLS 1.2, in the library's own language
#   cipher_suites      TLS 1.3 suites; empty = the library's default
#   groups             key exchange groups; empty = the library's default
#   priority           GnuTLS priority string: versions, suites and groups in one
#   cipher_order       client | server: whose order decides
#   certificate, key, alt_certificate, alt_key, dh     files
#   mechanisms         SASL mechanisms
#   trusted_networks, proxy_networks   who counts as secured without TLS
#   login_log          elements of the login log line
#   client_certificate no | yes: a client certificate is asked for
#   starttls, require_tls   (Courier) the two switches from which tls and plaintext_login follow
WORDS: dict[str, dict[str, Word]] = {
    DOVECOT_23: {
        "tls": Word("ssl", {"no": "no", "yes": "yes", "required": "required"}),
        "plaintext_login": Word("disable_plaintext_auth", _NOT),
        "protocol_min": Word("ssl_min_protocol", _PROTOCOL),
        "ciphers": Word("ssl_cipher_list"),
        "cipher_suites": Word("ssl_cipher_suites"),
        "groups": Word("ssl_curve_list"),
        "cipher_order": Word("ssl_prefer_server_ciphers", {"yes": "server", "no": "client"}),
        "certificate": Word("ssl_cert"),
        "key": Word("ssl_key"),
        "alt_certificate": Word("ssl_alt_cert"),
        "alt_key": Word("ssl_alt_key"),
        "dh": Word("ssl_dh"),
        "mechanisms": Word("auth_mechanisms"),
        "trusted_networks": Word("login_trusted_networks"),
        "proxy_networks": Word("haproxy_trusted_networks"),
        "login_log": Word("login_log_format_elements"),
        "client_certificate": Word("ssl_verify_client_cert", _YES_NO),
    },
    DOVECOT_24: {
        "tls": Word("ssl", {"no": "no", "yes": "yes", "required": "required"}),
        "plaintext_login": Word("auth_allow_cleartext", _YES_NO),
        "protocol_min": Word("ssl_min_protocol", _PROTOCOL_24),
        "ciphers": Word("ssl_cipher_list"),
        "cipher_suites": Word("ssl_cipher_suites"),
        "groups": Word("ssl_curve_list"),
        "cipher_order": Word("ssl_server_prefer_ciphers", {"server": "server", "client": "client"}),
        "certificate": Word("ssl_server_cert_file"),
        "key": Word("ssl_server_key_file"),
        "alt_certificate": Word("ssl_server_alt_cert_file"),
        "alt_key": Word("ssl_server_alt_key_file"),
        "dh": Word("ssl_server_dh_file"),
        "mechanisms": Word("auth_mechanisms"),
        "trusted_networks": Word("login_trusted_networks"),
        "proxy_networks": Word("haproxy_trusted_networks"),
        "login_log": Word("login_log_format_elements"),
        "client_certificate": Word(
            "ssl_server_request_client_cert", {**_YES_NO, "any-cert": "yes"}
        ),
    },
    COURIER_GNUTLS: {
        "priority": Word("TLS_PRIORITY"),
        "certificate": Word("TLS_CERTFILE"),
        "key": Word("TLS_PRIVATE_KEYFILE"),
        "dh": Word("TLS_DHPARAMS"),
        "client_certificate": Word(
            "TLS_VERIFYPEER", {"NONE": "no", "PEER": "yes", "REQUIREPEER": "yes"}
        ),
    },
    COURIER_OPENSSL: {
        "protocol_min": Word(
            "TLS_PROTOCOL",
            # Anything else opens TLS 1.0 and up: libcouriertls.c op_list.
            {
                "TLSv1": "TLSv1",
                "TLS1": "TLSv1",
                "TLSv1+": "TLSv1",
                "TLSv1.1": "TLSv1.1",
                "TLSv1.1+": "TLSv1.1",
                "TLSv1.1++": "TLSv1.1",
                "TLSv1.2": "TLSv1.2",
                "TLSv1.2+": "TLSv1.2",
                "TLSv1.2++": "TLSv1.2",
            },
        ),
        "ciphers": Word("TLS_CIPHER_LIST"),
        "certificate": Word("TLS_CERTFILE"),
        "key": Word("TLS_PRIVATE_KEYFILE"),
        "dh": Word("TLS_DHPARAMS"),
        "client_certificate": Word(
            "TLS_VERIFYPEER", {"NONE": "no", "PEER": "yes", "REQUIREPEER": "yes"}
        ),
    },
}

# Courier's two switches are named after the service; the words are the same on both back ends.
COURIER_SWITCHES: dict[str, dict[str, Word]] = {
    "imap": {
        "starttls": Word("IMAPDSTARTTLS", _SHELL_BOOL),
        "require_tls": Word("IMAP_TLS_REQUIRED", _SHELL_FLAG),
    },
    "pop3": {
        "starttls": Word("POP3_STARTTLS", _SHELL_BOOL),
        "require_tls": Word("POP3_TLS_REQUIRED", _SHELL_FLAG),
    },
}

# The oldest Dovecot release that knows a setting, where that is inside a dialect.
# ssl_cipher_suites: NEWS v2.3.15.
SINCE: dict[str, tuple[int, int, int]] = {"ssl_cipher_suites": (2, 3, 15)}


def words(dialect: str, service: str = "") -> dict[str, Word]:
    """All fields of a dialect → their native word; ``service`` (imap, pop3) only for Courier."""
    return {**WORDS[dialect], **COURIER_SWITCHES.get(service, {})}


def native_name(dialect: str, field: str, service: str = "") -> Optional[str]:
    """The native name of a field, or ``None`` where the dialect has no such setting."""
    word = words(dialect, service).get(field)
    return word.name if word else None


def normalise(dialect: str, field: str, native: str, service: str = "") -> Optional[str]:
    """A native value as the normalised one; ``None`` for a word outside a closed vocabulary."""
    word = words(dialect, service)[field]
    return native if word.values is None else word.values.get(native)


def to_native(dialect: str, field: str, value: str, service: str = "") -> str:
    """A normalised value in the dialect's words; KeyError where the dialect cannot say it."""
    word = words(dialect, service)[field]
    if word.values is None:
        return value
    return {normal: native for native, normal in reversed(list(word.values.items()))}[value]


def parse_version(text: str) -> tuple[int, ...]:
    """``2.3.19.1`` → ``(2, 3, 19, 1)``; trailing words are dropped, ``()`` when there is none."""
    numbers = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)


def dovecot_dialect(version: str) -> str:
    """The dialect of a Dovecot version: 2.4 renamed every TLS setting."""
    return DOVECOT_24 if parse_version(version) >= (2, 4) else DOVECOT_23
