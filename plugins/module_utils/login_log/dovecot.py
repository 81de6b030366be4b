# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that Dovecot's login processes write, 2.3.13 to 2.4.4. Pure; every byte may be hostile.

    imap-login: Login: user=<a>, method=PLAIN, rip=…, lip=…, mpid=7, TLS, session=<…>       2.3
    imap-login: Logged in: user=<a>, …                                                      2.4
    imap-login: proxy(a,10.0.0.2:143): Started proxying to <10.0.0.2>: user=<a>, …
    imap-login: Disconnected: … SSL_accept() failed: …: no shared cipher (…): user=<>, …    2.3
    imap-login: Login aborted: … (auth failed, 1 attempts in 0 secs) (auth_failed): …       2.4

A password in clear text that is refused leaves ``auth failed`` like any other, but is refused
before a mechanism is chosen: the line has no ``method=`` and no TLS. Dovecot's own log files put
``Info: `` behind the process name.

Sources: dovecot/core ``login-common/client-common.c``, ``client-common-auth.c``,
``lib-ssl-iostream/iostream-openssl.c`` at 2.3.13, 2.3.19.1, 2.4.1 and 2.4.4; OpenSSL's reason
strings (``ssl/ssl_err.c``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Optional

from ..model.observed import Service
from ..text import NAME, WORD, clean
from .layout import DEFAULT, Layout, compiled
from .usage import Reason, Security, Seen, without_tls

PRODUCT = "dovecot"
MARKS = (b"-login: ",)

_SERVICES = {
    b"imap-login": Service.IMAP,
    b"pop3-login": Service.POP3,
    b"managesieve-login": Service.SIEVE,
}
# What a line that says nothing of TLS begins with is not worth a second look.
_LET_IN = (b"Login: ", b"Logged in: ")
_PROXIED = re.compile(rb"proxy\(.{0,400}?\): [Ss]tarted proxying to ", re.DOTALL)
_TURNED_AWAY = (b"Disconnected", b"Aborted login", b"Login aborted: ")

_REASONS: tuple[tuple[bytes, Reason], ...] = (
    (b"no shared cipher", Reason.CIPHER),
    (b"unsupported protocol", Reason.PROTOCOL),
    (b"version too low", Reason.PROTOCOL),
    (b"no suitable key share", Reason.PARAMETERS),
    (b"no suitable signature algorithm", Reason.PARAMETERS),
    (b"no shared group", Reason.PARAMETERS),
    (b"wrong version number", Reason.NOT_TLS),
    (b"http request", Reason.NOT_TLS),
    (b"alert unknown ca", Reason.CERTIFICATE),
    (b"alert bad certificate", Reason.CERTIFICATE),
    (b"alert certificate unknown", Reason.CERTIFICATE),
    (b"alert certificate expired", Reason.CERTIFICATE),
)
# 2.3 with a reason of its own, and 2.4's word for it.
_PLAINTEXT = (b"disallowed plaintext auth", b"leartext authentication disabled")
_LOOPBACK = (b"127.", b"::1")
_AUTH_FAILED = b"(auth failed, "
_SUITE = re.compile(rb"(\S+) with cipher (\S+) ")


class Dovecot:
    """Reads the lines of a Dovecot whose ``login_log_format_elements`` is ``elements``.

    Lines of the default format are read too: the setting may have been changed since.
    """

    prefix = re.compile(
        rb"(?:(?:[^ ]{1,255} )?dovecot(?:\[\d{1,10}\])?: "  # a syslog file, or the journal
        rb"|[^ ]{1,255} dovecot [^ ]{1,128} [^ ]{1,32} - (?:\xef\xbb\xbf)?)?"  # RFC 5424
    )

    def __init__(self, elements: str = DEFAULT) -> None:
        own = compiled(elements)
        self._layouts = (own, compiled(DEFAULT))
        self.shows_tls = bool(own.shows & {"secured", "tls"})
        self.shows_version = "tls" in own.shows

    @staticmethod
    def key(line: bytes, at: int) -> bytes:
        """A line from the process name on, without what differs for each login.

        ``at`` is where one of :data:`MARKS` was found in it.
        """
        key = line
        session = key.rfind(b", session=<")
        if session >= 0:
            end = key.find(b">", session)
            key = key[:session] + key[end + 1 :] if end >= 0 else key
        pid = key.rfind(b", mpid=")
        if pid >= 0:
            end = key.find(b",", pid + 7)
            key = key[:pid] + key[end:] if end >= 0 else key[:pid]
        return key

    def read(self, key: bytes) -> Optional[Seen]:
        """What a line says; ``None`` where it is neither a login nor a client turned away.

        Raises ValueError for a login whose format is not understood.
        """
        name, _colon, said = key.partition(b": ")
        service = _SERVICES.get(name)
        if service is None:
            return None
        said = said[len(b"Info: ") :] if said.startswith(b"Info: ") else said
        for word in _LET_IN:
            if said.startswith(word):
                return self._login(service, self._elements(said, len(word) - 2))
        if _PROXIED.match(said):
            return self._login(service, self._elements(said, 0))
        return self._refusal(service, said) if said.startswith(_TURNED_AWAY) else None

    def _elements(self, said: bytes, start: int) -> dict[str, bytes]:
        """The elements of a line: what follows the first ``: `` after which a layout fits."""
        for elements in _tails(said, start):
            for layout in self._layouts:
                found = _fits(layout, elements)
                if found is not None:
                    return found
        raise ValueError("the format of the login log is not understood")

    def _login(self, service: Service, found: dict[str, bytes]) -> Seen:
        security, shown = self._security(found)
        version, suite = _tls(found.get("tls", b""))
        return Seen(
            service=service,
            user=_text(found.get("user") or found.get("local_part"), NAME),
            address=_text(found.get("address"), WORD),
            security=security,
            version=version,
            suite=suite,
            tls_mode=_mode(found.get("port")),
            shown=shown,
            absent=not shown and security is not Security.UNKNOWN,
        )

    def _security(self, found: dict[str, bytes]) -> tuple[Security, bool]:
        """The class, and whether a word in the line says so."""
        if "tls" in found or found.get("secured", b"").startswith((b"TLS", b"TSL")):
            return Security.TLS, True
        if "secured" in found:
            own = found.get("address", b"").startswith(_LOOPBACK)
            own = own or found.get("address", b"-") == found.get("own_address")
            return (Security.LOCAL if own else Security.SECURED), True
        if not self.shows_tls:
            return Security.UNKNOWN, False
        return without_tls(_text(found.get("mechanism"), WORD)), False

    def _refusal(self, service: Service, said: bytes) -> Optional[Seen]:
        reason = next((r for words, r in _REASONS if words in said), None)
        plain = any(words in said for words in _PLAINTEXT)
        if reason is None and not plain and _AUTH_FAILED not in said:
            return None
        try:
            found = self._elements(said, 0)
        except ValueError:
            return None
        login = self._login(service, found)
        if reason is None:
            early = self.shows_tls and "mechanism" not in found and "secured" not in found
            if not plain and not (early and login.security is not Security.TLS):
                return None
            reason = Reason.PLAINTEXT
        security = Security.CLEARTEXT if reason is Reason.PLAINTEXT else Security.UNKNOWN
        return Seen(service, login.user, login.address, security, reason=reason)


def _tails(said: bytes, start: int, limit: int = 16) -> Iterator[bytes]:
    """What follows each ``: `` from ``start`` on."""
    at = said.find(b": ", start)
    while at >= 0 and limit:
        yield said[at + 2 :]
        at, limit = said.find(b": ", at + 2), limit - 1


def _fits(layout: Layout, elements: bytes) -> Optional[dict[str, bytes]]:
    """What a layout reads; nothing where it reads neither a user nor an address."""
    found = layout.read(elements)
    return (
        found if found and not found.keys().isdisjoint(("user", "local_part", "address")) else None
    )


def _tls(security: bytes) -> tuple[Optional[str], Optional[str]]:
    match = _SUITE.match(security)
    if match is None:
        return None, None  # also "(proxied)": HAProxy ended the TLS
    return clean(match.group(1), WORD), clean(match.group(2), WORD)


_PORTS = {
    b"143": "starttls",
    b"110": "starttls",
    b"4190": "starttls",
    b"993": "implicit",
    b"995": "implicit",
}


def _mode(port: Optional[bytes]) -> Optional[str]:
    return _PORTS.get(port or b"")


def _text(raw: Optional[bytes], limit: int) -> Optional[str]:
    return clean(raw, limit) or None if raw is not None else None
