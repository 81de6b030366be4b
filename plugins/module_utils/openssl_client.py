# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenSSL that Python is linked to, for what its ``ssl`` module does not offer.

That is to begin a renegotiation, to name the signature schemes that a handshake may use, and to see
what TLS 1.3 encrypts: a stapled OCSP response, the request for a client certificate. As
local_tls.py it is a state machine between two buffers and verifies nothing; bytes are carried by
who uses it. Where a function is missing (LibreSSL, a Python with OpenSSL built in), there is no
client. Source: openssl/ssl.h, bio.h and err.h of OpenSSL 1.1.1 to 3.5.
"""

from __future__ import annotations

import _ssl
import contextlib
import ctypes
import functools
from collections.abc import Iterator
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_long, c_uint64, c_ulong, c_void_p
from types import SimpleNamespace
from typing import Any, Optional

from .library.loader import Prototypes, load
from .local_tls import CHUNK, TlsFailed
from .text import clean

_AskedForCertificate = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p)
_PROTOTYPES: Prototypes = {
    "TLS_client_method": (c_void_p, ()),
    "SSL_CTX_new": (c_void_p, (c_void_p,)),
    "SSL_CTX_free": (None, (c_void_p,)),
    "SSL_CTX_ctrl": (c_long, (c_void_p, c_int, c_long, c_void_p)),
    "SSL_CTX_set_options": (c_uint64, (c_void_p, c_uint64)),
    "SSL_CTX_set_cipher_list": (c_int, (c_void_p, c_char_p)),
    "SSL_CTX_set_client_cert_cb": (None, (c_void_p, _AskedForCertificate)),
    "SSL_new": (c_void_p, (c_void_p,)),
    "SSL_free": (None, (c_void_p,)),
    "SSL_ctrl": (c_long, (c_void_p, c_int, c_long, c_void_p)),
    "SSL_set_bio": (None, (c_void_p, c_void_p, c_void_p)),
    "SSL_set_connect_state": (None, (c_void_p,)),
    "SSL_do_handshake": (c_int, (c_void_p,)),
    "SSL_read": (c_int, (c_void_p, c_void_p, c_int)),
    "SSL_get_error": (c_int, (c_void_p, c_int)),
    "SSL_version": (c_int, (c_void_p,)),
    "SSL_renegotiate": (c_int, (c_void_p,)),
    "SSL_renegotiate_pending": (c_int, (c_void_p,)),
    "SSL_get_peer_cert_chain": (c_void_p, (c_void_p,)),
    "OPENSSL_sk_num": (c_int, (c_void_p,)),
    "OPENSSL_sk_value": (c_void_p, (c_void_p, c_int)),
    "i2d_X509": (c_int, (c_void_p, POINTER(c_void_p))),
    "BIO_s_mem": (c_void_p, ()),
    "BIO_new": (c_void_p, (c_void_p,)),
    "BIO_read": (c_int, (c_void_p, c_void_p, c_int)),
    "BIO_write": (c_int, (c_void_p, c_char_p, c_int)),
    "ERR_clear_error": (None, ()),
    "ERR_get_error": (c_ulong, ()),
    "ERR_reason_error_string": (c_char_p, (c_ulong,)),
}
_SET_TLSEXT_HOSTNAME = 55
_SET_STATUS_REQUEST_TYPE, _OCSP = 65, 1
_GET_OCSP_RESPONSE = 70
_SET_SIGALGS_LIST = 98
_SET_MIN_PROTO_VERSION = 123
_SET_MAX_PROTO_VERSION = 124
_OPTIONS = 0x4 | 0x40000  # legacy servers, and renegotiation with them: to see whether they do it
_WANT_READ = 2
_ZERO_RETURN = 6
_REASON = 0xFFF  # SSL_R_…; an alert that was received stands above SSL_AD_REASON_OFFSET
_ALERTS = 1000
_NO_RENEGOTIATION = 339  # SSL_R_NO_RENEGOTIATION: the warning alert of RFC 5246 section 7.2.2
NO_RENEGOTIATION = 100


@functools.lru_cache(maxsize=1)
def _openssl() -> Optional[SimpleNamespace]:
    """Found by the module that Python itself uses, so that there are never two in one process."""
    path: Any = getattr(_ssl, "__file__", None)  # None: it is a part of the program
    return load(path, _PROTOTYPES)


def available() -> bool:
    """Whether such a client can be had here."""
    return _openssl() is not None


class OpenSslClient:
    """A client; to be made only where there is one (:func:`available`), and to be closed.

    ``asked``: the server asked for a client certificate; it got none.
    ``newest`` is the highest version to offer. ``signatures`` names schemes as OpenSSL does
    (``RSA-PSS+SHA256:ed25519``), all that it has where it is empty.
    """

    def __init__(self, server_name: Optional[str], newest: int, signatures: str = "") -> None:
        found = _openssl()
        if found is None:
            raise RuntimeError("there is no OpenSSL to be used here")
        self._lib = found
        self._context = found.SSL_CTX_new(found.TLS_client_method())
        found.SSL_CTX_ctrl(self._context, _SET_MIN_PROTO_VERSION, 0, None)
        found.SSL_CTX_ctrl(self._context, _SET_MAX_PROTO_VERSION, newest, None)
        found.SSL_CTX_set_options(self._context, _OPTIONS)
        found.SSL_CTX_set_cipher_list(self._context, b"DEFAULT:@SECLEVEL=0")
        self.asked = False
        self._callback = _AskedForCertificate(self._was_asked)  # kept as long as it may be called
        found.SSL_CTX_set_client_cert_cb(self._context, self._callback)
        if signatures:
            words = signatures.encode("ascii")
            found.SSL_CTX_ctrl(self._context, _SET_SIGALGS_LIST, 0, words)
        self._session = found.SSL_new(self._context)
        self._in, self._out = (found.BIO_new(found.BIO_s_mem()) for _end in range(2))
        found.SSL_set_bio(self._session, self._in, self._out)  # owns both from here on
        found.SSL_set_connect_state(self._session)
        found.SSL_ctrl(self._session, _SET_STATUS_REQUEST_TYPE, _OCSP, None)
        if server_name is not None:
            name = server_name.encode("ascii")
            found.SSL_ctrl(self._session, _SET_TLSEXT_HOSTNAME, 0, name)
        found.ERR_clear_error()

    def close(self) -> None:
        """Gives the memory back; nothing else may be called then."""
        self._lib.SSL_free(self._session)
        self._lib.SSL_CTX_free(self._context)
        self._session = self._context = None

    def receive(self, data: bytes) -> None:
        """Takes in what the peer sent."""
        self._lib.BIO_write(self._in, data, len(data))

    def to_send(self) -> bytes:
        """What is to be sent to the peer now."""
        found = b""
        buffer = ctypes.create_string_buffer(CHUNK)
        while (size := self._lib.BIO_read(self._out, buffer, CHUNK)) > 0:
            found += buffer.raw[:size]
        return found

    def handshake(self) -> bool:
        """Goes on with the handshake; whether it is complete. Raises TlsFailed."""
        with self._own_errors():
            return self._done(self._lib.SSL_do_handshake(self._session))

    def renegotiate(self) -> None:
        """Begins a renegotiation (TLS 1.2 and older; RFC 5246 section 7.4.1.2)."""
        with self._own_errors():
            self._lib.SSL_renegotiate(self._session)

    def renegotiated(self) -> bool:
        """Goes on with it; whether it is complete. Raises TlsFailed.

        By reading: what the server says in between (a greeting) is then no error.
        """
        buffer = ctypes.create_string_buffer(CHUNK)
        with self._own_errors():
            while self._done(self._lib.SSL_read(self._session, buffer, CHUNK)):
                pass
        return not self._lib.SSL_renegotiate_pending(self._session)

    def version(self) -> int:
        """The version that was agreed on."""
        return int(self._lib.SSL_version(self._session))

    def stapled(self) -> bool:
        """Whether an OCSP response came with the certificate."""
        response = c_void_p()
        place = ctypes.byref(response)
        return bool(self._lib.SSL_ctrl(self._session, _GET_OCSP_RESPONSE, 0, place) > 0)

    def chain(self) -> tuple[bytes, ...]:
        """The served chain: DER, leaf first."""
        stack = self._lib.SSL_get_peer_cert_chain(self._session)
        count = self._lib.OPENSSL_sk_num(stack) if stack else 0
        return tuple(self._der(self._lib.OPENSSL_sk_value(stack, at)) for at in range(count))

    def _der(self, certificate: int) -> bytes:
        size = self._lib.i2d_X509(certificate, None)
        buffer = ctypes.create_string_buffer(max(size, 1))
        place = c_void_p(ctypes.addressof(buffer))
        self._lib.i2d_X509(certificate, ctypes.byref(place))
        return buffer.raw[: max(size, 0)]

    def _was_asked(self, _session: int, _certificate: int, _key: int) -> int:
        self.asked = True
        return 0

    @contextlib.contextmanager
    def _own_errors(self) -> Iterator[None]:
        """The queue of errors is the thread's, and Python's ``ssl`` reads it too."""
        self._lib.ERR_clear_error()
        try:
            yield
        finally:
            self._lib.ERR_clear_error()

    def _done(self, result: int) -> bool:
        if result > 0:
            return True
        kind = self._lib.SSL_get_error(self._session, result)
        if kind == _WANT_READ:
            return False
        if kind == _ZERO_RETURN:
            raise TlsFailed("closed", "close_notify")
        code = self._lib.ERR_get_error()
        words = clean(self._lib.ERR_reason_error_string(code) or b"", 128)
        alert = _alert(code & _REASON)
        raise TlsFailed("unexpected" if alert is None else "alert", words, alert)


def _alert(reason: int) -> Optional[int]:
    if reason == _NO_RENEGOTIATION:
        return NO_RENEGOTIATION
    return reason - _ALERTS if _ALERTS <= reason < _ALERTS + 256 else None
