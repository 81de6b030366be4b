# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is told, for tests: a real SMTP server and a real HTTPS server on loopback, both with TLS."""

from __future__ import annotations

import asyncio
import email
import email.policy
import http.server
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

USER, PASSWORD = "mail-tls", "pa55word-of-the-relay"


def certificate(folder: Path, name: str = "localhost") -> tuple[Path, Path]:
    """A certificate for a name, and its key; it is its own authority."""
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName=DNS:{name}"),
            *("-addext", "keyUsage=critical,digitalSignature,keyCertSign"),
            *("-keyout", str(key), "-out", str(chain)),
        ],
        check=True,
        capture_output=True,
    )
    return chain, key


def _context(pair: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


class _Keep:
    """What aiosmtpd hands a mail to."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuse = False

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.refuse:
            return "451 come back later"
        policy = email.policy.default
        self.mails.append(email.message_from_bytes(envelope.content, policy=policy))  # type: ignore[arg-type]
        return "250 kept"


class Inbox:
    """A mail server; ``mails`` are those that it took."""

    def __init__(self, port: int, keep: _Keep) -> None:
        self.port = port
        self._keep = keep

    @property
    def mails(self) -> list[EmailMessage]:
        return self._keep.mails

    def refuse(self, refuse: bool = True) -> None:
        """Take nothing from now on, or again."""
        self._keep.refuse = refuse


@contextmanager
def inbox(
    pair: tuple[Path, Path], implicit: bool = False, tls: bool = True, login: bool = False
) -> Iterator[Inbox]:
    """A mail server on a port of its own."""
    keep = _Keep()
    options: dict[str, Any] = {"hostname": "localhost"}
    if tls and not implicit:
        options.update(tls_context=_context(pair), require_starttls=True)
    if login:
        options.update(authenticator=_login, auth_required=True)
    loop = asyncio.new_event_loop()
    at_once = _context(pair) if implicit else None
    making = loop.create_server(
        lambda: SMTP(keep, loop=loop, **options), "localhost", 0, family=socket.AF_INET, ssl=at_once
    )
    server = loop.run_until_complete(making)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield Inbox(server.sockets[0].getsockname()[1], keep)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(_ended(loop))
        loop.close()


async def _ended(loop: asyncio.AbstractEventLoop) -> None:
    """Those that are talked to still are hung up on."""
    tasks = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    good = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=data == good, handled=False)


class Hook:
    """An HTTPS server; ``posts`` are the headers and bodies that it got."""

    def __init__(self, server: http.server.HTTPServer) -> None:
        self.url = f"https://localhost:{server.server_address[1]}/hooks/t0ken-of-the-chat"
        self.posts: list[tuple[Any, bytes]] = []
        self.status = 200


@contextmanager
def hook(pair: tuple[Path, Path]) -> Iterator[Hook]:
    """An HTTPS server on a port of its own."""
    held: list[Hook] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            held[0].posts.append((self.headers, body))
            self.send_response(held[0].status)
            self.send_header("Location", "https://localhost:1/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Silence."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = _context(pair).wrap_socket(server.socket, server_side=True)
    held.append(Hook(server))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield held[0]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
