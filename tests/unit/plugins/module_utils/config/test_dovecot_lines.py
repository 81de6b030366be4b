# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Dovecot reads its files, line by line."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.module_utils.config.dovecot_lines import (
    DEPTH_LIMIT,
    PROBLEM_LIMIT,
    Document,
    read_document,
    relative_to,
)

MAIN = "/etc/dovecot/dovecot.conf"


def document(files: dict[str, str] | str) -> Document:
    """A document over files in memory; a lone text is the main file."""
    tree = {MAIN: files} if isinstance(files, str) else files

    def glob(pattern: str) -> list[str]:
        return sorted(p for p in tree if fnmatch.fnmatchcase(p, pattern))

    return read_document(MAIN, tree.get, glob)


def told(doc: Document) -> list[tuple[str, str, str]]:
    """Kind, name and value of each line."""
    return [(line.kind, line.name, line.value) for line in doc.lines]


@pytest.mark.parametrize(
    ("text", "kind", "name", "value", "form"),
    [
        ("ssl = yes", "setting", "ssl", "yes", "plain"),
        ("ssl=yes", "setting", "ssl", "yes", "plain"),
        ("\tssl\t=\tyes  ", "setting", "ssl", "yes", "plain"),
        ("ssl = yes\r", "setting", "ssl", "yes", "plain"),
        ("ssl =", "setting", "ssl", "", "plain"),
        ("ssl = yes # why", "setting", "ssl", "yes", "plain"),
        ("ssl = yes#why", "setting", "ssl", "yes", "plain"),
        ("# ssl = yes", "comment", "", "", "plain"),
        ("   ", "blank", "", "", "plain"),
        ('name = "a # b"', "setting", "name", "a # b", "quoted"),
        ("name = 'a # b' # c", "setting", "name", "a # b", "quoted"),
        (r'name = "a \" b \\ c"', "setting", "name", r'a " b \ c', "quoted"),
        ("name = it's # no comment", "setting", "name", "it's # no comment", "plain"),
        ("name = \"a' # b", "setting", "name", "\"a' # b", "plain"),
        ('name = "', "setting", "name", "", "quoted"),
        ('name = "a" b', "setting", "name", '"a" b', "plain"),
        ("ssl_cert = </etc/a.pem", "setting", "ssl_cert", "</etc/a.pem", "file"),
        ("ssl_cert = <  a.pem", "setting", "ssl_cert", "<a.pem", "file"),
        ('ssl_cert = "<a.pem"', "setting", "ssl_cert", "<a.pem", "quoted"),
        ("protocols = $protocols imap", "setting", "protocols", "$protocols imap", "variable"),
        ("protocols = '$protocols'", "setting", "protocols", "$protocols", "quoted"),
        ('"a key" = b', "setting", "a key", "b", "plain"),
        ("@tls = strict", "setting", "@tls", "strict", "plain"),
        ("service/imap-login/x = 1", "setting", "service/imap-login/x", "1", "plain"),
        ("service imap-login {", "open", "service", "imap-login", "plain"),
        ("ssl_server {", "open", "ssl_server", "", "plain"),
        (
            'local_name "a.example b.example" {',
            "open",
            "local_name",
            "a.example b.example",
            "plain",
        ),
        ("protocol !pop3 {", "open", "protocol", "!pop3", "plain"),
        ("group @tls strict {", "open", "@tls", "strict", "plain"),
        ("service imap-login { # why", "open", "service", "imap-login", "plain"),
        ("local_name a.example b.example {", "error", "local_name", "Expecting '{'", "plain"),
        ("service imap-login", "error", "service", "Expecting '{'", "plain"),
        ("service{", "error", "service{", "Expecting '{'", "plain"),
        ("ssl_server { cert_file = a }", "error", "ssl_server", "Garbage after '{'", "plain"),
        ('local_name "a {', "error", "local_name", "Expecting '{'", "plain"),
        ("nonsense", "error", "nonsense", "Expecting '{'", "plain"),
        ("}", "error", "", "Unexpected '}'", "plain"),
        ("} # end", "error", "", "Unexpected '}'", "plain"),
        ("}}", "error", "}}", "Expecting '{'", "plain"),
    ],
)
def test_one_line(text: str, kind: str, name: str, value: str, form: str) -> None:
    (line,) = document(text).lines
    assert (line.kind, line.name, line.value, line.form) == (kind, name, value, form)
    assert (line.text, line.file, line.number) == (text, MAIN, 1)


def test_a_last_line_without_newline_counts_and_an_empty_file_has_none() -> None:
    assert told(document("a = 1\nb = 2")) == told(document("a = 1\nb = 2\n"))
    assert document("").lines == ()


CONTINUED = [
    ("a = b \\\n  c", [("setting", "a", "b c"), ("continuation", "", "")]),
    ("a = b\\\nc", [("setting", "a", "b c"), ("continuation", "", "")]),
    ("a = \\\n\\\nc", [("setting", "a", "c")] + [("continuation", "", "")] * 2),
    ("a = b \\ # not continued\nc = d", [("setting", "a", "b c = d"), ("continuation", "", "")]),
    ('a = "b \\\n c"', [("setting", "a", "b c"), ("continuation", "", "")]),
    # A comment or blank line throws the begun line away.
    ("a = b \\\n# no\nc = d", [("comment", "", ""), ("comment", "", ""), ("setting", "c", "d")]),
    ("a = b \\\n\nc = d", [("comment", "", ""), ("blank", "", ""), ("setting", "c", "d")]),
    ("a = b \\", [("comment", "", "")]),
    (
        "service x \\\n {\n}",
        [("open", "service", "x"), ("continuation", "", ""), ("close", "", "")],
    ),
]


