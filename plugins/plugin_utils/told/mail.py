# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest by mail: SMTP with TLS, verified, or not at all.

Source: RFC 8314 section 3.3 (implicit TLS on port 465), RFC 3207 (STARTTLS on 587), RFC 3834
section 5 (Auto-Submitted, so that no vacation answer comes back).
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr
from typing import Any

from .digest import Digest, subject, text

KEYS = frozenset({"to", "from", "host", "port", "tls", "user", "password", "ca_file", "timeout"})
PORTS = {"starttls": 587, "implicit": 465}


class NotTold(Exception):
    """A digest that could not be delivered; the message names the channel, never its secret."""


def check(settings: Mapping[str, Any]) -> None:
    """Raise ValueError for settings that cannot be used."""
    unknown = sorted(set(settings) - KEYS)
    if unknown:
        raise ValueError(
            f"mail_tls_notify_mail has no {unknown[0]!r}; it has {', '.join(sorted(KEYS))}"
        )
    lacking = [key for key in ("to", "from", "host") if not settings.get(key)]
    if lacking:
        raise ValueError(f"mail_tls_notify_mail needs {lacking[0]}")
    if settings.get("tls", "starttls") not in PORTS:
        raise ValueError(
            "mail_tls_notify_mail: tls is starttls or implicit; mail without TLS is not sent"
        )
    if bool(settings.get("user")) != bool(settings.get("password")):
        raise ValueError("mail_tls_notify_mail needs user and password, or neither")


def recipients(settings: Mapping[str, Any]) -> list[str]:
    """The addresses, one or several."""
    to = settings["to"]
    return [str(each) for each in (to if isinstance(to, (list, tuple)) else [to])]


def name(settings: Mapping[str, Any]) -> str:
    """What the channel is called: by whom it reaches."""
    return f"mail to {', '.join(recipients(settings))}"


def message(settings: Mapping[str, Any], digest: Digest, now: datetime) -> EmailMessage:
    """The mail. A header holds one line, whatever the digest says."""
    made = EmailMessage()
    made["From"] = settings["from"]
    made["To"] = ", ".join(recipients(settings))
    made["Subject"] = subject(digest)
    made["Date"] = format_datetime(now)
    made["Message-ID"] = make_msgid(
        domain=parseaddr(settings["from"])[1].rpartition("@")[2] or None
    )
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(text(digest))
    return made


def send(settings: Mapping[str, Any], digest: Digest, now: datetime) -> None:
    """Deliver to the server that takes it. Raises NotTold."""
    host, mode = str(settings["host"]), settings.get("tls", "starttls")
    port = int(settings.get("port") or PORTS[mode])
    try:
        context = ssl.create_default_context(cafile=settings.get("ca_file") or None)
        with _connect(host, port, mode, context, float(settings.get("timeout") or 30)) as server:
            if settings.get("user"):
                server.login(str(settings["user"]), str(settings["password"]))
            server.send_message(message(settings, digest, now), to_addrs=recipients(settings))
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise NotTold(f"{name(settings)} by {host}:{port}: {_cause(error)}") from None


def _connect(
    host: str, port: int, mode: str, context: ssl.SSLContext, timeout: float
) -> smtplib.SMTP:
    if mode == "implicit":
        return smtplib.SMTP_SSL(host, port, timeout=timeout, context=context)
    server = smtplib.SMTP(host, port, timeout=timeout)
    try:
        server.starttls(context=context)  # raises where it is not offered
    except BaseException:
        server.close()
        raise
    return server


def _cause(error: Exception) -> str:
    """The server's own words may quote what was sent to it, so of a login only the code is told."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"the login was refused with {error.smtp_code}"
    return " ".join(str(error).split())[:200] or type(error).__name__
