# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The corpus: misbehaving servers by name, and how each must be seen.

Tables, and generators that put each fault at each stage of each protocol, or cut a good flight
after each byte. ``failures`` are the observation's, as "stage cause"; ``hello`` is what the hello
of TLS 1.2 got, as "True", "False cause" or "None cause"; ``sees`` are other fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service, TlsMode
from ansible_collections.postmaster.tls.plugins.module_utils.wire.records import ALERTS
from ansible_collections.postmaster.tls.tests.hostile import tls_bytes as t
from ansible_collections.postmaster.tls.tests.hostile.flights import (
    FLIGHTS,
    FLIGHTS13,
    SERVER_HELLO,
)
from ansible_collections.postmaster.tls.tests.hostile.server import Step
from ansible_collections.postmaster.tls.tests.hostile.steps import (
    CAPABLE,
    GREETING,
    IMAP,
    IMPLICIT,
    INSIDE,
    NO,
    POP3,
    SIEVE,
    STARTTLS,
    YES,
    Decent,
    close,
    decent_tls,
    drip,
    endless,
    hear,
    pause,
    reset,
    say,
    say_raw,
    stall,
    tls,
    tls_cut,
    where_offered,
)

SERVICES = (IMAP, POP3, SIEVE)


@dataclass(frozen=True)
class Case:
    """One server. ``connections`` is the most that it may be asked.

    ``alert`` is that of the first failure. ``waits``: it says nothing, and that is no failure.
    """

    name: str
    service: Service
    mode: TlsMode
    steps: tuple[Step, ...]
    failures: tuple[str, ...] = ()
    hello: Optional[str] = None
    offer: str = "tls1.2"
    sees: dict[str, Any] = field(default_factory=dict)
    connections: int = 3
    alert: Optional[int] = None
    waits: bool = False

    @property
    def timed_out(self) -> bool:
        """Whether it is seen only when the time is up."""
        return self.waits or "timeout" in str((self.failures, self.hello))

    def __str__(self) -> str:
        return f"{self.service.value} {self.mode.value}: {self.name}"


# ---------------------------------------------------------------------------------------------
# The same faults at each stage of the dialogues

TERMINAL = b"\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b31m\r\n"
BIDI = "\u202e\u2066gpj.exe\u2069\u200b\ufeff\u2028\r\n".encode()
SILENT: tuple[tuple[str, Step], ...] = (
    ("silent", stall),
    ("one byte now and then", drip(b"*+O" * 20)),
    ("a word now and then", drip(b"* " * 20)),
)
FAULTS: tuple[tuple[str, Step, str], ...] = (
    ("closed", close, "closed"),
    ("reset", reset, "reset"),
    ("half a line, then closed", say(b"* OK hal"), "closed"),
    ("an endless line", endless(b"A"), "too_much"),
    ("100 MB of NUL", endless(b"\0"), "too_much"),
    ("a line of 16 KiB and one byte", say(b"*" * (16 * 1024 + 1)), "too_much"),
    ("binary noise", say(bytes(range(256)) * 4 + b"\n"), "unexpected"),
    ("a NUL before the line", say(b"\0* OK hi\r\n"), "unexpected"),
    ("terminal escapes", say(TERMINAL), "unexpected"),
    ("bidi marks", say(BIDI), "unexpected"),
    ("not UTF-8", say(b"\xff\xfe\xc0\x80\r\n"), "unexpected"),
    ("an empty line", say(b"\r\n"), "unexpected"),
    ("spaces", say(b"    \r\n"), "unexpected"),
    ("an HTTP server", say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "unexpected"),
    ("an SMTP server", say(b"220 mail ESMTP\r\n"), "unexpected"),
    ("an SSH server", say(b"SSH-2.0-OpenSSH_9.2\r\n"), "unexpected"),
    ("a TLS alert in clear", say(t.alert(2, 40) + b"\n"), "unexpected"),
    ("a TLS ServerHello in clear", say(t.record(t.hello()) + b"\n"), "unexpected"),
)
DIALOGUE_STAGES = ("greeting", "capability", "login", "starttls", "inside")
_SEEN_AS = {"inside": "capability"}
_MOST = {"capability": 8, "inside": 8, "login": 8, "starttls": 3}
"""Connections, else 2; the first hello sets out where STARTTLS is only listed, and with the
greeting of POP3, and all others follow where it is accepted."""


def _at_stage(
    name: str, service: Service, stage: str, fault: tuple[Step, ...], cause: str, **changes: Any
) -> Case:
    mode = IMPLICIT if stage == "inside" and service is not SIEVE else STARTTLS
    times = 2 if stage == "login" and service is POP3 else 1  # USER, then AUTH
    return Case(
        f"{name} at {stage}",
        service,
        mode,
        (Decent(service, mode, stage, fault, **changes),),
        (f"{_SEEN_AS.get(stage, stage)} {cause}",) * times,
        connections=_MOST.get(stage, 2),
    )


