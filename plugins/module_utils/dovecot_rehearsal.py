# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second Dovecot with the candidate: own base and state directory, own ports, own log.

The candidate goes in as one flat file without its ``service`` blocks, since these open the live
ports and sockets (a Postfix's authentication socket is one), and with login services of its own at
the end. TLS settings never stand in a service block (``src/lib-master/service-settings.c``).
dovecot(1) ``-F`` keeps it in the foreground; ``-c`` names the file. Nobody logs in, so no mail
storage and no user data base is opened.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from .config import dovecot as language
from .config.dovecot_lines import CLOSE, OPEN, Document
from .model.configured import Origin
from .model.observed import Service, TlsMode
from .rehearsal import Instance, Kind
from .transaction import FileState, write_new

_LOGIN = {
    Service.IMAP: ("imap-login", "imap"),
    Service.POP3: ("pop3-login", "pop3"),
    Service.SIEVE: ("managesieve-login", "sieve"),
}


def prepare(
    document: Document, pem: Mapping[str, bytes], directory: str, ports: Mapping[Kind, int]
) -> Instance:
    """Write the flat configuration, and ``pem`` (path → content) beside it."""
    text, _origins = language.flatten(document, without_services(document), _own(directory, ports))
    for index, (path, content) in enumerate(pem.items()):
        stand_in = os.path.join(directory, f"{index}.pem")
        _write(stand_in, content)
        text = text.replace(path, stand_in)
    for name, mode in (("base", 0o755), ("state", 0o700)):
        os.mkdir(os.path.join(directory, name), mode)
    config = os.path.join(directory, "dovecot.conf")
    _write(config, text.encode("utf-8", "surrogateescape"))
    command = ("dovecot", "-F", "-c", config)
    return Instance((command,), ports, os.path.join(directory, "log"))


def without_services(document: Document) -> dict[Origin, str]:
    """Nothing in the place of each line of each ``service`` block, the outermost ones."""
    inside = False
    found: dict[Origin, str] = {}
    for line in document.lines:
        begins = line.kind == OPEN and line.name == "service" and not line.scope
        inside = inside or begins
        if inside:
            found[line.origin] = ""
        inside = inside and not (line.kind == CLOSE and not line.scope)
    return found


def _own(directory: str, ports: Mapping[Kind, int]) -> list[str]:
    protocols = " ".join(dict.fromkeys(service.value for service, _mode in ports))
    lines = [
        f"base_dir = {directory}/base",
        f"state_dir = {directory}/state",
        *(f"{name} = {directory}/log" for name in ("log_path", "info_log_path", "debug_log_path")),
        "instance_name = rehearsal",
        "listen = 127.0.0.1",
        f"protocols = {protocols}",
    ]
    for service in dict.fromkeys(service for service, _mode in ports):
        name, listener = _LOGIN[service]
        lines += [f"service {name} {{"]
        for mode in TlsMode:
            lines += _listener(f"{listener}{_SUFFIX[mode]}", mode, ports.get((service, mode), 0))
        lines += ["}"]
    return lines


_SUFFIX = {TlsMode.STARTTLS: "", TlsMode.IMPLICIT: "s"}


def _listener(name: str, mode: TlsMode, port: int) -> list[str]:
    tls = ["    ssl = yes"] if mode is TlsMode.IMPLICIT else []
    return [f"  inet_listener {name} {{", f"    port = {port}", *tls, "  }"]


def _write(path: str, content: bytes) -> None:
    write_new(path, FileState(path, content, 0o600, os.geteuid(), os.getegid()))
