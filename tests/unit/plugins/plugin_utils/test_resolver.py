# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What DNS says: real packets over loopback, from a server that answers as it is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.posture import DnsAnswer
from ansible_collections.postmaster.tls.plugins.plugin_utils import resolver, stub

Respond = Callable[[dns.message.Message], "dns.message.Message | bytes | None"]
ZONE = {
    ("_imaps._tcp.example.org.", "SRV"): [
        "0 1 993 mail.example.org.",
        "10 1 993 other.example.org.",
    ],
    ("_993._tcp.mail.example.org.", "TLSA"): ["3 1 1 " + "ab" * 32],
    (".", "SOA"): ["a. b. 1 2 3 4 5"],
}


@contextmanager
def answering(respond: Respond) -> Iterator[str]:
    """A DNS server on loopback; what to give as the resolver."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                wire, client = server.recvfrom(4096)
                if wire == b"stop":
                    return
                said = respond(dns.message.from_wire(wire))
                if said is not None:
                    server.sendto(said if isinstance(said, bytes) else said.to_wire(), client)

        thread = threading.Thread(target=serve)
        thread.start()
        address, port = server.getsockname()
        try:
            yield f"{address}#{port}"
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"stop", (address, port))
            thread.join()


def zone(checks: bool = True, signed: bool = True, rcode: int = dns.rcode.NXDOMAIN) -> Respond:
    """Answers from ZONE; the rest gets ``rcode``."""

    def respond(query: dns.message.Message) -> dns.message.Message:
        assert query.flags & dns.flags.AD
        said = dns.message.make_response(query)
        name, kind = query.question[0].name, query.question[0].rdtype
        held = ZONE.get((name.to_text(), kind.name))
        if held:
            said.answer.append(dns.rrset.from_text(name, 60, "IN", kind.name, *held))
        else:
            said.set_rcode(dns.rcode.Rcode(rcode))
        if checks and (signed or name == dns.name.root):
            said.flags |= dns.flags.AD
        return said

    return respond


SRV, TLSA = ("_imaps._tcp.example.org", "SRV"), ("_993._tcp.mail.example.org", "TLSA")
NOTHING = ("_imap._tcp.example.org", "SRV")


def asked(respond: Respond, *questions: resolver.Question) -> tuple[DnsAnswer, ...]:
    with answering(respond) as where:
        return resolver.ask(questions, where, seconds=0.5)


def test_records_come_in_their_own_words() -> None:
    srv, tlsa, nothing = asked(zone(), SRV, TLSA, NOTHING)
    assert srv.records == ("0 1 993 mail.example.org.", "10 1 993 other.example.org.")
    assert tlsa == DnsAnswer(*TLSA, ("3 1 1 " + "ab" * 32,), True)
    assert nothing == DnsAnswer(*NOTHING, (), True)


@pytest.mark.parametrize(
    ("checks", "signed", "validated"),
    [(True, True, True), (True, False, False), (False, False, None)],
)
def test_who_vouches(checks: bool, signed: bool, validated: bool | None) -> None:
    (answer,) = asked(zone(checks, signed), TLSA)
    assert answer.validated is validated


def test_one_answer_it_vouches_for_shows_that_it_checks() -> None:
    def respond(query: dns.message.Message) -> dns.message.Message:
        said = zone(signed=False)(query)
        said.flags &= ~dns.flags.AD
        if query.question[0].name.to_text() == f"{SRV[0]}.":
            said.flags |= dns.flags.AD
        return said

    srv, tlsa = asked(respond, SRV, TLSA)
    assert (srv.validated, tlsa.validated) == (True, False)


def _garbage(_query: dns.message.Message) -> bytes:
    return b"\xff" * 40


@pytest.mark.parametrize(
    ("respond", "word"),
    [
        (zone(rcode=dns.rcode.SERVFAIL), "SERVFAIL"),
        (zone(rcode=dns.rcode.REFUSED), "refused"),
        (lambda _query: None, "in time"),
        (_garbage, "in time"),
    ],
)
def test_no_answer_is_not_no_record(respond: Respond, word: str) -> None:
    (answer,) = asked(respond, NOTHING)
    assert answer.records is None
    assert word in answer.failure


def test_what_is_asked() -> None:
    found = resolver.questions(["example.org"], ["mail.example.org", "*.example.org", "::1"], [993])
    services = [(f"{s}._tcp.example.org", "SRV") for s in ("_imap", "_imaps", "_pop3", "_pop3s")]
    assert found == (*services, TLSA)


def test_nobody_is_asked() -> None:
    assert resolver.ask([SRV], "none") == ()


@pytest.mark.parametrize("name", ["dns.example.org", "127.0.0.1#x", "127.0.0.1:53", ""])
def test_a_resolver_is_an_address(name: str) -> None:
    with pytest.raises(ValueError, match="mail_tls_resolver"):
        resolver.ask([SRV], name)


@pytest.mark.parametrize("name", ["a" * 70 + ".example.org", "a..example.org", "x" * 300])
def test_a_name_that_is_none(name: str) -> None:
    (answer,) = asked(zone(), (name, "SRV"))
    assert answer.records is None
    assert answer.failure


def test_without_dnspython(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stub, "HAS_DNSPYTHON", False)
    (answer,) = resolver.ask([SRV])
    assert (answer.records, answer.failure) == (None, resolver.MISSING)
