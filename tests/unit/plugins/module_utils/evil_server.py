# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server on loopback that misbehaves as it is told, and counts who comes.

A behaviour is a function that gets the connected socket; when it returns, the connection is
closed, and when it raises OSError too. Each connection has a thread of its own.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Callable

Behaviour = Callable[[socket.socket], None]
PEM = Path(__file__).resolve().parents[3] / "fixtures" / "certificates" / "loopback-server.pem"
PATIENCE = 20.0


_ESTABLISHED = 1  # linux/include/net/tcp_states.h


def held(connection: socket.socket) -> bool:
    """Whether both ends are still held: the kernel knows, however late our threads are."""
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    except OSError:  # closed by its own thread
        return False
    return info[0] == _ESTABLISHED


class EvilServer:
    """``port`` is where it listens; ``total`` and ``most`` count connections, all and at once."""

    def __init__(self, behaviour: Behaviour, address: str = "127.0.0.1") -> None:
        self._behaviour = behaviour
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.create_server((address, 0), family=family, backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self.total = self.most = 0
        self._open: list[socket.socket] = []
        self.over = threading.Event()
        self._lock = threading.Lock()

    def serve(self) -> None:
        """Accepts until the listening socket is closed."""
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with self._lock:
                self.total += 1
                self._open = [each for each in (*self._open, connection) if held(each)]
                self.most = max(self.most, len(self._open))
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(PATIENCE)
            self._behaviour(connection)
        except OSError:
            pass
        finally:
            connection.close()

    def close(self) -> None:
        """Ends listening."""
        self.over.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@contextmanager
def evil(behaviour: Behaviour, address: str = "127.0.0.1") -> Iterator[EvilServer]:
    """A server with that behaviour for the time of the context."""
    server = EvilServer(behaviour, address)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(2)


# ---------------------------------------------------------------------------------------------
# Behaviours


def silent(sock: socket.socket) -> None:
    """Accepts and says nothing, until the client leaves."""
    while sock.recv(4096):
        pass


def says(*lines: bytes) -> Behaviour:
    """Sends the first line at once and one more for each thing it hears; then hangs up."""

    def behave(sock: socket.socket) -> None:
        for number, line in enumerate(lines):
            if number and not sock.recv(4096):
                return
            sock.sendall(line)

    return behave


def then(first: Behaviour, second: Behaviour) -> Behaviour:
    """One behaviour after the other."""

    def behave(sock: socket.socket) -> None:
        first(sock)
        second(sock)

    return behave


def hears(sock: socket.socket) -> None:
    """Waits until the client says something."""
    sock.recv(4096)


def reset(sock: socket.socket) -> None:
    """Ends the connection with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def endlessly(piece: bytes, pause: float = 0.0) -> Behaviour:
    """Sends the same again and again."""

    def behave(sock: socket.socket) -> None:
        while True:
            sock.sendall(piece)
            time.sleep(pause)

    return behave


def context() -> ssl.SSLContext:
    """A TLS server that speaks TLS 1.2 and 1.3."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(PEM)
    made.set_ciphers("ECDHE+AESGCM")
    return made


IMAP_BEFORE = b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n"
IMAP_INSIDE = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"


def imap(sock: socket.socket, tls: ssl.SSLContext) -> None:
    """A decent IMAP server with STARTTLS that lets nobody in."""
    sock.sendall(b"* OK ready\r\n")
    for line in lines(sock):
        tag, _, command = line.partition(b" ")
        if command == b"STARTTLS":
            sock.sendall(tag + b" OK begin\r\n")
            with tls.wrap_socket(sock, server_side=True) as inside:
                answer(inside, IMAP_INSIDE)
            return
        if not answer_one(sock, line, IMAP_BEFORE):
            return


def lines(sock: socket.socket) -> Iterator[bytes]:
    """What the client says, line by line, also where several come at once."""
    while said := sock.recv(4096):
        yield from said.splitlines()


def imaps(sock: socket.socket, tls: ssl.SSLContext) -> None:
    """A decent IMAP server with TLS from the start."""
    with tls.wrap_socket(sock, server_side=True) as inside:
        inside.sendall(b"* OK ready\r\n")
        answer(inside, IMAP_INSIDE)


def answer(sock: socket.socket, capability: bytes) -> None:
    """Answers commands until one ends the conversation."""
    for line in lines(sock):
        if not answer_one(sock, line, capability):
            return


def answer_one(sock: socket.socket, line: bytes, capability: bytes) -> bool:
    """Answers a command; whether the conversation goes on."""
    tag, _, command = line.partition(b" ")
    answers = {
        b"CAPABILITY": capability + tag + b" OK done\r\n",
        b"LOGOUT": b"* BYE\r\n" + tag + b" OK\r\n",
    }
    sock.sendall(answers.get(command, tag + b" NO [PRIVACYREQUIRED] not without TLS\r\n"))
    return command != b"LOGOUT"


def modern() -> Behaviour:
    """A decent IMAP server with TLS from the start, of TLS 1.3 only."""
    tls = context()
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    return lambda sock: imaps(sock, tls)


def decent(secured: bool = False) -> Behaviour:
    """A decent IMAP server, with STARTTLS or with TLS from the start."""
    tls, serve = context(), imaps if secured else imap
    return lambda sock: serve(sock, tls)
