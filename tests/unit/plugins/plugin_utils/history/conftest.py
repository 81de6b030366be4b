# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both real databases: a file, and a PostgreSQL server of these tests' own, on a socket.

The server runs as a user without rights (PostgreSQL refuses root), listens on no network, and each
test has a schema of its own in it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from typing import Any, Optional

import pytest

USER = "postgres"
DATABASES = ("sqlite", "postgresql")


def _program(name: str) -> Optional[str]:
    """A program of PostgreSQL's; Debian keeps those of a server off PATH."""
    found = sorted(glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return found[-1] if found else shutil.which(name)


def _as_user() -> dict[str, Any]:
    """What has a program run as a user without rights; nothing where this is none."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam(USER)
    environment = {"PATH": os.environ["PATH"], "HOME": "/", "LC_ALL": "C.UTF-8"}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "env": environment}


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a database server."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if not initdb or not pg_ctl:
        pytest.skip("Debian's postgresql is not installed (scripts/setup.sh dev)")
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(folder, USER)
    data = folder / "data"
    begun: dict[str, Any] = {**_as_user(), "capture_output": True, "cwd": folder}
    make = [initdb, "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run([*make, "--locale=C.UTF-8"], check=True, **begun)
    options = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=40"
    try:
        # No pipes: the server would keep them open, and this would wait for their end.
        started = {**begun, "capture_output": False, "stdout": subprocess.DEVNULL}
        log = ["-l", folder / "log"]
        subprocess.run(
            [pg_ctl, "-D", data, *log, "-o", options, "-w", "start"], check=True, **started
        )
        yield f"postgresql:///{USER}?host={folder}&user={USER}"
    finally:
        subprocess.run([pg_ctl, "-D", data, "-m", "immediate", "stop"], check=False, **begun)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for a history, in each database."""
    if request.param == "sqlite":
        return str(tmp_path / "history.sqlite")
    return _schema(request.getfixturevalue("server"))


@pytest.fixture
def other_place(request: pytest.FixtureRequest, place: str, tmp_path: Path) -> str:
    """A second one, in the other database."""
    if place.startswith("postgresql"):
        return str(tmp_path / "other.sqlite")
    return _schema(request.getfixturevalue("server"))


def _schema(url: str) -> str:
    import psycopg

    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{url}&options=-csearch_path%3D{name}"
