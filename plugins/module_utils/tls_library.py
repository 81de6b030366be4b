# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the TLS library that a server is linked to what a configuration string means to it.

Only the library itself knows: its version, the distribution's patches and its system-wide policy
decide which suites a cipher list opens and whether a group name exists at all. So the very file
that the server loads is loaded with ctypes, given the string, and asked for code points.

This file knows no server and no policy. What cannot be asked (no such file, another architecture,
a missing function) is ``None``; what the library refuses is :class:`Rejected`, with its reason.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Optional

from . import host
from .library import gnutls, openssl
from .library.loader import Rejected
from .model.configured import Expansion, TlsLibrary

__all__ = ["Rejected", "TlsLibrary", "accepts_group", "expand", "known_groups", "linked"]

# Longer strings are refused unseen: every suite of OpenSSL by its long name makes less than this.
MAX_STRING = 4096

_LINKED = re.compile(
    r"^\s*(?:lib(?P<name>ssl|gnutls)\.so\S*)\s+=>\s+(?P<path>/\S+)\s+\(0x[0-9a-f]+\)$", re.M
)
_NAMES = {"ssl": "openssl", "gnutls": "gnutls"}
_VERSION = {"openssl": openssl.version, "gnutls": gnutls.version}
_GROUP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_FOREIGN = re.compile(r"[^\x20-\x7e]")


def linked(binary: str) -> Optional[TlsLibrary]:
    """The TLS library that ``binary`` (a program or a shared object) is linked to, by ``ldd``.

    The nearest one counts where there are several: ldd lists direct dependencies first.
    ``None`` where the file does not exist or needs neither OpenSSL nor GnuTLS.
    """
    match = _LINKED.search(host.run(["ldd", binary]).stdout)
    if match is None:
        return None
    name, path = _NAMES[match["name"]], match["path"]
    return TlsLibrary(name=name, version=_VERSION[name](path), path=path)


def expand(
    library: TlsLibrary,
    *,
    ciphers: Optional[str] = None,
    cipher_suites: Optional[str] = None,
    groups: Optional[str] = None,
    priority: Optional[str] = None,
) -> Expansion:
    """What these strings open on ``library``, as code points in its own order.

    ``None`` = not asked for; an empty string asks for the library's default. ``ciphers`` (up to
    TLS 1.2), ``cipher_suites`` (TLS 1.3) and ``groups`` are for OpenSSL, ``priority`` for GnuTLS;
    those of the other library are ignored, as the servers ignore them. Only a priority says
    ``versions``. Raises :class:`Rejected` for a string the library would not take.
    """
    strings = (ciphers, cipher_suites, groups, priority)
    for name, string in zip(("ciphers", "cipher_suites", "groups", "priority"), strings):
        _admit(name, string)
    return _expand(library, *strings)


def accepts_group(library: TlsLibrary, name: str) -> Optional[bool]:
    """Whether ``library`` knows the key exchange group ``name`` (in its own spelling).

    ``None`` where it could not be asked. What is not a plain name is never known.
    """
    if not _GROUP_NAME.match(name):
        return False
    priority = f"NORMAL:+GROUP-{name}"
    try:
        return _expand(library, None, None, name, priority).groups is not None or None
    except Rejected:
        return False


def known_groups(library: TlsLibrary, names: Sequence[str]) -> tuple[str, ...]:
    """Those of ``names`` that ``library`` is known to accept, in the given order."""
    return tuple(name for name in names if accepts_group(library, name))


def _admit(name: str, string: Optional[str]) -> None:
    if string is None:
        return
    if len(string) > MAX_STRING:
        raise Rejected(name, f"longer than {MAX_STRING} characters")
    fault = _FOREIGN.search(string)
    if fault is not None:
        raise Rejected(name, "holds a character that is not printable ASCII", fault.start())


@functools.lru_cache(maxsize=256)
def _expand(
    library: TlsLibrary,
    ciphers: Optional[str],
    cipher_suites: Optional[str],
    groups: Optional[str],
    priority: Optional[str],
) -> Expansion:
    if library.path is None:
        return Expansion()
    if library.name == "gnutls":
        return Expansion() if priority is None else gnutls.expand(library.path, priority)
    if ciphers is cipher_suites is groups is None:
        return Expansion()
    return openssl.expand(library.path, ciphers, cipher_suites, groups)
