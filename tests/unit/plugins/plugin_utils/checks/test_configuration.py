# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of values in force, of settings without effect, and of configurations that are broken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Expansion,
    FileFact,
    Origin,
    Problem,
    Setting,
    TlsLibrary,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    LoginAttempt,
    Offer,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    IMAPS,
    POP3,
    SUITES,
    courier,
    dovecot,
    findings,
    port,
    row,
    with_offers,
)


def suites(*codes: int) -> Expansion:
    return Expansion(suites=codes)


IMAP = "protocol=imap"
REMOTE = "remote=10.0.0.0/8"
OLD = port(*IMAPS, offers=with_offers(Offer("tls1.0", True, 0x0301)))
TAKEN = port(attempts=(LoginAttempt("LOGIN", False),))
NETWORK = {"scope": REMOTE}

ROWS = [
    # check, the row to judge, other parts of the host, status, severity, a word of what is said
    ("CFG-01", row("tls", "required"), [], "pass", "medium", "tls = required"),
    ("CFG-01", row("tls", "yes"), [], "fail", "medium", "tls = yes"),
    ("CFG-01", row("tls", "no", IMAP), [], "fail", "high", "tls = no"),
    ("CFG-01", row("tls", None), [], "not_checked", "medium", ""),
    ("CFG-02", row("plaintext_login", "no"), [], "pass", "high", ""),
    ("CFG-02", row("plaintext_login", "yes"), [], "fail", "low", "held back only by ssl"),
    ("CFG-02", row("plaintext_login", "yes", REMOTE), [], "fail", "low", "held back"),
    ("CFG-02", row("plaintext_login", None), [], "not_checked", "high", ""),
    ("CFG-03", row("protocol_min", "TLSv1.2"), [], "pass", "medium", ""),
    ("CFG-03", row("protocol_min", "TLSv1.3"), [], "pass", "medium", ""),
    ("CFG-03", row("protocol_min", "TLSv1"), [], "fail", "medium", "TLSv1"),
    ("CFG-03", row("protocol_min", "TLSv1"), [port()], "fail", "low", "latent"),
    ("CFG-03", row("protocol_min", "TLSv1"), [port(), OLD], "fail", "high", "ports show it"),
    ("CFG-03", row("protocol_min", "TLSv1", REMOTE), [OLD], "fail", "medium", ""),
    ("CFG-03", row("protocol_min", "TLSv1", IMAP), [OLD], "fail", "high", "ports show it"),
    ("CFG-03", row("protocol_min", "TLSv1", "protocol=pop3"), [OLD], "fail", "medium", ""),
    ("CFG-03", row("protocol_min", None), [], "not_checked", "medium", ""),
    ("CFG-04", row("ciphers", "…", expansion=suites(*SUITES)), [], "pass", "medium", ""),
    ("CFG-04", row("ciphers", "…", expansion=suites(0x1304)), [], "pass", "medium", ""),
    ("CFG-04", row("ciphers", "…", expansion=suites(0xC013)), [], "fail", "low", "CBC"),
    (
        "CFG-04",
        row("ciphers", "…", expansion=suites(0xC013, 0x2F)),
        [],
        "fail",
        "medium",
        "TLS_RSA_",
    ),
    ("CFG-04", row("ciphers", "…", expansion=suites(0x2F, 0x0A)), [], "fail", "high", "3DES"),
    ("CFG-04", row("ciphers", "…", expansion=suites(0xFEFE)), [], "fail", "low", "0xFEFE"),
    ("CFG-04", row("ciphers", "…"), [], "not_checked", "medium", ""),
    ("CFG-04", row("ciphers", "…", expansion=Expansion()), [], "not_checked", "medium", ""),
    ("LOG-01", row("login_log", "%u %k"), [], "pass", "medium", ""),
    ("LOG-01", row("login_log", "%u %c"), [], "fail", "medium", ""),
    ("LOG-01", row("login_log", None), [], "not_checked", "medium", ""),
]


@pytest.mark.parametrize(("check", "judged", "others", "status", "severity", "word"), ROWS)
def test_row(
    check: str, judged: Any, others: list[Any], status: str, severity: str, word: str
) -> None:
    subject = f"dovecot {judged.scope}".strip()
    found = [f for f in findings(check, dovecot(judged), *others) if f.subject == subject]
    (finding,) = found
    assert (finding.status.value, finding.severity.value) == (status, severity), finding
    assert word in finding.actual
    if status == "fail":
        assert f"{judged.origin.file}:6: {judged.name}" in finding.evidence[0]