@pytest.mark.parametrize(("text", "lines"), CONTINUED)
def test_continuation(text: str, lines: list[tuple[str, str, str]]) -> None:
    assert told(document(text)) == lines


def test_blocks_nest_and_scope_holds_those_around_a_line() -> None:
    doc = document("a = 1\nservice x {\n inet_listener y {\n  port = 1\n }\n}\nb = 2\n")
    scopes = [tuple((b.kind, b.name) for b in line.scope) for line in doc.lines]
    outer, inner = ("service", "x"), ("inet_listener", "y")
    assert scopes == [(), (), (outer,), (outer, inner), (outer,), (), ()]
    assert [line.kind for line in doc.lines][-3:] == ["close", "close", "setting"]
    assert doc.problems == ()


def test_blocks_without_a_name_are_numbered() -> None:
    doc = document("passdb {\n a = 1\n}\nservice x {\n}\npassdb {\n a = 2\n}\n")
    assert [line.scope[0].number for line in doc.lines if line.name == "a"] == [0, 1]


def test_includes_in_glob_order_and_relative_to_their_file() -> None:
    files = {
        MAIN: "a = 1\n!include conf.d/*.conf\nb = 2\n",
        "/etc/dovecot/conf.d/20-b.conf": "twenty = 1\n!include_try more.ext\n",
        "/etc/dovecot/conf.d/10-a.conf": "ten = 1\n",
        "/etc/dovecot/conf.d/more.ext": "more = 1\n",
    }
    doc = document(files)
    assert [line.name for line in doc.lines] == [
        *("a", "!include", "ten", "twenty", "!include_try", "more", "b")
    ]
    assert doc.lines[2].file == "/etc/dovecot/conf.d/10-a.conf"
    assert doc.problems == ()


def test_blocks_and_continuations_go_on_across_files() -> None:
    files = {
        MAIN: "!include a.conf\n  = 1\n}\n",
        "/etc/dovecot/a.conf": "service x {\n  port \\",
    }
    doc = document(files)
    assert told(doc)[2:] == [("setting", "port", "1"), ("continuation", "", ""), ("close", "", "")]
    assert doc.lines[2].scope[0].name == "x"
    assert doc.problems == ()


INCLUDES = [
    ({MAIN: "!include_try none.conf\nb = 1"}, []),
    ({MAIN: "!include none.conf\nb = 1"}, [("No matches for /etc/dovecot/none.conf", MAIN, 1)]),
    ({MAIN: f"!include {MAIN}\nb = 1"}, [(f"Recursive include file: {MAIN}", MAIN, 1)]),
    (
        {MAIN: "!include *.x\nb = 1", "/etc/dovecot/a.x": "!include b.x", "/etc/dovecot/b.x": ""},
        [("Recursive include file: /etc/dovecot/b.x", "/etc/dovecot/a.x", 1)],
    ),
]


@pytest.mark.parametrize(("files", "problems"), INCLUDES)
def test_includes_that_fail(files: dict[str, str], problems: list[tuple[str, str, int]]) -> None:
    doc = document(files)
    found = [
        (p.message, p.origin and p.origin.file, p.origin and p.origin.line) for p in doc.problems
    ]
    assert found == problems
    assert doc.lines[-1].name == "b"


def test_a_file_that_matches_but_cannot_be_read() -> None:
    main = "!include a.conf\n!include_try a.conf\n"
    doc = read_document(MAIN, {MAIN: main}.get, lambda pattern: [pattern])
    assert [p.message for p in doc.problems] == ["Couldn't open include file /etc/dovecot/a.conf"]
    assert [line.form for line in doc.lines] == ["missing", "plain"]


def test_the_main_file_cannot_be_read() -> None:
    doc = read_document(MAIN, lambda _: None, lambda _: [])
    assert doc.lines == ()
    assert [p.message for p in doc.problems] == [f"{MAIN} cannot be read"]


@pytest.mark.parametrize(
    ("text", "message", "number"),
    [
        ("a = 1\nservice x {\nb = 1\n", "Missing '}' of the block service that begins here", 2),
        ("a = 1\n}\n", "Unexpected '}'", 2),
        ("service x\n", "Expecting '{'", 1),
    ],
)
def test_broken_braces_are_problems_with_their_line(text: str, message: str, number: int) -> None:
    (problem,) = document(text).problems
    assert problem.message == message
    assert problem.origin is not None
    assert problem.origin.line == number


def test_includes_that_never_end_are_bounded() -> None:
    calls = iter(range(10**9))
    doc = read_document(MAIN, lambda _: "!include x\n", lambda _: [f"/x{next(calls)}"])
    assert len(doc.lines) == DEPTH_LIMIT
    assert "Too many include files" in doc.problems[0].message


def test_problems_are_bounded() -> None:
    assert len(document("}\n" * 100).problems) == PROBLEM_LIMIT


@pytest.mark.parametrize(
    ("file", "path", "resolved"),
    [
        ("/etc/dovecot/conf.d/a.conf", "b.pem", "/etc/dovecot/conf.d/b.pem"),
        ("/etc/dovecot/conf.d/a.conf", "/b.pem", "/b.pem"),
        ("a.conf", "b.pem", "b.pem"),
    ],
)
def test_relative_paths(file: str, path: str, resolved: str) -> None:
    assert relative_to(file, path) == resolved


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab=#{}\"'\\ \t\n<$!@é\x00", max_size=80))
def test_any_text_is_read_whole(text: str) -> None:
    doc = document(text)
    assert "\n".join(line.text for line in doc.lines) == text.removesuffix("\n")
    assert [line.number for line in doc.lines] == list(range(1, len(doc.lines) + 1))
