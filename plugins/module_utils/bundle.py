# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same code as a program that stays on the host when the module is gone.

A module comes to the host in an archive that Ansible takes away again. What a switch or a
rehearsal needs is put together from there: the source of every part of module_utils that is
loaded, as one executable archive (zipapp, PEP 441), so that nothing exists twice. It starts in
program.py.

What else is loaded with program.py comes along, so every module that brings it brings the same
(tests/unit/plugins/module_utils/test_program.py): else two of them would write it in turns.
"""

from __future__ import annotations

import functools
import importlib
import io
import os
import sys
import zipfile
from typing import Any

from . import transaction
from .transaction import FileState

_PACKAGE = __name__.rpartition(".")[0]
_START = f"{_PACKAGE}.program"
COMMAND = "/usr/local/sbin/postmaster-tls"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is made


def path() -> str:
    """Where the program is on the host."""
    return os.path.join(transaction.STATE_DIR, "postmaster-tls.pyz")


def install() -> None:
    """Have the program on the host, as it is now; a file that is equal stays."""
    os.makedirs(transaction.STATE_DIR, mode=0o700, exist_ok=True)
    state = FileState(transaction.resolve(path()), content(), 0o600, os.geteuid(), os.getegid())
    if transaction.capture(path()) != state:
        transaction.install(state, "new")


def install_command(check_mode: bool = False) -> bool:
    """Have the program and a command that starts it on the host; whether one is (or would be) new.

    The command is for hooks: two lines of shell, isolated from the environment (python -I).
    """
    text = (
        "#!/bin/sh\n# Written by postmaster.tls; see docs/certificates.md of the collection.\n"
        f'exec {sys.executable} -I {path()} "$@"\n'
    )
    place = transaction.resolve(COMMAND)
    command = FileState(place, text.encode(), 0o755, os.geteuid(), os.getegid())
    new = transaction.capture(COMMAND) != command
    archive = transaction.capture(path()).content != content()
    if not check_mode:
        install()
        if new:
            transaction.install(command, "new")
    return new or archive


@functools.lru_cache(maxsize=1)
def content() -> bytes:
    """The archive. ImportError where the module did not bring program.py along.

    Put together once: the file that this process was started from may be replaced meanwhile.
    """
    importlib.import_module(_START)
    files = {"__main__.py": f"from {_START} import main\n\nmain()\n"}
    parts = [name for name in sorted(sys.modules) if name.startswith(f"{_PACKAGE}.")]
    for name in parts:
        files.update(_source(name))
    for name in [*parts, _PACKAGE]:
        folders = name.split(".")[:-1] if name != _PACKAGE else name.split(".")
        for depth in range(1, len(folders) + 1):
            files.setdefault("/".join([*folders[:depth], "__init__.py"]), "")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), files[name], zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _source(name: str) -> dict[str, str]:
    """A loaded part's place in the archive and its source; none for a package without code."""
    module = sys.modules[name]
    loader: Any = getattr(module, "__loader__", None)
    text = loader.get_source(name) if hasattr(loader, "get_source") else None
    if not text:
        return {}
    place = name.replace(".", "/")
    return {f"{place}/__init__.py" if hasattr(module, "__path__") else f"{place}.py": text}
