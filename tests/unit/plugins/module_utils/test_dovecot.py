# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The observer of Dovecot, over a stand-in for the node that answers as real servers did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import dovecot, host, tls_library
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Expansion,
    Origin,
    ServerConfig,
    TlsLibrary,
    Unit,
)
from ansible_collections.postmaster.tls.plugins.module_utils.plain import from_plain, to_plain

FIXTURES = Path(__file__).parents[3] / "fixtures" / "config"
MAIN = "/etc/dovecot/dovecot.conf"
BANNER = "# 2.4.1-4 (7d8c0e5759): /etc/dovecot/dovecot.conf\n"
CONFIG = """\
ssl = yes
ssl_min_protocol = TLSv1
ssl_cipher_list = ALL:!aNULL:!eNULL:@SECLEVEL=0
ssl_server_key_password = hunter2
protocol pop3 {
  auth_allow_cleartext = yes
}
"""


class Node:
    """A node in memory: files, and what doveconf says with and without a filter."""

    def __init__(self, text: str, check: host.Result, answers: dict[str, str] | None) -> None:
        self.files = {MAIN: text}
        self.check = check
        self.answers = answers
        self.asked: list[str] = []
        self.without_files = 0

    def run(self, argv: Sequence[str], *_: object) -> host.Result:
        self.asked.append(" ".join(argv[:3]))
        if argv[0] != "doveconf":
            return host.Result(host.NOT_FOUND, "", "")
        if argv[1] == "-n":
            return self.check if "-x" in argv else host.Result(self.without_files, "", "")
        scope = ",".join(argv[i + 1] for i, word in enumerate(argv) if word == "-f")
        answer = None if self.answers is None else self.answers.get(scope)
        return host.Result(89, "", "no") if answer is None else host.Result(0, answer, "")

    def observe(self, monkeypatch: pytest.MonkeyPatch) -> ServerConfig | None:
        monkeypatch.setattr(host, "run", self.run)
        monkeypatch.setattr(host, "read_text", lambda path, _: self.files.get(path))
        monkeypatch.setattr(host, "glob_files", lambda pattern: [pattern])
        monkeypatch.setattr(tls_library, "linked", lambda _: TlsLibrary("openssl", "3.5.1"))
        monkeypatch.setattr(tls_library, "expand", lambda *_, **words: expand(**words))
        return dovecot.observe()


def expand(**words: str) -> Expansion:
    """A library that refuses one word."""
    if "bad" in words.values():
        raise tls_library.Rejected("groups", "no such group")
    return Expansion(suites=(0x1301,))


def recorded() -> dict[str, str]:
    """A real server's global values, and those of POP3."""
    text = (FIXTURES / "doveconf-2.4.1-global.txt").read_text()
    return {"": text, "protocol=pop3": text.replace("cleartext = no", "cleartext = yes")}


def test_a_whole_server(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(CONFIG, host.Result(0, BANNER, ""), recorded())
    config = node.observe(monkeypatch)
    assert config is not None
    assert (config.version, config.config_file) == ("2.4.1-4", MAIN)
    assert config.problems == ()
    minimum = config.value("protocol_min")
    assert minimum is not None
    assert (minimum.value, minimum.origin) == ("TLSv1", Origin(MAIN, 2))
    assert minimum.expansion == Expansion(versions=(0x0301, 0x0302, 0x0303, 0x0304))
    pop3 = [e for e in config.effective if e.scope]
    assert [(e.scope, e.field, e.value, e.origin) for e in pop3] == [
        ("protocol=pop3", "plaintext_login", "yes", Origin(MAIN, 6))
    ]
    assert {(f.path, f.role) for f in config.files} == {
        ("/etc/dovecot/private/mail.pem", "certificate"),
        ("/etc/dovecot/private/mail.key", "key"),
    }
    assert len(config.listeners) == 14
    assert "hunter2" not in repr(config)
    assert config.units == (Unit("dovecot.service", None, None), Unit("dovecot.socket", None, None))
    assert from_plain(ServerConfig, to_plain(config)) == config


def test_one_call_for_the_check_and_one_for_each_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(CONFIG, host.Result(0, BANNER, ""), recorded())
    node.observe(monkeypatch)
    assert [a for a in node.asked if a.startswith("doveconf")] == [
        *("doveconf -n -x", "doveconf ssl auth_allow_cleartext", "doveconf -f protocol=pop3")
    ]


def test_no_dovecot(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Node("", host.Result(host.NOT_FOUND, "", ""), None).observe(monkeypatch) is None


def test_a_broken_configuration_still_gives_settings_and_ports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stderr = f"doveconf: Fatal: Error in configuration file {MAIN} line 5: Expecting '{{'\n"
    text = "protocols = imap\nssl = yes\nservice imap-login {\n}\nservice\n"
    node = Node(text, host.Result(89, BANNER, stderr), recorded())
    node.without_files = 89  # 2.4 answers single questions all the same
    config = node.observe(monkeypatch)
    assert config is not None
    assert config.version == "2.4.1-4"
    assert config.effective == ()
    assert [(s.name, s.value) for s in config.settings] == [("protocols", "imap"), ("ssl", "yes")]
    assert sorted({p.port for p in config.listeners}) == [143, 993]
    (problem,) = config.problems
    assert problem.origin == Origin(MAIN, 5)
    assert problem.message.startswith("Dovecot refuses its configuration: ")


def test_a_configuration_refused_for_its_files_still_gives_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stderr = f"doveconf: Fatal: Error in configuration file {MAIN} line 1: open() failed\n"
    config = Node(CONFIG, host.Result(89, BANNER, stderr), recorded()).observe(monkeypatch)
    assert config is not None
    assert config.value("tls") is not None
    assert len(config.problems) == 1


def test_a_word_the_library_refuses_is_a_problem_with_its_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = {"": "ssl_curve_list = bad\n"}
    node = Node("ssl_curve_list = bad\n", host.Result(0, BANNER, ""), answers)
    config = node.observe(monkeypatch)
    assert config is not None
    groups = config.value("groups")
    assert groups is not None
    assert groups.expansion is None
    assert [(p.message, p.origin) for p in config.problems] == [
        (
            "ssl_curve_list is refused by openssl 3.5.1: no such group; TLS handshakes fail",
            Origin(MAIN, 1),
        )
    ]


def test_scopes_that_doveconf_does_not_answer_are_problems_and_end_the_asking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "".join(f"local_name n{i} {{\nssl = no\n}}\n" for i in range(9))
    node = Node(text, host.Result(0, BANNER, ""), {"": "ssl = yes\n"})
    config = node.observe(monkeypatch)
    assert config is not None
    assert len(config.problems) == dovecot.FAILURE_LIMIT
    assert config.problems[0].message == "doveconf gave no values for local_name=n0"


@pytest.mark.parametrize(
    ("certificate", "key", "expected"),
    [
        ("/c", "/k", (("/c", "certificate", "/k"), ("/k", "key", None))),
        ("/b", "/b", (("/b", "combined", None),)),
        ("/c", None, (("/c", "certificate", None),)),
        ("/c", "", (("/c", "certificate", None),)),
        ("", "/k", (("/k", "key", None),)),
        (None, None, ()),
    ],
)
def test_certificate_and_key_files(
    certificate: str | None, key: str | None, expected: tuple[tuple[str, str, str | None], ...]
) -> None:
    assert dovecot._pair(certificate, key) == expected
