# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One own file that decides, and marks on what would win over it; all else byte for byte."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.module_utils.config.dovecot import (
    read_document,
    settings,
)
from ansible_collections.postmaster.tls.plugins.module_utils.config.dovecot_edit import (
    DROP_IN,
    HEADER,
    MARK,
    Stale,
    Wanted,
    drop_in_text,
    edit,
    neutralise,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import Origin

MAIN = "/etc/dovecot/dovecot.conf"
SSL = "/etc/dovecot/conf.d/10-ssl.conf"
LATER = "/etc/dovecot/conf.d/99-zz.conf"
LOCAL = "/etc/dovecot/local.conf"
OURS = f"/etc/dovecot/conf.d/{DROP_IN}"
BESIDE = f"/etc/dovecot/{DROP_IN}"
STOCK = "protocols = imap\n!include conf.d/*.conf\n!include_try local.conf\n"
REQUIRED = (("ssl", "required"), ("ssl_min_protocol", "TLSv1.2"))

Files = Mapping[str, str]


class Tree:
    """Files in memory; glob as glob(3): a star stands for no slash and no leading dot."""

    def __init__(self, files: Files) -> None:
        self.files = dict(files)
        self.read = self.files.get

    def glob(self, pattern: str) -> list[str]:
        def matches(path: str) -> bool:
            pairs = list(zip(path.split("/"), pattern.split("/")))
            same = path.count("/") == pattern.count("/")
            return same and all(
                fnmatch.fnmatchcase(a, b) and (a[:1] != "." or b[:1] == ".") for a, b in pairs
            )

        return sorted(filter(matches, self.files))

    def edited(
        self, wanted: Sequence[tuple[str, str]] = REQUIRED, *overrides: tuple[str, int, str]
    ) -> dict[str, str]:
        origins = tuple((Origin(file, line), name) for file, line, name in overrides)
        return edit(MAIN, self.read, self.glob, Wanted(tuple(wanted), origins))

    def after(self, new: Files) -> Tree:
        return Tree({**self.files, **new})

    def global_values(self) -> dict[str, str]:
        document = read_document(MAIN, self.read, self.glob)
        return {s.name: s.value for s in settings(document) if not s.scope and s.wins}


# ---------------------------------------------------------------------------------------------
# Where our file goes


@pytest.mark.parametrize(
    ("main", "path"),
    [
        (STOCK, OURS),
        ("!include_try conf.d/*.conf\n", OURS),
        ("!include /etc/dovecot/conf.d/*.conf\n", OURS),
        ("  !include   conf.d/*.conf  # all\n", OURS),
        ("!include conf.d/*.conf\n!include /srv/dovecot/*.conf\n", f"/srv/dovecot/{DROP_IN}"),
        ("!include ../site/*.conf\n", f"/etc/dovecot/../site/{DROP_IN}"),
        ("!include conf.d//*.conf\n", f"/etc/dovecot/conf.d//{DROP_IN}"),
        ("ssl = yes\n", BESIDE),
        ("!include conf.d/10-ssl.conf\n", BESIDE),
        ("!include_try local.conf\n", BESIDE),
        ("!include_try /usr/share/dovecot/protocols.d/*.protocol\n", BESIDE),
        ("!include_try sites/*/*.conf\n", BESIDE),
        ("!include_try {conf.d,local.d}/*.conf\n", BESIDE),
        ("protocol imap {\n!include_try conf.d/*.conf\n}\n", BESIDE),
        ("# !include conf.d/*.conf\n", BESIDE),
        ("", BESIDE),
    ],
)
def test_our_file_goes_where_it_is_read_last(main: str, path: str) -> None:
    tree = Tree({MAIN: main, SSL: "ssl = yes\n"})
    new = tree.edited()
    assert set(new) == ({path} if path != BESIDE else {path, MAIN})
    assert new[path] == drop_in_text(REQUIRED)
    assert tree.after(new).global_values()["ssl"] == "required"
    assert tree.after(new).edited() == {}


@pytest.mark.parametrize(
    ("main", "added_to"),
    [
        ("ssl = yes\n", "ssl = yes\n"),
        ("ssl = yes", "ssl = yes\n"),
        ("ssl = yes\r\n", "ssl = yes\r\n"),
        ("", ""),
        ("\n\n", "\n\n"),
    ],
)
def test_the_including_line_comes_at_the_end(main: str, added_to: str) -> None:
    new = Tree({MAIN: main}).edited()
    assert new[MAIN].startswith(added_to)
    lines = new[MAIN][len(added_to) :].splitlines()
    assert lines[-1] == f"!include {DROP_IN}"
    assert all(line.startswith("# ") for line in lines[:-1])


def test_the_including_line_is_written_once() -> None:
    tree = Tree({MAIN: "ssl = yes\n"})
    changed = tree.after(tree.edited())
    assert set(changed.edited([("ssl", "yes")])) == {BESIDE}
    del changed.files[BESIDE]
    assert set(changed.edited()) == {BESIDE}


def test_a_line_that_goes_on_at_the_end_takes_nothing_of_ours() -> None:
    tree = Tree({MAIN: "ssl = yes\nlisten = * \\"})
    after = tree.after(tree.edited())
    assert after.global_values()["ssl"] == "required"
    assert read_document(MAIN, after.read, after.glob).problems == ()


def test_nothing_wanted_writes_nothing() -> None:
    tree = Tree({MAIN: STOCK, SSL: "ssl = yes\n"})
    assert tree.edited([]) == {}
    assert tree.edited([], (SSL, 1, "ssl")) == {SSL: f"{MARK}ssl = yes\n"}


def test_a_main_file_that_cannot_be_read_is_never_written() -> None:
    """It may be longer than what is read of a file: then all of it would be lost."""
    with pytest.raises(Stale, match=r"/etc/dovecot/dovecot\.conf cannot be read"):
        Tree({SSL: "ssl = yes\n"}).edited()


# ---------------------------------------------------------------------------------------------
# What is read after our file


@pytest.mark.parametrize(
    ("files", "changed"),
    [
        # global, after ours and different
        ({LATER: "ssl = yes\n"}, {LATER: f"{MARK}ssl = yes\n"}),
        ({LOCAL: "\tssl=no # old\n"}, {LOCAL: f"\t{MARK}ssl=no # old\n"}),
        ({MAIN: f"{STOCK}ssl = no\n"}, {MAIN: f"{STOCK}{MARK}ssl = no\n"}),
        # each of several
        (
            {LOCAL: "ssl = no\n\nssl_min_protocol = TLSv1\nssl = yes\n"},
            {
                LOCAL: f"{MARK}ssl = no\n\n{MARK}ssl_min_protocol = TLSv1\n{MARK}ssl = yes\n",
            },
        ),
        # equal ones stay, whatever they look like
        ({LOCAL: 'ssl="required"\n'}, {}),
        ({LOCAL: "ssl_min_protocol   =   TLSv1.2 # since 2020\n"}, {}),
        # before ours
        ({SSL: "ssl = no\n"}, {}),
        # another scope, another setting, a part of another setting
        ({LOCAL: "protocol lmtp {\n  ssl = no\n}\n"}, {}),
        ({LOCAL: "ssl_cipher_list = HIGH\n"}, {}),
        ({LOCAL: "service x {\n  ssl = no\n}\n"}, {}),
        # old names of 2.3 that set the same
        ({LOCAL: "ssl_protocols = !SSLv3\n"}, {LOCAL: f"{MARK}ssl_protocols = !SSLv3\n"}),
        ({LOCAL: "ssl_disable = yes\n"}, {LOCAL: f"{MARK}ssl_disable = yes\n"}),
        # continued lines
        (
            {LOCAL: "ssl = \\\n  no\nssl_min_protocol = TLSv1\n"},
            {LOCAL: f"{MARK}ssl = \\\n  {MARK}no\n{MARK}ssl_min_protocol = TLSv1\n"},
        ),
        # CRLF, and no line end at the end
        ({LOCAL: "a = b\r\nssl = no\r\n"}, {LOCAL: f"a = b\r\n{MARK}ssl = no\r\n"}),
        ({LOCAL: "a = b\nssl = no"}, {LOCAL: f"a = b\n{MARK}ssl = no"}),
        # bytes that are no UTF-8 (as surrogates), and characters that only look blank
        ({LOCAL: "ssl = no # caf\udce9\n"}, {LOCAL: f"{MARK}ssl = no # caf\udce9\n"}),
        ({LOCAL: "ssl = \\\n\u3000no\n"}, {LOCAL: f"{MARK}ssl = \\\n{MARK}\u3000no\n"}),
    ],
)
def test_what_would_win_over_our_file_is_commented_out(files: Files, changed: Files) -> None:
    tree = Tree({MAIN: STOCK, SSL: "", **files})
    new = tree.edited()
    assert {path: text for path, text in new.items() if path != OURS} == dict(changed)
    after = tree.after(new)
    assert read_document(MAIN, after.read, after.glob).problems == ()
    values = after.global_values()
    assert (values["ssl"], values["ssl_min_protocol"]) == ("required", "TLSv1.2")
    assert after.edited() == {}


def test_a_block_with_the_name_in_it_is_the_same_setting_in_2_4() -> None:
    inside = "ssl_server {\n  cert_file = /old.pem\n  prefer_ciphers = client\n}\n"
    tree = Tree({MAIN: STOCK, LOCAL: inside})
    new = tree.edited([("ssl_server_cert_file", "/new.pem")])
    assert new[LOCAL] == inside.replace("cert_file", f"{MARK}cert_file")


def test_a_path_is_compared_with_its_mark() -> None:
    wanted = [("ssl_cert", "</etc/ssl/mail.pem")]
    for line, changes in (("ssl_cert = < /etc/ssl/mail.pem\n", 0), ("ssl_cert = </old\n", 1)):
        assert len(Tree({MAIN: STOCK, LOCAL: line, OURS: drop_in_text(wanted)}).edited(wanted)) == (
            changes
        )


def test_a_file_that_is_read_twice_is_marked_once() -> None:
    tree = Tree({MAIN: "!include local.conf\n!include conf.d/*.conf\n!include local.conf\n"})
    tree.files[LOCAL] = "ssl = no\n"
    new = tree.edited()
    assert new[LOCAL] == f"{MARK}ssl = no\n"
    assert tree.after(new).edited() == {}


def test_a_value_that_went_harder_in_our_own_file_is_taken_over() -> None:
    tree = Tree({MAIN: STOCK, OURS: drop_in_text([("ssl", "yes"), ("listen", "*")])})
    assert tree.edited() == {OURS: drop_in_text(REQUIRED)}


# ---------------------------------------------------------------------------------------------
# Overrides by their place

SCOPED = (
    "protocol pop3 {\n"
    "  # the till\n"
    "  ssl = no\n"
    "  auth_allow_cleartext = yes\n"
    "}\n"
    "remote 10.0.0.0/8 {\n"
    "  protocol imap {\n"
    "    ssl_min_protocol = \\\n"
    "      TLSv1 \\\n"
    "# thrown away what came before\n"
    "    ssl_min_protocol = TLSv1 \\\n"
    "\n"
    "  }\n"
    "}\n"
)


def test_an_override_is_commented_out_where_it_stands() -> None:
    tree = Tree({MAIN: STOCK, SSL: SCOPED})
    new = tree.edited(REQUIRED, (SSL, 3, "ssl"), (SSL, 4, "auth_allow_cleartext"))
    lines = SCOPED.split("\n")
    lines[2] = f"  {MARK}ssl = no"
    lines[3] = f"  {MARK}auth_allow_cleartext = yes"
    assert new == {OURS: drop_in_text(REQUIRED), SSL: "\n".join(lines)}


def test_an_override_that_goes_on_is_commented_out_whole() -> None:
    text = "local 192.0.2.1 {\n  ssl_cipher_list = A: \\\n\tB: \\\n  C\n  ssl = yes\n}\n"
    new = Tree({MAIN: STOCK, SSL: text}).edited([], (SSL, 2, "ssl_cipher_list"))
    assert new[SSL] == (
        f"local 192.0.2.1 {{\n  {MARK}ssl_cipher_list = A: \\\n\t{MARK}B: \\\n  {MARK}C\n"
        "  ssl = yes\n}\n"
    )


@pytest.mark.parametrize(
    "override",
    [
        (SSL, 2, "ssl"),  # a comment
        (SSL, 3, "ssl_min_protocol"),  # another name
        (SSL, 1, "protocol"),  # a block
        (SSL, 9, "ssl_min_protocol"),  # a continuation
        (SSL, 0, "ssl"),
        (SSL, 999, "ssl"),
        (LOCAL, 1, "ssl"),  # no such file
    ],
)
def test_a_line_that_is_no_longer_what_was_seen_stops_it(override: tuple[str, int, str]) -> None:
    tree = Tree({MAIN: STOCK, SSL: SCOPED})
    with pytest.raises(Stale, match=f"^{override[0]}:{override[1]} no longer sets {override[2]}"):
        tree.edited(REQUIRED, override)


def test_overrides_and_later_lines_of_one_file_go_together() -> None:
    tree = Tree({MAIN: STOCK, LOCAL: "protocol imap {\n  ssl = yes\n}\nssl = yes\n"})
    new = tree.edited(REQUIRED, (LOCAL, 2, "ssl"))
    assert new[LOCAL] == f"protocol imap {{\n  {MARK}ssl = yes\n}}\n{MARK}ssl = yes\n"


# ---------------------------------------------------------------------------------------------
# Texts


NETWORK = "remote=192.0.2.0/24"
EXCEPTED = (
    (NETWORK, "auth_allow_cleartext", "yes", "the lift's alarm"),
    (NETWORK, "ssl_min_protocol", "TLSv1", "an old printer"),
    ("remote=198.51.100.7", "ssl_cipher_list", "ALL:@SECLEVEL=0", ""),
)


@pytest.mark.parametrize("settings_before", [(), REQUIRED])
def test_who_does_not_know_the_reasons_leaves_them(settings_before: tuple[tuple[str, str]]) -> None:
    """A certificate and stage 0 write our file too."""
    before = drop_in_text(settings_before, EXCEPTED)
    unknown = tuple((*each[:3], "") for each in EXCEPTED)
    tree = Tree({MAIN: STOCK, OURS: before})
    wanted = Wanted((*settings_before, ("ssl_server_cert_file", "/new")), scoped=unknown)
    (text,) = edit(MAIN, tree.read, tree.glob, wanted).values()
    assert text == drop_in_text(wanted.settings, EXCEPTED)


def test_a_reason_that_is_given_wins_and_no_other_scope_inherits_one() -> None:
    tree = Tree({MAIN: STOCK, OURS: drop_in_text(REQUIRED, EXCEPTED)})
    scope, name, value, _reason = EXCEPTED[0]
    now = ((scope, name, value, "a new one"), ("remote=203.0.113.0/24", name, value, ""))
    (text,) = edit(MAIN, tree.read, tree.glob, Wanted(REQUIRED, scoped=now)).values()
    assert text == drop_in_text(REQUIRED, now)


def test_our_file_says_whose_it_is() -> None:
    assert drop_in_text([("ssl", "required")]) == f"{HEADER}ssl = required\n"
    assert all(line.startswith("#") for line in HEADER.splitlines())


@pytest.mark.parametrize(
    "value",
    [
        "",
        "required",
        "</etc/ssl/mail.pem",
        "user=<%u> method=%m rip=%r lip=%l mpid=%e %c session=<%{session}> %k",
        "<%{user}> %k",
        "user=<%u> # %k",
        'it\'s "quoted" %k',
        "'quoted'",
        '"',
        "ends in \\",
        "$login_log %k",
        " blanks around ",
        "ALL:!aNULL:@SECLEVEL=0",
        "a = b",
        "}",
    ],
)
def test_a_value_is_read_as_it_was_meant(value: str) -> None:
    tree = Tree({MAIN: STOCK, OURS: drop_in_text([("x", value), ("ssl", "required")])})
    assert read_document(MAIN, tree.read, tree.glob).problems == ()
    assert tree.global_values()["x"] == value
    assert tree.global_values()["ssl"] == "required"


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b"])
def test_a_value_that_takes_more_than_a_line_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="ssl_key"):
        drop_in_text([("ssl_key", value)])


