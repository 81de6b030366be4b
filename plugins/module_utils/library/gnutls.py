# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask GnuTLS (3.6 and later) what a priority string opens, by gnutls/gnutls.h and ctypes.

gnutls_priority_init(3) and the functions that list a priority, as ``gnutls-cli --list --priority``
calls them; the system-wide configuration of GnuTLS weighs on the answer as it does on a server.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_void_p
from types import SimpleNamespace
from typing import Any, Optional

from ..model.configured import Expansion
from ..text import NAME, clean
from .loader import Prototypes, Rejected, load, shadowed

_UINT_LIST = POINTER(c_uint)
_FUNCTIONS: Prototypes = {
    "check_version": (c_char_p, (c_char_p,)),
    "strerror": (c_char_p, (c_int,)),
    "priority_init": (c_int, (POINTER(c_void_p), c_char_p, POINTER(c_void_p))),
    "priority_deinit": (None, (c_void_p,)),
    "priority_protocol_list": (c_int, (c_void_p, POINTER(_UINT_LIST))),
    "priority_group_list": (c_int, (c_void_p, POINTER(_UINT_LIST))),
    "priority_get_cipher_suite_index": (c_int, (c_void_p, c_uint, POINTER(c_uint))),
    "cipher_suite_info": (c_char_p, (c_size_t, c_char_p, *(c_void_p,) * 4)),
    "group_get_name": (c_char_p, (c_int,)),
}
_UNKNOWN_CIPHER_SUITE = -21
_MAX_SUITES = 1024
# gnutls_protocol_t; DTLS (200 and up) is left out: these servers speak TCP.
_VERSIONS: dict[int, int] = {1: 0x0300, 2: 0x0301, 3: 0x0302, 4: 0x0303, 5: 0x0304}
# By the names of gnutls_group_get_name(3), which are stable where the numbers are not, to the
# IANA registry "TLS Supported Groups".
_GROUPS: dict[str, int] = {
    "SECP192R1": 19,
    "SECP224R1": 21,
    "SECP256R1": 23,
    "SECP384R1": 24,
    "SECP521R1": 25,
    "X25519": 29,
    "X448": 30,
    "GC256A": 34,
    "GC256B": 35,
    "GC256C": 36,
    "GC256D": 37,
    "GC512A": 38,
    "GC512B": 39,
    "GC512C": 40,
    "FFDHE2048": 256,
    "FFDHE3072": 257,
    "FFDHE4096": 258,
    "FFDHE6144": 259,
    "FFDHE8192": 260,
    "SECP256R1-MLKEM768": 0x11EB,
    "X25519-MLKEM768": 0x11EC,
    "SECP384R1-MLKEM1024": 0x11ED,
    "X25519-KYBER768": 0x6399,
}


@functools.lru_cache(maxsize=8)
def _library(path: str) -> Optional[SimpleNamespace]:
    return None if shadowed(path) else load(path, _FUNCTIONS, "gnutls_")


def version(path: str) -> Optional[str]:
    """The version that the library itself reports."""
    gnutls = _library(path)
    return None if gnutls is None else clean(gnutls.check_version(None) or b"", NAME) or None


def expand(path: str, priority: str) -> Expansion:
    """What ``priority`` opens; empty = the library's default. Raises :class:`Rejected`."""
    gnutls = _library(path)
    if gnutls is None:
        return Expansion()
    cache = _priority(gnutls, priority)
    try:
        versions = _listed(gnutls.priority_protocol_list, cache)
        names = (gnutls.group_get_name(n) for n in _listed(gnutls.priority_group_list, cache))
        groups = (_GROUPS.get((name or b"").decode("ascii", "replace")) for name in names)
        return Expansion(
            versions=tuple(_VERSIONS[v] for v in versions if v in _VERSIONS),
            suites=tuple(_suites(gnutls, cache)),
            groups=tuple(g for g in groups if g is not None),
        )
    finally:
        gnutls.priority_deinit(cache)


def _priority(gnutls: SimpleNamespace, priority: str) -> c_void_p:
    """A gnutls_priority_t, for the caller to free; an empty string is the library's default."""
    cache, fault = c_void_p(), c_void_p()
    buffer = ctypes.create_string_buffer(priority.encode("ascii")) if priority else None
    result = gnutls.priority_init(byref(cache), buffer, byref(fault))
    if result == 0:
        return cache
    reason = clean(gnutls.strerror(result) or b"not accepted by GnuTLS", NAME).rstrip(".")
    offset = (fault.value or 0) - (ctypes.addressof(buffer) if buffer else 0)
    raise Rejected("priority", reason, offset if 0 <= offset <= len(priority) else None)


def _listed(function: Any, cache: c_void_p) -> list[int]:
    items = _UINT_LIST()
    count = function(cache, byref(items))
    return [items[i] for i in range(max(count, 0))] if items else []


def _suites(gnutls: SimpleNamespace, cache: c_void_p) -> Iterator[int]:
    index, code = c_uint(), ctypes.create_string_buffer(2)
    for position in range(_MAX_SUITES):
        result = gnutls.priority_get_cipher_suite_index(cache, position, byref(index))
        if result == _UNKNOWN_CIPHER_SUITE:
            continue
        if result != 0:
            return
        if gnutls.cipher_suite_info(index.value, code, None, None, None, None):
            yield int.from_bytes(code.raw, "big")
