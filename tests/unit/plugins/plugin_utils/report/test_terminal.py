# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary for a terminal."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.module_utils.model.posture import (
    Finding,
    Severity,
    Status,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.layout import columns
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.terminal import summary
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    PORTS,
    dovecot,
    posture,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    CLOSED,
    GOOD,
    NOTHING,
    WEAK,
    judged,
    report,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.hostile import (
    invisible,
    spoiled,
    with_hostile_text,
)

GOOD_TEXT = """\
good.example.org  passes  intermediate 6.0
  dovecot 2.4.5, openssl 3.5.4
  port        TLS      no-TLS login  certificate
  143 imap    1.2 1.3  refused       mail.example.org, 80 d
  993 imap    1.2 1.3  -             mail.example.org, 80 d
  110 pop3    1.2 1.3  refused       mail.example.org, 80 d
  995 pop3    1.2 1.3  -             mail.example.org, 80 d
  4190 sieve  1.2 1.3  refused       mail.example.org, 80 d
  142 passed

1 host: 1 pass. Findings: none.
"""


def test_a_good_host() -> None:
    assert summary(report(GOOD)) == GOOD_TEXT


def test_a_weak_host() -> None:
    text = summary(report(WEAK))
    lines = text.splitlines()
    assert lines[0] == "weak.example.org  FAILS  intermediate 6.0"
    assert "  143 imap  1.0 1.2 1.3  TAKEN         mail.example.org, self-signed 80 d\n" in text
    assert "  closed: 4190 imap" in text
    assert re.search(r"\n  critical +PT-01  LOGINDISABLED is not announced", text)
    assert re.search(r"\n +cure +Require TLS", text)
    assert re.search(r"\n +cure +as for [A-Z]+-", text)
    assert re.search(r"\n +expected +TLSv1.2 and newer only", text)
    assert re.search(r"\n +on +143 imap, 993 imap", text)
    assert "  problem: half of it was not seen" in text
    assert text.index("critical") < text.index("medium ")


def test_what_fails_comes_first_and_totals_last() -> None:
    text = summary(report())
    order = [text.index(f"\n{name}") for name in ("secret", "good", "nothing")]
    assert order == sorted(order)
    assert text.startswith("weak.example.org")
    assert "nothing.example.org  no mail server" in text
    last = " ".join(text.split("\n\n")[-1].split())
    assert last.startswith("4 hosts: 1 pass, 1 fail, 1 not proven, 1 without a mail server.")


def test_colours_only_when_asked() -> None:
    plain, painted = summary(report()), summary(report(), colour=True)
    assert "\x1b" not in plain
    assert re.sub("\x1b\\[[0-9;]*m", "", painted) == plain
    assert "\x1b[31;1mFAILS\x1b[0m" in painted


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_width(width: int) -> None:
    assert all(columns(line) <= width for line in summary(report(), width).splitlines())


def test_a_narrow_terminal_is_taken_for_a_usable_one() -> None:
    assert summary(report(), 1) == summary(report(), 40)


def test_no_host() -> None:
    empty = report(NOTHING)
    empty.update(hosts=[], summary={**empty["summary"], "hosts": 0})
    empty["summary"]["verdicts"] = dict.fromkeys(("pass", "fail", "error", "none"), 0)
    assert summary(empty) == "0 hosts: none. Findings: none.\n"


def hostile(text: str) -> dict[str, Any]:
    """A document with this text wherever text can be."""
    found = Finding("PT-01", text, Status.FAIL, Severity.HIGH, text, text, (text,), text)
    made = report(replace(WEAK, host=text, findings=(found, *WEAK.findings)))
    host = made["hosts"][0]
    host["servers"][0].update(version=text)
    host["servers"][0]["tls_library"].update(name=text, version=text)
    for endpoint in host["endpoints"]:
        endpoint.update(host=text, service=text, versions=[text])
        for cert in endpoint["chain"]:
            cert.update(names=[text])
    host["problems"][0]["message"] = text
    made["profile"].update(name="p", version=text[:20])
    return made


@given(st.text(max_size=120))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_no_control_character_ever(text: str) -> None:
    shown = summary(hostile(text + "\x1b[2J\u202e\x9b"))
    bad = {c for c in shown if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")}
    assert bad == set()
    assert all(columns(line) <= 80 for line in shown.splitlines())


def test_a_closed_host_has_no_table() -> None:
    shut = replace(GOOD, endpoints=(CLOSED,))
    assert "no-TLS login" not in summary(report(shut))


@pytest.mark.parametrize("times", [1, 7], ids=["hosts", "fleet"])
@with_hostile_text
def test_hostile_text_is_printed_within_the_width(times: int, text: str) -> None:
    document = spoiled(text)
    document["hosts"] *= times
    shown = summary(document)
    assert invisible(shown) == set()
    assert all(columns(line) <= 80 for line in shown.splitlines())


def test_a_port_is_told_once_for_all_its_addresses() -> None:
    both = [replace(port, endpoint=replace(port.endpoint, host="2001:db8::1")) for port in PORTS]
    host = judged(posture(dovecot(), *PORTS, *both, host="both.example.org"))
    assert summary(report(host)).count("143 imap") == 1
    spoilt = replace(both[0], offers=(), handshake=None, chain=())
    host = judged(posture(dovecot(), *PORTS, spoilt, *both[1:], host="both.example.org"))
    text = summary(report(host))
    assert "  143 imap     1.2 1.3  refused" in text
    assert re.search(r"\n  143 imap v6 +\? ", text)
    wrong = report(WEAK)["hosts"][0]["findings"][0]
    made = report(host)
    for subjects, told in (
        (["imap://192.0.2.1:143"], "143 imap v4"),
        (["imap://[2001:db8::1]:143"], "143 imap v6"),
        (["imap://192.0.2.1:143", "imap://[2001:db8::1]:143", "dovecot"], "143 imap, dovecot"),
    ):
        made["hosts"][0]["findings"] = [{**wrong, "subject": subject} for subject in subjects]
        assert re.search(rf"\n +on +{told}\n", summary(made))


def test_what_got_no_answer_is_told_together() -> None:
    made = report(WEAK)
    silent = {
        **made["hosts"][0]["findings"][0],
        "status": "error",
        "fails": True,
        "actual": "no answer",
    }
    url = "imap://192.0.2.1:143"
    made["hosts"][0]["findings"] = [
        {**silent, "check_id": check, "subject": url} for check in ("TLS-01", "TLS-02", "CRT-01")
    ]
    text = summary(made)
    assert "  unseen   143 imap\n           because  no answer\n" in text
    assert "           checks   TLS-01, TLS-02, CRT-01\n" in text
