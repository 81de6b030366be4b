# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users notice of a change: sessions that are open before it, and logins while it happens.

    CHANGES=500 CLIENTS=2 pytest molecule/faults/tests/test_sessions.py    on hosts that are up

CHANGES is the number of changes that a host is put through under load, 10 by default. Each is a
whole one (armed, swapped, proven on the host, confirmed), by the program that stays on the host.
"""

from __future__ import annotations

import base64
import imaplib
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from typing import Any

import pytest

from ansible_collections.postmaster.tls.lab.hosts import HOSTS, PASSWORD, USER, ipv4
from ansible_collections.postmaster.tls.molecule.shared import clients
from ansible_collections.postmaster.tls.molecule.shared.faults import LAB, NAMES, Host, pairs

# Python 3.11's wrap_socket leaves a socket open whose peer was gone before the handshake, as
# Courier's are when it restarts: nobody else can close it.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")


CHANGES = int(os.environ.get("CHANGES", "10"))
SESSIONS = 8
CLIENTS = int(os.environ.get("CLIENTS", "2"))
DOOR = 993

# Runs on the host, on what the last change left there; one line of JSON for each change.
CHANGER = """
import base64, json, shutil, sys, time
# A copy: a change writes the program anew, and this one is read from it.
sys.path.insert(0, shutil.copy("/var/lib/postmaster-tls/postmaster-tls.pyz", "/run/changer.pyz"))
from ansible_collections.postmaster.tls.plugins.module_utils import (
    change, rehearsal, transaction)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint, Service, TlsMode)
order = json.loads(sys.stdin.readline())
port = Endpoint("*", 993, Service.IMAP, TlsMode.IMPLICIT)
for number in range(order["changes"]):
    files = []
    for path, contents in order["files"].items():
        state = transaction.capture(path)
        content = base64.b64decode(contents[number % 2])
        files.append(transaction.replace(state, content=content))
    wanted = change.Change(
        products=(order["product"],), files=tuple(files), check=lambda: None, listeners=(port,),
        rehearse=lambda _ports: (rehearsal.Rehearsal(False, "not of interest here"), None))
    came = change.apply(wanted, change.Order("%d-%06d" % (time.time(), number)), False)
    print(json.dumps({"changed": came.changed}), flush=True)
"""


class Users(threading.Thread):
    """Somebody who logs in and out again without a pause, and counts how that went."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.address, self.over = ipv4(HOSTS[host.name]), threading.Event()
        self.came: Counter[str] = Counter()
        self.faults: list[str] = []
        self.closed = 0.0  # seconds in which the port was closed

    def run(self) -> None:
        was, open_at = "", time.monotonic()
        while not self.over.is_set():
            now = self._login()
            self.came[now] += 1
            if now != "refused":
                self.closed += time.monotonic() - open_at if was == "refused" else 0.0
                open_at = time.monotonic()
            was = now

    def _login(self) -> str:
        try:
            plain = socket.create_connection((self.address, DOOR), clients.TIMEOUT)
        except OSError:
            return "refused"
        try:
            with clients.context().wrap_socket(plain) as tls:
                tls.settimeout(clients.TIMEOUT)
                return self._session(tls)
        except (OSError, ssl.SSLError) as error:
            plain.close()
            self.faults.append(f"{time.strftime('%H:%M:%S')} {error!r}")
            return "handshake failed"

    def _session(self, tls: ssl.SSLSocket) -> str:
        try:
            with tls.makefile("rb") as lines:
                lines.readline()
                tls.sendall(f"a LOGIN {USER} {PASSWORD}\r\n".encode())
                said = lines.readline()
                while said and not said.startswith(b"a "):
                    said = lines.readline()
                tls.sendall(b"b LOGOUT\r\n")
        except OSError:
            return "session cut"
        return "ok" if said.startswith(b"a OK") else "session cut"


def idle(host: Host) -> imaplib.IMAP4_SSL:
    """A session in IDLE (RFC 2177)."""
    client = imaplib.IMAP4_SSL(
        ipv4(HOSTS[host.name]), DOOR, ssl_context=clients.context(), timeout=clients.TIMEOUT
    )
    client.login(USER, PASSWORD)
    client.select("INBOX", readonly=True)
    client.send(b"i IDLE\r\n")
    assert client.readline().startswith(b"+")
    return client


def lives(client: imaplib.IMAP4_SSL) -> bool:
    """Whether a session ends its IDLE as it should."""
    try:
        client.send(b"DONE\r\n")
        while line := client.readline():
            if line.startswith(b"i OK"):
                return True
    except (OSError, imaplib.IMAP4.error):
        pass
    return False


def survivors(sessions: list[imaplib.IMAP4_SSL]) -> int:
    alive = sum(lives(session) for session in sessions)
    for session in sessions:
        session.shutdown()
    return alive


