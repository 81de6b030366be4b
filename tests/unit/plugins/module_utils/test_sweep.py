# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The depth of a sweep: one connection to each endpoint, whatever comes of it; many endpoints."""

from __future__ import annotations

import contextlib
from typing import Any, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import probe as module
from ansible_collections.postmaster.tls.plugins.module_utils import tasks
from ansible_collections.postmaster.tls.plugins.module_utils.limits import SWEEP, Limits
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    EndpointObservation,
    Failure,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.port import observe
from ansible_collections.postmaster.tls.plugins.module_utils.probe import probe
from ansible_collections.postmaster.tls.plugins.module_utils.talk import Depth, Target
from ansible_collections.postmaster.tls.plugins.module_utils.tasks import run
from ansible_collections.postmaster.tls.plugins.module_utils.transport import Network
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.evil_server import (
    Behaviour,
    decent,
    evil,
    modern,
    reset,
    says,
    silent,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.replay import (
    ReplayNetwork,
    conversations,
)

STARTTLS, IMPLICIT = TlsMode.STARTTLS, TlsMode.IMPLICIT
IMAP, POP3, SIEVE = Service.IMAP, Service.POP3, Service.SIEVE


# ---------------------------------------------------------------------------------------------
# What is said

LOGIN_REFUSED = """
CONNECT
S: * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready
C: p1 CAPABILITY
S: * CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED
S: p1 OK done
C: p2 LOGIN nobody ydobon
S: p2 NO [PRIVACYREQUIRED] not without TLS
C: p4 STARTTLS
S: p4 OK begin
TLS
C: p1 CAPABILITY
S: * CAPABILITY IMAP4rev1 AUTH=PLAIN
S: p1 OK done
C: p2 LOGOUT
"""
LOGIN_ALLOWED = """
CONNECT
S: * OK ready
C: p1 CAPABILITY
S: * CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN
S: p1 OK done
C: p3 STARTTLS
S: p3 OK begin
TLS
C: p1 CAPABILITY
S: p1 BAD what
C: p2 LOGOUT
"""
USER_TAKEN = """
CONNECT
S: +OK ready
C: CAPA
S: +OK
S: USER
S: STLS
S: .
C: USER nobody
S: +OK
C: STLS
S: {stls}
"""
INSIDE = """
TLS
C: CAPA
S: +OK
S: SASL PLAIN
S: .
C: QUIT
"""
IN_SIEVE = """
CONNECT
S: "IMPLEMENTATION" "Pigeonhole"
S: "SASL" "PLAIN"
S: "STARTTLS"
S: OK "ready"
C: CAPABILITY
S: "SASL" "PLAIN"
S: "STARTTLS"
S: OK "done"
C: STARTTLS
S: OK "begin"
TLS
C: CAPABILITY
S: "SASL" "PLAIN LOGIN"
S: OK "done"
C: LOGOUT
"""
NO_STLS = """
CONNECT
S: +OK ready
C: CAPA
S: -ERR what
C: USER nobody
S: +OK
C: STLS
S: -ERR what
C: QUIT
"""
UNPROMISED = USER_TAKEN.format(stls="+OK").replace("S: USER\n", "S: PIPELINING\n") + INSIDE
HUNG_UP = """
CONNECT
S: * OK ready
C: p1 CAPABILITY
S: * CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED
S: p1 OK done
C: p2 LOGIN nobody ydobon
S: * BYE not like this
"""
CHALLENGED = HUNG_UP.replace("* BYE not like this", "+ go on")
REFUSED = USER_TAKEN.format(stls="-ERR not now")

TALKS: list[tuple[str, Service, dict[str, Any]]] = [
    (LOGIN_REFUSED, IMAP, {"attempts": [("LOGIN", True)], "starttls": True, "failures": ()}),
    (LOGIN_ALLOWED, IMAP, {"attempts": [], "mechanisms": ("PLAIN",), "starttls": True}),
    (
        USER_TAKEN.format(stls="+OK") + INSIDE,
        POP3,
        {"attempts": [("USER", False)], "starttls": True, "mechanisms_tls": ("PLAIN",)},
    ),
    (UNPROMISED, POP3, {"attempts": [("USER", False)], "starttls": True, "failures": ()}),
    # STLS is listed and refused, perhaps because of USER: nobody knows.
    (
        REFUSED,
        POP3,
        {"starttls": None, "failures": (Failure("starttls", "refused", "-ERR not now"),)},
    ),
    (NO_STLS, POP3, {"attempts": [("USER", False)], "starttls": False, "failures": ()}),
    (IN_SIEVE, SIEVE, {"attempts": [], "mechanisms_tls": ("PLAIN", "LOGIN"), "starttls": True}),
    (
        HUNG_UP,
        IMAP,
        {
            "attempts": [("LOGIN", None)],
            "starttls": None,
            "failures": (Failure("login", "closed", "BYE not like this"),),
        },
    ),
    (
        CHALLENGED,
        IMAP,
        {"attempts": [("LOGIN", False)], "failures": (Failure("login", "closed", "left"),)},
    ),
]


@pytest.mark.parametrize(("talk", "service", "expected"), TALKS)
def test_what_is_said_on_the_one_connection(
    talk: str, service: Service, expected: dict[str, Any]
) -> None:
    target = Target(Endpoint("192.0.2.1", 1, service, STARTTLS), None, "nobody", depth=Depth.SWEEP)
    # A second conversation is there for who would ask for it.
    scripts = conversations(talk) * 2
    seen = run(observe(target, ReplayNetwork(scripts)))
    found = {key: getattr(seen, key) for key in expected}
    if "attempts" in expected:
        found["attempts"] = [(each.command, each.refused) for each in seen.attempts]
    assert found == expected
    assert (seen.connections, seen.open, seen.offers, seen.inventory) == (1, True, (), None)
    assert (seen.injected, seen.starttls_accepted_inside) == (None, None)
    assert (seen.handshake is not None) == ("TLS" in talk.splitlines())


# ---------------------------------------------------------------------------------------------
# On sockets

SERVERS: list[tuple[str, Behaviour, TlsMode, Optional[str]]] = [
    ("starttls", decent(), STARTTLS, None),
    ("implicit", decent(secured=True), IMPLICIT, None),
    ("TLS 1.3 only", modern(), IMPLICIT, None),
    ("silent", silent, STARTTLS, "timeout at greeting"),
    ("reset", reset, STARTTLS, "reset at greeting"),
    ("no mail", says(b"HTTP/1.1 400\r\n"), STARTTLS, "unexpected at greeting"),
    ("no TLS", says(b"* OK ready\r\n", b"no\r\n"), IMPLICIT, "not_tls at handshake"),
    ("full house", says(b"* BYE too many\r\n"), STARTTLS, "refused at greeting"),
]


@contextlib.contextmanager
def all_servers() -> Any:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(evil(behaviour)) for _name, behaviour, _mode, _said in SERVERS]


