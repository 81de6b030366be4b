# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hostile server says in place of a flight of TLS, and what is seen of it.

Each row: its name, what is said, the cause that the handshake of the local library fails with,
and what the hello got, as in corpus.Case.
"""

from __future__ import annotations

import ssl

from ansible_collections.postmaster.tls.tests.hostile import tls_bytes as t
from ansible_collections.postmaster.tls.tests.hostile.server import Step
from ansible_collections.postmaster.tls.tests.hostile.steps import (
    drip,
    endless,
    pause,
    reset,
    say,
    say_and_hear,
    stall,
)

# What cannot be decrypted, or is empty, is a failure of the record layer since OpenSSL 3.2, and has
# names of its own before that.
_LAYER = "not_tls" if ssl.OPENSSL_VERSION_INFO >= (3, 2) else "unexpected"

# fmt: off
SERVER_HELLO = t.record(t.hello())
_BIG = b"\x16\x03\x03\x40\x00\x0b\x98\x96\x80" + bytes(16380)  # a Certificate of 10 MB
_MORE = t.record(bytes(16384))
_CHAIN = t.certificates(*[t.NOT_DER] * 33)

FLIGHTS: tuple[tuple[str, tuple[Step, ...], str, str], ...] = (
    ("closed", (), "closed", "None closed"),
    ("reset", (reset,), "reset", "None reset"),
    ("silent", (stall,), "timeout", "None timeout"),
    ("one byte now and then", (drip(t.flight()),), "timeout", "None timeout"),
    ("HTTP", (say(b"HTTP/1.1 400 Bad Request\r\n\r\n"),), "not_tls", "None not_tls"),
    ("noise", (say(bytes(range(256)) * 9),), "not_tls", "None not_tls"),
    ("NUL for ever", (endless(b"\0"),), "not_tls", "None not_tls"),
    ("its own hello", (say(b"\x16\x03\x01\0\x04\x01\0\0\0"),), "unexpected", "None unexpected"),
    # Records
    ("record version 4.0", (say(t.record(t.hello(), version=0x0400)),), "not_tls", "None not_tls"),
    ("record version 0.0", (say(t.record(t.hello(), version=0)),), "not_tls", "None not_tls"),
    ("record of type 25", (say(t.record(t.hello(), 25)),), "unexpected", "None not_tls"),
    ("record of 65535 bytes", (say(b"\x16\x03\x03\xff\xff" + bytes(65535)),), "not_tls", "None not_tls"),
    ("record of 18433 bytes", (say(b"\x16\x03\x03\x48\x01" + bytes(18433)),), "not_tls", "None not_tls"),
    ("record of no bytes", (say(t.record(b"")),), "closed", "None not_tls"),
    ("records of no bytes for ever", (endless(t.record(b"")),), _LAYER, "None not_tls"),
    ("record that promises more", (say(b"\x16\x03\x03\x02\x00\x02"),), "closed", "None closed"),
    ("record header only, silent", (say(b"\x16\x03\x03\x00\x40"), stall), "timeout", "None timeout"),
    ("SSLv2 ServerHello", (say(b"\x80\x0b\x04\0\x01\0\x02\0\0\0\0\0\0"),), "not_tls", "None not_tls"),
    ("application data first", (say(t.record(b"hello", 23)),), "unexpected", "None unexpected"),
    ("application data for ever", (endless(t.record(b"hello", 23)),), "unexpected", "None unexpected"),
    ("ChangeCipherSpec first", (say(t.record(b"\1", 20)),), "unexpected", "None unexpected"),
    ("ChangeCipherSpec for ever", (endless(t.record(b"\1", 20)),), "unexpected", "None unexpected"),
    ("a heartbeat", (say(t.record(b"\x01\x40\x00", 24)),), "unexpected", "None unexpected"),
    ("half an alert", (say(t.record(b"\2", 21)),), "unexpected", "None unexpected"),
    ("an alert of 3 bytes", (say(t.record(b"\2\x28\0", 21)),), "unexpected", "False alert"),
    ("two alerts", (say(t.alert(2, 40) + t.alert(2, 70)),), "alert", "False alert"),
    ("warnings for ever", (endless(t.alert(1, 112)),), "unexpected", "None too_much"),
    # Handshake messages
    ("HelloRequests for ever", (endless(t.record(t.message(0, b""))),), "too_much", "None too_much"),
    ("a message of 16 MB", (say(t.record(b"\x02\xff\xff\xff")),), "too_much", "None too_much"),
    ("a message of no bytes", (say(t.record(t.message(2, b""))),), "unexpected", "None unexpected"),
    ("an unknown message first", (say(t.record(t.message(99, b"x"))),), "unexpected", "None unexpected"),
    ("a Certificate first", (say(t.record(t.certificates(b"x"))),), "unexpected", "None unexpected"),
    ("ServerHelloDone first", (say(t.record(t.DONE)),), "unexpected", "None unexpected"),
    ("two ServerHellos", (say(SERVER_HELLO * 2),), "unexpected", "True unexpected"),
    ("ServerHello, then silent", (say(SERVER_HELLO), stall), "timeout", "True timeout"),
    ("ServerHello, then closed", (say(SERVER_HELLO),), "closed", "True closed"),
    ("ServerHello, then reset", (say(SERVER_HELLO), pause, reset), "reset", "True reset"),
    ("ServerHello, then noise", (say(SERVER_HELLO + b"\0" * 64),), "not_tls", "True not_tls"),
    ("ServerHello, then words", (say(SERVER_HELLO + b"* OK hi\r\n"),), "not_tls", "True not_tls"),
    ("ServerHelloDone with a body", (say(t.flight(t.message(14, b"x"))),), "unexpected", "True"),
    ("ServerHello and done", (say(t.flight(t.DONE)),), "unexpected", "True"),
    ("unknown messages for ever", (say(SERVER_HELLO), endless(t.record(t.message(99, b"x")))), "unexpected", "True too_much"),
    # ServerHello
    ("version 0x0000", (say(t.record(t.hello(0))),), "unexpected", "False closed"),
    ("version 0x0200", (say(t.record(t.hello(0x0200))),), "unexpected", "False closed"),
    ("version 0x0305", (say(t.record(t.hello(0x0305))),), "unexpected", "None unexpected"),
    ("version 0xffff", (say(t.record(t.hello(0xFFFF))),), "unexpected", "None unexpected"),
    ("TLS 1.3 in the old field", (say(t.record(t.hello(0x0304, 0x1301))),), "unexpected", "None unexpected"),
    ("a draft of TLS 1.3", (say(t.record(t.hello(extensions=t.vector(2, t.extension(43, b"\x7f\x1c"))))),), "unexpected", "None unexpected"),
    ("supported_versions empty", (say(t.record(t.hello(extensions=t.vector(2, t.extension(43))))),), "unexpected", "None unexpected"),
    ("a suite not offered", (say(t.flight().replace(b"\xc0\x2f", b"\xfe\xff")),), "unexpected", "None unexpected"),
    ("a suite of TLS 1.3 in TLS 1.2", (say(t.record(t.hello(suite=0x1301))),), "unexpected", "None unexpected"),
    ("the SCSV as suite", (say(t.record(t.hello(suite=0x00FF))),), "unexpected", "None unexpected"),
    ("the NULL suite", (say(t.record(t.hello(suite=0))),), "unexpected", "None unexpected"),
    ("compression 0xff", (say(t.record(t.hello(compression=255))),), "unexpected", "True closed"),
    ("a session id of 255 bytes", (say(t.record(t.hello(session=bytes(255)))),), "unexpected", "True closed"),
    ("extensions longer than the message", (say(t.record(t.hello(extensions=b"\xff\xff\0\0"))),), "unexpected", "None unexpected"),
    ("an extension longer than the list", (say(t.record(t.hello(extensions=t.vector(2, b"\0\x2b\xff\xff")))),), "unexpected", "None unexpected"),
    ("half an extension", (say(t.record(t.hello(extensions=t.vector(2, b"\0")))),), "unexpected", "None unexpected"),
    ("an extension twice", (say(t.record(t.hello(extensions=t.vector(2, t.extension(23) * 2)))),), "unexpected", "True closed"),
    ("an extension not asked for", (say(t.record(t.hello(extensions=t.vector(2, t.extension(0xFAFA))))),), "closed", "True closed"),
    ("4,000 extensions", (say(t.record(t.hello(extensions=t.vector(2, t.extension(0xFAFA) * 4000)))),), "closed", "True closed"),
    ("bytes behind the ServerHello", (say(t.record(t.hello(extensions=b"\0\0xyz"))),), "unexpected", "True closed"),
    ("a ServerHello cut short", (say(t.record(t.message(2, b"\3\3" + bytes(20)))),), "unexpected", "None unexpected"),
    # Certificates and keys
    ("a certificate of 10 MB", (say(SERVER_HELLO), say(_BIG), endless(_MORE)), "too_much", "True too_much"),
    ("a certificate of 150 KB", (say(SERVER_HELLO + t.in_records(t.certificates(bytes(150000)), 16384)),), "too_much", "True closed"),
    ("a chain of 33", (say(t.flight(_CHAIN)),), "unexpected", "True too_much"),
    ("Certificates for ever", (say(SERVER_HELLO), endless(t.record(t.certificates(t.NOT_DER)))), "unexpected", "True too_much"),
    ("an empty chain", (say(t.flight(t.certificates(), t.key_exchange(), t.DONE)),), "unexpected", "True"),
    ("an empty certificate", (say(t.flight(t.certificates(b""), t.key_exchange(), t.DONE)),), "unexpected", "True"),
    ("no DER", (say(t.flight()),), "unexpected", "True"),
    ("a chain that lies about its length", (say(t.flight(t.message(11, b"\0\1\0\0\0\5ab"))),), "unexpected", "True unexpected"),
    ("a certificate that lies about its length", (say(t.flight(t.message(11, t.vector(3, b"\0\1\0ab")))),), "unexpected", "True unexpected"),
    ("half a key exchange", (say(t.flight(t.message(12, b"\3\0"))),), "unexpected", "True unexpected"),
    ("an empty key exchange", (say(t.flight(t.message(12, b""))),), "unexpected", "True unexpected"),
    ("an explicit curve", (say(t.flight(t.message(12, b"\1" + bytes(64)), t.DONE)),), "unexpected", "True"),
    ("a group not offered", (say(t.flight(t.key_exchange(0xFAFA), t.DONE)),), "unexpected", "True"),
    ("a point that lies about its length", (say(t.flight(t.message(12, b"\3\0\x1d\xffab"))),), "unexpected", "True unexpected"),
    ("a key exchange of 60 KB", (say(SERVER_HELLO + t.in_records(t.message(12, b"\3\0\x1d\1a" + bytes(60000)) + t.DONE, 16384)),), "unexpected", "True"),
    ("a prime of no bits", (say(t.record(t.hello(suite=0x9E) + t.message(12, bytes(6) + b"\4\1\0\0") + t.DONE)),), "unexpected", "True"),
    ("a prime of 400,000 bits", (say(t.record(t.hello(suite=0x9E)) + t.in_records(t.message(12, t.vector(2, b"\xff" * 50000) + b"\0\1\2\0\1\2\4\1\0\0") + t.DONE, 16384, ) ), ), "unexpected", "True"),
    ("single bytes", (say(t.in_records(t.flight()[5:], 1)),), "unexpected", "True"),
)

# What is answered to a hello of TLS 1.3; who does not offer it gets a flight of TLS 1.2.
_KEY = t.share(29, bytes(range(32)))
FLIGHTS13: tuple[tuple[str, Step, str, str], ...] = (
    ("HelloRetryRequest, then closed", say_and_hear(t.retry(t.share(24))), "closed", "True"),
    ("HelloRetryRequest without a group", say(t.retry()), "unexpected", "True"),
    ("HelloRetryRequest with a cookie", say_and_hear(t.retry(t.extension(44, t.vector(2, b"x")))), "closed", "True"),
    ("HelloRetryRequest of a group not offered", say(t.retry(t.share(0xFAFA))), "unexpected", "None unexpected"),
    ("HelloRetryRequest with half a group", say(t.retry(t.extension(51, b"\0"))), "unexpected", "None unexpected"),
    ("two HelloRetryRequests", say(t.retry(t.share(24)) * 2), "unexpected", "True"),
    ("HelloRetryRequests for ever", endless(t.retry(t.share(24))), "unexpected", "True"),
    ("no key", say(t.record(t.hello13())), "unexpected", "True"),
    ("an empty key", say(t.record(t.hello13(t.share(29, b"\0")))), "unexpected", "True"),
    ("a key of a group not offered", say(t.record(t.hello13(t.share(0xFAFA, b"x")))), "unexpected", "None unexpected"),
    ("a suite of TLS 1.2", say(t.record(t.hello13(_KEY, suite=0xC02F))), "unexpected", "None unexpected"),
    ("a suite not offered", say(t.record(t.hello13(_KEY, suite=0x13FF))), "unexpected", "None unexpected"),
    ("a compression", say(t.record(t.hello13(_KEY)).replace(b"\x13\x01\0", b"\x13\x01\1")), "unexpected", "True"),
    ("supported_versions of 1.4", say(t.record(t.hello13(_KEY)).replace(b"\x02\x03\x04", b"\x02\x03\x05")), "unexpected", "None unexpected"),
    ("supported_versions of 1.2", say(t.record(t.hello13(_KEY)).replace(b"\x02\x03\x04", b"\x02\x03\x03")), "unexpected", "False closed"),
    ("then words in clear", say(t.record(t.hello13(_KEY)) + b"* OK\r\n"), "not_tls", "True"),
    ("then rubbish", say(t.record(t.hello13(_KEY)) + t.record(bytes(64), 23)), _LAYER, "True"),
    ("then a flight in clear", say(t.record(t.hello13(_KEY)) + t.record(t.DONE)), _LAYER, "True"),
)
