# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program on the host under a name that hooks can call: ``postmaster-tls``.

The archive is in a folder of root's (bundle.py); what stands on the path is two lines of shell that
start it, isolated from the environment (python -I).
"""

from __future__ import annotations

import os
import sys

from . import bundle, transaction
from .transaction import FileState, capture

PATH = "/usr/local/sbin/postmaster-tls"


def install(check_mode: bool = False) -> bool:
    """Have program and command on the host; whether one of them is (or would be) new."""
    command = FileState(
        transaction.resolve(PATH), _text().encode(), 0o755, os.geteuid(), os.getegid()
    )
    new = capture(PATH) != command
    archive = capture(bundle.path()).content != bundle.content()
    if not check_mode:
        bundle.install()
        if new:
            transaction.install(command, "new")
    return new or archive


def _text() -> str:
    return (
        "#!/bin/sh\n# Written by postmaster.tls; see docs/certificates.md of the collection.\n"
        f'exec {sys.executable} -I {bundle.path()} "$@"\n'
    )
