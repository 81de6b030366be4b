# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail programs, as far as the tests need them: they read mail, or ask what they must not get.

They use Python's own imaplib, poplib and ssl and nothing of the collection, so that what is proven
here does not rest on the collection's probe. The lab's certificates are self-signed: not verified.
"""

from __future__ import annotations

import base64
import contextlib
import imaplib
import poplib
import re
import socket
import ssl
import warnings
from collections.abc import Iterator
from typing import Optional

from cryptography import x509

from ansible_collections.postmaster.tls.lab.hosts import PASSWORD, USER

TIMEOUT = 15.0
DOORS = ("imaps 993", "pop3s 995", "imap 143", "pop3 110")
V = ssl.TLSVersion


def context(
    lowest: ssl.TLSVersion = V.TLSv1_2, highest: ssl.TLSVersion = V.MAXIMUM_SUPPORTED
) -> ssl.SSLContext:
    """A client of these versions; below TLS 1.2 with all the ciphers that such a client had."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if lowest < V.TLSv1_2:
        made.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.minimum_version, made.maximum_version = lowest, highest
    return made


# What imaplib and poplib raise where a server says no.
REFUSALS = (imaplib.IMAP4.error, poplib.error_proto)


def count_mail(address: str, door: str, tls: ssl.SSLContext) -> int:
    """How many messages the lab's user finds in her INBOX behind one of DOORS."""
    if door.startswith("imap"):
        with _imap(address, door, tls, USER, PASSWORD) as imap:
            state, found = imap.select("INBOX", readonly=True)
            assert state == "OK"
            assert imap.fetch("1", "(BODY.PEEK[])")[0] == "OK"
            return int(found[0] or 0)
    with _pop3(address, door, tls, USER, PASSWORD) as pop3:
        assert pop3.retr(1)[0].startswith(b"+OK")
        return pop3.stat()[0]


def log_in(
    address: str, door: str, tls: Optional[ssl.SSLContext], user: str, password: str
) -> None:
    """Log a user of a test in and out again; without TLS where ``tls`` is ``None``.

    OSError, ssl.SSLError or one of REFUSALS where the server does not let them.
    """
    opened = _imap if door.startswith("imap") else _pop3
    with opened(address, door, tls, user, password):
        pass


@contextlib.contextmanager
def _imap(
    address: str, door: str, tls: Optional[ssl.SSLContext], user: str, password: str
) -> Iterator[imaplib.IMAP4]:
    kind, port = door.split()
    client = (
        imaplib.IMAP4_SSL(address, int(port), ssl_context=tls, timeout=TIMEOUT)
        if kind == "imaps"
        else imaplib.IMAP4(address, int(port), timeout=TIMEOUT)
    )
    with client:
        if tls is not None and kind == "imap":
            client.starttls(tls)
        client.login(user, password)
        yield client


@contextlib.contextmanager
def _pop3(
    address: str, door: str, tls: Optional[ssl.SSLContext], user: str, password: str
) -> Iterator[poplib.POP3]:
    kind, port = door.split()
    client = (
        poplib.POP3_SSL(address, int(port), context=tls, timeout=TIMEOUT)
        if kind == "pop3s"
        else poplib.POP3(address, int(port), timeout=TIMEOUT)
    )
    try:
        if tls is not None and kind == "pop3":
            client.stls(tls)
        client.user(user)
        client.pass_(password)
        yield client
        client.quit()
    finally:
        client.close()


