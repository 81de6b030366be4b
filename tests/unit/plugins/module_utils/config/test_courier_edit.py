# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line that decides, and nothing else; /bin/sh itself says what the edited text holds."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Optional

import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.module_utils.config.courier import (
    SourceFile,
    evaluate,
    parse,
)
from ansible_collections.postmaster.tls.plugins.module_utils.config.courier_edit import (
    MARK,
    Stale,
    assignment,
    edit,
)

PATH = "/etc/courier/imapd-ssl"
PRIORITY = "SECURE128:-VERS-ALL:+VERS-TLS1.3"


class Shell:
    """One long-lived /bin/sh: each question is answered in a subshell with an empty environment."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "file"
        self._process = subprocess.Popen(
            ["/usr/bin/env", "-i", "PATH=/nowhere", "/bin/sh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
        )

    def values(self, text: str, names: Sequence[str]) -> dict[str, str]:
        """What the variables hold after the shell has sourced ``text``."""
        self._file.write_bytes(text.encode("utf-8", "surrogateescape"))
        shown = " ".join(f'"${{{name}-<unset>}}"' for name in names)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        command = f"( . ./file >&2; printf '%s\\0' {shown} ); printf 'end\\0'\n"
        self._process.stdin.write(command.encode())
        self._process.stdin.flush()
        found = b""
        while not found.endswith(b"end\0"):
            found += os.read(self._process.stdout.fileno(), 65536)
        parts = found[: -len(b"end\0")].decode("utf-8", "surrogateescape").split("\0")
        return dict(zip(names, parts[:-1]))

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    made = Shell(tmp_path_factory.mktemp("shell"))
    yield made
    made.close()


def edited(
    text: str, wants: Mapping[str, str], overrides: Optional[Mapping[int, str]] = None
) -> str:
    return edit(PATH, text, wants, overrides or {})


# ---------------------------------------------------------------------------------------------
# One variable

STOCK = (
    "##VERSION: $Id$\n"
    "\n"
    "##NAME: install_prefix:0\n"
    "prefix=/usr\n"
    "##NAME: IMAP_TLS_REQUIRED:0\n"
    "# Set this to 1 …\n"
    "IMAP_TLS_REQUIRED=0\n"
    "##NAME: TLS_PRIORITY:0\n"
    '# TLS_PRIORITY="NORMAL:-CTYPE-OPENPGP"\n'
    'TLS_STARTTLS_PROTOCOL="$TLS_PROTOCOL"\n'
)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        # where it stands
        ("A=0\n", "A=1\n"),
        ("B=x\nA=0\nC=y\n", "B=x\nA=1\nC=y\n"),
        ("A=1\n", "A=1\n"),
        ("A='1'\n", "A='1'\n"),
        ('A="1" # yes\n', 'A="1" # yes\n'),
        ("A=0", "A=1\n"),
        ("  A=0\n", "  A=1\n"),
        ("A=\n", "A=1\n"),
        # the last one decides
        ("A=1\nA=0\n", "A=1\nA=1\n"),
        ("A=0\nA=1\n", "A=0\nA=1\n"),
        ("A=0\nB=$A\nA=0\n", "A=0\nB=$A\nA=1\n"),
        # not there yet: at the end, with a line end before it
        ("B=x\n", "B=x\nA=1\n"),
        ("B=x", "B=x\nA=1\n"),
        ("", "A=1\n"),
        ("##NAME: A:0\n# A=1\n", "##NAME: A:0\n# A=1\nA=1\n"),
        # what only the shell knows, and what somebody wrote beside it, stays as a comment
        ("A=`date`\n", f"{MARK}A=`date`\nA=1\n"),
        ("A=$(date)\n", f"{MARK}A=$(date)\nA=1\n"),
        ("A=$B\n", f"{MARK}A=$B\nA=1\n"),
        ('B=1\nA="$B"\n', f'B=1\n{MARK}A="$B"\nA=1\n'),
        ("A=~/x\n", f"{MARK}A=~/x\nA=1\n"),
        ("A=0 # the scanner\n", f"{MARK}A=0 # the scanner\nA=1\n"),
        ("A='0\n1'\nB=2\n", f"{MARK}A='0\n{MARK}1'\nA=1\nB=2\n"),
        ("A=$(\n date\n)\nB=2\n", f"{MARK}A=$(\n{MARK} date\n{MARK})\nA=1\nB=2\n"),
        # what is set somewhere in code is set once more at the end
        ("if true; then\nA=0\nfi\n", None),
        ("if false; then\nA=0\nfi\n", None),
        ("A=1\nif true; then\n  A=0\nfi\n", None),
        ("A=0\nif false; then\n  A=1\nfi\n", None),
        ("A=1\nunset A\n", "A=1\nunset A\nA=1\n"),
        ("A=1; A=0\n", "A=1; A=0\nA=1\n"),
        ("export A=0\n", "export A=0\nA=1\n"),
        ("A=0 B=0\n", "A=0 B=0\nA=1\n"),
        ("f() { A=0; }\nf\n", None),
        ("case x in\nx)\nA=0\n;;\nesac\n", None),
        # CR: to the shell it belongs to the value
        ("A=0\r\nB=x\r\n", "A=1\nB=x\r\n"),
        ("A=1\r\nB=x\r\n", "A=1\nB=x\r\n"),
        ("B=x\r\n", "B=x\r\nA=1\n"),
        ("A=`date`\r\n", f"{MARK}A=`date`\r\nA=1\n"),
        ("A='1'\r\n", "A=1\n"),
        # no assignment, whatever it looks like
        ("A = 0\n", "A = 0\nA=1\n"),
        ("echo A=0\n", None),
        ("# A=0\n", "# A=0\nA=1\n"),
        ("XA=0\nAX=0\n", "XA=0\nAX=0\nA=1\n"),
    ],
)
def test_a_variable_gets_its_value(text: str, result: Optional[str], shell: Shell) -> None:
    new = edited(text, {"A": "1"})
    if result is not None:
        assert new == result
    assert shell.values(new, ["A"]) == {"A": "1"}
    assert edited(new, {"A": "1"}) == new


def test_a_stock_file_keeps_its_anchors(shell: Shell) -> None:
    wants = {"IMAP_TLS_REQUIRED": "1", "TLS_PRIORITY": PRIORITY, "IMAPDSTARTTLS": "YES"}
    new = edited(STOCK, wants)
    assert new == STOCK.replace("REQUIRED=0", "REQUIRED=1") + (
        f'TLS_PRIORITY="{PRIORITY}"\nIMAPDSTARTTLS=YES\n'
    )
    assert shell.values(new, list(wants)) == wants


def test_bytes_that_are_no_utf8_stay(shell: Shell) -> None:
    text = "# caf\udce9\nA=0\nB=\udcff\n"
    new = edited(text, {"A": "1"})
    assert new == "# caf\udce9\nA=1\nB=\udcff\n"
    assert shell.values(new, ["A", "B"]) == {"A": "1", "B": "\udcff"}


def test_a_reference_to_a_variable_that_is_set_later_is_no_help(shell: Shell) -> None:
    """TLS_PROTOCOL at the end of the file comes too late for TLS_STARTTLS_PROTOCOL."""
    text = 'TLS_STARTTLS_PROTOCOL="$TLS_PROTOCOL"\n'
    wants = {"TLS_PROTOCOL": "TLSv1.2", "TLS_STARTTLS_PROTOCOL": "TLSv1.2"}
    assert shell.values(edited(text, wants), list(wants)) == wants


# ---------------------------------------------------------------------------------------------
# Overrides


@pytest.mark.parametrize(
    ("text", "number", "result"),
    [
        ("B=x\nA=0\nC=y\n", 2, f"B=x\n{MARK}A=0\nC=y\n"),
        ("A=0 # why", 1, f"{MARK}A=0 # why"),
        ("A='0\n1'\nB=2\n", 1, f"{MARK}A='0\n{MARK}1'\n:\nB=2\n"),
        ("  A=0\n", 1, f"{MARK}  A=0\n"),
        ("A=0\r\nB=1\n", 1, f"{MARK}A=0\r\nB=1\n"),
        ("if true; then\nA=0\nfi\n", 2, f"if true; then\n{MARK}A=0\n:\nfi\n"),
        (
            "if true; then\nA=$(\n date)\nfi\n",
            2,
            f"if true; then\n{MARK}A=$(\n{MARK} date)\n:\nfi\n",
        ),
    ],
)
def test_an_override_stays_as_a_comment(text: str, number: int, result: str, shell: Shell) -> None:
    new = edited(text, {}, {number: "A"})
    assert new == result
    assert shell.values(f"{new}\nEND=1\n", ["A", "END"]) == {"A": "<unset>", "END": "1"}


def test_overrides_and_wants_of_one_file_go_together(shell: Shell) -> None:
    new = edited("A=0\nB=0\nA=2\n", {"B": "1"}, {1: "A", 3: "A"})
    assert new == f"{MARK}A=0\nB=1\n{MARK}A=2\n"
    assert shell.values(new, ["A", "B"]) == {"A": "<unset>", "B": "1"}


def test_a_variable_whose_deciding_line_is_neutralised_is_set_at_the_end(shell: Shell) -> None:
    new = edited("A=0\n", {"A": "1"}, {1: "A"})
    assert new == f"{MARK}A=0\nA=1\n"
    assert shell.values(new, ["A"]) == {"A": "1"}


@pytest.mark.parametrize(
    ("number", "name"), [(0, "A"), (-1, "A"), (99, "A"), (1, "B"), (2, "A"), (3, "A"), (5, "A")]
)
def test_a_line_that_is_no_longer_what_was_seen_stops_it(number: int, name: str) -> None:
    text = "A=0\n# A=0\n##NAME: A:0\nB='1\n2'\n"
    with pytest.raises(Stale, match=rf"^{PATH}:{number} no longer sets {name}: "):
        edited(text, {}, {number: name})


# ---------------------------------------------------------------------------------------------
# Values


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("1", "A=1"),
        ("/etc/courier/imapd.pem", "A=/etc/courier/imapd.pem"),
        ("TLSv1.2++", 'A="TLSv1.2++"'),
        (PRIORITY, f'A="{PRIORITY}"'),
        ("HIGH:!aNULL", 'A="HIGH:!aNULL"'),
        ("~/x", 'A="~/x"'),
        ("a b;c&d", 'A="a b;c&d"'),
        ("*", 'A="*"'),
        ("#", 'A="#"'),
        ("", 'A=""'),
        ("é", 'A="é"'),
    ],
)
def test_values_are_quoted_where_they_must_be(value: str, written: str, shell: Shell) -> None:
    assert assignment("A", value) == written
    assert shell.values(assignment("A", value), ["A"]) == {"A": value}


@pytest.mark.parametrize("value", ['"', "'", "`date`", "$A", "\\", "a\nb", "a\rb", "a\0b"])
def test_a_value_that_quoting_cannot_carry_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"^A: "):
        edited("", {"A": value})


# ---------------------------------------------------------------------------------------------
# Properties

LINES = st.sampled_from(
    [
        *("A=0", "A=1", 'A="0"', "A='1' # why", "A=", " A=0", "A=$B", 'A="$A"', "A=`true`"),
        *("A=$(", ")", "A='", "'", 'A="x', '"', "A=0; B=1", "B=0", "B=$A", "A=0 B=1"),
        *("if true; then", "if false; then", "else", "fi", "case x in", "x)", ";;", "esac"),
        *("unset A", "export A", "A=0\r", "# A=0", "##NAME: A:0", "", "A = 0", ": A=0"),
        *("{", "}", "A+=0", "A=0 &", "A=\\", "true && A=0", "false || A=0", "A=~", "A=a:~"),
    ]
)
PRINTABLE = st.text(
    st.characters(blacklist_categories=("Cc", "Cs", "Cn"), blacklist_characters="`$\\;&|<>()"),
    max_size=12,
).filter(lambda line: not re.search(r"\b(exit|return|exec|eval|set|alias|read|trap)\b", line))
TEXT = st.lists(LINES | PRINTABLE, max_size=8).map("\n".join)
SENTINEL = "\nEND=reached\n"


def whole(text: str, shell: Shell) -> bool:
    """Whether the shell reads all of the file, so that what is added at its end counts."""
    return shell.values(text + SENTINEL, ["END"]) == {"END": "reached"}


@given(TEXT)
@hypothesis_settings(max_examples=400, deadline=None)
def test_whatever_a_sound_file_says_the_shell_holds_the_value(shell: Shell, text: str) -> None:
    assume(whole(text, shell))
    new = edited(text, {"A": "1", "TLS_PRIORITY": PRIORITY})
    wanted = {"A": "1", "TLS_PRIORITY": PRIORITY}
    assert shell.values(new, list(wanted)) == wanted
    assert edited(new, wanted) == new


@given(TEXT)
@hypothesis_settings(max_examples=300, deadline=None)
def test_only_assignments_of_the_variable_may_go(text: str) -> None:
    new = edited(text, {"A": "1"})
    kept = [line[len(MARK) :] if line.startswith(MARK) else line for line in new.split("\n")]
    old = [line for line in text.split("\n") if line]
    replaceable = [i for i, line in enumerate(old) if re.match(r"[ \t]*A=", line)]
    assert in_order(old, kept) or any(in_order(old[:i] + old[i + 1 :], kept) for i in replaceable)


def in_order(some: Sequence[str], many: Sequence[str]) -> bool:
    rest = iter(many)
    return all(line in rest for line in some)


@given(TEXT)
@hypothesis_settings(max_examples=200, deadline=None)
def test_neutralising_leaves_a_file_that_the_shell_can_read(shell: Shell, text: str) -> None:
    assume(whole(text, shell))
    lines = parse(text)
    doomed = {line.number: "A" for line in lines if line.kind == "assignment" and line.name == "A"}
    new = edited(text, {}, doomed)
    assert whole(new, shell)
    assert not any(line.kind == "assignment" and line.name == "A" for line in parse(new))


def test_what_our_reader_takes_for_known_is_what_the_shell_holds(shell: Shell) -> None:
    """The ground that the edit stands on."""
    new = edited(STOCK, {"IMAP_TLS_REQUIRED": "1"})
    ours = evaluate([SourceFile("imapd-ssl", PATH, parse(new))])
    names = ["IMAP_TLS_REQUIRED", "TLS_STARTTLS_PROTOCOL"]
    assert {name: ours[name].text for name in names} == shell.values(new, names)