def changes(host: Host, files: dict[str, list[bytes]], number: int) -> int:
    """Put the host through so many changes between two contents of files; how many changed it."""
    order = {
        "product": host.product,
        "changes": number,
        "files": {p: [base64.b64encode(c).decode() for c in both] for p, both in files.items()},
    }
    done = subprocess.run(
        [LAB, "exec", host.name, "--", "python3", "-c", CHANGER],
        input=json.dumps(order) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return sum(json.loads(line)["changed"] for line in done.stdout.splitlines())


def certificates(host: Host) -> dict[str, list[bytes]]:
    """The served pair, and another one: in place, as a renewal does it."""
    good = pairs()["good"]
    paths = {
        "dovecot": ("private/mail.pem", "private/mail.key"),
        "courier": ("courier-trixie.example.test.pem",),
    }[host.product]
    new = (good[1] + good[0],) if host.product == "courier" else good
    full = [f"{host.folder}/{path}" for path in paths]
    return {path: [content, read(host, path)] for path, content in zip(full, new)}


def read(host: Host, path: str) -> bytes:
    return base64.b64decode(host.run(f"base64 {path}"))


@pytest.fixture(scope="module", params=NAMES)
def host(request: Any) -> Host:
    """A host that has the program, and is as it was made."""
    found = Host(request.param)
    found.module(state="settled")
    setting = {"name": "ssl_min_protocol", "value": "TLSv1.2"}
    if found.product == "courier":
        setting = {
            "name": "TLS_PRIORITY",
            "value": "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3",
            "file": "/etc/courier/imapd-ssl",
        }
    assert not found.change(setting)["failed"]
    return found


def under_load(host: Host, files: dict[str, list[bytes]]) -> tuple[Counter[str], list[Users]]:
    """What CLIENTS came to while the host went through CHANGES changes."""
    number = 2 * (CHANGES // 2)
    users = [Users(host) for _ in range(CLIENTS)]
    for user in users:
        user.start()
    began = time.monotonic()
    try:
        assert changes(host, files, number) == number
    finally:
        seconds = time.monotonic() - began
        for user in users:
            user.over.set()
        for user in users:
            user.join()
    came = sum((user.came for user in users), Counter[str]())
    closed = sum(user.closed for user in users) / len(users) / number
    print(
        f"\n{host.name}: {number} changes of {' '.join(files)} in {seconds:.0f} s: {dict(came)}, "
        f"closed for {closed * 1000:.0f} ms a change"
    )
    return came, users


def test_renewals_under_load_fail_no_login(host: Host) -> None:
    """Courier reads a certificate for each connection; Dovecot reloads, and may lose 1 in 10."""
    came, users = under_load(host, certificates(host))
    allowed = CHANGES // 10 if host.product == "dovecot" else 0
    assert came["ok"] > CHANGES
    assert came["handshake failed"] <= allowed, [user.faults for user in users]
    assert came["refused"] == 0, came


def test_settings_under_load_fail_no_more_than_the_servers_own_way_to_read_them(host: Host) -> None:
    """Dovecot reloads, and may lose 1 in 10; Courier restarts, and lets finish who has come."""
    came, users = under_load(host, ciphers(host))
    allowed = CHANGES // 10 if host.product == "dovecot" else 0
    assert came["ok"] > CHANGES
    assert came["handshake failed"] <= allowed, [user.faults for user in users]
    if host.product == "dovecot":
        assert came["refused"] == 0, came


def ciphers(host: Host) -> dict[str, list[bytes]]:
    """The file with the settings as it is, and with a shorter list of suites in it."""
    if host.product == "dovecot":
        path, line = (
            f"{host.folder}/conf.d/99-postmaster-tls.conf",
            b"ssl_cipher_list=ECDHE+AESGCM:@SECLEVEL=0",
        )
    else:
        path, line = f"{host.folder}/imapd-ssl", b'TLS_PRIORITY="$TLS_PRIORITY:-AES-256-CBC"'
    text = read(host, path)
    return {path: [text + line + b"\n", text]}


def test_a_change_cuts_no_more_sessions_than_the_servers_own_reload(host: Host) -> None:
    files = certificates(host)
    sessions = [idle(host) for _ in range(SESSIONS)]
    assert changes(host, files, 2) == 2
    after_change = survivors(sessions)
    own = {"dovecot": "systemctl reload dovecot", "courier": "true"}[host.product]
    sessions = [idle(host) for _ in range(SESSIONS)]
    host.run(own)
    after_own = survivors(sessions)
    print(
        f"\n{host.name}: of {SESSIONS} in IDLE {after_change} live after two changes of the "
        f"certificate, {after_own} after `{own}`"
    )
    assert after_change >= after_own


def test_sessions_across_a_change_of_the_configuration(host: Host) -> None:
    """Courier has to be restarted, which ends every session, and is counted as what it is."""
    path = {
        "dovecot": f"{host.folder}/conf.d/99-postmaster-tls.conf",
        "courier": f"{host.folder}/imapd-ssl",
    }[host.product]
    text = read(host, path)
    sessions = [idle(host) for _ in range(SESSIONS)]
    assert changes(host, {path: [text + b"# changed\n", text]}, 2) == 2
    after_change = survivors(sessions)
    own = {"dovecot": "reload dovecot", "courier": "restart courier-imap-ssl"}[host.product]
    sessions = [idle(host) for _ in range(SESSIONS)]
    host.run(f"systemctl {own}")
    after_own = survivors(sessions)
    print(
        f"\n{host.name}: of {SESSIONS} in IDLE {after_change} live after two changes of the "
        f"configuration, {after_own} after `systemctl {own}`"
    )
    assert after_change >= after_own
