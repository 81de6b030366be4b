# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Courier's access files: what a line speaks to, and ours for the exceptions of an inventory."""

from __future__ import annotations

import ipaddress
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.config.courier_access import (
    given,
    keys,
    overlapping,
    parse,
    place,
    without,
    written,
)

NETWORK = ipaddress.ip_network


@pytest.mark.parametrize(
    ("key", "networks"),
    [
        ("10", ["10.0.0.0/8"]),
        ("192.0.2", ["192.0.2.0/24"]),
        ("192.0.2.7", ["192.0.2.7/32"]),
        ("192.0.2.0/28", ["192.0.2.0/28"]),
        ("192.0.2.0-192.0.2.2", ["192.0.2.0/31", "192.0.2.2/32"]),
        (":2001:0db8", ["2001:db8::/32"]),
        ("2001:db8::/32", ["2001:db8::/32"]),
        ("*", ["0.0.0.0/0", "::/0"]),
        ("mail.example.org", []),
        ("10.0.0.0.0.0", []),
        ("2001:db8::/32-1.2.3.4", []),
        ("", []),
    ],
)
def test_whom_a_line_speaks_to(key: str, networks: list[str]) -> None:
    found = parse(f"{key}\tallow,A=b")
    assert [str(n) for entry in found for n in entry.networks] == networks


@pytest.mark.parametrize(
    ("value", "variables"),
    [
        ("allow,A=b,C=d", (("A", "b"), ("C", "d"))),
        ("allow", ()),
        ("deny", ()),
        ("deny,A=b", ()),
        ("A=b", (("A", "b"),)),
        ("allow,A", (("A", ""),)),
        ("allow,A=\"b,c\",D='e'", (("A", "b,c"), ("D", "e"))),
        ("allow, A=b ", (("A", "b"),)),
    ],
)
def test_what_a_line_gives(value: str, variables: tuple[tuple[str, str], ...]) -> None:
    assert parse(f"10\t{value}")[0].variables == variables


def test_comments_are_none_and_blanks_end_no_key() -> None:
    assert parse("# 10\tallow,A=b\n\n10 allow,A=b\n") == ()


def test_neighbours_of_one_comment_are_told_together() -> None:
    text = "192.0.2.0\tallow,A=b\n192.0.2.1\tallow,A=b\n# other\n192.0.2.2\tallow,A=b\n"
    told = [(str(network), entry.line) for network, entry in given(parse(text))]
    assert told == [("192.0.2.0/31", 1), ("192.0.2.2/32", 4)]


@pytest.mark.parametrize(
    ("network", "lines"),
    [
        ("192.0.2.0/24", ["192.0.2"]),
        ("192.0.2.32/31", ["192.0.2.32", "192.0.2.33"]),
        ("10.0.0.0/7", ["10", "11"]),
        ("2001:db8::/32", [":2001:0db8"]),
        ("2001:db8::1/128", [":2001:0db8:0000:0000:0000:0000:0000:0001"]),
        ("2001:db8:0:fffe::/63", [":2001:0db8:0000:fffe", ":2001:0db8:0000:ffff"]),
    ],
)
def test_a_network_in_the_words_of_couriertcpd(network: str, lines: list[str]) -> None:
    assert keys(NETWORK(network)) == lines


def test_a_network_of_too_many_lines_is_refused() -> None:
    assert len(keys(NETWORK("2001:db8::/40"))) == 256
    with pytest.raises(ValueError, match="32768 lines"):
        keys(NETWORK("8000::/1"))


IMAP = ("service=imap,remote=192.0.2.32/31", "IMAP_TLS_REQUIRED", "0", "until 2027-03-31: lift")


def test_our_own_file() -> None:
    text = written("imap", [IMAP, ("service=pop3,remote=10.0.0.0/8", "POP3_TLS_REQUIRED", "0", "")])
    assert text == (
        "# 192.0.2.32/31 until 2027-03-31: lift\n"
        "192.0.2.32\tallow,IMAP_TLS_REQUIRED=0\n"
        "192.0.2.33\tallow,IMAP_TLS_REQUIRED=0\n"
    )
    assert [str(network) for network, _entry in given(parse(text))] == ["192.0.2.32/31"]
    assert written("pop3", [IMAP]) == ""


def test_a_network_within_another_has_what_both_are_given() -> None:
    wide = ("service=imap,remote=192.0.2.0/24", "TLS_PRIORITY", "NORMAL:+VERS-TLS1.0", "till")
    text = written("imap", [IMAP, wide, ("service=imap,remote=192.0.0.0/23", "A", "1", "")])
    found = {str(network): dict(entry.variables) for network, entry in given(parse(text))}
    assert found == {
        "192.0.2.32/31": {"IMAP_TLS_REQUIRED": "0", "TLS_PRIORITY": "NORMAL:+VERS-TLS1.0"},
        "192.0.2.0/24": {"TLS_PRIORITY": "NORMAL:+VERS-TLS1.0"},
        "192.0.0.0/23": {"A": "1"},
    }


def test_no_key_stands_twice() -> None:
    """makedat stops at a duplicate."""
    around = ("service=imap,remote=192.0.2.0/23", "A", "1", "")
    text = written("imap", [around, ("service=imap,remote=192.0.2.0/24", "B", "2", "")])
    lines = [line.partition("\t")[0] for line in text.splitlines() if line[0] != "#"]
    assert sorted(lines) == ["192.0.2", "192.0.3"]


@pytest.mark.parametrize("value", ["a,b", "a\nb", 'a"b', "a b"])
def test_a_value_that_no_line_carries_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in an access file"):
        written("imap", [(IMAP[0], "TLS_PRIORITY", value, "")])


def test_a_reason_ends_no_line() -> None:
    text = written("imap", [(*IMAP[:3], "x\n10\tallow,EVIL=1")])
    assert [entry.variables for entry in parse(text)] == [(("IMAP_TLS_REQUIRED", "0"),)] * 2


@pytest.mark.parametrize(
    ("theirs", "line"),
    [
        ("10\tallow\n192.0.2\tallow,A=b\n", 2),
        ("192.0.2.33\tdeny\n", 1),
        ("*\tallow,A=b\n", 1),
        ("192.0.2.34\tdeny\n:2001\tdeny\n", None),
    ],
)
def test_an_administrators_line_for_the_same_client_is_found(
    theirs: str, line: Optional[int]
) -> None:
    found = overlapping(parse(theirs), parse(written("imap", [IMAP])))
    assert (found.line if found else None) == line


@pytest.mark.parametrize(
    ("options", "source", "rest"),
    [
        ("-nodnslookup", "", "-nodnslookup"),
        ("-nodnslookup -access=/etc/x.dat", "/etc/x", "-nodnslookup"),
        ("-access=/etc/x.dat -nodnslookup", "/etc/x", "-nodnslookup"),
        ("-accesslocal=/etc/x.dat", "", "-accesslocal=/etc/x.dat"),
        ("", "", ""),
    ],
)
def test_the_database_among_the_options(options: str, source: str, rest: str) -> None:
    assert (place(options), without(options)) == (source, rest)
