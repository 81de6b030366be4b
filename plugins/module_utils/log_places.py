# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a host keeps the login lines of its mail servers: files with all generations, the journal.

A server's own log file comes first, where its configuration names one, then the files that rsyslog
is told to write mail to, then the places that distributions use, then the journal. The same line
may stand in several of them, so the reader takes a place only for the time that no place before it
covers.

Sources: Dovecot ``log_path``, ``info_log_path``; rsyslog.conf(5) selectors; logrotate(8) (``.1``,
``.2.gz``, ``dateext``); journalctl(1).
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import host

_COMMON = ("/var/log/mail.log", "/var/log/maillog", "/var/log/mail.info")
_GENERAL = ("/var/log/syslog", "/var/log/messages")
_RSYSLOG = ("/etc/rsyslog.conf", "/etc/rsyslog.d/*.conf")
_CONFIG_LIMIT = 256 * 1024
_GENERATIONS = 1000

# "mail.*  -/var/log/mail.log", "mail.info;auth.none /var/log/x", "*.* action(… file="…")" is rare.
_SELECTOR = re.compile(r"^\s*(?P<what>[a-z0-9*,.;=!]+)\s+-?(?P<path>/[^\s;]+)", re.M)
_NUMBER = re.compile(r"(?:[.-]\d{1,10}){0,6}(?P<packed>\.(?:gz|xz|bz2|zst))?")


@dataclass(frozen=True)
class Files:
    """A log file and its older generations, oldest first."""

    name: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Journal:
    """Lines of the journal that come from these systemd units."""

    units: tuple[str, ...]

    @property
    def name(self) -> str:
        """How it is spoken of."""
        return "the journal of " + ", ".join(self.units)


def syslog_files(since: int) -> tuple[Files, ...]:
    """Files that syslog writes mail to, those that hold nothing else first."""
    mail, general = _configured()
    paths = dict.fromkeys([*mail, *_COMMON, *general, *_GENERAL])
    return tuple(f for f in (generations(path, since) for path in paths) if f.paths)


def _configured() -> tuple[list[str], list[str]]:
    """What rsyslog's selectors say: files for mail, and files for everything."""
    mail: list[str] = []
    general: list[str] = []
    for pattern in _RSYSLOG:
        for path in host.glob_files(pattern):
            for match in _SELECTOR.finditer(host.read_text(path, _CONFIG_LIMIT) or ""):
                what = match.group("what").split(";")
                if any(_is_about(word, "mail") for word in what):
                    mail.append(match.group("path"))
                elif any(_is_about(word, "*") for word in what):
                    general.append(match.group("path"))
    return mail, general


def _is_about(selector: str, facility: str) -> bool:
    """Whether a selector lets login lines (priority info) of the facility through."""
    facilities, _dot, priority = selector.partition(".")
    return facility in facilities.split(",") and priority in ("*", "info", "debug", "=info")


def generations(path: str, since: int) -> Files:
    """The file and its rotated copies that were last written at ``since`` or later."""
    found: dict[str, tuple[float, str]] = {}
    for candidate in host.glob_files(glob.escape(path) + "*")[:_GENERATIONS]:
        match = _NUMBER.fullmatch(candidate[len(path) :])
        if match is None:
            continue
        written = _written(candidate)
        plain = candidate[: -len(match.group("packed"))] if match.group("packed") else candidate
        # While a file is being packed both stand there; the plain one is whole.
        if written >= since and (plain == candidate or plain not in found):
            found[plain] = (written, candidate)
    return Files(path, tuple(name for _time, name in sorted(found.values())))


def _written(path: str) -> float:
    """When a regular file was last written; never where it is none."""
    try:
        return os.stat(path).st_mtime if os.path.isfile(path) else float("-inf")
    except (OSError, ValueError):
        return float("-inf")


def journal_argv(journal: Journal, since: int, until: int) -> list[str]:
    """The journal's lines between two times, each on one line with its time in seconds."""
    return [
        "journalctl",
        "--quiet",
        "--no-pager",
        "--all",
        "--no-hostname",
        "--output=short-unix",
        f"--since=@{since}",
        f"--until=@{until}",
        *(f"_SYSTEMD_UNIT={unit}" for unit in journal.units),
    ]


def own_files(paths: Sequence[str], since: int) -> Iterator[Files]:
    """A server's own log files; words like ``syslog`` and devices are none."""
    for path in dict.fromkeys(paths):
        if path.startswith("/") and not path.startswith("/dev/"):
            yield generations(path, since)
