# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is there a certificate with which TLS can be required; and who can read its key. Pure.

A certificate that users may distrust (expired, another name) is still one; what cannot shake hands
at all is replaced by a self-signed one beside it, and the administrator's file stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from ...module_utils.model.configured import FileFact
from .. import certificate as x509
from ..policy import Profile
from .plan import ModeWant
from .rules import Target


def unusable(target: Target, scope: str) -> Optional[str]:
    """Why TLS cannot be required with the certificate of ``scope``; ``None`` when it can."""
    files: Mapping[str, FileFact] = {f.path: f for f in target.server.files}
    row, key_row = (target.server.value(f, scope) for f in ("certificate", "key"))
    if row is not None and row.value is None:
        return None  # the server computes the name: not observed, so left alone
    if row is None or not row.value:
        return "no certificate is configured"
    fact = files.get(row.value)
    key = files.get(key_row.value) if key_row and key_row.value else None
    for item in (fact, key):
        # An encrypted key is served where ssl_key_password opens it: the handshakes will tell.
        if item is not None and item.problem and not item.problem.endswith("is encrypted"):
            return f"{item.path} {item.problem}"
    if fact is None:
        return None  # not observed: leave it alone, the checks on the candidate will tell
    if not fact.chain:
        return f"{fact.path} holds no certificate"
    if fact.key_matches is False:
        return f"the key does not belong to {fact.path}"
    return _weak_key(fact, target.profile)


def _weak_key(fact: FileFact, profile: Profile) -> Optional[str]:
    try:
        facts = x509.read_base64(fact.chain[0])
    except x509.CertificateError as error:
        return f"{fact.path}: {error}"
    if facts.key_type == "rsa" and (facts.key_bits or 0) < profile.rsa_bits_min:
        return f"the key of {fact.path} is RSA with {facts.key_bits} bits"
    return None


def mode_wants(files: Sequence[FileFact]) -> list[ModeWant]:
    """Keys that others than owner and group can read."""
    wants = []
    for fact in files:
        if fact.role in ("key", "combined") and fact.exists and fact.mode:
            mode = int(fact.mode, 8)
            if mode & 0o007:
                wants.append(ModeWant(fact.path, f"{mode & 0o770:04o}"))
    return wants
