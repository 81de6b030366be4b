# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Courier's files: values, winners, references, and what keeps a value from being known."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.config.courier import (
    FILES,
    Environment,
    SourceFile,
    evaluate,
    faults,
    parse,
    settings,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import Origin

FIXTURES = Path(__file__).parents[4] / "fixtures" / "config"
VERSIONS = ["5.0.13", "5.2.11", "6.0.5"]


def source(text: str, name: str = "imapd-ssl") -> SourceFile:
    return SourceFile(name, f"/etc/courier/{name}", parse(text))


def stock(version: str) -> list[SourceFile]:
    folder = FIXTURES / f"courier-{version}"
    return [source((folder / name).read_text(), name) for name in FILES]


@pytest.mark.parametrize("version", VERSIONS)
def test_stock_files_hold_nothing_dynamic(version: str) -> None:
    files = stock(version)
    found = settings(files)
    assert [s for s in found if s.dynamic] == []
    assert [f for file in files for f in faults(file)] == []
    values = {(s.scope, s.name): s.value for s in found if s.wins}
    assert values["imapd-ssl", "TLS_CERTFILE"] == "/etc/courier/imapd.pem"
    assert values["imapd-ssl", "TLS_STARTTLS_PROTOCOL"] == ""
    assert values["imapd", "IMAP_CAPABILITY_TLS"].endswith("IDLE AUTH=PLAIN")
    assert values["pop3d", "PORT"] == "110"
    assert values["authdaemonrc", "authmodulelist"] == "authpam"


def test_only_settings_that_matter_are_returned() -> None:
    assert settings([source("MAILDIRPATH=Maildir\nLDAP_PASSWORD=x\nPORT=143\n")])[0].name == "PORT"


def test_the_last_assignment_of_a_file_wins() -> None:
    found = settings([source("IMAP_TLS_REQUIRED=1\n#\nIMAP_TLS_REQUIRED=0\n")])
    assert [(s.value, s.wins, s.origin.line) for s in found] == [("1", False, 1), ("0", True, 3)]


def test_each_file_is_its_own_scope() -> None:
    found = settings([source("IMAP_TLS_REQUIRED=1\n", "imapd"), source("IMAP_TLS_REQUIRED=0\n")])
    assert [(s.scope, s.value, s.wins) for s in found] == [
        ("imapd", "1", True),
        ("imapd-ssl", "0", True),
    ]


def test_hostile_text_is_cleaned_and_cut() -> None:
    value = settings([source("PORT='\x1b[2J" + "9" * 9000 + "'\n")])[0].value
    assert "\x1b" not in value
    assert len(value) <= 2048


REFERENCES: dict[str, tuple[str, Optional[str]]] = {
    "set before": ("TLS_PROTOCOL=x\nA=$TLS_PROTOCOL\n", "x"),
    "set after, as upstream's trap": ("A=$TLS_PROTOCOL\nTLS_PROTOCOL=x\n", ""),
    "among text": ('TLS_BASE=x\nA="$TLS_BASE:+y"\n', "x:+y"),
    "to nothing": ("A=$TLS_PROTOCOL\n", ""),
    "to the environment": ("A=$HOME/x\n", None),
    "to what is computed": ("TLS_X=`id`\nA=$TLS_X\n", None),
    "to a reference": ("TLS_X=1\nTLS_Y=$TLS_X\nA=$TLS_Y\n", "1"),
    "to itself": ("A=1\nA=$A,2\n", "1,2"),
}


@pytest.mark.parametrize(("text", "value"), REFERENCES.values(), ids=REFERENCES)
def test_references(text: str, value: Optional[str]) -> None:
    assert evaluate([source(text)])["A"].text == value


UNKNOWN = {
    "after a sourced file": "A=1\n. /etc/local\n",
    "after an export": "A=1\nexport A=2\n",
    "after an unset": "A=1\nunset A\n",
    "conditional": "A=1\nif x; then\nA=2\nfi\n",
    "never set, but something was sourced": ". /etc/local\n",
}


@pytest.mark.parametrize("text", UNKNOWN.values(), ids=UNKNOWN)
def test_unknown(text: str) -> None:
    assert evaluate([source(text)])["A"].text is None


def test_what_comes_after_a_sourced_file_is_known_again() -> None:
    value = evaluate([source(". /etc/local\nA=1\n")])["A"]
    assert (value.text, value.origin) == ("1", Origin("/etc/courier/imapd-ssl", 2))


def test_an_unknown_value_says_which_words_keep_it() -> None:
    value = evaluate([source("A=1\nexport A=$(x)\n")])["A"]
    assert (value.native, value.origin) == (
        "export A=$(x)",
        Origin("/etc/courier/imapd-ssl", 2),
    )


def test_the_order_of_files_decides() -> None:
    files = [source("A=imapd\n", "imapd"), source("A=ssl\n")]
    assert evaluate(files)["A"].text == "ssl"
    assert evaluate(files[::-1])["A"].text == "imapd"


def test_an_empty_environment_knows_its_own_names_to_be_unset() -> None:
    assert Environment()["TLS_PRIORITY"].text == ""
    assert Environment()["PATH"].text is None


def test_crlf_is_told_once() -> None:
    ((origin, clause),) = faults(source("# c\r\nPORT=143\r\nADDRESS=0\r\n"))
    assert origin.line == 2
    assert "CR LF" in clause
