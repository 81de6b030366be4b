# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dead man's switch: what takes a change back when nobody confirms it.

It is a program of its own on the host (bundle.py), so it needs neither the module, which is gone
by then, nor the controller, nor the network:

    systemd     a transient timer (systemd-run(1)) that counts CLOCK_MONOTONIC, so nobody's setting
                of the clock moves it; and, since a transient unit is lost when the host restarts, a
                unit file that takes the change back at the next boot, before the mail server starts
    otherwise   a process in a session of its own that waits; what it did not live to do, the next
                run does

Both ask the record (ledger.py) before they do anything: a change that was confirmed stays.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import Optional

from . import bundle, host, transaction
from .text import clean

BOOTED = "/run/systemd/system"  # sd_booted(3)
UNIT_DIR = "/etc/systemd/system"
BOOT_UNIT = "postmaster-tls-restore.service"
_WANTS = "multi-user.target.wants"
_SERVERS = (
    "dovecot.service dovecot.socket courier-imap.service courier-imap-ssl.service "
    "courier-pop.service courier-pop-ssl.service"
)
SYSTEMD, PROCESS = "systemd", "process"


def command(verb: str, *arguments: str) -> list[str]:
    """The program as an argument list; isolated from the environment (python -I)."""
    places = (transaction.STATE_DIR, transaction.LOCK_FILE)
    return [sys.executable, "-I", bundle.path(), verb, *places, *arguments]


def arm(name: str, seconds: float) -> str:
    """Set the switch for the change ``name``; says which kind. OSError when none can be set."""
    tried = _tried()
    if tried.rc:  # another version may have been put there just then, by a run of the role
        tried = _tried()
    if tried.rc:
        raise OSError(f"{bundle.path()} does not run: {clean(tried.stderr.strip()[-300:], 300)}")
    if os.path.isdir(BOOTED):
        _write_boot_unit()
        if _timer(name, seconds) is None:
            return SYSTEMD
    _wait_in_a_process(name, seconds)
    return PROCESS


def _tried() -> host.Result:
    bundle.install()
    return host.run(command("ready"))


def disarm(name: str) -> None:
    """Take the switch away. Harmless where there is none, and where it is running this."""
    if os.path.isdir(BOOTED):
        host.run(["systemctl", "stop", f"{_unit(name)}.timer"], 10.0)
    for path in (_boot_link(), _boot_unit()):
        with contextlib.suppress(OSError):
            os.unlink(path)


def _unit(name: str) -> str:
    return f"postmaster-tls-{name}"


def _timer(name: str, seconds: float) -> Optional[str]:
    answer = host.run(
        [
            *("systemd-run", "--quiet", "--collect", f"--unit={_unit(name)}"),
            *(f"--on-active={seconds:.1f}s", "--timer-property=AccuracySec=100ms"),
            *("--description=Take back an unconfirmed change of the mail server", "--"),
            *command("fire", name),
        ]
    )
    return None if answer.rc == 0 else answer.stderr


def _wait_in_a_process(name: str, seconds: float) -> None:
    # Not run_command: what this starts goes on when the module is gone, with none of its pipes.
    subprocess.run(  # pylint: disable=ansible-bad-function
        command("wait", name, f"{seconds:.1f}"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
        check=True,
    )


def _boot_unit() -> str:
    return os.path.join(UNIT_DIR, BOOT_UNIT)


def _boot_link() -> str:
    return os.path.join(UNIT_DIR, _WANTS, BOOT_UNIT)


def boot_unit_text() -> str:
    """The unit that takes a change back at boot; systemd reads it then, no reload is needed."""
    state = transaction.STATE_DIR
    return (
        "# Written by postmaster.tls for an open change; gone when the change is over.\n"
        "[Unit]\nDescription=Take back an unconfirmed change of the mail server\n"
        f"ConditionPathExists={state}/transaction.json\nRequiresMountsFor={state}\n"
        f"After=local-fs.target\nBefore={_SERVERS}\n"
        f"[Service]\nType=oneshot\nTimeoutStartSec=90\nExecStart={' '.join(command('boot'))}\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )


def _write_boot_unit() -> None:
    state = transaction.FileState(
        _boot_unit(), boot_unit_text().encode(), 0o644, os.geteuid(), os.getegid()
    )
    transaction.install(state, "new")
    os.makedirs(os.path.dirname(_boot_link()), mode=0o755, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.symlink(_boot_unit(), _boot_link())
