# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask OpenSSL (1.1.1 and later) what its strings open, by openssl/ssl.h and ctypes.

OpenSSL has no call that reads a group list back, but whatever a context allows stands in the
ClientHello it would send: the context writes one into memory, and that is read (RFC 8446 section
4.1.2). The security level weighs on it as it does on a server. Nothing is sent anywhere.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable, Iterator
from ctypes import c_char_p, c_int, c_long, c_ulong, c_void_p
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Optional

from ..model.configured import Expansion
from ..text import NAME, clean
from .loader import Prototypes, Rejected, load, shadowed

_SSL: Prototypes = {
    "TLS_client_method": (c_void_p, ()),
    "SSL_CTX_new": (c_void_p, (c_void_p,)),
    "SSL_CTX_free": (None, (c_void_p,)),
    "SSL_CTX_ctrl": (c_long, (c_void_p, c_int, c_long, c_void_p)),
    "SSL_CTX_set_cipher_list": (c_int, (c_void_p, c_char_p)),
    "SSL_CTX_set_ciphersuites": (c_int, (c_void_p, c_char_p)),
    "SSL_new": (c_void_p, (c_void_p,)),
    "SSL_free": (None, (c_void_p,)),
    "SSL_set_bio": (None, (c_void_p, c_void_p, c_void_p)),
    "SSL_set_connect_state": (None, (c_void_p,)),
    "SSL_do_handshake": (c_int, (c_void_p,)),
}
_CRYPTO: Prototypes = {
    "OpenSSL_version": (c_char_p, (c_int,)),
    "BIO_s_mem": (c_void_p, ()),
    "BIO_new": (c_void_p, (c_void_p,)),
    "BIO_read": (c_int, (c_void_p, c_void_p, c_int)),
    "ERR_clear_error": (None, ()),
    "ERR_get_error": (c_ulong, ()),
    "ERR_reason_error_string": (c_char_p, (c_ulong,)),
}
_SET_GROUPS_LIST = 92
_SET_MIN_PROTO_VERSION = 123
_SET_MAX_PROTO_VERSION = 124
# Signals in the place of suites: RFC 5746 section 3.3, RFC 7507 section 2.
_SIGNALS = frozenset({0x00FF, 0x5600})
_SUPPORTED_GROUPS = 10
_RECORD_CAP = 1 << 16


@functools.lru_cache(maxsize=8)
def _library(path: str) -> Optional[SimpleNamespace]:
    beside = os.path.join(
        os.path.dirname(path), os.path.basename(path).replace("libssl", "libcrypto", 1)
    )
    if shadowed(path) or shadowed(beside):
        return None
    crypto = load(beside, _CRYPTO)
    ssl = load(path, _SSL)
    if crypto is None or ssl is None:
        return None
    return SimpleNamespace(ssl=ssl, crypto=crypto)


def version(path: str) -> Optional[str]:
    """The version of the libcrypto beside ``path``; a fork's is shown with its name."""
    library = _library(path)
    if library is None:
        return None
    # "OpenSSL 3.0.15 3 Sep 2024"
    words = clean(library.crypto.OpenSSL_version(0) or b"", NAME).split()
    if len(words) < 2:
        return None
    return words[1] if words[0] == "OpenSSL" else " ".join(words[:2])


def expand(
    path: str, ciphers: Optional[str], cipher_suites: Optional[str], groups: Optional[str]
) -> Expansion:
    """Suites and groups that the strings open; ``None`` = not asked for, empty = the default.

    ``versions`` stays ``None``: no string here says them. Raises :class:`Rejected`.
    """
    library = _library(path)
    if library is None:
        return Expansion()
    hello = _hello_of(library, ciphers, cipher_suites, groups)
    if hello is None:
        return Expansion()
    wanted = tuple(
        suite
        for suite in hello.suites
        if (cipher_suites if suite >> 8 == 0x13 else ciphers) is not None
    )
    return Expansion(
        suites=None if ciphers is cipher_suites is None else wanted,
        groups=None if groups is None else hello.groups,
    )


