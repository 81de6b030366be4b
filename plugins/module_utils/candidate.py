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
from dataclasses import dataclass, replace
from typing import Any

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
from .model import Endpoint, Origin, Service, TlsMode
from .transaction import FileState, capture, rewritten


def build(params: Mapping[str, Any]) -> change.Change:
    """The change that the arguments of ``server_config`` ask for.

    Raises Stale, CannotMake, OSError or ValueError where it cannot be put together.
    """
    made = _BUILD[params["product"]](params)
    listeners = tuple(_endpoint(entry) for entry in params["listeners"])
    return change.Change(
        products=(params["product"],),
        files=(*made.files, *_modes(params["modes"], params["product"])),
        check=made.check,
        rehearse=lambda open_now: rehearsal.rehearse(
            made.candidate, made.now, _kinds(listeners, open_now)
        ),
        listeners=listeners,
        hidden=made.hidden,
    )


@dataclass(frozen=True)
class _Made:
    """A candidate: its files, how it is checked, and how it and what is there now are rehearsed."""

    files: tuple[FileState, ...]
    check: change.Step
    hidden: dict[str, str]
    candidate: rehearsal.Prepare
    now: rehearsal.Prepare


KEY = "a private key, not shown"
CERTIFICATE = "a self-signed certificate, made anew"


def _dovecot(params: Mapping[str, Any]) -> _Made:
    wanted = Wanted(
        tuple((s["name"], s["value"]) for s in params["settings"]),
        tuple((Origin(o["file"], o["line"]), o["name"]) for o in params["overrides"]),
        tuple((s["scope"], s["name"], s["value"], s["reason"]) for s in params["scoped"]),
    )
    main = params["config_file"] or dovecot_change.MAIN
    made = params["certificate"]
    certificate, key = selfsigned.make(made["names"]) if made else (b"", b"")
    pem = {made["certificate"]: certificate, made["key"]: key} if made else {}
    keys = (made["key"],) if made else ()
    candidate = dovecot_change.candidate(wanted, pem, main)
    return _Made(
        files=(*rewritten(candidate.texts), *dovecot_change.pem_states(pem, keys)),
        check=lambda: dovecot_change.check(candidate, params["version"], main),
        hidden={made["certificate"]: CERTIFICATE, made["key"]: KEY} if made else {},
        candidate=lambda *where: dovecot_rehearsal.prepare(candidate.document(main), pem, *where),
        now=lambda *where: dovecot_rehearsal.prepare(dovecot_change.present(main), {}, *where),
    )


def _courier(params: Mapping[str, Any]) -> _Made:
    wants = [(s["file"], s["name"], s["value"]) for s in params["settings"]]
    # Our own access files are written anew, so no line of theirs is commented out.
    overrides = [
        (o["file"], o["line"], o["name"])
        for o in params["overrides"]
        if os.path.basename(o["file"]) not in access.OURS.values()
    ]
    scoped = [(s["scope"], s["name"], s["value"], s["reason"]) for s in params["scoped"]]
    made = params["certificate"]
    texts = courier_change.candidate(wants, overrides)
    excepted = courier_access.candidate(_folder(params), scoped, texts)
    texts.update(excepted.texts)
    pem = {}
    if made:
        certificate, key = selfsigned.make(made["names"])
        pem = {made["certificate"]: key + certificate}
    states = tuple(courier_change.pem_state(path, content) for path, content in pem.items())
    return _Made(
        files=(*rewritten(texts), *excepted.states, *states),
        check=lambda: courier_change.check(texts, _strings(wants, scoped), list(pem)),
        hidden={**dict.fromkeys(pem, KEY), **excepted.hidden},
        candidate=lambda *where: courier_rehearsal.prepare(texts, pem, *where),
        now=lambda *where: courier_rehearsal.prepare({}, {}, *where),
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
