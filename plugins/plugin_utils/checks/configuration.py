# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What does the configuration say, in every scope? Checks of the values in force on a host.

A probe stands at one place and asks for one name; a ``remote`` or ``local_name`` block speaks to
others. So each scope is judged by itself, and a weakness that the ports do not show (the TLS
library refuses what the file allows) is told as latent, with a lower severity.

Sources: RFC 8314 sections 4 and 4.1; Dovecot's documentation of 2.3 and 2.4 on ssl, login and auth
settings; Courier's libcouriertls.c (an unknown TLS_PROTOCOL opens TLS 1.0 and up) and
libcouriergnutls.c (reads neither TLS_PROTOCOL nor TLS_CIPHER_LIST).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from ...module_utils.config.vocabulary import (
    CODE_POINTS,
    COURIER_GNUTLS,
    COURIER_OPENSSL,
    PROTOCOLS,
    dovecot_dialect,
    words,
)
from ...module_utils.model.configured import (
    Effective,
    FileFact,
    Problem,
    Product,
    ServerConfig,
    Setting,
)
from ...module_utils.model.observed import EndpointObservation
from ...module_utils.model.posture import Severity, Status
from ..registry import openssl_to_code, suite, suite_name, version_name
from .base import (
    CheckFunction,
    Subject,
    Verdict,
    failed,
    in_force,
    not_applicable,
    on_rows,
    on_servers,
    passed,
    scope_name,
    unseen,
    where,
    worst,
)
from .live import live_ports
from .tls import accepted_versions


def tls_required(row: Effective, _server: ServerConfig, _subject: Subject) -> Verdict:
    """CFG-01: TLS is required in every scope."""
    if row.value is None:
        return unseen(row.name)
    shown, expected = f"{row.name} = {row.native}", "TLS is required"
    if row.value == "required":
        return passed(shown, expected, (where(row),))
    severity = Severity.HIGH if row.value == "no" else None
    return failed(shown, expected, severity, (where(row),))


def plaintext_login(row: Effective, server: ServerConfig, subject: Subject) -> Verdict:
    """CFG-02: no scope lets a password through without TLS."""
    if row.value is None:
        return unseen(row.name)
    shown, expected = f"{row.name} = {row.native}", "a password needs TLS"
    if row.value == "no":
        return passed(shown, expected, (where(row),))
    tls = in_force(server, "tls", row.scope)
    if tls and tls.value == "required":
        actual = f"{shown}, held back only by {tls.name} = {tls.native}"
        return failed(actual, expected, Severity.LOW, (where(row), where(tls)))
    ports = live_ports(server, row.scope, subject)
    taken = any(a.refused is False for seen in ports for a in seen.attempts)
    return failed(shown, expected, Severity.CRITICAL if taken else None, (where(row),))


def protocol_min(row: Effective, server: ServerConfig, subject: Subject) -> Verdict:
    """CFG-03: the oldest version that is configured is not below the profile's."""
    floor = subject.profile.protocol_min
    expected = f"{floor} or newer"
    if row.value is None:
        if server.product is not Product.COURIER or "$" in row.native or not row.native:
            return unseen(row.name)
        actual = f"{row.native!r} is no word of {row.name}, so TLS 1.0 and up are open"
        return failed(actual, expected, Severity.HIGH, (where(row),))
    if PROTOCOLS.index(row.value) >= PROTOCOLS.index(floor):
        return passed(f"{row.name} = {row.native}", expected, (where(row),))
    return _below(f"{row.name} = {row.native}", row, server, subject)


def priority_versions(row: Effective, server: ServerConfig, subject: Subject) -> Verdict:
    """CFG-03 for GnuTLS: the versions that the priority string means."""
    if row.expansion is None or row.expansion.versions is None:
        return unseen(f"what {row.name} means to the library")
    floor = CODE_POINTS[subject.profile.protocol_min]
    old = [code for code in row.expansion.versions if code < floor]
    if not old:
        expected = f"{subject.profile.protocol_min} or newer"
        return passed(f"{row.name} opens nothing older", expected, (where(row),))
    names = ", ".join(version_name(code) for code in sorted(old))
    return _below(f"{row.name} opens {names}", row, server, subject)


def _below(actual: str, row: Effective, server: ServerConfig, subject: Subject) -> Verdict:
    """A floor below the profile's: grave where a port shows it, latent where none does."""
    floor = PROTOCOLS.index(subject.profile.protocol_min)
    ports = [p for p in live_ports(server, row.scope, subject) if p.offers or p.handshake]
    live = [v for seen in ports for v in accepted_versions(seen) if PROTOCOLS.index(v) < floor]
    refused = bool(ports) and all(_refused_below(seen, floor) for seen in ports)
    severity = Severity.HIGH if live else Severity.LOW if refused else None
    note = "; ports show it" if live else "; latent, the ports refuse it" if refused else ""
    expected = f"{subject.profile.protocol_min} or newer"
    return failed(actual + note, expected, severity, (where(row),))


