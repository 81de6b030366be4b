# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one sanitiser: text from servers, certificates, logs and files enters through here.

Untrusted bytes become text that is bounded and holds no control, bidirectional or invisible
character: those are shown as ``\\xNN`` or ``\\uNNNN``. Output formats still escape for themselves.
"""

from __future__ import annotations

import unicodedata
from typing import Union

# Caps in characters, by kind of text.
BANNER = 512
NAME = 256
WORD = 64

# Unicode categories never shown as they are: controls, format (bidi, zero width), surrogates,
# private use, unassigned, line and paragraph separators (Unicode Standard 4.5).
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: Union[bytes, str], limit: int = BANNER) -> str:
    """Untrusted ``text`` as one bounded, printable line.

    Bytes are read as UTF-8, what is not is shown as ``\\xNN``. More than ``limit`` characters are
    cut, and the cut is shown as ``…``.
    """
    raw = text[: limit * 4] if isinstance(text, bytes) else text[: limit + 1]
    decoded = raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw
    shown = decoded if _plain(decoded) else _escaped(decoded)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _plain(text: str) -> bool:
    """Whether it is ASCII without controls, as nearly all of it is: there is nothing to escape."""
    return text.isascii() and text.isprintable()


def _escaped(text: str) -> str:
    return "".join(_visible(c) for c in unicodedata.normalize("NFC", text))


def _visible(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
