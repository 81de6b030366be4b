#!/usr/bin/env python3
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Feeds a parser with whatever a coverage-guided fuzzer comes up with.

    python3.11 -m venv .cache/fuzz && .cache/fuzz/bin/pip install atheris
    .cache/fuzz/bin/python tests/fuzz/fuzz.py FAMILY -max_total_time=60 [CORPUS_FOLDER]

FAMILY is dialogue, lines, records, flight, text or login_log (properties.py says what they
promise). What follows are libFuzzer's own options. Bytes that break a promise are written to
./crash-*, and tried again with `fuzz.py FAMILY crash-…`. atheris is no part of the gate.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "collections"))

# Only what is imported here is watched.
with atheris.instrument_imports(include=["ansible_collections.postmaster.tls.plugins"]):
    from ansible_collections.postmaster.tls.plugins.module_utils.wire.flight import RETRY_RANDOM
    from ansible_collections.postmaster.tls.tests.fuzz.properties import PROPERTIES

WORDS = (
    *(b"* OK ", b"* CAPABILITY ", b"STARTTLS", b"p1 OK ", b"* BYE", b"* PREAUTH", b"+ ", b"{3}"),
    *(b"+OK", b"-ERR ", b"SASL ", b".\r\n", b'"SASL" "PLAIN"', b'OK "x"', b"NO", b"\r\n", b"{9+}"),
    *(b"Nov 24 13:43:29 m dovecot: imap-login: Login: user=<", b">, method=PLAIN, rip=", b"lip="),
    *(b", TLS", b"1795527809.0 ", b"imapd: LOGIN, user=", b", ip=[::ffff:1.2.3.4], port=[1]"),
    *(b"\x16\x03\x03", b"\x15\x03\x03\0\2\2\x28", b"\x02\0\0\x26\x03\x03", b"\xc0\x2f", b"\x0b"),
    *(b"\x02\0\0\x26\x03\x03" + RETRY_RANDOM, b"\x14\x03\x03\0\1\1"),
)


def main() -> None:
    """Runs the fuzzer until its options end it."""
    if len(sys.argv) < 2 or sys.argv[1] not in PROPERTIES:
        sys.exit(f"{__doc__}\nsay which: {', '.join(PROPERTIES)}")
    tried = PROPERTIES[sys.argv.pop(1)]
    folder = ROOT / ".cache" / "fuzz-words"
    folder.parent.mkdir(exist_ok=True)
    quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in WORDS)
    folder.write_text("".join(f'"{word}"\n' for word in quoted), encoding="ascii")
    atheris.Setup([*sys.argv, f"-dict={folder}"], tried)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
