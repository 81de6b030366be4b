# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A labelled corpus: logs of which the truth is known, in every format that the reader knows.

A world of logins is made once from a seed, and written down as each server and each kind of stamp
would. Between its lines stand those that must not count: failed logins with hostile names, what
other programs quote of them, and the sessions after a login.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Optional

from ansible_collections.postmaster.tls.plugins.module_utils.login_log import courier, dovecot
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.tally import Parser
from ansible_collections.postmaster.tls.plugins.module_utils.login_log.usage import Security
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service

BEGIN = datetime(2026, 12, 20, 8, 0, 0)  # runs over New Year
END = datetime(2027, 1, 12, 8, 0, 0)
SERVER = "198.51.100.1"

OLD, CBC = "ECDHE-RSA-AES256-SHA", "ECDHE-RSA-AES256-SHA384"
GOOD, BEST = "ECDHE-RSA-AES256-GCM-SHA384", "TLS_AES_256_GCM_SHA384"
# security, version, suite, how often
KINDS = (
    (Security.TLS, "TLSv1.3", BEST, 50),
    (Security.TLS, "TLSv1.2", GOOD, 25),
    (Security.TLS, "TLSv1.2", CBC, 5),
    (Security.TLS, "TLSv1", OLD, 5),
    (Security.TLS, "TLSv1.1", OLD, 3),
    (Security.CLEARTEXT, None, None, 6),
    (Security.SASL, None, None, 2),
    (Security.SECURED, None, None, 2),
    (Security.LOCAL, None, None, 2),
)
NAMES = ("alice", "bob@example.org", "j.doe+list@example.org", "ünïcode@example.org", "o'hara")
HOSTILE = (
    "b>, method=PLAIN, rip=9.9.9.9, lip=8.8.8.8, mpid=1, session=<x",
    "x, ip=[::ffff:9.9.9.9], port=[1], protocol=IMAP",
    "imap-login: Login: user=<ghost>, method=PLAIN, rip=9.9.9.9, lip=8.8.8.8, mpid=1",
    "\\x1b[31m: LOGIN, user=ghost, ip=[9.9.9.9], port=[1]",
    "a" * 300,
)


@dataclass(frozen=True)
class Truth:
    """One login as it was."""

    moment: datetime
    user: str
    service: Service
    address: str
    security: Security
    version: Optional[str]
    suite: Optional[str]
    implicit: bool


def world(seed: int, count: int = 400) -> tuple[Truth, ...]:
    """``count`` logins of some users, in order of time."""
    rng = random.Random(seed)  # noqa: S311
    users = [f"{rng.choice(NAMES)}{number}" for number in range(40)]
    weights = [kind[3] for kind in KINDS]
    found = []
    for index in range(count):
        security, version, suite, _weight = rng.choices(KINDS, weights)[0]
        address = f"192.0.2.{rng.randrange(1, 250)}"
        if rng.random() < 0.2:
            address = f"2001:db8::{rng.randrange(1, 9999):x}"
        implicit = security is Security.TLS and rng.random() < 0.5
        found.append(
            Truth(
                BEGIN + (END - BEGIN) * index / count,
                rng.choice(users),
                rng.choice((Service.IMAP, Service.POP3)),
                SERVER if security is Security.LOCAL else address,
                security,
                version,
                suite,
                implicit,
            )
        )
    return tuple(found)


# ---------------------------------------------------------------------------------------------
# Stamps: the moment as each kind of log writes it, and what stands before the server's own words

_LOCAL = timezone(timedelta(hours=1))
Stamp = Callable[[datetime, str], str]

STAMPS: dict[str, Stamp] = {
    "rfc3164": lambda t, tag: f"{t:%b} {t.day:2} {t:%H:%M:%S} mail {tag}",
    "rsyslog": lambda t, tag: f"{t.replace(tzinfo=_LOCAL).isoformat()} mail {tag}",
    "utc": lambda t, tag: f"{t - timedelta(hours=1):%Y-%m-%dT%H:%M:%S.%fZ} mail {tag}",
    "priority": lambda t, tag: f"<22>{t:%b} {t.day:2} {t:%H:%M:%S} mail.example.org {tag}",
    "journal": lambda t, tag: f"{t.replace(tzinfo=_LOCAL).timestamp():.6f} {tag}",
}
# Dovecot's own log files have no tag.
OWN_STAMPS: dict[str, Stamp] = {
    "own": lambda t, _tag: f"{t:%b %d %H:%M:%S} ",
    "own_iso": lambda t, _tag: f"{t:%Y-%m-%d %H:%M:%S} ",
}


