# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Courier's four services make of their files: which value is in force on 143, 993, 110, 995.

A start script (``imapd start``) sources two files twice: in its own, *outer* shell, and in an
*inner* one begun with ``env -i sh -c``, whose variables the server gets. The words of the inner
command line (``-address=$ADDRESS … $PORT``) and ``IMAP_STARTTLS=$IMAPDSTARTTLS`` were expanded by
the outer shell before. The two differ in order, so one variable in both files can mean one thing
to one and another to the other. Debian's packages 5.0.13, 5.2.11 and 6.0.5 agree:

    service  outer shell reads   inner shell reads   given by the script to the inner one
    imap     imapd-ssl, imapd    imapd, imapd-ssl    IMAP_STARTTLS=$IMAPDSTARTTLS
    imaps    imapd, imapd-ssl    imapd, imapd-ssl    IMAP_TLS=1
    pop3     pop3d-ssl, pop3d    pop3d, pop3d-ssl
    pop3s    pop3d, pop3d-ssl    pop3d, pop3d-ssl    POP3_STARTTLS=NO POP3_TLS_REQUIRED=0

Other builds differ (some give ``TLS_PROTOCOL=$TLS_STARTTLS_PROTOCOL`` to the inner shell), so the
script of the host is read where there is one, and this table is used where there is none.

What the servers then do: imap/capability.C, imap/imaplogin.C, imap/pop3dcapa.C, imap/pop3login.C
(the switches), tcpd/tcpd.c (addresses and ports), tcpd/libcouriergnutls.c and tcpd/libcouriertls.c
(defaults). No I/O.
"""

from __future__ import annotations

import copy
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Optional

from ..model.configured import Effective, Expansion, Listener, Origin, Problem
from ..model.observed import Service, TlsMode
from ..text import NAME, clean
from .courier import VALUE, Environment, SourceFile, Value, evaluate
from .vocabulary import COURIER_GNUTLS, COURIER_OPENSSL, normalise, words

# tcpd/libcouriergnutls.c, tcpd/libcouriertls.c
DEFAULT_PRIORITY = "NORMAL:-CTYPE-OPENPGP"
DEFAULT_CIPHERS = "TLSv1:HIGH:!LOW:!MEDIUM:!EXP:!NULL:!aNULL@STRENGTH"
DEFAULT_VERIFYPEER = "PEER"

Expand = Callable[[str, str], Optional[Expansion]]
"""Asks the TLS library: (``priority`` or ``ciphers``, the string) → what it opens.

Raises ValueError with the library's reason for a string it refuses.
"""


@dataclass(frozen=True)
class Start:
    """What a start script reads, and what it gives to the inner shell after the files.

    ``given``: variable → the outer shell's variable (``$NAME``) or a literal.
    """

    outer: tuple[str, ...]
    inner: tuple[str, ...]
    given: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Port:
    """One of Courier's services: its scope, protocol, script, unit, variables and default."""

    scope: str
    protocol: Service
    script: str
    unit: str
    implicit: bool
    port: str
    address: str
    start: Start


PORTS: tuple[Port, ...] = (
    Port(
        "service=imap",
        Service.IMAP,
        "imapd",
        "courier-imap.service",
        False,
        "PORT",
        "ADDRESS",
        Start(("imapd-ssl", "imapd"), ("imapd", "imapd-ssl"), {"IMAP_STARTTLS": "$IMAPDSTARTTLS"}),
    ),
    Port(
        "service=imaps",
        Service.IMAP,
        "imapd-ssl",
        "courier-imap-ssl.service",
        True,
        "SSLPORT",
        "SSLADDRESS",
        Start(("imapd", "imapd-ssl"), ("imapd", "imapd-ssl"), {"IMAP_TLS": "1"}),
    ),
    Port(
        "service=pop3",
        Service.POP3,
        "pop3d",
        "courier-pop.service",
        False,
        "PORT",
        "ADDRESS",
        Start(("pop3d-ssl", "pop3d"), ("pop3d", "pop3d-ssl")),
    ),
    Port(
        "service=pop3s",
        Service.POP3,
        "pop3d-ssl",
        "courier-pop-ssl.service",
        True,
        "SSLPORT",
        "SSLADDRESS",
        Start(
            ("pop3d", "pop3d-ssl"),
            ("pop3d", "pop3d-ssl"),
            {"POP3_TLS": "1", "POP3_STARTTLS": "NO", "POP3_TLS_REQUIRED": "0"},
        ),
    ),
)

_SOURCED = re.compile(r"(?:^|[\s;\"])\.[ \t]+\S*?([a-z0-9-]+)(?=[\s;\"]|$)")
_GIVEN = re.compile(r"(?:^|[\s;])([A-Z][A-Z0-9_]*)=(\$?\w+)[ \t]*;")
_NUMBER = re.compile(r"[ \t\n\r\v\f]*([+-]?\d+)")
_PORT_NAMES = {"imap": 143, "imap2": 143, "imaps": 993, "pop3": 110, "pop-3": 110, "pop3s": 995}


