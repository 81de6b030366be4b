# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate on order: its key is made here, a request leaves, and a chain comes back.

Key and chain are one file below STATE_DIR, replaced in one step, from which they are deployed; the
key of an order that is under way waits beside it. Neither leaves the host, and a renewal makes a
new key unless it is asked to keep the one at hand. Whoever issues (an authority on the controller,
an ACME client there) sees the request. Who that was stands in the file before the key, as text that
readers of PEM pass over (RFC 7468 section 2), so that another authority is noticed.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from typing import Optional

from . import host, material, selfsigned, transaction, x509
from .text import clean
from .transaction import FileState

LEFT = 1 / 3
"""The share of a lifetime that is left when a certificate is renewed: before anybody is warned."""
ISSUER = b"Ordered from: "
_HELD = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----\n.*?-----END \1-----\n", re.DOTALL)
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}\Z")


@dataclass(frozen=True)
class Order:
    """What is wanted: ``name`` is the order's own, ``key_type`` one of selfsigned.KEYS.

    ``issuer`` says who issues in any words (an URL, a fingerprint), for comparison with before.
    """

    name: str
    names: tuple[str, ...]
    key_type: str = "ecdsa"
    selfsigned: bool = False
    issuer: str = ""

    @property
    def path(self) -> str:
        """The file with key and chain."""
        return os.path.join(_folder(), f"{self.name}.pem")

    @property
    def pending(self) -> str:
        """The key of a request that is not answered yet."""
        return os.path.join(_folder(), f"{self.name}.next")


def due(order: Order, now: Optional[float] = None) -> Optional[str]:
    """Why a certificate has to be ordered, as a clause; ``None`` where the one at hand will do.

    Raises ValueError where the order's name is no file name.
    """
    if not NAME.match(order.name):
        raise ValueError(f"{order.name[:64]!r} is no name for a file")
    raw, problem = host.read_bytes(order.path, material.LIMIT)
    if problem:
        return "there is none yet"
    try:
        chain = material.certificates(raw)
    except x509.NotOne as error:
        return f"it cannot be read: {error}"
    if not chain:
        return "it is empty"
    return _elsewhere(order, raw) or _stale(order, chain[0], time.time() if now is None else now)


def _elsewhere(order: Order, raw: bytes) -> Optional[str]:
    if not order.issuer or raw.startswith(_heading(order)):
        return None
    return f"it was not ordered from {clean(order.issuer, 200)}"


def _stale(order: Order, leaf: x509.Certificate, now: float) -> Optional[str]:
    missing = [name for name in order.names if not leaf.covers(name)]
    if missing:
        return f"it does not cover {', '.join(missing)}"
    if leaf.key_type != order.key_type:
        return f"its key is {leaf.key_type.upper()}"
    if leaf.self_issued != order.selfsigned:
        return "it is self-signed" if leaf.self_issued else "it is not self-signed"
    if leaf.not_after - now < (leaf.not_after - leaf.not_before) * LEFT:
        return f"it ends at {material.moment(leaf.not_after)}"
    return None


def request(order: Order, reuse_key: bool = False) -> str:
    """Make a new key and a request for it; the request as PEM (PKCS #10).

    With ``reuse_key`` the key at hand is asked for again, where it is of the kind that is wanted.
    Raises :class:`selfsigned.CannotMake` or OSError.
    """
    held = _held_key(order) if reuse_key else None
    asked, key = selfsigned.request(order.names, order.key_type, held)
    _write(order.pending, key)
    return asked.decode("ascii")


def complete(order: Order, chain: str) -> None:
    """Take the chain that was issued for the last request.

    Raises :class:`material.BadInput` for a chain that is not fit: it is checked as one that is
    deployed.
    """
    text = chain.encode("ascii", "replace")
    both = f"{order.pending}.pem"
    _write(both, host.read_bytes(order.pending, material.LIMIT)[0] + text)
    try:
        made = material.take(material.Source(both, both, order.names))
    except material.BadInput as error:
        raise material.BadInput(str(error).replace(both, "what was issued")) from None
    finally:
        transaction.unstage((both,))
    _write(order.path, _heading(order) + made.key + made.pem)
    transaction.unstage((order.pending,))


def sign_itself(order: Order) -> None:
    """Make a self-signed certificate, the stopgap that it is."""
    certificate, key = selfsigned.make(order.names, order.key_type)
    _write(order.path, key + certificate)


def _heading(order: Order) -> bytes:
    return ISSUER + json.dumps(order.issuer).encode("ascii") + b"\n" if order.issuer else b""


def _held_key(order: Order) -> Optional[bytes]:
    """The key of the certificate at hand, in the form in which :func:`complete` wrote it."""
    raw = host.read_bytes(order.path, material.LIMIT)[0]
    found = _HELD.search(raw)
    try:
        chain = material.certificates(raw)
    except x509.NotOne:
        return None
    return found[0] if found and chain and chain[0].key_type == order.key_type else None


def _folder() -> str:
    return os.path.join(transaction.STATE_DIR, "certificates")


def _write(path: str, content: bytes) -> None:
    os.makedirs(transaction.STATE_DIR, mode=0o700, exist_ok=True)
    os.makedirs(_folder(), mode=0o700, exist_ok=True)
    transaction.install(FileState(path, content, 0o600, os.geteuid(), os.getegid()), "new")
