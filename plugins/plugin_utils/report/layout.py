# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text for terminals: safe words, columns as wide as they look, and the words of a port.

A document may come from a file that anyone wrote, so every text is cleaned again here, at the last
rim. Knows no colours and no layout of a whole report.

Source: Unicode Standard Annex 11 (East Asian wide characters take two columns).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from ...module_utils.text import clean

LONGEST = 2000


def safe(value: object) -> str:
    """Any value of a document as bounded, printable text."""
    return clean(str(value), LONGEST)


def columns(text: str) -> int:
    """How many columns a text takes."""
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def cut(text: str, width: int) -> str:
    """At most ``width`` columns of a text; that something is left out shows as ``…``."""
    if columns(text) <= width:
        return text
    return _head(text, max(0, width - 1)) + "…" if width > 0 else ""


def _head(text: str, width: int) -> str:
    taken = 0
    for index, character in enumerate(text):
        taken += _cells(character)
        if taken > width:
            return text[:index]
    return text


def pad(text: str, width: int) -> str:
    """A text cut or filled to exactly ``width`` columns."""
    short = cut(text, width)
    return short + " " * (width - columns(short))


def wrap(text: str, width: int) -> Iterator[str]:
    """A text in lines of at most ``width`` columns, broken at blanks where there are any."""
    line = ""
    for word in (piece for long in text.split() for piece in _pieces(long, width)):
        if line and columns(line) + 1 + columns(word) > width:
            yield line
            line = ""
        line = f"{line} {word}" if line else word
    if line:
        yield line


def _pieces(word: str, width: int) -> Iterator[str]:
    """A word in pieces that fit into a line."""
    while columns(word) > width:
        head = _head(word, width) or word[:1]
        yield head
        word = word[len(head) :]
    if word:
        yield word


def indented(text: str, width: int, first: str, rest: str) -> Iterator[str]:
    """A text in lines, the first one after ``first``, the others after ``rest``."""
    room = width - max(columns(first), columns(rest))
    for number, line in enumerate(wrap(text, room)):
        yield (rest if number else first) + line


# ---------------------------------------------------------------------------------------------
# A port in words


def port_name(endpoint: Mapping[str, Any]) -> str:
    """``143 imap``, with the address where the caller knows that there is more than one."""
    return f"{safe(endpoint['port'])} {safe(endpoint['service'])}"


def versions(endpoint: Mapping[str, Any]) -> str:
    """The accepted versions, short: ``1.2 1.3``."""
    if not endpoint["open"]:
        return "-"
    spoken = [safe(v).replace("TLSv1.", "1.").replace("TLSv1", "1.0") for v in endpoint["versions"]]
    if spoken:
        return " ".join(spoken)
    if endpoint["tls_mode"] == "starttls" and endpoint["starttls"] is False:
        return "no TLS"
    return "none" if endpoint["failures"] else "?"


def plaintext(endpoint: Mapping[str, Any]) -> str:
    """What happens to a login without TLS: ``refused``, ``TAKEN`` …"""
    if not endpoint["open"] or endpoint["tls_mode"] == "implicit":
        return "-"
    answers = [attempt["refused"] for attempt in endpoint["attempts"]]
    if False in answers or _login_open(endpoint):
        return "TAKEN"
    return "refused" if True in answers else "?"


def _login_open(endpoint: Mapping[str, Any]) -> bool:
    """IMAP without LOGINDISABLED says that LOGIN is welcome."""
    said = endpoint["capabilities"]
    if endpoint["service"] != "imap" or said is None:
        return False
    return "LOGINDISABLED" not in {str(word).upper() for word in said}


def certificate(endpoint: Mapping[str, Any], name_first: bool = True) -> str:
    """The served certificate in a few words: whose, and for how long (or the other way round)."""
    if not endpoint["open"] or not endpoint["chain"]:
        return "none seen" if endpoint["open"] else "-"
    leaf = endpoint["chain"][0]
    if leaf.get("error"):
        return "unreadable"
    who, how = _owner(leaf), _span(leaf)
    return f"{who}, {how}" if name_first else f"{how}, {who}"


def _owner(leaf: Mapping[str, Any]) -> str:
    names = leaf["names"] or [leaf["common_name"] or "no name"]
    more = f" +{len(names) - 1}" if len(names) > 1 else ""
    return f"{safe(names[0])}{more}"


def _span(leaf: Mapping[str, Any]) -> str:
    left = f"{leaf['days_left']} d" if leaf["days_left"] >= 0 else "EXPIRED"
    return f"self-signed {left}" if leaf["self_signed"] else left


def state(endpoint: Mapping[str, Any]) -> str:
    """``open``, ``closed`` or ``not reached``."""
    return {True: "open", False: "closed"}.get(endpoint["open"], "not reached")