def start_script(text: str) -> Optional[Start]:
    """What the text of a start script says of its order; ``None`` if it is of another shape."""
    outer, begun, inner = text.partition("env -i")
    sourced = list(_SOURCED.finditer(inner))
    before = tuple(_SOURCED.findall(outer))
    if not begun or not before or not sourced:
        return None
    given = dict(_GIVEN.findall(inner[sourced[-1].end() :]))
    return Start(before, tuple(m.group(1) for m in sourced), given)


class Variables:
    """The variables of one service in both shells."""

    def __init__(self, start: Start, files: Mapping[str, SourceFile]) -> None:
        self.outer = self._sourced(start.outer, files)
        self.inner = self._sourced(start.inner, files)
        self._given = start.given
        self._last: Mapping[str, Value] = {}

    def given(self, variables: Mapping[str, str], origin: Origin) -> Variables:
        """The same for clients to whom couriertcpd gives variables (courier_access.py)."""
        made = copy.copy(self)
        made._last = {name: Value(text, origin, text) for name, text in variables.items()}
        return made

    @staticmethod
    def _sourced(names: Sequence[str], files: Mapping[str, SourceFile]) -> Environment:
        return evaluate([files[name] for name in names if name in files])

    def served(self, name: str) -> Value:
        """What the server finds in its environment."""
        if name in self._last:
            return self._last[name]
        given = self._given.get(name)
        if given is None:
            return self.inner[name]
        return self.outer[given[1:]] if given.startswith("$") else Value(given, None, given)

    def native(self, name: str) -> str:
        """The name that an administrator sets for the server's variable ``name``."""
        if name in self._last:
            return name
        given = self._given.get(name, "")
        return given[1:] if given.startswith("$") else name


def effective(
    port: Port,
    variables: Variables,
    dialect: Optional[str],
    expand: Expand,
    runs: Callable[[str], bool],
) -> tuple[tuple[Effective, ...], tuple[Problem, ...]]:
    """The values in force for one service, and what kept some of them from being known.

    ``dialect`` is ``None`` where the TLS library is not known: what only one library reads is left
    out. ``runs`` says whether a program (``COURIERTLS``) can be run: without it no STARTTLS.
    """
    shared = words(COURIER_GNUTLS).keys() & words(COURIER_OPENSSL).keys()
    fields = [f for f in words(dialect or COURIER_GNUTLS) if dialect or f in shared]
    rows = [
        _row(port, variables, name, words(dialect or COURIER_GNUTLS)[name].name) for name in fields
    ]
    problems: list[Problem] = []
    rows = [_expanded(row, expand, problems) for row in rows]
    rows += _implicit(port, variables) if port.implicit else _switches(port, variables, runs)
    problems += [_unknown(row) for row in rows if row.value is None and row.field not in _DERIVED]
    return tuple(rows), tuple(problems)


def listeners(
    port: Port, variables: Variables, tls: Optional[str]
) -> tuple[tuple[Listener, ...], tuple[Problem, ...]]:
    """The addresses and ports a service opens; ``tls`` is the value of its ``tls`` field.

    "143", "143,1143" or "127.0.0.1.900,::1.900"; ADDRESS is for entries without their own.
    """
    entries, address = variables.outer[port.port], variables.outer[port.address]
    if entries.text is None or address.text is None:
        return (), (Problem(f"{port.scope}: the ports are not known", entries.origin),)
    mode = TlsMode.IMPLICIT if port.implicit else None if tls == "no" else TlsMode.STARTTLS
    found: list[Listener] = []
    problems: list[Problem] = []
    for entry in entries.text.split(","):
        own, _dot, number = entry.strip().rpartition(".")
        place = address.text if own in ("", "0") else own
        opened, places = _port_number(number), _places(place)
        if opened is None or not places:
            said = clean(f"{port.port}={entries.text} {port.address}={address.text}", NAME)
            problems.append(Problem(f"{port.scope}: {said} names no port to open", entries.origin))
            continue
        found += [Listener(port.protocol, a, opened, mode, entries.origin) for a in places]
    return tuple(found), tuple(problems)


# ---------------------------------------------------------------------------------------------
# One field


def _row(port: Port, variables: Variables, name: str, variable: str) -> Effective:
    value = variables.served(variable)
    default = _DEFAULT.get(name, "")
    native = default if value.text == "" else value.native
    return Effective(
        scope=port.scope,
        field=name,
        value=None if value.text is None else _MEANING[name](value.text or default),
        name=variables.native(variable),
        native=clean(native, VALUE),
        origin=value.origin,
    )


_DEFAULT = {
    "priority": DEFAULT_PRIORITY,
    "ciphers": DEFAULT_CIPHERS,
    "client_certificate": DEFAULT_VERIFYPEER,
}


