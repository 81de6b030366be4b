# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an exception on Courier: they come, stay, go, and leave an administrator's alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import candidate as whole
from ansible_collections.postmaster.tls.plugins.module_utils import courier_access
from ansible_collections.postmaster.tls.plugins.module_utils.courier_access import Access
from ansible_collections.postmaster.tls.plugins.module_utils.transaction import install

REASON = "until 2027-03-31: the lift"
SCOPED = [
    ("service=imap,remote=192.0.2.7/32", "IMAP_TLS_REQUIRED", "0", REASON),
    ("service=pop3,remote=192.0.2.7/32", "POP3_TLS_REQUIRED", "0", REASON),
]
# Stands in for makedat: the sources one after the other.
MAKEDAT = """#!/bin/sh
for argument; do case $argument in
    -src=*) source=${argument#-src=};;
    -file=*) file=${argument#-file=};;
esac; done
test ! -e "$source/bad" || { echo "bad: duplicate" >&2; exit 1; }
cat "$source"/* >"$file" 2>/dev/null || : >"$file"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    makedat = tmp_path / "makedat"
    makedat.write_text(MAKEDAT)
    makedat.chmod(0o755)
    monkeypatch.setattr(courier_access, "MAKEDAT", (str(makedat),))
    monkeypatch.setattr(courier_access.scratch, "RUN", str(tmp_path))
    made = tmp_path / "courier"
    (made / "imapaccess").mkdir(parents=True)
    (made / "imapaccess" / "own").write_text("10\tallow,A=b\n")
    (made / "imapd").write_text(f"IMAPACCESSFILE={made}/imapaccess\n")
    (made / "pop3d").write_text('TCPDOPTS="-nodnslookup"\n')
    (made / "pop3d-ssl").write_text("POP3_TLS_REQUIRED=1\n")
    return made


def candidate(folder: Path, scoped: list[tuple[str, str, str, str]]) -> Access:
    return courier_access.candidate(str(folder), scoped, {})


def carried_out(folder: Path, scoped: list[tuple[str, str, str, str]]) -> Access:
    made = candidate(folder, scoped)
    for path, text in made.texts.items():
        Path(path).write_text(text)
    for state in made.states:
        install(state)
    return made


def tree(folder: Path) -> dict[str, bytes]:
    found = {p.relative_to(folder): p for p in folder.rglob("*")}
    return {str(name): p.read_bytes() if p.is_file() else b"/" for name, p in found.items()}


def test_an_exception_comes_stays_and_goes(folder: Path) -> None:
    (folder / "imapaccess.dat").write_bytes(b"10\tallow,A=b\n")
    before = tree(folder)
    carried_out(folder, SCOPED)
    after = tree(folder)
    ours = f"# 192.0.2.7/32 {REASON}\n192.0.2.7\tallow,IMAP_TLS_REQUIRED=0\n".encode()
    assert after["imapaccess/imapd-postmaster-tls"] == ours
    assert after["imapaccess.dat"] in (ours + b"10\tallow,A=b\n", b"10\tallow,A=b\n" + ours)
    assert b"POP3_TLS_REQUIRED=0" in after["pop3access.dat"]
    options = f'TCPDOPTS="-nodnslookup -access={folder}/pop3access.dat"\n'
    assert after["pop3d"] == options.encode()
    assert candidate(folder, SCOPED) == Access()  # a second run
    carried_out(folder, [])
    assert tree(folder) == {**before, "pop3d": b"TCPDOPTS=-nodnslookup\n"}


@pytest.mark.parametrize(("scoped", "kept"), [(None, True), ([], False)])
def test_who_does_not_speak_of_exceptions_leaves_them(
    scoped: Optional[list[Any]], kept: bool, folder: Path
) -> None:
    """A certificate is put in force without a word of them; hardening says all that there are."""
    carried_out(folder, SCOPED)
    asked: dict[str, Any] = {name: [] for name in ("settings", "overrides", "modes", "listeners")}
    asked |= {"product": "courier", "config_file": str(folder), "scoped": scoped}
    plan = whole.build({**asked, "certificate": None})
    assert (plan.files == ()) is kept, plan.files


def test_no_exception_is_no_change(folder: Path) -> None:
    assert candidate(folder, []) == Access()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("imapd", "IMAPACCESSFILE=$(x)\n"),
        ("pop3d", 'TCPDOPTS="$(x)"\n'),
        ("imapd", "IMAPACCESSFILE={folder}/pop3d\n"),
        ("pop3d-ssl", "TCPDOPTS=-x\n"),
    ],
)
def test_who_asks_for_no_exception_is_not_asked_for_a_place(
    path: str, text: str, folder: Path
) -> None:
    (folder / path).write_text(text.format(folder=folder))
    assert candidate(folder, []) == Access()
    assert courier_access.candidate(str(folder / "pop3d"), [], {}) == Access()


def test_databases_are_not_shown(folder: Path) -> None:
    hidden = candidate(folder, SCOPED).hidden
    assert {os.path.basename(path) for path in hidden} == {"imapaccess.dat", "pop3access.dat"}


def test_a_database_that_is_gone_is_made_anew(folder: Path) -> None:
    carried_out(folder, SCOPED)
    (folder / "pop3access.dat").unlink()
    names = [os.path.basename(state.path) for state in candidate(folder, SCOPED).states]
    assert names == ["pop3d-postmaster-tls", "pop3access.dat"]


def test_a_database_that_an_administrator_gave_to_pop3_is_used(folder: Path) -> None:
    (folder / "theirs").mkdir()
    (folder / "theirs" / "a").write_text("10\tdeny\n")
    (folder / "pop3d").write_text(f'TCPDOPTS="-access={folder}/theirs.dat"\n')
    made = carried_out(folder, SCOPED)
    assert made.texts == {}
    assert b"10\tdeny" in (folder / "theirs.dat").read_bytes()
    carried_out(folder, [])
    assert (folder / "theirs.dat").read_bytes() == b"10\tdeny\n"
    assert not (folder / "theirs" / "pop3d-postmaster-tls").exists()


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("imapaccess/own", "192.0.2\tallow,A=b\n", "own:1 of the access files speaks to clients"),
        ("imapaccess/bad", "", "makedat failed: bad: duplicate"),
        ("imapd", "IMAPACCESSFILE=$(x)\n", "IMAPACCESSFILE is not a literal"),
        ("imapd", "IMAPACCESSFILE={folder}/pop3d\n", "is one access file; make it a folder"),
        ("pop3d-ssl", "TCPDOPTS=-x\n", "pop3d-ssl sets TCPDOPTS as"),
    ],
)
def test_what_cannot_be_made_is_refused(path: str, text: str, message: str, folder: Path) -> None:
    (folder / path).write_text(text.format(folder=folder))
    before = tree(folder)
    with pytest.raises((ValueError, OSError), match=message):
        candidate(folder, SCOPED)
    assert tree(folder) == before
