# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files are logs, in which order, and what is no generation of one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import log_places

NOW = 1_795_000_000


def made(folder: Path, names: dict[str, int]) -> str:
    """Files of that name, each written so many days ago."""
    for name, days in names.items():
        (folder / name).write_text("x\n")
        os.utime(folder / name, (NOW - days * 86400,) * 2)
    return str(folder / "mail.log")


def test_generations_oldest_first(tmp_path: Path) -> None:
    path = made(
        tmp_path,
        {
            "mail.log": 0,
            "mail.log.1": 1,
            "mail.log.2.gz": 8,
            "mail.log-20261101.xz": 20,
            "mail.log.2026-10-30.bz2": 22,
            "mail.log.9.zst": 40,
            "mail.log.old": 1,
            "mail.logrotate": 1,
            "mail.log.1.gz.tmp": 1,
            "mail.login": 1,
        },
    )
    (tmp_path / "mail.log.5").mkdir()
    found = log_places.generations(path, NOW - 30 * 86400).paths
    assert [os.path.basename(name) for name in found] == [
        "mail.log.2026-10-30.bz2",
        "mail.log-20261101.xz",
        "mail.log.2.gz",
        "mail.log.1",
        "mail.log",
    ]


@pytest.mark.parametrize("first", ["mail.log.1", "mail.log.1.gz"])
def test_a_generation_that_is_being_packed_is_read_once(first: str, tmp_path: Path) -> None:
    path = made(tmp_path, {first: 1, "mail.log.1": 1, "mail.log.1.gz": 1})
    assert log_places.generations(path, 0).paths == (f"{path}.1",)


def test_a_name_with_a_pattern_in_it_is_a_name(tmp_path: Path) -> None:
    (tmp_path / "[a].log").write_text("x")
    (tmp_path / "a.log").write_text("x")
    assert log_places.generations(str(tmp_path / "[a].log"), 0).paths == (
        str(tmp_path / "[a].log"),
    )


RSYSLOG = """
# mail.* /var/log/commented
auth,authpriv.*			/var/log/auth.log
*.*;auth,authpriv.none		-/srv/log/everything
mail.*				-/srv/log/mail
mail.err			/srv/log/mail.err
mail,news.info  /srv/log/both;RSYSLOG_FileFormat
:msg, contains, "x" /srv/log/never
mail.none /srv/log/none
"""


def test_rsyslog_says_where_mail_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rsyslog.conf").write_text(RSYSLOG)
    monkeypatch.setattr(log_places, "_RSYSLOG", (str(tmp_path / "*.conf"),))
    mail, general = log_places._configured()
    assert mail == ["/srv/log/mail", "/srv/log/both"]
    assert general == ["/srv/log/everything"]


def test_words_and_devices_are_no_files_of_a_server(tmp_path: Path) -> None:
    path = made(tmp_path, {"mail.log": 0})
    given = ["syslog", "", "/dev/stderr", path, path]
    assert [files.name for files in log_places.own_files(given, 0)] == [path]


def test_the_journal_is_asked_for_units_and_a_time() -> None:
    argv = log_places.journal_argv(log_places.Journal(("a.service", "b.service")), 10, 20)
    assert argv[0] == "journalctl"
    assert {"--since=@10", "--until=@20", "--output=short-unix"} <= set(argv)
    assert argv[-2:] == ["_SYSTEMD_UNIT=a.service", "_SYSTEMD_UNIT=b.service"]
