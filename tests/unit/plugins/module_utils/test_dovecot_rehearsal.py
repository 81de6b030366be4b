# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private Dovecot's configuration: the candidate, and nothing that is live."""

from __future__ import annotations

import stat
from pathlib import Path

from ansible_collections.postmaster.tls.plugins.module_utils.config.dovecot_lines import (
    read_document,
)
from ansible_collections.postmaster.tls.plugins.module_utils.dovecot_rehearsal import prepare
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service, TlsMode

CONFIG = """dovecot_config_version = 2.4.0
listen = 192.0.2.1
ssl_server_cert_file = /etc/dovecot/new.crt
service imap-login {
  inet_listener imaps {
    port = 993
  }
}
protocol imap {
  service_count = 1
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
  }
}
passdb pam {
}
"""
PORTS = {
    (Service.IMAP, TlsMode.STARTTLS): 30143,
    (Service.IMAP, TlsMode.IMPLICIT): 30993,
    (Service.SIEVE, TlsMode.STARTTLS): 34190,
}


def written(directory: Path) -> str:
    document = read_document("/main.conf", {"/main.conf": CONFIG}.get, lambda _pattern: [])
    instance = prepare(document, {"/etc/dovecot/new.crt": b"PEM"}, str(directory), PORTS)
    assert instance.commands == (("dovecot", "-F", "-c", f"{directory}/dovecot.conf"),)
    assert instance.log == f"{directory}/log"
    return (directory / "dovecot.conf").read_text()


def test_the_first_line_stays_the_first(tmp_path: Path) -> None:
    assert written(tmp_path).startswith("dovecot_config_version = 2.4.0\n")


def test_nothing_live_is_opened(tmp_path: Path) -> None:
    text = written(tmp_path)
    assert "postfix" not in text
    assert "993\n  }\n}\nprotocol" not in text
    own = text.partition("base_dir = ")[2]
    assert own.startswith(f"{tmp_path}/base\nstate_dir = {tmp_path}/state\n")
    assert "\nlisten = 127.0.0.1\nprotocols = imap sieve\n" in own
    for name, port in (("imap", 30143), ("imaps", 30993), ("sieve", 34190), ("sieves", 0)):
        assert f"  inet_listener {name} {{\n    port = {port}\n" in own
    assert own.count("ssl = yes") == 2


def test_blocks_of_other_kinds_stay(tmp_path: Path) -> None:
    text = written(tmp_path)
    assert "protocol imap {\n  service_count = 1\n}\n" in text
    assert "passdb pam {\n}\n" in text


def test_a_new_certificate_is_read_from_beside_it(tmp_path: Path) -> None:
    assert f"ssl_server_cert_file = {tmp_path}/0.pem\n" in written(tmp_path)
    assert (tmp_path / "0.pem").read_bytes() == b"PEM"
    assert stat.S_IMODE((tmp_path / "0.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "dovecot.conf").stat().st_mode) == 0o600
