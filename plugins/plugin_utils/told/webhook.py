# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The digest by webhook: to Slack, Mattermost, Teams, or anything that takes JSON; signed.

HTTPS alone, verified, and no redirect is followed: a signed body goes to whom it is for. The
signature is ``sha256=`` and the HMAC-SHA256 of the time stamp, a dot and the body, both as sent, so
that a receiver can refuse what is old. A URL of a chat is a secret itself; messages show its host.
Sources: RFC 2104; the incoming webhooks of Slack, Mattermost, and Teams' Workflows (an Adaptive
Card 1.4).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from .digest import Digest, plain, text
from .mail import NotTold

KEYS = frozenset({"url", "kind", "secret", "ca_file", "timeout"})
SIGNATURE, TIMESTAMP = "X-Mail-Tls-Signature", "X-Mail-Tls-Timestamp"
_LIMIT = 12_000
"""Characters of text: Mattermost takes 16383, a card of Teams 28 kB."""


def _block(digest: Digest) -> str:
    """The text as one block of code, in which no chat finds links, mentions or its own marks."""
    return text(digest)[:_LIMIT].replace("`", "'").replace("@", "@\u200b")


def _slack(digest: Digest) -> dict[str, Any]:
    said = _block(digest).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": f"```{said}```"}


def _mattermost(digest: Digest) -> dict[str, Any]:
    return {"text": f"```\n{_block(digest)}\n```"}


def _teams(digest: Digest) -> dict[str, Any]:
    body = {"type": "TextBlock", "text": _block(digest), "wrap": True, "fontType": "Monospace"}
    # A TextBlock reads some Markdown: what could begin a link or an image is taken apart.
    body["text"] = str(body["text"]).replace("[", "(").replace("]", ")").replace("\n", "\n\n")
    card = {"type": "AdaptiveCard", "version": "1.4", "body": [body]}
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


KINDS: dict[str, Callable[[Digest], dict[str, Any]]] = {
    "generic": plain,
    "slack": _slack,
    "mattermost": _mattermost,
    "teams": _teams,
}


def check(settings: Mapping[str, Any]) -> None:
    """Raise ValueError for settings that cannot be used; the URL is not shown."""
    unknown = sorted(set(settings) - KEYS)
    if unknown:
        raise ValueError(f"a webhook has no {unknown[0]!r}; it has {', '.join(sorted(KEYS))}")
    try:
        parts = urlsplit(str(settings.get("url") or ""))
        good = parts.scheme == "https" and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError("the url of a webhook begins with https:// and names a host")
    if settings.get("kind", "generic") not in KINDS:
        raise ValueError(f"the kind of a webhook is one of {', '.join(KINDS)}")


def name(settings: Mapping[str, Any]) -> str:
    """What the channel is called: its host."""
    return f"webhook at {urlsplit(str(settings['url'])).hostname}"


def request(settings: Mapping[str, Any], digest: Digest, now: datetime) -> urllib.request.Request:
    """What is sent, with its signature where there is a secret to sign by."""
    body = json.dumps(KINDS[settings.get("kind", "generic")](digest)).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "postmaster.tls"}
    if settings.get("secret"):
        stamp = str(int(now.timestamp()))
        headers[TIMESTAMP] = stamp
        headers[SIGNATURE] = signature(str(settings["secret"]), stamp, body)
    return urllib.request.Request(  # noqa: S310 - check() lets https alone through
        str(settings["url"]), data=body, headers=headers, method="POST"
    )


def signature(secret: str, stamp: str, body: bytes) -> str:
    """What a receiver computes as well, and compares in constant time."""
    mac = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={mac.hexdigest()}"


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_more: Any) -> None:
        """Go nowhere else: the answer is then an HTTPError."""


def send(settings: Mapping[str, Any], digest: Digest, now: datetime) -> None:
    """Post it. Raises NotTold for anything but an answer of 2xx."""
    try:
        context = ssl.create_default_context(cafile=settings.get("ca_file") or None)
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _Stay())
        wait = float(settings.get("timeout") or 30)
        with opener.open(request(settings, digest, now), timeout=wait):
            pass
    except urllib.error.HTTPError as error:
        error.close()
        raise NotTold(f"{name(settings)}: it answered {error.code}") from None
    except (OSError, ValueError) as error:
        reason = str(getattr(error, "reason", error)).replace(str(settings["url"]), "its URL")
        raise NotTold(f"{name(settings)}: {' '.join(reason.split())[:200]}") from None