@pytest.mark.parametrize(
    ("text", "numbers", "result"),
    [
        ("a\nb\nc", {2}, f"a\n{MARK}b\nc"),
        ("a\n", {1}, f"{MARK}a\n"),
        ("\t a \t\r\n", {1}, f"\t {MARK}a\r\n"),
        ("a", set(), "a"),
        ("", {1, 7}, MARK.rstrip(" ") + " "),
    ],
)
def test_lines_are_counted_from_one(text: str, numbers: set[int], result: str) -> None:
    assert neutralise(text, frozenset(numbers)) == result


# ---------------------------------------------------------------------------------------------
# Properties

PRINTABLE = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Cn")), max_size=20)
LINES = st.sampled_from(
    [
        "ssl = yes",
        " ssl=no # old",
        "ssl = \\",
        "ssl_min_protocol = TLSv1",
        "ssl_min_protocol = TLSv1.2",
        "listen = * \\",
        "protocol imap {",
        "remote 10.0.0.0/8 {",
        "}",
        "",
        "# a comment \\",
        "!include conf.d/*.conf",
        "!include_try local.conf",
        'x = "a # b"',
        "x = it's # unclosed",
        "\t\u3000ssl = yes\r",
    ]
)
TEXT = st.lists(LINES | PRINTABLE, max_size=8).map("\n".join)
FILES = st.fixed_dictionaries({MAIN: TEXT}, optional={SSL: TEXT, LATER: TEXT, LOCAL: TEXT})