LOGINS = [
    # in force for TLS where it is allowed, other parts of the host, severity
    (row("tls", "yes"), [], "high"),
    (row("tls", "yes"), [port()], "high"),
    (row("tls", "yes"), [TAKEN], "critical"),
    (row("tls", "required"), [TAKEN], "low"),
]


@pytest.mark.parametrize(("tls", "others", "severity"), LOGINS)
def test_plaintext_login(tls: Any, others: list[Any], severity: str) -> None:
    server = dovecot(row("plaintext_login", "yes"), tls)
    (finding,) = findings("CFG-02", server, *others)
    assert (finding.status.value, finding.severity.value) == ("fail", severity)


def test_a_scope_takes_from_the_one_around_it() -> None:
    inner = row("plaintext_login", "yes", f"{REMOTE},{IMAP}")
    server = dovecot(row("tls", "no", REMOTE), inner)
    (finding,) = [f for f in findings("CFG-02", server, TAKEN) if IMAP in f.subject]
    assert finding.severity.value == "high"  # what a probe sees elsewhere says nothing of it


def test_a_list_that_is_not_used_is_not_judged() -> None:
    server = dovecot(row("protocol_min", "TLSv1.3"), row("ciphers", "…", expansion=suites(0x2F)))
    assert findings("CFG-04", server)[0].status.value == "not_applicable"


def test_only_words_of_the_profile_count_for_modern() -> None:
    (finding,) = findings("CFG-04", dovecot(), profile="modern")
    assert finding.status.value == "fail"
    assert findings("CFG-03", dovecot(), profile="modern")[0].status.value == "fail"


# ---------------------------------------------------------------------------------------------
# Courier

OPENSSL = {"tls_library": TlsLibrary("openssl", "3.0.19")}


def opens(*versions: int) -> Any:
    expansion = Expansion(versions=versions, suites=SUITES)
    return row("priority", "NORMAL", "service=imap", "TLS_PRIORITY", expansion)


PRIORITIES = [
    (opens(0x0304, 0x0303), [], "pass", "medium"),
    (opens(0x0304, 0x0301), [], "fail", "medium"),
    (opens(0x0304, 0x0301), [port()], "fail", "low"),
    (opens(0x0304, 0x0301), [port(), OLD], "fail", "low"),  # 993 is not of service=imap
    (opens(0x0304, 0x0301), [replace(OLD, endpoint=port().endpoint)], "fail", "high"),
    (row("priority", "NORMAL", "service=imap"), [], "not_checked", "medium"),
]


@pytest.mark.parametrize(("priority", "others", "status", "severity"), PRIORITIES)
def test_priority(priority: Any, others: list[Any], status: str, severity: str) -> None:
    (finding,) = findings("CFG-03", courier(priority), *others)
    assert (finding.status.value, finding.severity.value) == (status, severity)
    assert finding.subject == "courier service=imap"


def test_an_unknown_protocol_word_opens_everything() -> None:
    word = row("protocol_min", None, "service=imap", "TLS_PROTOCOL", native="TLSv1.3")
    (finding,) = [f for f in findings("CFG-03", courier(word, **OPENSSL)) if "TLSv1.3" in f.actual]
    assert (finding.status.value, finding.severity.value) == ("fail", "high")
    shell = row("protocol_min", None, "service=imap", "TLS_PROTOCOL", native="$X")
    assert "not_checked" in {f.status.value for f in findings("CFG-03", courier(shell, **OPENSSL))}


def setting(name: str, value: str, **changes: Any) -> Setting:
    return Setting(name, value, "imapd-ssl", Origin("/etc/courier/imapd-ssl", 12), **changes)


VAIN = [
    (setting("TLS_PRIORITY", "SECURE128"), {}, "pass"),
    (setting("TLS_PROTOCOL", "TLSv1.2+"), {}, "fail"),
    (setting("TLS_CIPHER_LIST", "HIGH"), {}, "fail"),
    (setting("TLS_STARTTLS_PROTOCOL", '"$TLS_PROTOCOL"', dynamic=True), {}, "pass"),
    (setting("TLS_STARTTLS_PROTOCOL", ""), {}, "pass"),
    (setting("TLS_STARTTLS_PROTOCOL", "TLSv1.2"), {}, "fail"),
    (setting("TLS_PROTOCOL", "TLSv1.2+"), OPENSSL, "pass"),
    (setting("TLS_PRIORITY", "SECURE128"), OPENSSL, "fail"),
    (setting("TLS_PROTOCOL", "TLSv1.2+"), {"tls_library": None}, "not_checked"),
]