def _refused_below(seen: EndpointObservation, floor: int) -> bool:
    offers = [seen.offer(name) for name in ("tls1.0", "tls1.1", "tls1.2")[: max(0, floor - 2)]]
    return all(offer is not None and offer.accepted is False for offer in offers)


def suites(row: Effective, server: ServerConfig, subject: Subject) -> Verdict:
    """CFG-04: what the cipher string means to the linked library is within the profile."""
    if row.field == "ciphers" and _only_tls13(server, row.scope):
        return not_applicable("only TLS 1.3 is spoken, the list is not used")
    if row.expansion is None or row.expansion.suites is None:
        return unseen(f"what {row.name} means to the library")
    profile = subject.profile
    allowed = {openssl_to_code(n) for n in (*profile.ciphers, *profile.cipher_suites)}
    beyond = [code for code in row.expansion.suites if code not in allowed and not _is_13(code)]
    expected = f"suites of the profile {profile.name} only"
    if not beyond:
        return passed(f"{row.name} stays within the profile", expected, (where(row),))
    severity = worst(*(_gravity(code) for code in beyond))
    names = [suite_name(code) for code in sorted(beyond, key=_rank)]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return failed(
        f"{row.name} allows {', '.join(names[:3])}{more}",
        expected,
        severity,
        (where(row), f"beyond the profile: {' '.join(names)}"),
    )


def _is_13(code: int) -> bool:
    known = suite(code)
    return known is not None and known.tls13


def _only_tls13(server: ServerConfig, scope: str) -> bool:
    floor = in_force(server, "protocol_min", scope)
    return floor is not None and floor.value == "TLSv1.3"


def _gravity(code: int) -> Severity:
    known = suite(code)
    if known and known.broken:
        return Severity.HIGH
    return Severity.MEDIUM if known and known.static_rsa else Severity.LOW


def _rank(code: int) -> tuple[int, int]:
    return tuple(Severity).index(_gravity(code)), code


# ---------------------------------------------------------------------------------------------
# Settings that do not do what they say

# What the other back end of Courier reads; a copy that Courier ships is nobody's decision.
_UNREAD: dict[str, frozenset[str]] = {
    "gnutls": frozenset({"TLS_PROTOCOL", "TLS_STARTTLS_PROTOCOL", "TLS_CIPHER_LIST"}),
    "openssl": frozenset({"TLS_PRIORITY"}),
}
_COPIES = {"TLS_STARTTLS_PROTOCOL": "TLS_PROTOCOL"}


def in_vain(server: ServerConfig, _subject: Subject) -> Iterator[Verdict]:
    """CFG-05: every TLS setting that somebody made has an effect."""
    if server.product is not Product.COURIER:
        yield not_applicable(
            "only Courier ignores settings; Dovecot refuses those it does not know"
        )
        return
    if server.tls_library is None or not server.settings:
        yield unseen("the settings, or the library that reads them")
        return
    unread = _UNREAD.get(server.tls_library.name, frozenset())
    vain = [s for s in server.settings if s.name in unread and not _is_shipped(s, server)]
    library = {"gnutls": "GnuTLS", "openssl": "OpenSSL"}.get(server.tls_library.name, "its library")
    for setting in vain:
        yield _said(setting, f"{setting.name} is set, Courier on {library} never reads it")
    pointless = list(_pointless(server))
    yield from pointless
    if not vain and not pointless:
        yield passed("no setting is in vain")


def _is_shipped(setting: Setting, server: ServerConfig) -> bool:
    """Whether it says nothing of its own: empty, or a copy as Courier ships it."""
    value, source = setting.value.strip("\"'"), _COPIES.get(setting.name)
    held = {s.value for s in server.settings if s.name == source and s.scope == setting.scope}
    return value in ("", f"${source}") or value in held


def _said(setting: Setting, actual: str) -> Verdict:
    place = f"{setting.origin.file}:{setting.origin.line}"
    return Verdict(
        Status.FAIL,
        actual,
        "settings that the server reads",
        (f"{place}: {setting.name} = {setting.value}",),
        subject=f"courier {setting.scope} {setting.name}",
    )


def _pointless(server: ServerConfig) -> Iterator[Verdict]:
    """IMAP's TLS required without STARTTLS: Courier neither announces nor enforces it."""
    for row in server.effective:
        starttls = in_force(server, "starttls", row.scope)
        if row.field != "require_tls" or row.value != "yes" or starttls is None:
            continue
        login = in_force(server, "plaintext_login", row.scope)
        if starttls.value == "no" and login is not None and login.value == "yes":
            yield Verdict(
                Status.FAIL,
                f"{row.name} has no effect while {starttls.name} = {starttls.native}",
                f"{starttls.name} = YES beside it",
                (where(row), where(starttls)),
                Severity.HIGH,
                f"Set {starttls.name} to YES.",
                f"{scope_name(server, row.scope)} {row.name}",
            )