def unmarked(line: str) -> str:
    """What an edited line was: nothing but blanks may be lost."""
    before, mark, rest = line.partition(MARK)
    return "".join((before + rest).split()) if mark else line


@given(FILES)
@hypothesis_settings(max_examples=300, deadline=None)
def test_whatever_a_configuration_says_only_marked_lines_differ(files: dict[str, str]) -> None:
    tree = Tree(files)
    new = tree.edited()
    for path, text in new.items():
        if path.endswith(DROP_IN):
            continue
        old, lines = files[path].split("\n"), text.split("\n")
        if path == MAIN and f"!include {DROP_IN}" in lines:
            lines = lines[: lines.index(f"!include {DROP_IN}") - 1]
            old = old[:-1] if old[-1] == "" else old
        assert len(lines) == len(old)
        for before, after in zip(old, lines):
            if MARK in after:
                assert unmarked(after) == "".join(before.split())
            else:
                assert after == before


@given(FILES)
@hypothesis_settings(max_examples=300, deadline=None)
def test_whatever_a_sound_configuration_says_ours_decides_and_once_is_enough(
    files: dict[str, str],
) -> None:
    tree = Tree(files)
    assume(not read_document(MAIN, tree.read, tree.glob).problems)
    # An assignment that goes on in the next file ends where ours comes in between.
    assume(not any(t.rstrip().endswith("\\") for path, t in files.items() if path != MAIN))
    after = tree.after(tree.edited())
    assert read_document(MAIN, after.read, after.glob).problems == ()
    assert {**after.global_values(), **dict(REQUIRED)} == after.global_values()
    assert after.edited() == {}


@given(FILES, st.data())
@hypothesis_settings(max_examples=150, deadline=None)
def test_every_assignment_can_be_neutralised(files: dict[str, str], data: st.DataObject) -> None:
    tree = Tree(files)
    found = settings(read_document(MAIN, tree.read, tree.glob))
    assume(found)
    chosen = data.draw(st.sampled_from(found))
    new = tree.edited([], (chosen.origin.file, chosen.origin.line, chosen.name))
    after = tree.after(new)
    left = settings(read_document(MAIN, after.read, after.glob))
    expected = [s for s in found if s.origin != chosen.origin]
    assert [(s.name, s.value, s.origin) for s in left] == [
        (s.name, s.value, s.origin) for s in expected
    ]


@given(st.text(st.characters(blacklist_categories=("Cc", "Cs")), max_size=30))
def test_any_printable_value_is_read_as_it_was_meant(value: str) -> None:
    assume(not value.startswith("</"))
    tree = Tree({MAIN: drop_in_text([("x", value)])})
    assert tree.global_values() == {"x": value}
