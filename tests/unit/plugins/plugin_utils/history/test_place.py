# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the history is, and that its password is in no message."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.plugin_utils.history.database import Trouble
from ansible_collections.postmaster.tls.plugins.plugin_utils.history.place import (
    find,
    redacted,
    shown,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.history.store import open_history

from .test_store import day, drift


@pytest.fixture
def inventories(tmp_path: Path) -> Path:
    (tmp_path / "site" / "group_vars").mkdir(parents=True)
    (tmp_path / "site" / "hosts.yml").touch()
    (tmp_path / "lone.ini").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["{}/site/hosts.yml"], "{}/site/.mail_tls/history.sqlite"),
        (["{}/site"], "{}/site/.mail_tls/history.sqlite"),
        (["{}/lone.ini", "{}/site"], "{}/.mail_tls/history.sqlite"),
        (["a.example.org,", "{}/site"], "{}/site/.mail_tls/history.sqlite"),
        (["a.example.org,"], "reports/history.sqlite"),
        ([], "reports/history.sqlite"),
        (["{}/gone"], "reports/history.sqlite"),
    ],
)
def test_by_default_it_is_beside_the_first_inventory(
    inventories: Path, sources: list[str], expected: str
) -> None:
    named = [source.format(inventories) for source in sources]
    assert find("", named, "reports") == expected.format(inventories)


def test_ansible_does_not_read_it_as_an_inventory(inventories: Path) -> None:
    from ansible.inventory.manager import IGNORED

    place = find("", [str(inventories / "site")], "reports")
    assert place is not None
    first = os.path.relpath(place, inventories / "site").split("/")[0]
    assert IGNORED.search(os.fsencode(first))


def test_the_user_decides() -> None:
    assert find("none", ["x"], "reports") is None
    assert find("/srv/h", ["x"], "reports") == "/srv/h"
    assert find("~/h", ["x"], "reports") == os.path.expanduser("~/h")
    assert find("postgresql://h/~d", ["x"], "reports") == "postgresql://h/~d"


SECRET = "s3cr3t/@:p%40ss"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cr3t%2F%40%3Ap%2540ss@127.0.0.1:1/db",
        "postgres://127.0.0.1:1/db?user=u&password=s3cr3t%2F%40%3Ap%2540ss",
        "postgresql://u:s3cr3t/@:p%40ss@127.0.0.1:1/db",
        "postgresql://u:s3cr3t/@:p%40ss@127.0.0.1:nonsense/db",
        "postgresql://u:s3cr3t%zz@127.0.0.1:1/db",
        "postgresql://127.0.0.1:1/db?sslpassword=s3cr3t&sslmode=nonsense",
    ],
)
def test_no_password_is_shown(url: str) -> None:
    assert "s3cr3t" not in shown(url)
    assert "127.0.0.1" in shown(url)
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with pytest.raises(Trouble) as caught:
        open_history(url)
    assert "s3cr3t" not in str(caught.value)
    assert "p%40ss" not in str(caught.value)
    assert "cannot be used" in str(caught.value)


def test_a_message_without_it_is_left_alone() -> None:
    assert redacted("as it is", "postgresql://h/d") == "as it is"
    assert redacted("u:x", "/not/a:url@x") == "u:x"


def test_psycopg_is_asked_for_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Trouble, match=r"needs psycopg 3 .* pip install"):
        open_history("postgresql://u:pw@h/d")


def test_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    place = tmp_path / "new" / "history.sqlite"
    with open_history(str(place)) as history:
        assert history.items() == []
    modes = {oct(path.stat().st_mode & 0o777) for path in (place.parent, place)}
    assert modes == {"0o700", "0o600"}


def test_what_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x" * 4096)
    for place in (tmp_path / "file", tmp_path / "file" / "history", tmp_path):
        with pytest.raises(Trouble, match=r"cannot be used: .*; set mail_tls_history") as caught:
            open_history(str(place))
        assert str(place) in str(caught.value)


def test_a_history_that_may_not_be_written_can_be_read(tmp_path: Path) -> None:
    place = tmp_path / "history.sqlite"
    with pytest.raises(Trouble, match="cannot be used"):
        open_history(str(place), read_only=True)
    with open_history(str(place)):
        pass
    with open_history(str(place), read_only=True) as history:
        assert history.items() == []
        with pytest.raises(Trouble, match="readonly"):
            history.tell("mail", "new", [drift("x")], day(0))
