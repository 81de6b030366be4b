# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Courier's own start scripts with the candidate: the real couriertcpd and couriertls, other ports.

A copy of each start script sources copies of the files, which hold the candidate and, after it,
addresses, ports and places of their own; so the order in which the script reads them, the user
that it gives the server and its options are the real ones. Nothing of the live service is written:
not its PID file, and not its session cache, which the script would make anew (TLS_CACHEFILE).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from . import host
from .config.courier_services import PORTS, Port
from .courier_change import FILE_LIMIT, group
from .model.observed import TlsMode
from .rehearsal import Impossible, Instance, Kind
from .transaction import FileState, write_new

FOLDER = "/etc/courier"
SCRIPTS = ("/usr/lib/courier", "/usr/sbin")
FILES = ("imapd", "imapd-ssl", "pop3d", "pop3d-ssl")
# As a start script names its files: by their folder, or by the variable that holds it.
_SOURCED = re.compile(
    r"(?:/etc/courier|\$\{sysconfdir\}|\$sysconfdir)/((?:imapd|pop3d)(?:-ssl)?)(?![\w.-])"
)


def prepare(
    texts: Mapping[str, str],
    pem: Mapping[str, bytes],
    directory: str,
    ports: Mapping[Kind, int],
) -> Instance:
    """Write copies: ``texts`` (path → text) over the live files, ``pem`` (path → content)."""
    stand_ins = {}
    for index, (path, content) in enumerate(pem.items()):
        stand_ins[path] = os.path.join(directory, f"{index}.pem")
        _write(stand_ins[path], content, 0o640, group())
    commands = []
    for kind, number in ports.items():
        own = os.path.join(directory, f"{kind[0].value}-{kind[1].value}")
        os.mkdir(own, 0o755)
        for name in FILES:
            _write(os.path.join(own, name), _file(name, texts, stand_ins, own, number), 0o644)
        commands.append(("sh", _script(_port(kind), own), "start"))
    return Instance(tuple(commands), ports, os.path.join(directory, "log"))


def _port(kind: Kind) -> Port:
    implicit = kind[1] is TlsMode.IMPLICIT
    found = [p for p in PORTS if p.protocol is kind[0] and p.implicit == implicit]
    if not found:
        raise Impossible(f"Courier serves no {kind[0].value}")
    return found[0]


def _file(
    name: str, texts: Mapping[str, str], stand_ins: Mapping[str, str], own: str, number: int
) -> bytes:
    path = os.path.join(FOLDER, name)
    text = texts.get(path, host.read_text(path, FILE_LIMIT))
    if text is None:
        raise Impossible(f"{path} cannot be read")
    for live, stand_in in stand_ins.items():
        text = text.replace(live, stand_in)
    return (text + "\n" + "\n".join(_own(own, number)) + "\n").encode("utf-8", "surrogateescape")


def _own(own: str, number: int) -> Sequence[str]:
    """Assigned last in every file, so in force whatever the order."""
    return [
        *(f"{name}=127.0.0.1" for name in ("ADDRESS", "SSLADDRESS")),
        *(f"{name}={number}" for name in ("PORT", "SSLPORT")),
        *(f"{name}={own}/pid" for name in ("PIDFILE", "SSLPIDFILE")),
        *(f'{name}="-name=postmaster-tls"' for name in ("LOGGEROPTS", "SSLLOGGEROPTS")),
        "TLS_CACHEFILE=",
    ]


def _script(port: Port, own: str) -> str:
    """A copy of the start script that sources the copies."""
    for folder in SCRIPTS:
        text = host.read_text(os.path.join(folder, port.script), FILE_LIMIT)
        if text is not None and _SOURCED.search(text):
            path = os.path.join(own, "start")
            _write(path, _SOURCED.sub(rf"{own}/\1", text).encode("utf-8", "surrogateescape"), 0o644)
            return path
    raise Impossible(f"no start script of {port.script} is of a known shape")


def _write(path: str, content: bytes, mode: int, gid: int = -1) -> None:
    owner = os.getegid() if gid < 0 else gid
    write_new(path, FileState(path, content, mode, os.geteuid(), owner))
