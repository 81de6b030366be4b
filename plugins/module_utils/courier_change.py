# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a change of Courier is checked and activated on its own host.

Courier has no checker of its own, and starts with a priority string that ends every handshake: so
the shell parses the candidate (``sh -n``, nothing is run), and the linked library is asked for the
string. Settings are read once at start, ``imapd restart`` applies none of them, so the running
units are restarted; that ends live sessions. couriertls serves port 143 as user ``courier``, hence
0640 root:courier for the PEM (Debian's own choice).
"""

from __future__ import annotations

import grp
import os
from collections.abc import Mapping, Sequence
from typing import Optional

from . import host, scratch, services, tls_library, validity
from .config.courier_access import OURS
from .config.courier_edit import edit
from .config.courier_services import PORTS, Port
from .text import clean
from .transaction import FileState

UNITS = tuple(port.unit for port in PORTS)
FILE_LIMIT = 1024 * 1024
# Where couriertls lives: Debian 11 and 12, then 13 and later.
COURIERTLS = ("/usr/bin/couriertls", "/usr/lib/courier/couriertls")


def candidate(
    wants: Sequence[tuple[str, str, str]], overrides: Sequence[tuple[str, int, str]]
) -> dict[str, str]:
    """Path → new text of each file that changes.

    ``wants`` are (file, variable, value), ``overrides`` (file, line, variable). Raises Stale and
    ValueError as :func:`courier_edit.edit`, OSError for a file that cannot be read.
    """
    new = {}
    for path in sorted({w[0] for w in wants} | {o[0] for o in overrides}):
        old = host.read_text(path, FILE_LIMIT)
        if old is None:
            raise OSError(f"{path} cannot be read")
        values = {name: value for file, name, value in wants if file == path}
        lines = {line: name for file, line, name in overrides if file == path}
        text = edit(path, old, values, lines)
        if text != old:
            new[path] = text
    return new


def pem_state(path: str, content: bytes) -> FileState:
    """A combined PEM that couriertls can read on every port, and nobody else."""
    return FileState(path, content, 0o640, 0, group())


def group() -> int:
    """The group by which couriertls reads keys: it serves port 143 as user courier."""
    try:
        return grp.getgrnam("courier").gr_gid
    except KeyError:  # another distribution: root alone, as upstream installs it
        return 0


def check(
    texts: Mapping[str, str], wants: Sequence[tuple[str, str, str]], made: Sequence[str] = ()
) -> Optional[str]:
    """Why the candidate must not go live, as a sentence that names the file; else ``None``.

    ``made`` are certificate files that come with the candidate and are not there yet.
    """
    for path, text in texts.items():
        problem = _shell_refuses(path, text)
        if problem:
            return problem
    return _nobody_restarts(texts) or _library_refuses(wants) or _certificate_refuses(wants, made)


def _nobody_restarts(texts: Mapping[str, str]) -> Optional[str]:
    """Settings that no unit reads again would count as proven by ports that serve the old ones."""
    if not texts or any(unit.active is not None for unit in host.units(UNITS)):
        return None
    return (
        f"{min(texts)}: systemd does not answer here, and Courier reads its settings only when it "
        "is restarted by it"
    )


def _shell_refuses(path: str, text: str) -> Optional[str]:
    with scratch.folder("check") as directory:
        copy = os.path.join(directory, os.path.basename(path))
        with open(copy, "wb") as handle:
            handle.write(text.encode("utf-8", "surrogateescape"))
        answer = host.run(["sh", "-n", copy])
    if answer.rc == 0:
        return None
    words = clean(answer.stderr.replace(copy, path).strip(), 300)
    return f"{path}: the shell cannot read the candidate: {words}"


def _library_refuses(wants: Sequence[tuple[str, str, str]]) -> Optional[str]:
    library = next((lib for lib in map(tls_library.linked, COURIERTLS) if lib), None)
    if library is None:
        return None
    fields = {"TLS_PRIORITY": "priority", "TLS_CIPHER_LIST": "ciphers"}
    for path, name, value in wants:
        if name in fields:
            try:
                tls_library.expand(library, **{fields[name]: value})
            except tls_library.Rejected as error:
                return f"{path}: {library.name} {library.version} refuses {name}: {error}"
    return None


def _certificate_refuses(
    wants: Sequence[tuple[str, str, str]], made: Sequence[str]
) -> Optional[str]:
    """Whether a certificate file that is asked for cannot be served; those just made can."""
    keys = {path: value for path, name, value in wants if name == "TLS_PRIVATE_KEYFILE"}
    for path, name, value in wants:
        if name != "TLS_CERTFILE" or value in made:
            continue
        fact = host.file_fact(value, "certificate", keys.get(path))
        if fact.problem:
            return f"{path}: {fact.path} {fact.problem}, so it cannot be TLS_CERTFILE"
        ended = validity.ended(fact.chain)
        if ended:
            return f"{path}: the certificate {fact.path} {ended}"
    return None


def running() -> tuple[str, ...]:
    """The units that run: those have to run again whatever becomes of a change."""
    units = host.units(UNITS)
    return tuple(unit.name for unit in units if unit.active)


def activate(units: Sequence[str], paths: Sequence[str]) -> Optional[str]:
    """Stop and start those of ``units``, which ran before, that read one of ``paths`` at start.

    Certificates are read for each connection (``tcpd/libcouriergnutls.c``): no session is cut.
    """
    changed = {os.path.basename(path) for path in paths}
    concerned = [port.unit for port in PORTS if changed.intersection(_read_at_start(port))]
    return services.bring(units, "restart", [unit for unit in units if unit in concerned])


def _read_at_start(port: Port) -> tuple[str, ...]:
    """The names of the files that a unit reads when it starts, and not again.

    couriertcpd keeps the database of access files open that was there then: tried on 5.0.13, 5.2.11
    and 6.0.5.
    """
    service = port.protocol.value
    return (*port.start.inner, OURS[service], f"{service}access.dat")
