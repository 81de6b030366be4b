# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program on the host does when it is called (bundle.py puts it there).

    fire STATE LOCK ID          take the change ID back if it is still open; called by the timer
    wait STATE LOCK ID SECONDS  the same after so many seconds, where there is no systemd
    boot STATE LOCK             end whatever change is open, before the servers start
    ready STATE LOCK            nothing: it runs, that is all
    deploy OPTION …             put a certificate in force (deploy_command.py)
    renew OPTION …              have it renewed, or put in force what was (renew_command.py)

Each brings what it needs and nothing else, since mail may be down until it is there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Callable, Optional


def main(argv: Optional[Sequence[str]] = None) -> None:
    """Entry point of the archive."""
    verb, *arguments = (sys.argv[1:] if argv is None else argv) or [""]
    if verb not in _VERBS:
        sys.stderr.write("usage: postmaster-tls deploy --help, postmaster-tls renew --help\n")
        raise SystemExit(2)
    raise SystemExit(_VERBS[verb](arguments))


def _fire(arguments: Sequence[str]) -> int:
    from . import dead_man

    return dead_man.fire(*arguments)


def _wait(arguments: Sequence[str]) -> int:
    from . import dead_man

    return dead_man.wait(*arguments)


def _boot(arguments: Sequence[str]) -> int:
    from . import dead_man

    return dead_man.boot(*arguments)


def _ready(_arguments: Sequence[str]) -> int:
    from . import dead_man

    return dead_man.ready()


def _deploy(arguments: Sequence[str]) -> int:
    from . import deploy_command

    return deploy_command.main(arguments)


def _renew(arguments: Sequence[str]) -> int:
    from . import renew_command

    return renew_command.main(arguments)


_VERBS: dict[str, Callable[[Sequence[str]], int]] = {
    "fire": _fire,
    "wait": _wait,
    "boot": _boot,
    "deploy": _deploy,
    "ready": _ready,
    "renew": _renew,
}


if __name__ == "__main__":
    os.chdir("/")
    main()
