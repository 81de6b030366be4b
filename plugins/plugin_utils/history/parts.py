# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's part of the report's document as two parts to keep, and back.

Most days a host is as it was the day before. What it is like (servers, ports, DNS) and what was
made of it (verdict, findings) are therefore kept apart, each once, under the SHA-256 of its own
bytes. What changes by itself is taken out first and put back on reading: the moment of the
observation, the days that certificates have left, and what is new since the earlier report.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from .database import Trouble

_FACTS = ("host", "servers", "endpoints", "dns", "written")
_BY_ITSELF = frozenset({"observed_at", "since", "days_left"})
LIMIT = 64 * 1024 * 1024
"""Bytes of a part. A host's posture at full depth is well below one million."""


def split(host: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """What the host is like, and what was made of it, each as bytes that depend on nothing else."""
    facts = {key: host[key] for key in _FACTS if key in host}
    judgement = {key: value for key, value in host.items() if key not in _FACTS}
    return canonical(_without(facts)), canonical(_without(judgement))


def join(facts: bytes, judgement: bytes, observed_at: str) -> dict[str, Any]:
    """The part of the document again; ``since`` is ``None``."""
    host: dict[str, Any] = {**json.loads(judgement), **json.loads(facts)}
    host["observed_at"], host["since"] = observed_at, None
    now = _read(observed_at)
    for certificate in _certificates(host):
        end = _read(certificate["not_after"])
        certificate["days_left"] = (end - now).days
    return host


def canonical(value: Any) -> bytes:
    """JSON that is the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def name(part: bytes) -> str:
    """What a part is called."""
    return hashlib.sha256(part).hexdigest()


def pack(part: bytes) -> bytes:
    """A part as it is stored."""
    return zlib.compress(part, 6)


def unpack(body: bytes) -> bytes:
    """What :func:`pack` made; Trouble for anything else, and for what would not fit."""
    reader = zlib.decompressobj()
    try:
        part = reader.decompress(bytes(body), LIMIT)
    except zlib.error as error:
        raise Trouble(f"a posture in the history cannot be unpacked: {error}") from None
    if reader.unconsumed_tail or not reader.eof:
        raise Trouble("a posture in the history is cut off, or longer than any that was written")
    return part


def _without(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without(v) for key, v in value.items() if key not in _BY_ITSELF}
    if isinstance(value, (list, tuple)):
        return [_without(item) for item in value]
    return value


def _certificates(value: Any) -> Iterator[dict[str, Any]]:
    """Every certificate that could be read, wherever it stands."""
    if isinstance(value, dict):
        if "der" in value and value.get("not_after"):
            yield value
        for inner in value.values():
            yield from _certificates(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _certificates(inner)


def _read(moment: str) -> datetime:
    return datetime.fromisoformat(moment.replace("Z", "+00:00"))