def dynamic(server: ServerConfig, _subject: Subject) -> Iterator[Verdict]:
    """CFG-07: every value that decides is a literal that can be judged."""
    if not server.settings:
        yield unseen("the settings")
        return
    decisive = _native_names(server)
    computed = [s for s in server.settings if s.dynamic and s.wins and s.name in decisive]
    for setting in computed:
        yield _said(setting, f"{setting.name} is computed when the server starts")
    if not computed:
        yield passed("every value that decides is a literal")


def _native_names(server: ServerConfig) -> frozenset[str]:
    if server.product is Product.DOVECOT:
        return frozenset(
            word.name for word in words(dovecot_dialect(server.version or "")).values()
        )
    library = server.tls_library.name if server.tls_library else ""
    dialect = COURIER_OPENSSL if library == "openssl" else COURIER_GNUTLS
    return frozenset(
        w.name for service in ("imap", "pop3") for w in words(dialect, service).values()
    )


# ---------------------------------------------------------------------------------------------
# The whole


def sound(subject: Subject) -> Iterator[Verdict]:
    """CFG-06: the configuration and the files it names can be read and belong together."""
    yield from on_servers(_sound)(subject)
    for problem in subject.posture.problems:
        yield Verdict(Status.ERROR, problem.message, "the host can be observed", subject="host")


def _sound(server: ServerConfig, _subject: Subject) -> Iterator[Verdict]:
    expected = "a configuration that the server accepts"
    wrong = False
    computed = {setting.origin for setting in server.settings if setting.dynamic}
    for problem in server.problems:
        if problem.origin in computed and "is not a literal" in problem.message:  # CFG-07 tells
            continue
        wrong = True
        yield _problem(problem, bool(server.effective), expected)
    for fact in server.files:
        complaint = _file_complaint(fact)
        if complaint:
            wrong = True
            yield Verdict(
                Status.FAIL, complaint, "files that can be read and match", subject=fact.path
            )
    if wrong:
        return
    if any(row.value is not None for row in server.effective):
        yield passed("the configuration can be read", expected, (server.config_file,))
    else:
        yield unseen("the configuration")


def _problem(problem: Problem, readable: bool, expected: str) -> Verdict:
    """A problem with a place is a fault in it; one without kept the observer from seeing something,
    which the checks that lack it tell for themselves, unless nothing could be seen at all."""
    if problem.origin is None:
        severity = Severity.LOW if readable else None
        return Verdict(Status.ERROR, problem.message, expected, severity=severity)
    place = f"{problem.origin.file}:{problem.origin.line}"
    return failed(problem.message, expected, None, (place,))


def _file_complaint(fact: FileFact) -> Optional[str]:
    if fact.problem:
        return f"the {fact.role} file {fact.path} {fact.problem}"
    if not fact.exists:
        return f"the {fact.role} file {fact.path} does not exist"
    if fact.key_matches is False:
        return f"the key for {fact.path} belongs to another certificate"
    return None


# What a login log line must hold to tell version and cipher: 2.3 and 2.4.
_LOGGED = ("%k", "%{ssl_security}")


def logged(server: ServerConfig, _subject: Subject) -> Iterator[Verdict]:
    """LOG-01: the login log tells TLS version and cipher."""
    if server.product is Product.COURIER:
        yield not_applicable("Courier has no setting for it")
        return
    rows: list[Effective] = [row for row in server.effective if row.field == "login_log"]
    if not rows:
        yield unseen("the format of the login log")
    for row in rows:
        yield Verdict(**{**vars(_logs(row)), "subject": scope_name(server, row.scope)})


def _logs(row: Effective) -> Verdict:
    if row.value is None:
        return unseen(row.name)
    expected = "TLS version and cipher in every login line"
    if any(word in row.value for word in _LOGGED):
        return passed("version and cipher are logged", expected, (where(row),))
    return failed("login lines do not tell version and cipher", expected, None, (where(row),))


# ---------------------------------------------------------------------------------------------


def floors(subject: Subject) -> Iterator[Verdict]:
    """CFG-03: in the words of OpenSSL and of GnuTLS."""
    yield from on_rows("protocol_min", protocol_min)(subject)
    yield from on_rows("priority", priority_versions)(subject)


def cipher_strings(subject: Subject) -> Iterator[Verdict]:
    """CFG-04: in the words of OpenSSL and of GnuTLS."""
    yield from on_rows("ciphers", suites)(subject)
    yield from on_rows("priority", suites)(subject)


TABLE: dict[str, CheckFunction] = {
    "CFG-01": on_rows("tls", tls_required),
    "CFG-02": on_rows("plaintext_login", plaintext_login),
    "CFG-03": floors,
    "CFG-04": cipher_strings,
    "CFG-05": on_servers(in_vain),
    "CFG-06": sound,
    "CFG-07": on_servers(dynamic),
    "LOG-01": on_servers(logged),
}