def test_one_connection_each_and_none_stops_the_others() -> None:
    limits = Limits(connect=1.0, total=1.0, per_address=2, rate=1e6, address_rate=1e6)
    with all_servers() as servers:
        asked = [
            Endpoint("127.0.0.1", server.port, IMAP, mode)
            for server, (_name, _behaviour, mode, _said) in zip(servers, SERVERS)
        ]
        seen = probe(asked, limits, depth=Depth.SWEEP)
        assert [each.endpoint for each in seen] == asked
        assert [server.total for server in servers] == [1] * len(SERVERS)
        assert [each.connections for each in seen] == [1] * len(SERVERS)
    said = [[f"{f.cause} at {f.stage}" for f in each.failures] for each in seen]
    assert said == [[words] if words else [] for _name, _behaviour, _mode, words in SERVERS]
    agreed = [each.handshake for each in seen[:3]]
    assert all(each is not None and each.alpn is None and each.group for each in agreed)
    assert all(len(each.chain) == 1 and each.capabilities_tls for each in seen[:3])


def test_never_more_than_two_at_a_time_to_an_address() -> None:
    """By the kernel's word, with the limits of a sweep but for the rate."""
    limits = Limits(total=5.0, per_address=SWEEP.per_address, rate=1e6, address_rate=1e6)
    with evil(decent()) as server:
        asked = [Endpoint("127.0.0.1", server.port, IMAP, STARTTLS)]
        names = [f"host{number}.example" for number in range(8)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "resolve", lambda hosts: dict.fromkeys(hosts, ("127.0.0.1",)))
            asked = [Endpoint(name, server.port, IMAP, STARTTLS) for name in names]
            seen = probe(asked, limits, depth=Depth.SWEEP)
        assert (server.total, server.most) == (8, 2)
    assert [each.server_name for each in seen] == names
    assert all(each.handshake for each in seen)