class Lines:
    """A plain connection on which lines are said and read."""

    def __init__(self, address: str, port: int) -> None:
        self._socket = socket.create_connection((address, port), TIMEOUT)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()
        self._socket.close()

    def say(self, line: str) -> None:
        self._socket.sendall(line.encode() + b"\r\n")

    def until(self, pattern: str) -> list[str]:
        """All lines up to the first that matches; fails when the server ends before."""
        lines: list[str] = []
        while not lines or not re.match(pattern, lines[-1]):
            line = self._file.readline(8192)
            assert line, f"the server ended without {pattern}; it said {lines}"
            lines.append(line.decode("utf-8", "replace").rstrip())
        return lines

    def encrypt(self, tls: ssl.SSLContext) -> None:
        """TLS from here on; ssl.SSLError or OSError when there is none."""
        self._file.close()
        self._socket = tls.wrap_socket(self._socket)
        self._file = self._socket.makefile("rb")

    def served(self) -> tuple[str, bytes]:
        """The version in use, and the certificate."""
        assert isinstance(self._socket, ssl.SSLSocket)
        return self._socket.version() or "", self._socket.getpeercert(binary_form=True) or b""


# Protocol: how the greeting ends, the command for TLS, and how its answer ends.
_STARTTLS = {
    "imap": (r"\* ", "a STARTTLS", "a "),
    "pop3": (r"\+OK|-ERR", "STLS", r"\+OK|-ERR"),
    "sieve": ("OK|NO|BYE", "STARTTLS", "OK|NO|BYE"),
}


class NoHandshake(OSError):
    """A server that had begun to speak ended the handshake: by an alert, or by hanging up."""


def handshake(address: str, door: str, tls: ssl.SSLContext) -> tuple[str, bytes]:
    """TLS behind a door: the version and the certificate.

    NoHandshake where it is refused, any other OSError where nobody is behind the door.
    """
    kind, port = door.split()
    with Lines(address, int(port)) as peer:
        if kind in _STARTTLS:
            greeting, command, answer = _STARTTLS[kind]
            peer.until(greeting)
            peer.say(command)
            assert re.match(r"a OK|\+OK|OK", peer.until(answer)[-1])
        try:
            peer.encrypt(tls)
        except (ssl.SSLError, ConnectionError) as error:
            raise NoHandshake(str(error)) from error
        return peer.served()


def asked_for(address: str, port: int, name: str) -> bytes:
    """The certificate that a client gets who asks for this name (SNI)."""
    with (
        socket.create_connection((address, port), TIMEOUT) as plain,
        context().wrap_socket(plain, server_hostname=name) as served,
    ):
        return served.getpeercert(binary_form=True) or b""


def names(certificate: bytes) -> list[str]:
    """The host names that a certificate (DER) is for."""
    extensions = x509.load_der_x509_certificate(certificate).extensions
    found = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return found.get_values_for_type(x509.DNSName)


# Never a real user's name or password in clear, not even in the lab.
_NOBODY, _NOTHING = "nobody-of-the-lab", "not-a-password"
_PLAIN = base64.b64encode(f"\0{_NOBODY}\0{_NOTHING}".encode()).decode()
# What is tried without TLS, and how the answer to it begins.
_ATTEMPTS = {
    "imap": (f"b LOGIN {_NOBODY} {_NOTHING}", "b "),
    "pop3": (f"USER {_NOBODY}", r"\+OK|-ERR"),
    "sieve": (f'AUTHENTICATE "PLAIN" "{_PLAIN}"', "OK|NO|BYE"),
}


def login_without_tls(address: str, door: str) -> str:
    """What the server answers to a login of nobody without TLS."""
    kind, port = door.split()
    attempt, answer = _ATTEMPTS[kind]
    with Lines(address, int(port)) as peer:
        peer.until(_STARTTLS[kind][0])
        peer.say(attempt)
        return peer.until(answer)[-1]


# "Not without TLS", in the words of each server and protocol, which is not "wrong password".
REFUSED = "|".join(
    (
        r"b NO \[PRIVACYREQUIRED\]",  # Dovecot, RFC 5530
        r"-ERR \[AUTH\] (Plain|Clear)text authentication disallowed",
        r"NO \(ENCRYPT-NEEDED\)",  # RFC 5804
        "b NO STARTTLS required",  # Courier
        r"-ERR TLS required to log in\.",
    )
)