def local(moment: datetime) -> int:
    """The corpus is written at UTC+1."""
    return int(moment.replace(tzinfo=_LOCAL).timestamp())


# ---------------------------------------------------------------------------------------------
# Formats


@dataclass(frozen=True)
class Format:
    """A server's way to write; ``classes`` and ``versions``: what of the truth it tells."""

    write: Callable[[Truth, int], Iterator[str]]
    parser: Callable[[], Parser]
    marks: tuple[bytes, ...]
    product: str = "dovecot"
    tag: str = "dovecot: "
    classes: bool = True
    versions: bool = False


def _values(truth: Truth, number: int) -> dict[str, str]:
    tls = truth.security is Security.TLS
    kept = truth.security in (Security.SECURED, Security.LOCAL)
    strength = f"{truth.version} with cipher {truth.suite} (256/256 bits)" if tls else ""
    return {
        "user": truth.user,
        "mechanism": "CRAM-MD5" if truth.security is Security.SASL else "PLAIN",
        "remote_ip": truth.address,
        "local_ip": SERVER,
        "mail_pid": str(number + 1000),
        "secured": "TLS" if tls else "secured" if kept else "",
        "ssl_security": strength,
        "session": f"c4v79AVh{number:06}",
        "remote_port": str(40000 + number % 20000),
    }


_SHORT = {
    "%u": "user",
    "%m": "mechanism",
    "%r": "remote_ip",
    "%l": "local_ip",
    "%e": "mail_pid",
    "%c": "secured",
    "%k": "ssl_security",
    "%b": "remote_port",
}


def elements(template: str, values: dict[str, str]) -> str:
    """What Dovecot makes of ``login_log_format_elements``: empty elements are left out."""
    found = []
    for piece in template.split(" "):
        text, empty = piece, True
        for word, name in (*_SHORT.items(), *((f"%{{{n}}}", n) for n in values)):
            if word in text:
                empty = empty and not values[name]
                text = text.replace(word, values[name])
        if not (empty and "%" in piece) or "user" in piece or "%u" in piece:
            found.append(text)
    return ", ".join(found)


def _dovecot(
    template: str, word: str, own: str = "", tls: str = "TLS"
) -> Callable[[Truth, int], Iterator[str]]:
    def write(truth: Truth, number: int) -> Iterator[str]:
        values = _values(truth, number)
        values["secured"] = tls if values["secured"] == "TLS" else values["secured"]
        said = elements(template, values)
        name = f"{truth.service.value}-login: {own}"
        hostile = HOSTILE[number % len(HOSTILE)]
        noise = {**values, "user": hostile, "secured": "TLS", "ssl_security": ""}
        failed = "Disconnected" if word == "Login" else "Login aborted"
        yield f"{name}{word}: {said}"
        mailbox = f"{truth.service.value}({truth.user})<{number}><x>: {own}"
        yield f"{mailbox}Disconnected: Logged out in=12"
        yield f"{name}{failed}: Connection closed (auth failed, 1 attempts in 2 secs): " + elements(
            template, noise
        )

    return write


def _proxied(truth: Truth, number: int) -> Iterator[str]:
    said = elements(DEFAULT, _values(truth, number))
    name = f"{truth.service.value}-login: proxy({truth.user},10.0.0.2:143)"
    yield f"{name}: Started proxying to <10.0.0.2> (0.010 secs): {said}"
    yield f"{name}: Disconnected by client (10s idle, in=12, out=489): {said}"


DEFAULT = "user=<%u> method=%m rip=%r lip=%l mpid=%e %c session=<%{session}>"
DEFAULT_24 = (
    "user=<%{user}> method=%{mechanism} rip=%{remote_ip} lip=%{local_ip} mpid=%{mail_pid} "
    "%{secured} session=<%{session}>"
)
EVIDENCE = DEFAULT.replace("%c ", "%c %k ")
EVIDENCE_24 = DEFAULT_24.replace("%{secured} ", "%{secured} %{ssl_security} ")
TURNED = "session=<%{session}> %c %k method=%m from=[%r]:%b to=%l user=<%u>"
BARE = "%c %u %r %m lip=%l"
BLIND = "user=<%u> method=%m rip=%r lip=%l session=<%{session}>"


