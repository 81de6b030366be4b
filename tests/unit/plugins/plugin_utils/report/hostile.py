# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents of which every text is hostile: what no format may let through.

A document may come from a file that anyone wrote, so the texts are raw, not cleaned as those of an
observation are. The gate tries a few examples of each format; all of them are tried with

    HOSTILE_EXAMPLES=10000 pytest -q -k hostile tests/unit/plugins/plugin_utils/report
"""

from __future__ import annotations

import copy
import os
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    GOOD,
    WEAK,
    report,
)

_EXAMPLES = settings(
    max_examples=int(os.environ.get("HOSTILE_EXAMPLES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

PIECES = (
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</td></tr>", "<!--", "]]>"),
    *("<svg/onload=alert(1)>", "&lt;", "&#x41;", "&", "<", ">", '"', "'", "</failure>", "<?xml"),
    *("{{ 7*7 }}", "{% raw %}", "{0}", "{#", "#}", "${x}", "%n", "%0d%0a", "$(id)", "`id`"),
    *("=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0", ";=1", '";=1+1;"', ",=1", "'=1"),
    *("\uff1d1", "\uff0b1", "\uff0d1", "\uff20x", "\t=1", "\r=1", "\n=1", " =1", "\ufeff=1"),
    *("\x1b[31m", "\x1b]0;x\x07", "\x9b2J", "\x08", "\x7f", "\0", "\u202e", "\u2066", "\u200b"),
    *("\r\n", "\n", "\r", "\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\ud800", "\udc80", "\ufffe"),
    *("\uffff", "\U0010ffff", "\ue000", "\U000e0041", "Z\u0301\u0302", "\uff2d" * 9, "A" * 3000),
    *("](http://x)", "[a](javascript:alert(1))", "![a](http://x/y.png)", "@everyone", "#1", "|"),
    *("```", "`", "~~~", "\\", "\\|", "\\](x)", "* ", "# ", "> ", "- ", "1. ", "---", "<http://x>"),
    *("../../etc/passwd", "//x/y", "http://x", "file:///etc/passwd", "C:\\x", "a/./b", "%2e%2e"),
    *("::error::x", "##[group]", '"} 1\nfoo{a="', "# TYPE x gauge", "# EOF", "NaN", "\\n", '\\"'),
    *(",", ";", ":", "/etc/dovecot/dovecot.conf:1: x = y", "", " ", "x", "CRT", "mx1.example.org"),
)
TEXTS = st.lists(
    st.one_of(st.sampled_from(PIECES), st.text(st.characters(), max_size=8)), max_size=6
).map("".join)


def with_hostile_text(test: Callable[..., None]) -> Callable[..., None]:
    """The test with each piece alone as its ``text``, and with many pieces and other characters."""
    for piece in PIECES:
        test = example(text=piece)(test)
    made: Callable[..., None] = _EXAMPLES(given(text=TEXTS)(test))
    return made


# What the format decides by: words of the program's own, moments, digests.
_KEPT = {
    *("schema", "verdict", "status", "severity", "fails_at", "tls_mode", "product", "versions"),
    *("generated_at", "observed_at", "previous_generated_at", "not_before", "not_after"),
    *("der", "sha256", "version"),
}
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


@cache
def _base() -> dict[str, Any]:
    """A weak host and a good one: of findings one of each kind, of ports two, one setting."""
    made = report(WEAK, GOOD)
    for host in made["hosts"]:
        kinds = {(f["status"], f["fails"]): f for f in host["findings"]}
        waived = {**host["findings"][0], "status": "waived", "fails": False}
        host["findings"] = [*kinds.values(), waived]
        host["endpoints"] = host["endpoints"][:2]
        for server in host["servers"]:
            server["effective"], server["settings"] = server["effective"][:1], []
    return made


def spoiled(text: str) -> dict[str, Any]:
    """The document with this text wherever text can be."""
    made = _spoiled(_base(), text, "")
    assert isinstance(made, dict)
    return made


def _spoiled(value: Any, text: str, key: str) -> Any:
    if key in _KEPT:
        return copy.copy(value)
    if isinstance(value, dict):
        return {name: _spoiled(each, text, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_spoiled(each, text, key) for each in value]
    return text if isinstance(value, str) else value


@cache
def harmless() -> dict[str, Any]:
    """The same document with a text that nothing has to be done about."""
    return spoiled("x")


def invisible(text: str, but: str = "\n") -> set[str]:
    """The characters of a text that a reader cannot see."""
    return {c for c in text if c not in but and unicodedata.category(c) in _UNSEEN}