def _hello_of(
    library: SimpleNamespace,
    ciphers: Optional[str],
    cipher_suites: Optional[str],
    groups: Optional[str],
) -> Optional[_Hello]:
    """What a fresh context with these strings would offer."""
    ssl = library.ssl
    context = ssl.SSL_CTX_new(ssl.TLS_client_method())
    if not context:
        return None
    try:
        # 0 lifts a floor or ceiling set by openssl.cnf: servers set their own.
        ssl.SSL_CTX_ctrl(context, _SET_MIN_PROTO_VERSION, 0, None)
        ssl.SSL_CTX_ctrl(context, _SET_MAX_PROTO_VERSION, 0, None)
        _configure(library, context, ciphers, cipher_suites, groups)
        return _hello(_client_hello(library, context))
    finally:
        ssl.SSL_CTX_free(context)


def _configure(
    library: SimpleNamespace,
    context: int,
    ciphers: Optional[str],
    cipher_suites: Optional[str],
    groups: Optional[str],
) -> None:
    ssl, crypto = library.ssl, library.crypto
    setters: tuple[tuple[str, Optional[str], Callable[[bytes], int]], ...] = (
        ("ciphers", ciphers, lambda s: ssl.SSL_CTX_set_cipher_list(context, s)),
        ("cipher_suites", cipher_suites, lambda s: ssl.SSL_CTX_set_ciphersuites(context, s)),
        ("groups", groups, lambda s: ssl.SSL_CTX_ctrl(context, _SET_GROUPS_LIST, 0, s)),
    )
    for name, string, setter in setters:
        if not string:
            continue
        crypto.ERR_clear_error()
        if setter(string.encode("ascii")) != 1:
            raise Rejected(name, _reason(crypto))


def _reason(crypto: SimpleNamespace) -> str:
    reason = crypto.ERR_reason_error_string(crypto.ERR_get_error())
    crypto.ERR_clear_error()
    return clean(reason, NAME) if reason else "not accepted by OpenSSL"


def _client_hello(library: SimpleNamespace, context: int) -> bytes:
    """The bytes of the ClientHello that ``context`` sends; empty if it has nothing to offer."""
    ssl, crypto = library.ssl, library.crypto
    session = ssl.SSL_new(context)
    if not session:
        return b""
    try:
        ssl.SSL_set_connect_state(session)
        source, sink = (crypto.BIO_new(crypto.BIO_s_mem()) for _end in range(2))
        ssl.SSL_set_bio(session, source, sink)  # owns both from here on
        ssl.SSL_do_handshake(session)  # stops at once: nothing to read
        buffer = ctypes.create_string_buffer(_RECORD_CAP)
        size = crypto.BIO_read(sink, buffer, _RECORD_CAP)
        return buffer.raw[: max(size, 0)]
    finally:
        ssl.SSL_free(session)
        crypto.ERR_clear_error()


@dataclass(frozen=True)
class _Hello:
    suites: tuple[int, ...]
    groups: tuple[int, ...]


def _hello(record: bytes) -> Optional[_Hello]:
    """The lists of a ClientHello record (RFC 8446 section 4.1.2); ``None`` for anything else."""
    try:
        if record[0] != 22 or record[5] != 1:
            return None
        at = 5 + 4 + 2 + 32
        at += 1 + record[at]  # session id
        size = int.from_bytes(record[at : at + 2], "big")
        suites = _numbers(record[at + 2 : at + 2 + size])
        at += 2 + size
        at += 1 + record[at]  # compression methods
        extensions = dict(_extensions(record[at + 2 :]))
    except IndexError:
        return None
    return _Hello(
        suites=tuple(s for s in suites if s not in _SIGNALS),
        groups=_numbers(extensions.get(_SUPPORTED_GROUPS, b"")[2:]),
    )


def _numbers(data: bytes) -> tuple[int, ...]:
    return tuple(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data) - 1, 2))


def _extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        kind, size = _numbers(data[:4])
        yield kind, data[4 : 4 + size]
        data = data[4 + size :]
