# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal: what it says of the candidate, and that its processes and files are gone."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import (
    bundle,
    local_proof,
    rehearsal,
    scratch,
)
from ansible_collections.postmaster.tls.plugins.module_utils.holder import descendants
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service, TlsMode
from ansible_collections.postmaster.tls.plugins.module_utils.rehearsal import (
    Impossible,
    Instance,
    Kind,
    Rehearsal,
    rehearse,
)

KINDS: tuple[Kind, ...] = (
    (Service.IMAP, TlsMode.STARTTLS),
    (Service.POP3, TlsMode.IMPLICIT),
)
PATIENCE = 30.0
# Two processes: one stays, one makes itself a daemon, as couriertcpd does.
SERVER = """
import os, sys, time
os.mkfifo(sys.argv[1] + "/socket")
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
open(sys.argv[1] + f"/pid.{os.getpid()}", "w").close()
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(scratch, "RUN", str(tmp_path))
    return tmp_path


def prepare(directory: str, ports: Mapping[Kind, int]) -> Instance:
    command = (sys.executable, "-c", SERVER, directory)
    return Instance((command,), ports, f"{directory}/log")


def alive(pids: Sequence[int]) -> list[int]:
    return [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


def started(directory: str) -> list[int]:
    """The numbers of both processes of SERVER, once both have started."""
    deadline = time.monotonic() + PATIENCE
    while len(found := [int(p.suffix[1:]) for p in Path(directory).glob("pid.*")]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_nothing_is_left_of_what_was_rehearsed(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def proof(endpoints: Any, *_seconds: float) -> Optional[str]:
        (directory,) = run_folder.iterdir()
        seen["pids"], seen["mode"] = started(str(directory)), directory.stat().st_mode
        seen["ports"] = [(e.host, e.service, e.tls_mode) for e in endpoints]
        return None

    monkeypatch.setattr(local_proof, "await_handshakes", proof)
    came, problem = rehearse(prepare, prepare, KINDS)
    assert (came.done, came.ports, problem) == (True, ("imap starttls", "pop3 implicit"), None)
    assert seen["ports"] == [("127.0.0.1", *kind) for kind in KINDS]
    assert stat.S_IMODE(seen["mode"]) == 0o711
    assert alive(seen["pids"]) == []
    assert list(run_folder.iterdir()) == []


HOLDER = """
import sys, time
from ansible_collections.postmaster.tls.plugins.module_utils import rehearsal, scratch
scratch.RUN = sys.argv[1]
with scratch.folder("rehearsal") as directory:
    command = (sys.executable, "-c", sys.argv[2], directory)
    with rehearsal._held(directory, (command,)):
        print(directory, flush=True)
        time.sleep(600)
"""


def test_nothing_is_left_when_the_module_is_killed(run_folder: Path) -> None:
    collections = str(Path(bundle.__file__).parents[5])
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run_folder), SERVER],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": collections},
    ) as module:
        assert module.stdout is not None
        directory = module.stdout.readline().decode().strip()
        pids = started(directory)
        module.send_signal(signal.SIGKILL)
        module.wait()
    deadline = time.monotonic() + PATIENCE
    while alive(pids) or list(run_folder.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def answers(**said: Optional[str]) -> Callable[[str, Any], Any]:
    """A stand-in for play(): what each way to prepare comes to."""

    def play(prepare: Any, _kinds: Any) -> Optional[str]:
        answer = said[prepare]
        if answer == "impossible":
            raise Impossible("no start script of imapd is of a known shape")
        return answer

    return play


@pytest.mark.parametrize(
    ("said", "done", "reason", "problem"),
    [
        ({"new": None, "now": "never asked"}, True, "", None),
        ({"new": "no TLS", "now": None}, True, "", "no TLS"),
        (
            {"new": "no TLS", "now": "no start"},
            False,
            "the configuration of now fails in it as well: no start",
            None,
        ),
        (
            {"new": "impossible", "now": None},
            False,
            "no start script of imapd is of a known shape",
            None,
        ),
    ],
)
def test_a_server_is_refused_only_for_what_the_candidate_breaks(
    said: dict[str, Optional[str]],
    done: bool,
    reason: str,
    problem: Optional[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rehearsal, "play", answers(**said))
    came, found = rehearse("new", "now", KINDS)  # type: ignore[arg-type]
    assert (came.done, came.reason, found) == (done, reason, problem)


@pytest.mark.parametrize("breaks", [False, True])
def test_a_port_that_fails_now_hides_no_other(
    breaks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, alive = KINDS[:2]

    def play(prepare: Any, kinds: Any) -> Optional[str]:
        worse = prepare == "new" and breaks and alive in kinds
        return "no TLS" if dead in kinds or worse else None

    monkeypatch.setattr(rehearsal, "play", play)
    came, found = rehearse("new", "now", (dead, alive))  # type: ignore[arg-type]
    assert (came.done, len(came.ports)) == (True, 1)
    assert found == ("no TLS" if breaks else None)


def test_without_an_open_port_there_is_nothing_to_rehearse() -> None:
    assert rehearse(prepare, prepare, ()) == (
        Rehearsal(False, "no port of the server is open"),
        None,
    )


def test_the_servers_own_complaint_is_told(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def complaining(directory: str, ports: Mapping[Kind, int]) -> Instance:
        Path(directory, "log").write_text("master: Info: hello\nauth: Fatal: no\x1b group\nbye\n")
        return Instance((), ports, f"{directory}/log")

    monkeypatch.setattr(local_proof, "await_handshakes", lambda *_: "imap://127.0.0.1 no TLS")
    said = rehearsal.play(complaining, KINDS)
    assert said == "imap://127.0.0.1 no TLS; the server says: auth: Fatal: no\\x1b group"


def test_descendants_are_found_below_their_root() -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        assert child.pid in descendants(os.getpid())
        assert os.getpid() not in descendants(child.pid)
        child.kill()