def _plain(text: str) -> str:
    return clean(text, VALUE)


def _protocol(text: str) -> str:
    """Any word that is not in the table opens TLS 1.0 and up."""
    return normalise(COURIER_OPENSSL, "protocol_min", text) or "TLSv1"


def _client_certificate(text: str) -> Optional[str]:
    return {"n": "no", "p": "yes", "r": "yes"}.get(text[:1].lower())


def _first_letter(text: str) -> str:
    return "yes" if text[:1] in ("y", "Y") else "no"


def _flag(text: str) -> str:
    """As atoi(3): what does not begin with a number is 0."""
    number = _NUMBER.match(text)
    return "yes" if number and int(number.group(1)) else "no"


_MEANING: dict[str, Callable[[str], Optional[str]]] = {
    "priority": _plain,
    "ciphers": _plain,
    "certificate": _plain,
    "key": _plain,
    "dh": _plain,
    "protocol_min": _protocol,
    "client_certificate": _client_certificate,
    "starttls": _first_letter,
    "require_tls": _flag,
}


def _expanded(row: Effective, expand: Expand, problems: list[Problem]) -> Effective:
    """The row with what the library makes of it; a refusal is a problem."""
    if row.field not in ("priority", "ciphers") or row.value is None:
        return row
    try:
        return replace(row, expansion=expand(row.field, row.value))
    except ValueError as error:
        problems.append(
            Problem(f"{row.scope}: {row.name} {_REFUSED[row.field]}: {error}", row.origin)
        )
    # OpenSSL then keeps its own list; without a priority GnuTLS has nothing to offer.
    return replace(row, expansion=expand("ciphers", "")) if row.field == "ciphers" else row


_REFUSED = {
    "priority": "is refused by GnuTLS, so every TLS handshake fails",
    "ciphers": "is refused by OpenSSL and ignored by Courier, so the library's default is in force",
}
_DERIVED = ("tls", "plaintext_login")


def _unknown(row: Effective) -> Problem:
    return Problem(
        f"{row.scope}: {row.name} is not a literal that can be read ({row.native}), "
        "so its value is not known",
        row.origin,
    )


# ---------------------------------------------------------------------------------------------
# The switches


# What the server looks up; COURIER_SWITCHES names what the administrator writes.
_SERVER_SWITCHES = {
    Service.IMAP: ("IMAP_STARTTLS", "IMAP_TLS_REQUIRED"),
    Service.POP3: ("POP3_STARTTLS", "POP3_TLS_REQUIRED"),
}


def _switches(
    port: Port, variables: Variables, runs: Callable[[str], bool]
) -> tuple[Effective, ...]:
    starttls, required = (
        _row(port, variables, name, variable)
        for name, variable in zip(("starttls", "require_tls"), _SERVER_SWITCHES[port.protocol])
    )
    program = variables.served("COURIERTLS")
    if starttls.value == "yes" and program.text is not None and not runs(program.text):
        native = clean(program.native, VALUE)
        starttls = replace(
            starttls, value="no", name="COURIERTLS", native=native, origin=program.origin
        )
    return (
        starttls,
        required,
        _derived("tls", *_tls(starttls, required)),
        _derived("plaintext_login", *_plaintext_login(port, starttls, required)),
    )


def _derived(name: str, value: Optional[str], decider: Effective) -> Effective:
    return replace(decider, field=name, value=value)


def _tls(starttls: Effective, required: Effective) -> tuple[Optional[str], Effective]:
    if starttls.value != "yes":
        return starttls.value, starttls
    return {"yes": "required", "no": "yes"}.get(required.value or ""), required


def _plaintext_login(
    port: Port, starttls: Effective, required: Effective
) -> tuple[Optional[str], Effective]:
    """IMAP refuses only where it also offers STARTTLS; POP3 whenever TLS is required."""
    if port.protocol is Service.IMAP and required.value == "yes" and starttls.value != "yes":
        return {"no": "yes"}.get(starttls.value or ""), starttls
    return {"yes": "no", "no": "yes"}.get(required.value or ""), required


def _implicit(port: Port, variables: Variables) -> tuple[Effective, ...]:
    value = variables.outer[port.port]
    return tuple(
        Effective(port.scope, name, said, port.port, clean(value.native, VALUE), value.origin)
        for name, said in (("tls", "required"), ("plaintext_login", "no"))
    )


# ---------------------------------------------------------------------------------------------
# Ports


def _port_number(text: str) -> Optional[int]:
    number = _NUMBER.match(text)
    port = int(number.group(1)) if number else _PORT_NAMES.get(text, 0)
    return port if 0 < port < 65536 else None


def _places(address: str) -> tuple[str, ...]:
    """0 is every address of both families; an empty one stops couriertcpd."""
    if address == "0":
        return ("*", "::")
    try:
        return (str(ipaddress.ip_address(address)),)
    except ValueError:
        return ()
