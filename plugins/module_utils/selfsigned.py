# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A self-signed certificate, so that TLS can be required where there is none. A stopgap.

The key is made on the host and leaves it nowhere. ECDSA P-256 (RFC 9325 section 4.5), one year,
names as DNS-IDs (RFC 7817). The standard library makes no keys, so ``openssl`` is run, with its
files in a directory that only root can open.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Optional

from . import host, scratch

DAYS = 365
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*\.?\Z")


class CannotMake(Exception):
    """No certificate could be made; the message is a sentence with the cure."""


def make(names: Sequence[str], key_type: str = "ecdsa") -> tuple[bytes, bytes]:
    """A certificate and its private key as PEM; the first name is the common name.

    ``key_type`` is one of KEYS. Raises :class:`CannotMake` where openssl is missing, fails or a
    name is no host name.
    """
    return _made(names, [*_command(key_type), "-x509", "-days", str(DAYS)])


def request(
    names: Sequence[str], key_type: str = "ecdsa", key: Optional[bytes] = None
) -> tuple[bytes, bytes]:
    """A request for a certificate (PKCS #10) and its private key as PEM, a new one or ``key``.

    Raises as :func:`make`.
    """
    if key is not None:
        return _made(names, ["openssl", "req", "-new", "-sha256"], key)
    return _made(names, [*_command(key_type), "-new"])


def _made(
    names: Sequence[str], command: Sequence[str], key: Optional[bytes] = None
) -> tuple[bytes, bytes]:
    for name in names or ("",):
        if len(name) > 253 or not _NAME.match(name):
            raise CannotMake(f"{name[:64]!r} is no host name; set mail_tls_names")
    with scratch.folder("key") as directory:
        with open(os.path.join(directory, "request"), "w", encoding="ascii") as handle:
            handle.write(_request(names))
        if key is not None:
            with open(os.path.join(directory, "key"), "wb") as handle:
                handle.write(key)
        files = {"config": "request", "key" if key else "keyout": "key", "out": "certificate"}
        places = [
            arg for option, name in files.items() for arg in (f"-{option}", f"{directory}/{name}")
        ]
        answer = host.run([*command, *places])
        if answer.rc == host.NOT_FOUND:
            raise CannotMake("openssl is not installed on the host; install the package openssl")
        if answer.rc:
            last = (answer.stderr.strip().splitlines() or [f"exit code {answer.rc}"])[-1]
            raise CannotMake(f"openssl could not make a certificate: {last[:200]}")
        read = [_bytes(os.path.join(directory, name)) for name in ("certificate", "key")]
        return read[0], read[1]


def _request(names: Sequence[str]) -> str:
    """A configuration of its own: what the distribution's openssl.cnf adds differs by version."""
    alternatives = ",".join(f"DNS:{name}" for name in names)
    return (
        "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = extensions\n"
        "req_extensions = extensions\n"
        # RFC 5280 limits a common name to 64 characters.
        f"[name]\nCN = {names[0][:64]}\n"
        "[extensions]\nbasicConstraints = critical,CA:FALSE\n"
        "keyUsage = critical,digitalSignature\nextendedKeyUsage = serverAuth\n"
        f"subjectKeyIdentifier = hash\nsubjectAltName = {alternatives}\n"
    )


KEYS: dict[str, tuple[str, ...]] = {
    "ecdsa": (
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-pkeyopt", "ec_param_enc:named_curve"),
    ),
    "rsa": ("-newkey", "rsa:3072"),
}
"""Kind of key → how openssl is asked for one; RSA as long as 128 bits of security (RFC 9325)."""


def _command(key_type: str) -> Sequence[str]:
    return ["openssl", "req", *KEYS[key_type], "-nodes", "-sha256"]


def _bytes(path: str) -> bytes:
    with open(path, "rb") as handle:
        return handle.read()
