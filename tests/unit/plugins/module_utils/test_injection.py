# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command behind STARTTLS: who answers it inside TLS, who forgets it, and who cannot be asked."""

from __future__ import annotations

import socket
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.injection import (
    Injection,
    slip_in,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    Failure,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.probe import probe
from ansible_collections.postmaster.tls.plugins.module_utils.talk import Target
from ansible_collections.postmaster.tls.plugins.module_utils.tasks import run
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.evil_server import (
    IMAP_BEFORE,
    answer_one,
    context,
    evil,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.replay import (
    ReplayNetwork,
    conversations,
)

IMAP, POP3, SIEVE = Service.IMAP, Service.POP3, Service.SIEVE
BEGIN = {
    IMAP: "S: * OK hi\nC: p1 STARTTLS | p2 NOOP\nS: p1 OK begin\nTLS\nC: p1 CAPABILITY\n",
    POP3: "S: +OK hi\nC: STLS | NOOP\nS: +OK begin\nTLS\nC: CAPA\n",
    SIEVE: 'S: "SIEVE" "x"\nS: OK hi\nC: STARTTLS | NOOP\nS: OK begin\nTLS\n'
    "C: CAPABILITY | CAPABILITY\n",
}
END = {IMAP: "\nC: p2 LOGOUT", POP3: "\nC: QUIT", SIEVE: "\nC: LOGOUT"}
LIST = {
    IMAP: "S: * CAPABILITY IMAP4rev1\nS: p1 OK done",
    POP3: "S: +OK\nS: USER\nS: .",
    SIEVE: 'S: "SIEVE" "x"\nS: OK',
}

# What comes inside TLS, and whether the command was answered there.
INSIDE = [
    (IMAP, LIST[IMAP], False),
    (IMAP, "S: p2 OK NOOP completed", True),
    (IMAP, "S: p2 BAD what", True),
    (POP3, LIST[POP3], False),
    (POP3, "S: -ERR Invalid command.", True),
    # Who takes NOOP before a login: its answer is read as the head of the list.
    (POP3, f"S: +OK\n{LIST[POP3]}", True),
    (SIEVE, f"{LIST[SIEVE]}\n{LIST[SIEVE]}\n{LIST[SIEVE]}", False),
    (SIEVE, f"{LIST[SIEVE]}\nS: OK nothing done\n{LIST[SIEVE]}", True),
    (SIEVE, f"{LIST[SIEVE]}\nS: NO what", True),
    # Without the list that comes unasked after the handshake.
    (SIEVE, f"{LIST[SIEVE]}\n{LIST[SIEVE]}", False),
    (SIEVE, f"S: OK nothing done\n{LIST[SIEVE]}", True),
    *[(service, "BREAK closed", False) for service in Service],
]


def slipped(
    script: str, service: Service = IMAP, piece: int = 1 << 16, eager: bool = False
) -> Injection:
    endpoint = Endpoint("192.0.2.1", 1, service, TlsMode.STARTTLS)
    target = Target(endpoint, None, "nobody", eager=eager)
    return run(slip_in(target, ReplayNetwork(conversations("CONNECT\n" + script), piece)))


@pytest.mark.parametrize("piece", [1 << 16, 1])
@pytest.mark.parametrize(("service", "inside", "answered"), INSIDE)
def test_inside_tls(service: Service, inside: str, answered: bool, piece: int) -> None:
    lines = inside.splitlines()
    # The farewell follows as soon as it is known; what else the server says is not read.
    reads = 2 if service is SIEVE and "BREAK" not in inside else None
    known = _until_known(lines, service) if reads else lines
    script = BEGIN[service] + "\n".join(known) + END[service]
    assert slipped(script, service, piece) == Injection(answered)


def _until_known(lines: list[str], service: Service) -> list[str]:
    answers, kept = 0, []
    for line in lines:
        kept.append(line)
        is_list = len(kept) > 1 and kept[-2].startswith('S: "')
        if line.startswith(("S: OK", "S: NO")):
            answers += 1
            if not is_list or answers == 2:
                break
    return kept


HI = "S: * OK hi\nC: p1 STARTTLS | p2 NOOP\n"


@pytest.mark.parametrize(
    ("script", "answered", "failure"),
    [
        # Courier without STARTTLS answers both in clear.
        (HI + "S: p1 NO Error in IMAP command received by server.\nS: p2 OK", False, None),
        (HI + "BREAK closed", False, None),
        (HI + "S: * BYE no", False, None),
        (HI + "S: p1 OK\nBREAK closed", False, None),
        (HI + "S: p1 OK\nBREAK alert", False, None),
        (HI + "S: p1 OK\nBREAK reset", False, None),
        (HI + "S: p1 OK\nBREAK not_tls", False, None),
        (HI + "BREAK timeout", None, "timeout"),
        (HI + "S: p1 OK\nBREAK timeout", None, "timeout"),
        (HI + "S: p1 OK\nTLS\nC: p1 CAPABILITY\nBREAK timeout", None, "timeout"),
        (HI + "S: p1 OK\nTLS\nC: p1 CAPABILITY\nS: what", None, "unexpected"),
        ("BREAK reset", None, "reset"),
        ("S: * BYE busy", None, "refused"),
    ],
)
def test_who_does_not_go_on(script: str, answered: Optional[bool], failure: Optional[str]) -> None:
    found = slipped(script)
    assert found.answered is answered
    said = found.failure and (found.failure.stage, found.failure.cause)
    assert said == (failure and ("injection", failure))


AT_ONCE = "C: p1 STARTTLS | p2 NOOP\nS: * OK hi\n"
PATIENTLY = f"\nCONNECT\n{HI}S: p1 OK\nBREAK closed"


@pytest.mark.parametrize(
    ("script", "found"),
    [
        (AT_ONCE + "S: p1 OK\nBREAK closed", Injection(False)),
        (AT_ONCE + "S: p1 OK\nTLS\nC: p1 CAPABILITY\nS: p2 OK\nC: p2 LOGOUT", Injection(True)),
        (AT_ONCE + "S: p1 OK\nBREAK timeout", Injection(None, Failure("injection", "timeout"))),
        # What got lost is sent again after the greeting, and only once.
        (AT_ONCE + "BREAK timeout" + PATIENTLY, Injection(False)),
        ("C: p1 STARTTLS | p2 NOOP\nBREAK reset" + PATIENTLY, Injection(False)),
        (AT_ONCE + "BREAK timeout", Injection(None, Failure("injection", "refused"))),
    ],
)
def test_before_the_greeting(script: str, found: Injection) -> None:
    """Where the first hello showed that STARTTLS need not wait for the greeting."""
    assert slipped(script, eager=True) == found


def test_a_closed_port_is_a_failure() -> None:
    target = Target(Endpoint("192.0.2.1", 1, IMAP, TlsMode.STARTTLS), None, "nobody")
    found = run(slip_in(target, ReplayNetwork([])))
    assert found == Injection(None, Failure("injection", "refused"))


# ---------------------------------------------------------------------------------------------
# Whole ports on loopback


def remembers(forgets: bool, inside: bytes = b"* CAPABILITY IMAP4rev1\r\n") -> object:
    """An IMAP server that keeps (or drops) what it has read behind STARTTLS."""
    tls = context()

    def behave(sock: socket.socket) -> None:
        sock.sendall(b"* OK ready\r\n")
        rest = b""
        while True:
            line, _, rest = (rest or sock.recv(4096)).partition(b"\r\n")
            tag, _, command = line.partition(b" ")
            if command == b"STARTTLS":
                sock.sendall(tag + b" OK begin\r\n")
                break
            if not line or not answer_one(sock, line, IMAP_BEFORE):
                return
        with tls.wrap_socket(sock, server_side=True) as secured:
            waiting = b"" if forgets else rest
            while True:
                line, _, waiting = (waiting or secured.recv(4096)).partition(b"\r\n")
                if not line or not answer_one(secured, line, inside):
                    return

    return behave


@pytest.mark.parametrize(("forgets", "injected"), [(True, False), (False, True)])
def test_a_port_that_forgets_and_one_that_does_not(forgets: bool, injected: bool) -> None:
    with evil(remembers(forgets)) as server:  # type: ignore[arg-type]
        endpoint = Endpoint("127.0.0.1", server.port, IMAP, TlsMode.STARTTLS)
        (seen,) = probe([endpoint])
        assert server.total == seen.connections
        assert server.most <= 2
    assert seen.injected is injected
    assert seen.starttls_accepted_inside is False
    assert seen.failures == ()


def test_where_capabilities_are_not_told_nothing_is_slipped_in() -> None:
    with evil(remembers(True, inside=b"")) as server:  # type: ignore[arg-type]
        (seen,) = probe([Endpoint("127.0.0.1", server.port, IMAP, TlsMode.STARTTLS)])
    assert (seen.capabilities_tls, seen.injected) == ((), None)
