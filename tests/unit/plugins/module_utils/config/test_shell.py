# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strict shell reader, against tables and, where it claims to know a value, against /bin/sh."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.module_utils.config.shell import (
    ANYTHING,
    ASSIGNMENT,
    BLANK,
    CODE,
    COMMENT,
    CONTINUATION,
    MARKER,
    Part,
    parse,
)

LITERAL = {
    "plain": ("A=b\n", "b"),
    "empty": ("A=\n", ""),
    "no line end": ("A=b", "b"),
    "indented": ("  \tA=b\n", "b"),
    "comment after": ("A=b # c\n", "b"),
    "hash within": ("A=a#b\n", "a#b"),
    "double quotes": ('A="b  c"\n', "b  c"),
    "single quotes": ("A='b $c \"d\" \\'\n", 'b $c "d" \\'),
    "concatenation": ("A='b'\"c\"d\n", "bcd"),
    "escape": ("A=b\\ c\n", "b c"),
    "escapes in quotes": ('A="\\"b\\q\\$\\\\"\n', '"b\\q$\\'),
    "lone dollar": ("A=$\n", "$"),
    "dollar before space": ('A="$ b"\n', "$ b"),
    "equals within": ("A=b=c\n", "b=c"),
    "priority": ('A="NORMAL:-VERS-ALL:+VERS-TLS1.3"\n', "NORMAL:-VERS-ALL:+VERS-TLS1.3"),
    "cr belongs to the value": ("A=b\r\n", "b\r"),
    "glob characters": ("A=*?[x]\n", "*?[x]"),
}

DYNAMIC = {
    "default": "A=${B:-c}\n",
    "command": "A=$(hostname)\n",
    "command in quotes": 'A="x$(hostname -f)y"\n',
    "backticks": "A=/etc/`hostname`.pem\n",
    "arithmetic": "A=$((1+1))\n",
    "special parameter": "A=$1\n",
    "home": "A=~/x\n",
    "home after colon": "A=a:~/x\n",
    "over two lines": 'A="b\nc"\n',
    "continued": "A=b\\\nc\n",
    "c string": "A=$'b'\n",
    "never closed": 'A="b\n',
    "in a condition": "if true\nthen\nA=b\nfi\n",
    "after a here-document": "cat <<E\nE\nA=b\n",
    "after an exit": "exit 0\nA=b\n",
    "in a function": "f() {\nA=b\n}\n",
}

CODE_LINES = {
    "exported": ("export A=b\n", ("A",)),
    "two on a line": ("A=b; B=c\n", ("A", "B")),
    "before a command": ("A=b true\n", ("A",)),
    "conditional": ("[ -f x ] && A=b\n", ("A",)),
    "unset": ("unset A B\n", ("A", "B")),
    "over a pipe's end": ("true |\nA=b\n", ("A",)),
    "over an and": ("true && # why\n A=b\n", ("A",)),
    "sourced": (". /etc/default/x\n", (ANYTHING,)),
    "evaluated": ('eval "$x"\n', (ANYTHING,)),
    "computed command": ("$X A\n", (ANYTHING,)),
    "harmless": ("ulimit -n 1024\n", ()),
    "quoted text": ("echo 'A=b; exit'\n", ()),
    "export of nothing new": ("export PATH\n", ()),
}


@pytest.mark.parametrize(("text", "value"), LITERAL.values(), ids=LITERAL)
def test_literal(text: str, value: str) -> None:
    (line,) = parse(text)
    assert (line.kind, line.name, line.value, line.dynamic) == (ASSIGNMENT, "A", value, False)


@pytest.mark.parametrize(("text", "value"), LITERAL.values(), ids=LITERAL)
def test_literal_is_what_the_shell_takes(text: str, value: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(text.encode())
    shell = subprocess.run(
        ["env", "-i", "/bin/sh", "-c", '. ./file; printf %s "$A"'],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert shell.stdout.decode() == value


@pytest.mark.parametrize("text", DYNAMIC.values(), ids=DYNAMIC)
def test_dynamic(text: str) -> None:
    line = next(line for line in parse(text) if line.kind == ASSIGNMENT)
    assert (line.name, line.dynamic) == ("A", True)


@pytest.mark.parametrize(("text", "touches"), CODE_LINES.values(), ids=CODE_LINES)
def test_code(text: str, touches: tuple[str, ...]) -> None:
    line = parse(text)[0]
    assert (line.kind, line.name, line.touches) == (CODE, None, touches)


@pytest.mark.parametrize("reference", ["$B", "${B}", '"$B"', '"${B}"'])
def test_a_plain_reference_is_kept(reference: str) -> None:
    (line,) = parse(f"A={reference}\n")
    assert line.parts == (Part(name="B"),)
    assert (line.value, line.dynamic) == (reference, False)


def test_after_a_closed_block_assignments_count_again() -> None:
    last = parse("if true; then\n  A=1\nfi\nfor x in 1; do\nA=2\ndone\nA=3\n")[-1]
    assert (last.value, last.dynamic) == ("3", False)


def test_kinds_and_numbers() -> None:
    text = '##NAME: TLS_PRIORITY:0\n# said "no\n\nA="b\nc"\r\ntrue\n\tB=1'
    lines = parse(text)
    kinds = [MARKER, COMMENT, BLANK, ASSIGNMENT, CONTINUATION, CODE, ASSIGNMENT]
    assert [line.kind for line in lines] == kinds
    assert [line.number for line in lines] == list(range(1, 8))
    assert lines[0].name == "TLS_PRIORITY"


def test_a_hash_within_a_word_begins_no_comment() -> None:
    assert [line.kind for line in parse('A=x#"b\nc"\n')] == [ASSIGNMENT, CONTINUATION]


@pytest.mark.parametrize(
    ("text", "words"),
    [("A = b\n", "no space around = in A"), ("A='b\n", "a quote is not closed")],
)
def test_faults(text: str, words: str) -> None:
    fault = parse(text)[0].fault
    assert fault is not None
    assert words in fault


PIECES = ["A=", "b", '"', "'", "\\", " ", "\n", "#", ";", "$B", "${B}", "$(", ")", "`", "\r", "~"]
PIECES += ["if ", "fi\n", "export ", "|", "&&", "<<", "{", "}", "\x0b", "\u2028", "\x00", "é"]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=60))
def test_whatever_comes_is_lines_that_join_to_it(text: str) -> None:
    lines = parse(text)
    assert "".join(line.text for line in lines) == text
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert all(line.text.count("\n") <= 1 for line in lines)