def test_what_is_asked_for_twice_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    known = dict.fromkeys(["one.example", "two.example", "127.0.0.1"], ("127.0.0.1",))
    monkeypatch.setattr(module, "resolve", lambda hosts: {h: known.get(h, ()) for h in hosts})
    hosts = ["one.example", "127.0.0.1", "one.example", "two.example", "gone.example", "127.0.0.1"]
    limits = Limits(rate=1e6, address_rate=1e6)
    with evil(decent()) as server:
        asked = [Endpoint(host, server.port, IMAP, STARTTLS) for host in [*hosts, "gone.example"]]
        seen = probe(asked, limits, depth=Depth.SWEEP)
        assert server.total == 3
    assert [(each.endpoint.host, each.server_name) for each in seen] == [
        ("127.0.0.1", "one.example"),
        ("127.0.0.1", None),
        ("127.0.0.1", "two.example"),
        ("gone.example", "gone.example"),
    ]
    assert seen[-1].failures == (Failure("connect", "unreachable", "the name has no address"),)


def remembering(monkeypatch: pytest.MonkeyPatch) -> list[Endpoint]:
    """The endpoints in the order in which they are looked at; nothing else is done."""
    order: list[Endpoint] = []

    async def remember(target: Target, _network: Network) -> EndpointObservation:
        order.append(target.endpoint)
        if target.endpoint.port == 666:
            raise RecursionError("deep \x1b[31m")
        return EndpointObservation(target.endpoint)

    monkeypatch.setattr(module, "observe", remember)
    return order


def test_ports_of_one_address_do_not_follow_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    order = remembering(monkeypatch)
    places = [("192.0.2.1", 1), ("192.0.2.1", 2), ("192.0.2.1", 3), ("192.0.2.2", 1), ("::1", 1)]
    asked = [Endpoint(host, port, IMAP, STARTTLS) for host, port in [*places, ("::1", 2)]]
    seen = probe(asked, SWEEP, depth=Depth.SWEEP)
    assert [(each.host[-1], each.port) for each in order] == [
        ("1", 1), ("2", 1), ("1", 1), ("1", 2), ("1", 2), ("1", 3)
    ]  # fmt: skip
    assert [each.endpoint for each in seen] == asked


def test_a_flaw_of_our_own_costs_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    remembering(monkeypatch)
    asked = [Endpoint("192.0.2.1", port, IMAP, STARTTLS) for port in (1, 666, 2)]
    first, flawed, last = probe(asked)
    assert first.failures == last.failures == ()
    failure = Failure("probe", "unexpected", "RecursionError: deep \\x1b[31m")
    assert flawed == EndpointObservation(asked[1], failures=(failure,))


def test_ten_thousand_endpoints_are_not_begun_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    at_work, most = 0, 0

    async def look(target: Target, _network: Network) -> EndpointObservation:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await tasks.side_by_side([_nothing()])
        at_work -= 1
        return EndpointObservation(target.endpoint)

    monkeypatch.setattr(module, "observe", look)
    asked = [Endpoint("192.0.2.1", 1 + n, IMAP, STARTTLS) for n in range(10_000)]
    assert [each.endpoint for each in probe(asked, SWEEP, depth=Depth.SWEEP)] == asked
    assert most == SWEEP.parallel


async def _nothing() -> None:
    pass
