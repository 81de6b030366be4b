# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader on a host: generations, a journal beside files, times that several places cover."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import (
    host,
    log_places,
    login_reader,
    streams,
)
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.usage import (
    LoginLog,
    Security,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Effective,
    Origin,
    Product,
    ServerConfig,
)
from ansible_collections.postmaster.tls.plugins.module_utils.plain import from_plain, to_plain

NOW = int(datetime(2026, 11, 24, 12).timestamp())
DAY = 86400
DOVECOT = ServerConfig(Product.DOVECOT, "2.3.19.1", None, "/etc/dovecot/dovecot.conf")
COURIER = ServerConfig(Product.COURIER, "5.2.11", None, "/etc/courier")


def line(days_ago: float, user: str, stamp: str = "%b %d %H:%M:%S mail") -> str:
    moment = datetime.fromtimestamp(NOW - days_ago * DAY)
    who = f"user=<{user}>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1, mpid=1, session=<x>"
    return f"{moment:{stamp}} dovecot: imap-login: Login: {who}\n"


class World:
    """A host: its log files, its journal, and what doveconf says."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.journal = ""
        self.asked: list[list[str]] = []
        self.doveconf: dict[str, str] = {}
        monkeypatch.setattr(log_places, "_RSYSLOG", ())
        monkeypatch.setattr(log_places, "_COMMON", (str(folder / "mail.log"),))
        monkeypatch.setattr(log_places, "_GENERAL", (str(folder / "syslog"),))
        monkeypatch.setattr(streams, "command_pieces", self._command)
        monkeypatch.setattr(host, "run", self._run)
        monkeypatch.setattr(login_reader, "_LOGS_IN", ())

    def _command(self, argv: Sequence[str]) -> Iterator[bytes]:
        self.asked.append(list(argv))
        if not self.journal:
            raise streams.Unreadable(f"{argv[0]} could not be run: No such file or directory")
        yield self.journal.encode()

    def _run(self, argv: Sequence[str], *_more: object) -> host.Result:
        value = self.doveconf.get(argv[-1])
        return host.Result(1, "", "") if value is None else host.Result(0, f"{value}\n", "")

    def file(self, name: str, *lines: str, days_ago: float = 0) -> str:
        path = self.folder / name
        text = "".join(lines).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        os.utime(path, (NOW - days_ago * DAY,) * 2)
        return str(path)

    def read(self, *servers: ServerConfig, days: int = 30, paths: Sequence[str] = ()) -> LoginLog:
        found = login_reader.read(servers or (DOVECOT,), NOW - days * DAY, NOW, paths)
        assert from_plain(LoginLog, to_plain(found)) == found
        return found


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def counts(log: LoginLog) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in log.usage:
        found[str(row.user)] = found.get(str(row.user), 0) + row.count
    return found


def test_all_generations_in_the_window(world: World) -> None:
    world.file("mail.log", line(0.1, "now"))
    world.file("mail.log.1", line(6, "week"), days_ago=5)
    world.file("mail.log.2.gz", line(13, "fortnight"), line(40, "long_ago"), days_ago=12)
    world.file("mail.log.3.gz", line(50, "before"), days_ago=45)
    log = world.read()
    assert counts(log) == {"now": 1, "week": 1, "fortnight": 1}
    assert [source.name for source in log.sources] == [str(world.folder / "mail.log")]
    assert log.problems == ()


def test_a_line_in_two_files_and_the_journal_counts_once(world: World) -> None:
    both = line(1, "a"), line(2, "b"), line(3, "c")
    world.file("mail.log", *both)
    world.file("syslog", *both, line(9, "older"))
    world.journal = line(1, "a", "%s.0") + line(12, "oldest", "%s.0")
    log = world.read()
    assert counts(log) == {"a": 1, "b": 1, "c": 1, "older": 1, "oldest": 1}
    assert [source.lines for source in log.sources] == [3, 1, 1]


def test_the_journal_goes_on_where_the_files_ended(world: World) -> None:
    world.file("mail.log", line(20, "then"), line(10, "then"), days_ago=10)
    world.journal = line(15, "then", "%s.0") + line(3, "since", "%s.0")
    assert counts(world.read()) == {"then": 2, "since": 1}


def test_a_host_without_a_journal_or_logs_has_no_problem_and_no_source(world: World) -> None:
    log = world.read()
    assert (log.usage, log.sources, log.problems) == ((), (), ())


def test_a_generation_that_nothing_here_unpacks_is_a_problem(world: World) -> None:
    world.file("mail.log", line(0.1, "now"))
    path = world.file("mail.log.2.zst", line(5, "lost"), days_ago=4)
    log = world.read()
    assert counts(log) == {"now": 1}
    (problem,) = log.problems
    assert problem.message.startswith(f"{path}: zstd could not be run")


def test_a_cut_archive_is_a_problem_and_the_rest_counts(world: World) -> None:
    path = world.file("mail.log.1.gz", *(line(1, "a") for _n in range(3)), days_ago=1)
    Path(path).write_bytes(Path(path).read_bytes()[:-8])
    world.file("mail.log", line(0.1, "b"))
    log = world.read()
    assert counts(log)["b"] == 1
    assert [path in problem.message for problem in log.problems] == [True]


def test_dovecots_own_file_comes_first_and_its_format_is_asked_for(world: World) -> None:
    own = world.file("own.log", "Nov 24 10:00:00 imap-login: Info: Login: 192.0.2.7, TLS, a\n")
    world.doveconf = {
        "info_log_path": own,
        "login_log_format_elements": "%r %c %u",
        "login_log_format": "%$: %s",
    }
    log = world.read()
    assert [(r.user, r.security) for r in log.usage] == [("a", Security.TLS)]
    assert log.sources[0].name == own


def test_a_format_of_ones_own_is_said(world: World) -> None:
    world.doveconf = {"login_log_format": "%s (%$)"}
    assert "login_log_format" in world.read().problems[0].message


@pytest.mark.parametrize(
    ("elements", "tls", "version"),
    [
        ("user=<%u> rip=%r lip=%l", False, False),
        ("user=<%u> rip=%r lip=%l %c", True, False),
        ("user=<%u> rip=%r lip=%l %c %k", True, True),
        ("user=<%{user}> %{secured} %{ssl_security}", True, True),
    ],
)
def test_what_the_configuration_lets_the_log_tell(
    elements: str, tls: bool, version: bool, world: World
) -> None:
    world.doveconf = {"login_log_format_elements": elements}
    (evidence,) = world.read().evidence
    assert (evidence.tls, evidence.version) == (tls, version)


def test_before_the_setting_was_changed_a_missing_word_is_not_known(world: World) -> None:
    config = world.file("99-postmaster-tls.conf", "x", days_ago=0)
    changed = int(os.stat(config).st_ctime)
    row = Effective("", "login_log", None, "login_log_format_elements", "x", Origin(config, 1))
    server = ServerConfig(Product.DOVECOT, "2.3.19.1", None, "x", effective=(row,))
    world.doveconf = {"login_log_format_elements": "user=<%u> method=%m rip=%r lip=%l %c"}
    who = "user=<a>, method=PLAIN, rip=192.0.2.7, lip=192.0.2.1"
    world.journal = f"{changed - 100}.0 dovecot: imap-login: Login: {who}\n"
    found = login_reader.read((server,), changed - DAY, changed)
    assert [row.security for row in found.usage] == [Security.UNKNOWN]


def test_given_files_are_read_instead(world: World) -> None:
    world.file("mail.log", line(1, "a"))
    other = world.file("other.log", line(1, "b"))
    world.file("other.log.1", line(2, "b"), days_ago=1)
    assert counts(world.read(paths=[other])) == {"b": 2}


def test_two_servers_each_find_their_own_lines(world: World) -> None:
    stamp = time.strftime("%b %d %H:%M:%S", time.localtime(NOW - 60))
    courier = f"{stamp} mail imapd: LOGIN, user=c, ip=[192.0.2.7], port=[1], protocol=IMAP\n"
    world.file("mail.log", line(1, "d"), courier)
    log = world.read(DOVECOT, COURIER)
    assert {(row.product, row.user) for row in log.usage} == {("dovecot", "d"), ("courier", "c")}
