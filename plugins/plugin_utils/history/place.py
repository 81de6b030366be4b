# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the history is: a file, a PostgreSQL URL, or nowhere.

By default a hidden folder beside the inventory: Ansible reads every file of an inventory folder as
an inventory, but for hidden ones, and SQLite keeps two more files beside its own. A run with
several inventories keeps its history with the first one that is on the disk.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Optional
from urllib.parse import parse_qsl, unquote, urlsplit

FOLDER = ".mail_tls"
FILE = "history.sqlite"
NOWHERE = "none"
_SCHEMES = ("postgresql://", "postgres://")
_HIDDEN = "***"


def is_url(place: str) -> bool:
    """Whether a place is a database of others: PostgreSQL's."""
    return place.startswith(_SCHEMES)


def find(wanted: str, sources: Sequence[str], otherwise: str) -> Optional[str]:
    """The place of a run's history; ``None`` where none is to be kept.

    ``wanted`` is what the user said (empty: nothing). ``sources`` are the run's inventories as
    Ansible names them, paths or ``host,`` lists; where no path is among them the history is in the
    folder ``otherwise``.
    """
    if wanted == NOWHERE:
        return None
    if wanted:
        return wanted if is_url(wanted) else os.path.expanduser(wanted)
    paths = [source for source in sources if "," not in source and os.path.exists(source)]
    if not paths:
        return os.path.join(otherwise, FILE)
    folder = paths[0] if os.path.isdir(paths[0]) else os.path.dirname(paths[0])
    return os.path.join(folder or ".", FOLDER, FILE)


def shown(place: str) -> str:
    """A place without its password."""
    return redacted(place, place)


def redacted(text: str, url: str) -> str:
    """``text`` without any password that ``url`` holds, as it stands there and as it is meant."""
    for secret in sorted(_passwords(url), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


def _passwords(url: str) -> set[str]:
    """Passwords of a URL, also of a broken one: what is between ``:`` and the last ``@``."""
    if not is_url(url):
        return set()
    found = set(re.findall(r"\A\w+://[^/?#:]*:(.*)@", url, re.S))
    found |= set(re.findall(r"[?&](?:ssl)?password=([^&#]*)", url))
    try:
        parts = urlsplit(url)
        found |= {value for name, value in parse_qsl(parts.query) if "password" in name}
        found |= {parts.password or ""}
    except ValueError:
        pass
    return {secret for each in found for secret in (each, unquote(each)) if secret}