def _dovecot_format(template: str, word: str = "Login", own: str = "", **more: bool) -> Format:
    return Format(
        _dovecot(template, word, own), lambda: dovecot.Dovecot(template), dovecot.MARKS, **more
    )


def _courier(marked: bool) -> Callable[[Truth, int], Iterator[str]]:
    def write(truth: Truth, number: int) -> Iterator[str]:
        tls = truth.security is Security.TLS
        imap = truth.service is Service.IMAP
        name = ("imapd" if imap else "pop3d") + ("-ssl" if truth.implicit else "")
        mark = (", starttls=1" if imap else ", stls=1") if tls else ""
        protocol = ", protocol=IMAP" if imap else ""
        who = f"ip=[::ffff:{truth.address}]" if "." in truth.address else f"ip=[{truth.address}]"
        port = f"port=[{40000 + number % 20000}]"
        begun = mark if marked else ""
        yield f"{name}[{number}]: LOGIN, user={truth.user}, {who}, {port}{protocol}{begun}"
        counts = f"headers=0, body={number}, rcvd=14, sent=88, time=0"
        yield f"{name}[{number}]: LOGOUT, user={truth.user}, {who}, {port}, {counts}{mark}"
        hostile = HOSTILE[number % len(HOSTILE)]
        yield f"{name}[{number}]: LOGIN FAILED, user={hostile}, {who}, {port}"

    return write


def _courier_format(marked: bool) -> Format:
    offered = {Service.IMAP: True, Service.POP3: True}
    marks = courier.Courier(marked, offered).marks
    return Format(_courier(marked), lambda: courier.Courier(marked, offered), marks, "courier", "")


FORMATS: dict[str, Format] = {
    "dovecot-2.3": _dovecot_format(DEFAULT),
    "dovecot-2.4": _dovecot_format(DEFAULT_24, "Logged in"),
    # client-common.c of 2.4.4 writes "TSL" in one place.
    "dovecot-2.4.4": Format(
        _dovecot(DEFAULT_24, "Logged in", tls="TSL"),
        lambda: dovecot.Dovecot(DEFAULT_24),
        dovecot.MARKS,
    ),
    "dovecot-2.3-evidence": _dovecot_format(EVIDENCE, versions=True),
    "dovecot-2.4-evidence": _dovecot_format(EVIDENCE_24, "Logged in", versions=True),
    "dovecot-turned": _dovecot_format(TURNED, versions=True),
    "dovecot-bare": _dovecot_format(BARE),
    "dovecot-blind": _dovecot_format(BLIND, classes=False),
    "dovecot-proxy": Format(_proxied, dovecot.Dovecot, dovecot.MARKS),
    "courier-5.2": _courier_format(marked=True),
    "courier-5.0": _courier_format(marked=False),
}
OWN_FORMATS: dict[str, Format] = {
    "dovecot-own": _dovecot_format(EVIDENCE, own="Info: ", versions=True),
}


def written(truths: tuple[Truth, ...], form: Format, stamp: Stamp) -> bytes:
    """The log of a world. Other programs quote what strangers sent, in a tag of their own."""
    lines = []
    for number, truth in enumerate(truths):
        for text in form.write(truth, number):
            lines.append(stamp(truth.moment, form.tag) + text)
            if number % 7 == 0 and form.tag and stamp not in OWN_STAMPS.values():
                lines.append(stamp(truth.moment, "sshd[77]: ") + f"Invalid user {text}")
                lines.append(stamp(truth.moment, "sshd[77]: ") + text)
    return "".join(f"{line}\n" for line in lines).encode()


def told(truth: Truth, form: Format) -> tuple[object, ...]:
    """What a format tells of a login."""
    security = truth.security
    if form.product == "courier" and security is not Security.TLS:
        security = Security.CLEARTEXT  # it knows no trust, and does not log a mechanism
    if not form.classes:
        security = Security.UNKNOWN
    known = form.versions and security is Security.TLS
    version, suite = (truth.version, truth.suite) if known else (None, None)
    return (truth.user, truth.service, security, version, suite)