def dialogue_faults() -> Iterator[Case]:
    """Each fault at each stage, in each protocol."""
    for service in SERVICES:
        for stage in DIALOGUE_STAGES:
            for name, step, cause in FAULTS:
                # Who closes before having read ends with RST.
                fault = (hear, step) if service is SIEVE and stage == "inside" else (step,)
                yield _at_stage(name, service, stage, fault, cause)


def dialogue_silences() -> Iterator[Case]:
    """The same for servers that take their time."""
    for service in SERVICES:
        for stage in DIALOGUE_STAGES:
            for name, step in SILENT:
                yield _at_stage(name, service, stage, (step,), "timeout")


# ---------------------------------------------------------------------------------------------
# What one protocol alone can do wrong

_LIST = b"* CAPABILITY " + b"X" * 20 + b"\r\n"
_INJECTED = {IMAP: b"* OK injected\r\n", POP3: b"+OK injected\r\n", SIEVE: b"OK injected\r\n"}
_BUSY = {IMAP: b"* BYE busy\r\n", POP3: b"-ERR busy\r\n", SIEVE: b"BYE busy\r\n"}

# Protocol, stage, name, what is said there, the cause.
LIES: tuple[tuple[Service, str, str, tuple[Step, ...], str], ...] = (
    (IMAP, "capability", "untagged lines for ever", (endless(_LIST),), "too_much"),
    (IMAP, "capability", "untagged lines, then closed", (say(_LIST * 99),), "closed"),
    (IMAP, "capability", "one list of 1 MB", (endless(b" CAP", 1 << 20),), "too_much"),
    (IMAP, "capability", "a literal of 99999999 bytes", (say(b"* X {99999999}\r\n"),), "too_much"),
    (IMAP, "capability", "a literal that never ends", (say(b"* X {99}\r\nabc"), stall), "timeout"),
    (IMAP, "capability", "a literal cut short", (say(b"* X {99}\r\nabc"),), "closed"),
    (IMAP, "capability", "a literal in a literal", (endless(b"* {9}\r\n{9}\r\n"),), "unexpected"),
    (IMAP, "capability", "literals of nothing", (endless(b"{0}\r\n"),), "too_much"),
    (IMAP, "capability", "a negative literal", (say(b"* X {-1}\r\n"),), "closed"),
    (IMAP, "capability", "an answer to another tag", (say(b"p99 XX\r\n"),), "unexpected"),
    (IMAP, "capability", "a second greeting", (say(b"PREAUTH\r\n"),), "unexpected"),
    (IMAP, "capability", "good-bye", (say(b"* BYE\r\n"),), "closed"),
    (IMAP, "login", "good-bye", (say(b"* BYE\r\n"),), "closed"),
    (IMAP, "starttls", "good-bye", (say(b"* BYE\r\n"),), "closed"),
    (IMAP, "inside", "good-bye", (say(b"* BYE\r\n"),), "closed"),
    (IMAP, "greeting", "good-bye", (say(_BUSY[IMAP]),), "refused"),
    (IMAP, "starttls", "a challenge", (say(b"+ go on\r\n"),), "refused"),
    (IMAP, "starttls", "a challenge for ever", (endless(b"+ \r\n"),), "refused"),
    (POP3, "greeting", "turned away", (say(_BUSY[POP3]),), "refused"),
    (POP3, "capability", "a list for ever", (say(b"+OK\r\n"), endless(b"SASL X\r\n")), "too_much"),
    (POP3, "capability", "a list without end", (say(b"+OK\r\nUSER\r\n"),), "closed"),
    (POP3, "capability", "a list and silence", (say(b"+OK\r\nUSER\r\n"), stall), "timeout"),
    (POP3, "capability", "dots for ever", (say(b"+OK\r\n"), endless(b"..\r\n")), "too_much"),
    (POP3, "capability", "a line for ever", (say(b"+OK\r\n"), endless(b"x")), "too_much"),
    (POP3, "inside", "a list for ever", (say(b"+OK\r\n"), endless(b"X\r\n")), "too_much"),
    (POP3, "starttls", "half a status", (say(b"+O\n\n"),), "refused"),
    (SIEVE, "greeting", "turned away", (say(_BUSY[SIEVE]),), "refused"),
    (SIEVE, "greeting", "NO", (say(b"NO\r\n"),), "refused"),
    (SIEVE, "greeting", "a list for ever", (endless(b'"X" "y"\r\n'),), "too_much"),
    (SIEVE, "greeting", "a list without end", (say(b'"X" "y"\r\n'),), "closed"),
    (SIEVE, "greeting", "a string of 999999999 bytes", (say(b"{999999999}\r\n"),), "too_much"),
    (
        SIEVE,
        "greeting",
        "a string of 10^30 bytes",
        (say(b"{1" + b"0" * 30 + b"}\r\n"),),
        "unexpected",
    ),
    (SIEVE, "greeting", "a string that stops", (say(b"{9+}\r\nabc"), stall), "timeout"),
    (SIEVE, "greeting", "an open quote", (say(b'"X\r\n'),), "unexpected"),
    (SIEVE, "greeting", "quotes for ever", (endless(b'""'),), "too_much"),
    (SIEVE, "greeting", "backslashes for ever", (endless(b'"\\'),), "too_much"),
    (SIEVE, "greeting", "IMAP", (say(GREETING[IMAP]),), "unexpected"),
    (SIEVE, "capability", "good-bye", (say(b'BYE "x"\r\n'),), "closed"),
    (SIEVE, "login", "good-bye", (say(b'BYE "x"\r\n'),), "closed"),
    (SIEVE, "starttls", "good-bye", (say(b'BYE "x"\r\n'),), "closed"),
    (SIEVE, "inside", "good-bye", (say(b'BYE "x"\r\n'),), "closed"),
    (SIEVE, "inside", "a list for ever", (endless(b'"X" "y"\r\n'),), "too_much"),
)


