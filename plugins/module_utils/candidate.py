# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be put in force, as plain data, becomes a change that can be carried out.

Knows what differs between Dovecot and Courier when a candidate is put together: the editors, the
checks and the rehearsals of both. The steps are in change.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from . import (
    change,
    courier_access,
    courier_change,
    courier_rehearsal,
    dovecot_change,
    dovecot_rehearsal,
    rehearsal,
    selfsigned,
)
from .config import courier_access as access
from .config.dovecot_edit import Wanted
from .model.configured import Origin
from .model.observed import Endpoint, Service, TlsMode
from .transaction import FileState, capture, rewritten


@dataclass(frozen=True)
class Pem:
    """Certificates and keys that come with a candidate: path → content, and which are keys.

    ``words`` stand for a certificate in a diff.
    """

    files: Mapping[str, bytes]
    keys: tuple[str, ...] = ()
    words: str = ""

    def hidden(self) -> dict[str, str]:
        """Path → what is shown instead of the content."""
        return {path: KEY if path in self.keys else self.words for path in self.files}


def build(
    params: Mapping[str, Any],
    given: Optional[Pem] = None,
    prove: change.Step = lambda: None,
) -> change.Change:
    """The change that the arguments of ``server_config`` ask for, or with ``given`` files.

    Without ``scoped`` (``None``), Courier's access files stay as they are.
    Raises Stale, CannotMake, OSError or ValueError where it cannot be put together.
    """
    pem = given or _PEM[params["product"]](params["certificate"])
    made = _BUILD[params["product"]](params, pem)
    listeners = tuple(_endpoint(entry) for entry in params["listeners"])
    return change.Change(
        products=(params["product"],),
        files=(*made.files, *_modes(params["modes"], params["product"])),
        check=made.check,
        rehearse=lambda open_now: rehearsal.rehearse(
            made.candidate, made.now, _kinds(listeners, open_now)
        ),
        listeners=listeners,
        served_only=params.get("served_only", False),
        hidden={**pem.hidden(), **made.hidden},
        prove=prove,
    )


@dataclass(frozen=True)
class _Made:
    """A candidate: its files, how it is checked, and how it and what is there now are rehearsed."""

    files: tuple[FileState, ...]
    check: change.Step
    candidate: rehearsal.Prepare
    now: rehearsal.Prepare
    hidden: Mapping[str, str] = field(default_factory=dict)


KEY = "a private key, not shown"
CERTIFICATE = "a self-signed certificate, made anew"


def _two_files(made: Optional[Mapping[str, Any]]) -> Pem:
    """A self-signed certificate for Dovecot, where one is asked for."""
    if not made:
        return Pem({})
    certificate, key = selfsigned.make(made["names"])
    files = {made["certificate"]: certificate, made["key"]: key}
    return Pem(files, (made["key"],), CERTIFICATE)


def _one_file(made: Optional[Mapping[str, Any]]) -> Pem:
    """The same for Courier, which reads both out of one file."""
    if not made:
        return Pem({})
    certificate, key = selfsigned.make(made["names"])
    return Pem({made["certificate"]: key + certificate}, (made["certificate"],), CERTIFICATE)


_PEM = {"dovecot": _two_files, "courier": _one_file}


def _dovecot(params: Mapping[str, Any], pem: Pem) -> _Made:
    wanted = Wanted(
        tuple((s["name"], s["value"]) for s in params["settings"]),
        tuple((Origin(o["file"], o["line"]), o["name"]) for o in params["overrides"]),
        tuple((s["scope"], s["name"], s["value"], s["reason"]) for s in params["scoped"]),
    )
    main = params["config_file"] or dovecot_change.MAIN
    candidate = dovecot_change.candidate(wanted, pem.files, main)
    return _Made(
        files=(*rewritten(candidate.texts), *dovecot_change.pem_states(pem.files, pem.keys)),
        check=lambda: dovecot_change.check(candidate, params["version"], main),
        candidate=lambda *where: dovecot_rehearsal.prepare(
            candidate.document(main), pem.files, *where
        ),
        now=lambda *where: dovecot_rehearsal.prepare(dovecot_change.present(main), {}, *where),
    )


def _courier(params: Mapping[str, Any], pem: Pem) -> _Made:
    wants = [(s["file"], s["name"], s["value"]) for s in params["settings"]]
    # Our own access files are written anew, so no line of theirs is commented out.
    overrides = [
        (o["file"], o["line"], o["name"])
        for o in params["overrides"]
        if os.path.basename(o["file"]) not in access.OURS.values()
    ]
    texts = courier_change.candidate(wants, overrides)
    scoped, excepted = [], courier_access.Access()
    if params["scoped"] is not None:
        scoped = [(s["scope"], s["name"], s["value"], s["reason"]) for s in params["scoped"]]
        excepted = courier_access.candidate(_folder(params), scoped, texts)
    texts.update(excepted.texts)
    states = tuple(courier_change.pem_state(path, content) for path, content in pem.files.items())
    return _Made(
        files=(*rewritten(texts), *excepted.states, *states),
        check=lambda: courier_change.check(texts, _strings(wants, scoped), list(pem.files)),
        candidate=lambda *where: courier_rehearsal.prepare(texts, pem.files, *where),
        now=lambda *where: courier_rehearsal.prepare({}, {}, *where),
        hidden=excepted.hidden,
    )


def _folder(params: Mapping[str, Any]) -> str:
    return params["config_file"] or courier_rehearsal.FOLDER


def _strings(
    wants: list[tuple[str, str, str]], scoped: Sequence[access.Given]
) -> list[tuple[str, str, str]]:
    """What the library is asked of: exceptions hold strings of it too."""
    return [*wants, *((scope, name, value) for scope, name, value, _reason in scoped)]


_BUILD = {"dovecot": _dovecot, "courier": _courier}


def _kinds(
    listeners: Sequence[Endpoint], open_now: Sequence[Endpoint]
) -> tuple[rehearsal.Kind, ...]:
    """Each protocol and way to begin TLS once, of the ports that are open."""
    ports = {endpoint.port for endpoint in open_now}
    kinds = ((e.service, e.tls_mode) for e in listeners if e.port in ports)
    return tuple(dict.fromkeys(kinds))


def _modes(entries: list[dict[str, str]], product: str) -> tuple[FileState, ...]:
    """Existing files with another mode; Courier's stay readable to couriertls by their group."""
    found = []
    for entry in entries:
        old = capture(entry["path"], only_attributes=True)
        if old.only_attributes:  # else it is gone meanwhile
            group = courier_change.group() if product == "courier" else old.gid
            found.append(replace(old, mode=_mode(entry), gid=group))
    return tuple(found)


def _mode(entry: dict[str, str]) -> int:
    if not re.match(r"[0-7]{4}\Z", entry["mode"]):
        raise ValueError(f"{entry['path']}: {entry['mode']!r} is no mode of four octal digits")
    return int(entry["mode"], 8)


def _endpoint(entry: dict[str, Any]) -> Endpoint:
    service, mode = Service(entry["service"]), TlsMode(entry["tls_mode"])
    return Endpoint(entry["address"], entry["port"], service, mode)
