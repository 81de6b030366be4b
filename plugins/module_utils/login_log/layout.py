# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dovecot's ``login_log_format_elements`` as a pattern that reads what was written with it. Pure.

The server splits the setting at blanks, leaves out every element whose variables are all empty, and
joins the rest by ``, `` (dovecot/core ``client-common.c``, client_get_log_str, of 2.3.13 to 2.4.4).
So the order is known, and each element but a few may be missing. A user name may hold anything that
a client sends, also ``>, rip=…``: it is matched greedily, so what follows it in truth is what
follows it here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

# A variable of 2.3 (%u, %Lu, %{rip}) or of 2.4 (%{user}, %{user | lower}).
_VARIABLE = re.compile(r"%(?:[LUERXMDTNH]|\d+(?:\.\d+)?|-?\d+)*(?:([a-zA-Z])|\{([^{}]*)\})")
_PIECE = re.compile(r"(?:%\{[^{}]*\}|[^ ])+")
_NAME = re.compile(r"[a-z0-9_]+")

# Every spelling of the variables that matter → what it is (login-settings.c, var-expand).
_MEANING = {
    **dict.fromkeys(("u", "user", "orig_user", "original_user", "auth_user"), "user"),
    **dict.fromkeys(("n", "username", "orig_username", "original_username"), "local_part"),
    **dict.fromkeys(("r", "rip", "remote_ip"), "address"),
    **dict.fromkeys(("l", "lip", "local_ip"), "own_address"),
    **dict.fromkeys(("a", "lport", "local_port"), "port"),
    **dict.fromkeys(("m", "mech", "mechanism"), "mechanism"),
    **dict.fromkeys(("c", "secured"), "secured"),
    **dict.fromkeys(("k", "ssl_security"), "tls"),
}
# What a value looks like. The error of a TLS library may hold anything but a line end.
_VALUES = {
    "user": r".*",
    "local_part": r".*",
    "address": r"[0-9A-Fa-f:.]+",
    "own_address": r"[0-9A-Fa-f:.]+",
    "port": r"\d{1,5}",
    "mechanism": r"[A-Za-z0-9_-]{1,40}",
    "secured": r"(?:TLS handshaking|TLS|TSL|secured)(?:: .*?)?",
    "tls": r"\(proxied\)|(?:SSL|TLS)v[0-9.]{1,3} with cipher [^ ,]{1,64} \(\d+/\d+ bits\)[^,]*?",
}

# Every connection has addresses, and an element with the user is written without one too.
_ALWAYS = frozenset({"user", "local_part", "address", "own_address"})

# 2.3 and 2.4 write the same by default; the evidence stands where the renderer of this collection
# puts it.
DEFAULT = "user=<%u> method=%m rip=%r lip=%l mpid=%e %c %k session=<%{session}>"
FORMATS = ("%$: %s", "%{message}: %{elements}")


@dataclass(frozen=True)
class Layout:
    """A compiled format. ``shows`` are the meanings of the variables that it writes."""

    pattern: re.Pattern[bytes]
    shows: frozenset[str]

    def read(self, elements: bytes) -> Optional[dict[str, bytes]]:
        """Meaning → value of what stands in ``elements``; ``None`` where it is another format."""
        match = self.pattern.match(elements)
        if match is None:
            return None
        return {name: value for name, value in match.groupdict().items() if value is not None}


def compiled(elements: str) -> Layout:
    """The layout of a value of ``login_log_format_elements``; never fails."""
    shown: list[str] = []
    pieces = [_element(piece, shown) for piece in _PIECE.findall(elements)[:64]]
    return Layout(re.compile(f"{''.join(pieces)}\\Z".encode(), re.DOTALL), frozenset(shown))


def _element(piece: str, shown: list[str]) -> str:
    """An element and the comma behind it; one that may be empty may be missing."""
    pattern, end, before = "", 0, len(shown)
    for match in _VARIABLE.finditer(piece):
        pattern += re.escape(piece[end : match.start()]) + _variable(match, shown)
        end = match.end()
    whole = f"(?:{pattern}{re.escape(piece[end:])}(?:, |\\Z))"
    return whole if _ALWAYS.intersection(shown[before:]) else f"{whole}?"


def _variable(match: re.Match[str], shown: list[str]) -> str:
    """A group for the first variable of each meaning; anything for the others."""
    short, long = match.groups()
    name = _NAME.search(long) if long is not None else None
    meaning = _MEANING.get(short or (name.group() if name else ""))
    if meaning is None:
        return "[^,]*?"
    if meaning in shown:
        return f"(?:{_VALUES[meaning]})?"
    shown.append(meaning)
    return f"(?P<{meaning}>{_VALUES[meaning]})" + ("" if meaning in _ALWAYS else "?")