@pytest.mark.parametrize(("written", "changes", "status"), VAIN)
def test_in_vain(written: Setting, changes: dict[str, Any], status: str) -> None:
    (finding,) = findings("CFG-05", courier(settings=(written,), **changes))
    assert finding.status.value == status
    if status == "fail":
        assert finding.evidence == (f"/etc/courier/imapd-ssl:12: {written.name} = {written.value}",)


def test_a_copy_is_not_told_again() -> None:
    first, copy = setting("TLS_PROTOCOL", "TLSv1.2+"), setting("TLS_STARTTLS_PROTOCOL", "TLSv1.2+")
    found = findings("CFG-05", courier(settings=(first, copy)))
    assert [f.subject for f in found] == ["courier imapd-ssl TLS_PROTOCOL"]


def test_required_without_starttls_is_in_vain() -> None:
    server = courier(
        row("starttls", "no", "service=imap", "IMAPDSTARTTLS", native="NO"),
        row("plaintext_login", "yes", "service=imap", "IMAPDSTARTTLS", native="NO"),
    )
    (finding,) = findings("CFG-05", server)
    assert (finding.status.value, finding.severity.value) == ("fail", "high")
    assert "IMAP_TLS_REQUIRED has no effect while IMAPDSTARTTLS = NO" in finding.actual


def test_dovecot_refuses_what_it_does_not_know() -> None:
    assert findings("CFG-05", dovecot())[0].status.value == "not_applicable"
    assert findings("LOG-01", courier())[0].status.value == "not_applicable"


DYNAMIC = [
    (courier(), "pass"),
    (courier(settings=()), "not_checked"),
    (courier(settings=(setting("TLS_PRIORITY", "$P", dynamic=True),)), "fail"),
    (courier(settings=(setting("IMAP_TLS_REQUIRED", "$(x)", dynamic=True),)), "fail"),
    (courier(settings=(setting("TLS_PRIORITY", "$P", dynamic=True, wins=False),)), "pass"),
    (courier(settings=(setting("TLS_PROTOCOL", "$P", dynamic=True),)), "pass"),  # not read
    (courier(settings=(setting("TLS_PROTOCOL", "$P", dynamic=True),), **OPENSSL), "fail"),
    (dovecot(), "pass"),
    (dovecot(settings=(setting("ssl", "$ENV:X", dynamic=True),)), "fail"),
]


@pytest.mark.parametrize(("server", "status"), DYNAMIC)
def test_dynamic(server: Any, status: str) -> None:
    assert [f.status.value for f in findings("CFG-07", server)] == [status]


# ---------------------------------------------------------------------------------------------
# Broken

AT = Origin("/etc/dovecot/dovecot.conf", 7)
CERT = FileFact("/etc/cert.pem", "certificate", True)

BROKEN = [
    (dovecot(), [("pass", "high")]),
    (dovecot(settings=(), effective=(), files=()), [("not_checked", "high")]),
    (dovecot(problems=(Problem("unknown setting", AT),)), [("fail", "high")]),
    (dovecot(problems=(Problem("systemctl cannot be asked"),)), [("error", "low")]),
    (dovecot(effective=(), problems=(Problem("no answer"),)), [("error", "high")]),
    (dovecot(files=(replace(CERT, problem="is not PEM"),)), [("fail", "high")]),
    (dovecot(files=(replace(CERT, exists=False),)), [("fail", "high")]),
    (dovecot(files=(replace(CERT, key_matches=False),)), [("fail", "high")]),
    (dovecot(files=(CERT,)), [("pass", "high")]),
]


@pytest.mark.parametrize(("server", "expected"), BROKEN)
def test_broken(server: Any, expected: list[tuple[str, str]]) -> None:
    found = findings("CFG-06", server)
    assert [(f.status.value, f.severity.value) for f in found] == expected


def test_a_dynamic_value_is_told_once() -> None:
    written = setting("TLS_PRIORITY", "$P", dynamic=True)
    server = courier(
        settings=(written,),
        problems=(Problem("P is not a literal that can be read", written.origin),),
    )
    assert findings("CFG-06", server)[0].status.value == "pass"


def test_what_kept_from_seeing_the_host_is_an_error() -> None:
    (finding,) = findings("CFG-06", problems=(Problem("no Python"),))
    assert (finding.status.value, finding.subject) == ("error", "host")


def test_live_evidence_is_of_the_same_service() -> None:
    taken = port(*POP3, attempts=(LoginAttempt("USER", False),))
    server = dovecot(row("tls", "yes"), row("plaintext_login", "yes", IMAP))
    (finding,) = [f for f in findings("CFG-02", server, taken) if f.subject == f"dovecot {IMAP}"]
    assert finding.severity.value == "high"