def lies() -> Iterator[Case]:
    """What only one protocol can say wrong."""
    for service, stage, name, fault, cause in LIES:
        yield _at_stage(name, service, stage, fault, cause)


def observations() -> Iterator[Case]:
    """What is odd, and no failure: it is seen, and the rest is, too."""
    many = b"* CAPABILITY STARTTLS" + b" X" * 7000 + b"\r\n%t OK\r\n"
    yield Case(
        "PREAUTH",
        IMAP,
        STARTTLS,
        (Decent(IMAP, STARTTLS, greeting=b"* PREAUTH in\r\n"),),
        sees={"preauth": True, "attempts": (), "starttls": True},
        connections=8,
    )
    yield Case(
        "7,000 capabilities",
        IMAP,
        STARTTLS,
        (Decent(IMAP, STARTTLS, capable=many),),
        sees={"capabilities": ("STARTTLS", *["X"] * 199)},
        connections=8,
    )
    for service in SERVICES:
        yield Case(
            "STARTTLS refused",
            service,
            STARTTLS,
            (Decent(service, STARTTLS, "starttls", (say(NO[service]), stall)),),
            ("starttls refused",),
            sees={"starttls": False, "offers": (), "handshake": None},
            connections=3,
        )
        yield Case(
            "words in clear behind the answer to STARTTLS",
            service,
            STARTTLS,
            (
                Decent(
                    service,
                    STARTTLS,
                    "starttls",
                    (say(YES[service] + _INJECTED[service]), stall),
                ),
            ),
            ("starttls unexpected", "handshake not_tls"),
            "None not_tls",
            sees={"starttls": True, "handshake": None},
        )
        yield Case(
            "plaintext after STARTTLS",
            service,
            STARTTLS,
            (Decent(service, STARTTLS, "handshake", (hear, say(_INJECTED[service]), stall)),),
            ("handshake not_tls",),
            "None not_tls",
            sees={"starttls": True, "handshake": None},
        )
        yield Case(
            "plaintext inside TLS",
            service,
            STARTTLS,
            (Decent(service, STARTTLS, "inside", (say_raw(_INJECTED[service]), stall)),),
            ("capability not_tls",),
            "True",
            sees={"starttls": True},
            connections=8,
        )
        yield Case(
            "a slow handshake",
            service,
            IMPLICIT,
            (tls(decent_tls(), pause=0.2), say(GREETING[service]), hear),
            ("capability closed",),
            "True",
            connections=8,
        )
        # Without the pause the reset takes the answer before it along: Nagle's algorithm holds that
        # back on the server, because it has heard of the session tickets' arrival from nobody yet.
        faults = {"closes": (close,), "resets": (pause, reset), "is silent": (stall,)}
        for name, fault in faults.items():
            yield Case(
                f"{name} at STARTTLS inside TLS",
                service,
                STARTTLS,
                (Decent(service, STARTTLS, "again", fault),),
                sees={"starttls_accepted_inside": None if stall in fault else False},
                connections=8,
                waits=stall in fault,
            )


# ---------------------------------------------------------------------------------------------
# TLS: what is said in place of a flight


def flights() -> Iterator[Case]:
    """Each of the flights, on ports of all kinds in turn."""
    places = [(service, mode) for mode in (IMPLICIT, STARTTLS) for service in SERVICES]
    for number, (name, fault, cause, hello) in enumerate(FLIGHTS):
        service, mode = places[number % len(places)]
        yield _in_handshake(name, service, mode, (hear, *fault), cause, hello)


