# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who wrote a file, as far as the host tells: its owner and time, its package, and our journal.

The state of a package's file is known from the MD5 that dpkg (``${Conffiles}``, dpkg-query(1))
or ucf (``/var/lib/ucf/hashfile``, ucf(1)) keeps of it: of Courier's files dpkg, of Dovecot's ucf.
The journal (ledger.py) names the changes of this collection: one that ended after the file was
written is the one that wrote it. A file that holds a private key is not summed.
"""

from __future__ import annotations

import calendar
import hashlib
import os
import pwd
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from . import host, ledger
from .text import NAME, clean

LIBRARY_POLICIES = (
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/openssl.cnf",
    "/etc/gnutls/config",
    "/etc/gnutls/default-priorities",
    "/etc/crypto-policies/config",
    "/etc/crypto-policies/back-ends/opensslcnf.config",
    "/etc/crypto-policies/back-ends/gnutls.config",
)
"""What the TLS libraries read whatever a server is configured to: OpenSSL's config(5), GnuTLS'
"System-wide configuration of the library", crypto-policies(7)."""
PACKAGES = ("dovecot*", "courier*", "openssl*", "libssl*", "libgnutls*", "gnutls*")
PATHS_LIMIT = 512
_FILE_LIMIT = 4 * 1024 * 1024
_UCF = "/var/lib/ucf/hashfile"
_SLACK = 2.0
"""Seconds between the writing of a file and of its line in the journal that clocks may lie."""


@dataclass(frozen=True)
class Written:
    """A file that decides, and who wrote it.

    ``modified`` is ISO 8601, UTC. ``package`` is the one that brought it, ``shipped`` whether it is
    as the package brought it; both ``None`` where none did, or none is asked. ``change`` and ``by``
    name the last change of ours that wrote it, ``None`` where somebody else wrote it since.
    """

    path: str
    exists: bool
    sha256: Optional[str] = None
    owner: Optional[str] = None
    modified: Optional[str] = None
    package: Optional[str] = None
    shipped: Optional[bool] = None
    change: Optional[str] = None
    by: Optional[str] = None


def look(paths: Iterable[str]) -> tuple[Written, ...]:
    """What is known of each path and of the libraries' policies, in the order of their names."""
    wanted = sorted({path for path in (*paths, *LIBRARY_POLICIES) if os.path.isabs(path)})
    shipped, ours = _shipped(), _ours(ledger.journal_entries())
    return tuple(_look(path, shipped, ours) for path in wanted[:PATHS_LIMIT])


def _look(
    path: str, shipped: Mapping[str, tuple[str, str]], ours: Mapping[str, dict[str, Any]]
) -> Written:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        package, _sum = shipped.get(path, (None, ""))
        return Written(path, exists=False, package=package)
    raw, problem = host.read_bytes(path, _FILE_LIMIT)
    secret = problem is not None or b"PRIVATE KEY-----" in raw
    package, known = shipped.get(path, (None, ""))
    md5 = hashlib.md5(raw, usedforsecurity=False).hexdigest()  # dpkg's and ucf's own sum
    entry = ours.get(path)
    wrote = entry if entry and status.st_mtime <= _seconds(entry.get("at")) + _SLACK else None
    return Written(
        path,
        exists=True,
        sha256=None if secret else hashlib.sha256(raw).hexdigest(),
        owner=_owner(status.st_uid),
        modified=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(status.st_mtime)),
        package=package,
        shipped=None if package is None or problem else md5 == known,
        change=clean(str(wrote.get("id")), NAME) if wrote else None,
        by=clean(str(wrote.get("who")), NAME) if wrote else None,
    )


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _ours(entries: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The last change that wrote each path; one that was taken back wrote the old bytes again."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        paths = entry.get("paths")
        for path in paths if isinstance(paths, list) else ():
            found[str(path)] = dict(entry)
    return found


def _seconds(moment: Any) -> float:
    try:
        return float(calendar.timegm(time.strptime(str(moment), "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        return 0.0


def _shipped() -> dict[str, tuple[str, str]]:
    """Path → the package that brought it, and the MD5 of what it brought."""
    asked = host.run(("dpkg-query", "-W", "-f=${Package}\t${Conffiles}\n", *PACKAGES), 10.0)
    found = parse_conffiles(asked.stdout)
    for line in (host.read_text(_UCF, _FILE_LIMIT) or "").splitlines():
        md5, _blank, path = line.partition(" ")
        if path.strip():
            found.setdefault(path.strip(), ("its package (by ucf)", md5))
    return found


def parse_conffiles(text: str) -> dict[str, tuple[str, str]]:
    """What ``dpkg-query -W -f '${Package}\\t${Conffiles}\\n'`` printed."""
    found: dict[str, tuple[str, str]] = {}
    package = ""
    for one in text.splitlines():
        before, tab, after = one.partition("\t")
        package = before if tab else package
        words = (after if tab else one).split()
        if len(words) >= 2 and words[0].startswith("/") and "obsolete" not in words[2:]:
            found[words[0]] = (clean(package, NAME), words[1])
    return found
