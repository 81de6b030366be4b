# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that Courier's IMAP and POP3 servers write, 5.0 to 6.0. Pure; every byte may be hostile.

    imapd: LOGIN, user=a, ip=[::ffff:192.0.2.7], port=[50736], protocol=IMAP, starttls=1
    pop3d-ssl[183]: LOGIN, user=a, ip=[::ffff:192.0.2.7], port=[43926], stls=1
    imapd: LOGOUT, user=a, ip=[::ffff:192.0.2.7], port=[56182], headers=0, …, time=0, starttls=1
    imapd-ssl: ip=[::ffff:192.0.2.7], No supported cipher suites have been found.

``starttls=1`` and ``stls=1`` stand in the first line since 5.2.6, on the implicit TLS ports too.
Before that the name of the service tells (``-ssl`` is TLS), and for the other ports the line at the
end of the session, which older releases mark as well. ``port`` is the client's. Neither TLS version
nor suite is ever logged, and no word says that a password in clear text was refused.

Sources: svarshavchik/courier-libs ``imap/imapd.C`` and ``imap/imaplogin.C``, ``imap/pop3login.C``
and ``imap/pop3dserver.C``, ``tcpd/libcouriertls.c`` and ``tcpd/libcouriergnutls.c``; GnuTLS
``lib/errors.c``; what 5.0.13 and 5.2.11 wrote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Optional

from ..model.observed import Service
from ..text import NAME, WORD, clean
from .usage import Reason, Security, Seen

LOGIN = b": LOGIN, user="
REFUSAL = b": ip=["
ACCEPT = b": couriertls: "
ENDS = (b": LOGOUT, user=", b": DISCONNECTED, user=", b": TIMEOUT, user=")
PRODUCT = "courier"

# Since this release a login on the cleartext port says whether it had STARTTLS (ChangeLog).
MARKED_SINCE = (5, 2, 6)

_SERVICES = {b"imapd": Service.IMAP, b"pop3d": Service.POP3}
# The user is matched greedily: what follows it in truth is what follows it here.
_LOGIN = re.compile(
    rb"LOGIN, user=(?P<user>.*), ip=\[(?P<ip>[0-9A-Fa-f:.]{1,45})\]"
    rb"(?:, protocol=[A-Z0-9]{1,16})?(?P<tls>, (?:starttls|stls)=1)?\Z",
    re.DOTALL,
)
_END = re.compile(
    rb"(?:LOGOUT|DISCONNECTED|TIMEOUT), user=(?P<user>.*), ip=\[(?P<ip>[0-9A-Fa-f:.]{1,45})\]"
    rb"(?P<tls>, (?:starttls|stls)=1)?\Z",
    re.DOTALL,
)
_TOLD = (b", starttls=1", b", stls=1")
_REFUSED = re.compile(
    rb"(?:couriertls: )?(?:ip=\[(?P<ip>[0-9A-Fa-f:.]{1,45})\], )?(?P<words>.*)", re.DOTALL
)
_REASONS: tuple[tuple[bytes, Reason], ...] = (
    (b"No supported cipher suites have been found", Reason.CIPHER),
    (b"no shared cipher", Reason.CIPHER),
    (b"illegal or unsupported version", Reason.PROTOCOL),
    (b"unsupported protocol", Reason.PROTOCOL),
    (b"version too low", Reason.PROTOCOL),
    (b"None of the signature algorithms", Reason.PARAMETERS),
    (b"No common key share", Reason.PARAMETERS),
    (b"unexpected TLS packet", Reason.NOT_TLS),
    (b"wrong version number", Reason.NOT_TLS),
    (b"http request", Reason.NOT_TLS),
    (b"alert unknown ca", Reason.CERTIFICATE),
    (b"alert bad certificate", Reason.CERTIFICATE),
    (b"alert certificate unknown", Reason.CERTIFICATE),
)


class Courier:
    """Reads Courier's lines. ``starttls`` says for each service whether it offers STARTTLS now.

    ``marked``: the installed release writes ``starttls=1`` where a session begins.
    """

    prefix = re.compile(rb"(?:[^ ]{1,255} )?")
    shows_tls = True

    def __init__(self, marked: bool, starttls: Mapping[Service, bool]) -> None:
        self._marked = marked
        self._starttls = dict(starttls)
        self.marks = (LOGIN, REFUSAL, ACCEPT) if marked else (LOGIN, REFUSAL, ACCEPT, *ENDS)

    @staticmethod
    def key(line: bytes, at: int) -> bytes:
        """A line from the name of the service on, without what differs for each login."""
        name = line[:at].partition(b"[")[0]
        port = line.rfind(b", port=[", at)
        end = line.find(b"]", port) + 1 if port >= 0 else 0
        if not end:
            return name + line[at:]
        if line.startswith(ENDS, at):
            return name + line[at:port] + (_TOLD[0] if line.endswith(_TOLD) else b"")
        return name + line[at:port] + line[end:]

    def read(self, key: bytes) -> Optional[Seen]:
        """What a line says; ``None`` where it is neither a login nor a client turned away.

        Raises ValueError for a login whose format is not understood.
        """
        name, _colon, said = key.partition(b": ")
        tls_port = name.endswith(b"-ssl")
        service = _SERVICES.get(name[:-4] if tls_port else name)
        if service is None:
            return None
        if said.startswith(b"LOGIN, "):
            match = _LOGIN.match(said)
            if match is None:
                raise ValueError("the format of the login line is not understood")
            return self._login(service, tls_port, match)
        match = _END.match(said)
        if match is None:
            return _refusal(service, tls_port, said)
        return self._login(service, False, match, True) if self._waits(service, tls_port) else None

    def _waits(self, service: Service, tls_port: bool) -> bool:
        """Whether only the end of a session tells if it had STARTTLS."""
        return not tls_port and not self._marked and self._starttls.get(service, True)

    def _login(
        self, service: Service, tls_port: bool, match: re.Match[bytes], ended: bool = False
    ) -> Seen:
        shown = bool(match.group("tls"))
        if tls_port or shown:
            security = Security.TLS
        elif self._waits(service, tls_port) and not ended:
            security = Security.UNKNOWN
        else:
            # LOGIN and USER are what clients use; a mechanism, if there was one, is not logged.
            security = Security.CLEARTEXT
        return Seen(
            service=service,
            user=clean(match.group("user"), NAME) or None,
            address=_address(match.group("ip")),
            security=security,
            tls_mode="implicit" if tls_port else "starttls",
            shown=shown,
            absent=security is Security.CLEARTEXT,
            ended=ended,
        )


def _refusal(service: Service, tls_port: bool, said: bytes) -> Optional[Seen]:
    match = _REFUSED.match(said)
    words = match.group("words") if match else b""
    reason = next((r for text, r in _REASONS if text in words), None)
    if match is None or reason is None:
        return None
    mode = "implicit" if tls_port else "starttls"
    address = _address(match.group("ip") or b"")
    return Seen(service, None, address, Security.UNKNOWN, tls_mode=mode, reason=reason)


def _address(raw: bytes) -> Optional[str]:
    """IPv4 addresses come as ``::ffff:192.0.2.7``."""
    text = clean(raw, WORD)
    mapped = text[7:] if text.lower().startswith("::ffff:") and "." in text else text
    return mapped or None