def _in_handshake(
    name: str, service: Service, mode: TlsMode, fault: tuple[Step, ...], cause: str, hello: str
) -> Case:
    return Case(
        f"{name} in place of a flight",
        service,
        mode,
        (Decent(service, mode, "handshake", fault),),
        (f"handshake {cause}",),
        hello,
        sees={"handshake": None},
        connections=28,
    )


def flights13() -> Iterator[Case]:
    """Each of the flights of TLS 1.3."""
    for name, fault, cause, hello in FLIGHTS13:
        step = where_offered(b"\3\4", fault, t.flight())
        case = _in_handshake(name, IMAP, IMPLICIT, (step,), cause, hello)
        yield replace(case, offer="tls1.3")


# Fatal: close_notify says nothing of the hello; unrecognized_name is about the name alone.
_BARE = {0: ("alert", "None closed"), 112: ("alert", "None alert")}
_LATE = {0: ("alert", "False closed")}
_WARNING = {
    0: ("closed", "None closed"),
    100: ("unexpected", "False alert"),
    112: ("closed", "None alert"),
}


def alerts() -> Iterator[Case]:
    """Every alert: at once, after the ServerHello, and as a warning before the end."""
    for number, name in ALERTS.items():
        for kind, said, odd, usual in (
            ("fatal", t.alert(2, number), _BARE, ("alert", "False alert")),
            ("late", SERVER_HELLO + t.alert(2, number), _LATE, ("alert", "False alert")),
            ("warning", t.alert(1, number), _WARNING, ("closed", "False alert")),
        ):
            cause, hello = odd.get(number, usual)
            service = SERVICES[number % 3]
            mode = STARTTLS if kind == "late" else IMPLICIT
            case = _in_handshake(f"{kind} {name}", service, mode, (hear, say(said)), cause, hello)
            yield replace(case, alert=number if cause == "alert" else None)


# ---------------------------------------------------------------------------------------------
# Good answers, cut after each byte

_ENDS: tuple[tuple[str, Step], ...] = (("closed", close), ("reset", reset))


def cut_dialogues(service: Service) -> Iterator[Case]:
    """Each answer of a good dialogue, cut after each of its bytes."""
    answers = {
        "greeting": GREETING[service],
        "capability": CAPABLE[service],
        "login": NO[service],
        "starttls": YES[service],
        "inside": INSIDE[service],
    }
    for stage, answer in answers.items():
        for length in range(len(answer)):
            for cause, end in _ENDS:
                heard = (hear,) if service is SIEVE and stage == "inside" else ()
                fault = (*heard, say(answer[:length]), end)
                yield _at_stage(f"{cause} after byte {length}", service, stage, fault, cause)


_RECORDS = [t.record(part) for part in (t.hello(), t.certificates(t.NOT_DER), t.key_exchange())]


def cut_flights() -> Iterator[Case]:
    """A flight of TLS 1.2, cut after each of its bytes."""
    answered, certified = len(_RECORDS[0]), len(_RECORDS[0] + _RECORDS[1])
    whole = b"".join(_RECORDS)
    for length in range(len(whole)):
        for end, step in _ENDS:
            hello = f"{length >= answered or None} {end}"
            cause = "unexpected" if length >= certified else end  # it is no DER
            fault = (hear, say(whole[:length]), step)
            name = f"{end} after byte {length}"
            yield _in_handshake(name, IMAP, IMPLICIT, fault, cause, hello)


def cut_handshakes() -> Iterator[Case]:
    """A real flight, cut here and there behind the ServerHello, where TLS 1.3 is encrypted."""
    for length in range(112, 600, 37):
        for cause, step in _ENDS:
            fault = (tls_cut(decent_tls(), length), step)
            name = f"{cause} after byte {length}"
            yield _in_handshake(name, POP3, STARTTLS, fault, cause, f"True {cause}")


FAMILIES: dict[str, tuple[Case, ...]] = {
    "dialogue faults": tuple(dialogue_faults()),
    "dialogue silences": tuple(dialogue_silences()),
    "lies": tuple(lies()),
    "observations": tuple(observations()),
    "flights": tuple(flights()),
    "flights of TLS 1.3": tuple(flights13()),
    "alerts": tuple(alerts()),
    "cut IMAP": tuple(cut_dialogues(IMAP)),
    "cut POP3": tuple(cut_dialogues(POP3)),
    "cut ManageSieve": tuple(cut_dialogues(SIEVE)),
    "cut flights": tuple(cut_flights()),
    "cut handshakes": tuple(cut_handshakes()),
}
