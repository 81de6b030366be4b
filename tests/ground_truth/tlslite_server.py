#!/usr/bin/env python3
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of tlslite-ng, which speaks what no library of the machine will: SSL 3.0, RC4, hybrids.

    tlslite_server.py PORT PEM [name=value …] [-- PORT PEM …]

Names are those of HandshakeSettings; a value is a version (3.0), true or false, or words parted by
commas; ``anonymous=true`` offers no certificate.
Importing it takes a second, so that one process serves many ports.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey

_WORDS = {"true": True, "false": False}


def _value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[:2] == "3.":
        return (3, int(text[2:]))
    return text.split(",") if text else []


def _settings(words: list[str]) -> tuple[HandshakeSettings, bool]:
    made, given = HandshakeSettings(), dict(word.split("=", 1) for word in words)
    anonymous = given.pop("anonymous", "") == "true"
    for name, text in given.items():
        assert hasattr(made, name), name
        setattr(made, name, _value(text))
    if "eccCurves" in given:
        made.keyShares, made.defaultCurve = made.eccCurves, made.eccCurves[0]
    minors = range(made.maxVersion[1], made.minVersion[1] - 1, -1)
    made.versions = [(3, minor) for minor in minors]
    return made, anonymous


def serve_port(port: str, pem: str, *words: str) -> None:
    """Serves until it is killed."""
    text = Path(pem).read_text(encoding="ascii")
    chain = X509CertChain()
    chain.parsePemList(text)
    key = parsePEMKey(text, private=True)
    settings, anonymous = _settings(list(words))
    given = {"anon": True} if anonymous else {"certChain": chain, "privateKey": key}

    def serve(sock: socket.socket) -> None:
        with contextlib.suppress(Exception), sock:
            connection = TLSConnection(sock)
            connection.handshakeServer(settings=settings, **given)
            while connection.read(max=4096):
                pass

    with socket.create_server(("127.0.0.1", int(port)), backlog=16) as listening:
        while True:
            sock, _ = listening.accept()
            threading.Thread(target=serve, args=(sock,), daemon=True).start()


def main() -> None:
    """A thread for each port."""
    words: list[str] = []
    threads = []
    for word in (*sys.argv[1:], "--"):
        if word != "--":
            words.append(word)
            continue
        threads.append(threading.Thread(target=serve_port, args=words))
        words = []
    for thread in threads:
        thread.start()


if __name__ == "__main__":
    main()
