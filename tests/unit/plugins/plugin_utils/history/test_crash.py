# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many writers at once lose nothing, and one that is killed loses nothing that was committed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.plugin_utils.history.store import (
    History,
    open_history,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    WEAK,
    report,
)

from .test_store import day

COLLECTIONS = Path(__file__).resolve().parents[5] / "collections"
MODULE = __name__.replace("test_crash", "writer")


def writer(place: str, name: str, count: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", MODULE, place, name, count],
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def runs(history: History) -> list[str]:
    rows = [json.loads(line) for line in history.export()]
    return [row["id"] for row in rows if row.get("table") == "runs"]


def test_writers_that_begin_at_once_all_get_through(place: str) -> None:
    """They find no table, so that they meet in the migration too."""
    writers = [writer(place, name, "4") for name in "abc"]
    for each in writers:
        each.communicate(timeout=120)
    assert [each.returncode for each in writers] == [0] * 3
    with open_history(place) as history:
        assert sorted(runs(history)) == [f"{n}-{i}" for n in "abc" for i in range(4)]
        open_now = [(item.what, item.subject) for item in history.items()]
    assert len(open_now) == len(set(open_now))


def test_what_was_committed_outlives_kill_9(place: str) -> None:
    with open_history(place) as history, writer(place, "killed", "1000") as process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip() for _ in range(3)]
        process.send_signal(signal.SIGKILL)
        told += [line.strip() for line in process.stdout if line.endswith("\n")]
        process.wait()
        kept = runs(history)
        assert set(kept) >= set(told)
        # The one that was at work may have been committed before it could say so.
        assert len(kept) <= len(told) + 1
        history.keep("after", day(0), "audit", report(WEAK))


def test_a_run_that_was_killed_in_the_middle_is_not_there_and_in_nobodys_way(place: str) -> None:
    with open_history(place) as history, writer(place, "half", "half") as process:
        before = list(history.export())
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert list(history.export()) == before
        history.keep("after", day(0), "audit", report(WEAK))
        assert runs(history) == ["after"]


def test_a_reader_does_not_wait_for_a_writer(place: str) -> None:
    with open_history(place) as history, writer(place, "half", "half") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        assert history.items() == []
        process.communicate("", timeout=60)
        assert len(history.items()) > 0


def test_children_of_a_fork_open_it_for_themselves(place: str) -> None:
    """As Ansible's workers do: each process has a connection of its own."""
    with open_history(place):
        pass
    children = []
    for number in range(4):
        child = os.fork()
        if not child:
            try:
                with open_history(place) as history:
                    history.keep(f"fork-{number}", day(number), "audit", report(WEAK))
                os._exit(0)
            except BaseException:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    with open_history(place) as history:
        assert sorted(runs(history)) == [f"fork-{number}" for number in range(4)]


@pytest.mark.parametrize("steps", [1, 0])
def test_a_history_of_an_older_release_is_brought_up_to_date(place: str, steps: int) -> None:
    from ansible_collections.postmaster.tls.plugins.plugin_utils.history import schema, store

    whole = schema.STEPS
    with open_history(place) as history:
        database = history._database
        for table in ("told", *(["items"] if not steps else [])):
            database.run(f"DROP TABLE mail_tls_{table}")
        if not steps:
            for table in ("postures", "baselines", "documents", "runs"):
                database.run(f"DROP TABLE mail_tls_{table}")
        else:
            history.keep("old", day(0), "audit", report(WEAK))
        database.run("UPDATE mail_tls_schema_version SET version = ?", (steps,))
    with store.open_history(place) as history:
        assert schema.version(history._database) == len(whole)
        assert runs(history) == (["old"] if steps else [])
        history.tell("mail", "new", history.items(), day(1))
        history._database.run("UPDATE mail_tls_schema_version SET version = 99")
    with pytest.raises(store.Trouble, match="newer release"):
        open_history(place)
