# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is told of what: each channel hears of a change once, and again only when it failed to hear.

The history remembers what was told where, so a digest that did not arrive is sent with the next
run. Nothing is sent where nothing changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..history.store import History
from . import mail, webhook
from .digest import Digest, worth_telling

Send = Callable[[Mapping[str, Any], Digest, datetime], None]


@dataclass(frozen=True)
class Channel:
    """A way to tell. ``id`` is what the history knows it by; it holds no secret."""

    id: str
    name: str
    send: Send = field(repr=False)
    settings: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Told:
    """Which channels were sent something, and what kept others from hearing."""

    sent: tuple[str, ...]
    problems: tuple[str, ...]


def channels(
    by_mail: Mapping[str, Any], webhooks: Sequence[Mapping[str, Any]]
) -> tuple[Channel, ...]:
    """The channels of the settings; ValueError for settings that cannot be used."""
    found = []
    if by_mail:
        mail.check(by_mail)
        about = {"to": mail.recipients(by_mail), "host": by_mail["host"]}
        found.append(Channel(_id("mail", about), mail.name(by_mail), mail.send, by_mail))
    for hook in webhooks:
        webhook.check(hook)
        about = {"url": hook["url"]}
        found.append(Channel(_id("webhook", about), webhook.name(hook), webhook.send, hook))
    return tuple(found)


def tell(history: History, those: Sequence[Channel], now: datetime) -> Told:
    """Send each channel what it has not heard, and note what it has."""
    sent, problems = [], []
    count = len(worth_telling(history.items()))
    for channel in those:
        new = worth_telling(history.untold(channel.id, "new"))
        recovered = worth_telling(history.untold(channel.id, "recovered"))
        digest = Digest(new, recovered, count)
        if digest.empty:
            continue
        try:
            channel.send(channel.settings, digest, now)
        except mail.NotTold as error:
            problems.append(f"not told, and told again by the next run: {error}")
            continue
        history.tell(channel.id, "new", new, now)
        history.tell(channel.id, "recovered", recovered, now)
        sent.append(channel.name)
    return Told(tuple(sent), tuple(problems))


def _id(kind: str, about: Any) -> str:
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    return f"{kind}-{digest[:16]}"
