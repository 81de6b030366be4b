# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hardening leaves on the hosts: all that the administrator wrote, and nothing lying about."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.postmaster.tls.lab.hosts import HOSTS, ipv4
from ansible_collections.postmaster.tls.molecule.shared import clients

SERVERS = [host.name for host in HOSTS.values() if host.packages]
DOVECOT = [name for name in SERVERS if name.startswith("dovecot")]
On = Callable[[str], Any]

# Host, file, and how a line begins that the administrator wrote there: it stands as it was.
WRITTEN = (
    (
        "dovecot-bullseye",
        "local.conf",
        '# Machines in the house still use old clients (see the wiki, "mail clients").',
    ),
    ("dovecot-bullseye", "local.conf", "remote 10.0.0.0/8 {"),
    (
        "dovecot-bullseye",
        "conf.d/10-ssl.conf",
        "# 2021-03-04 ticket 118: the scanner on the second floor can't do TLS.",
    ),
    ("dovecot-bookworm", "conf.d/10-ssl.conf", "# Windows 7 in the workshop"),
    ("dovecot-bookworm", "conf.d/10-ssl.conf", "# webmail has a certificate of its own"),
    ("dovecot-bookworm", "conf.d/10-ssl.conf", "local_name webmail.example.test {"),
    ("dovecot-bookworm", "conf.d/10-ssl.conf", "  ssl_cert = </etc/dovecot/private/webmail.pem"),
    ("dovecot-bookworm", "conf.d/10-auth.conf", "auth_mechanisms = plain login"),
    ("dovecot-bookworm", "conf.d/10-master.conf", "  inet_listener imaps-travel {"),
    ("dovecot-bookworm", "conf.d/10-master.conf", "  # Postfix delivers here"),
    (
        "dovecot-bookworm",
        "conf.d/99-legacy.conf",
        "## Added by the helpdesk, 2023-11-02: phones could not log in any more.",
    ),
    ("dovecot-trixie", "local.conf", "# Accounts that are no system users."),
    ("dovecot-trixie", "local.conf", "passdb passwd-file {"),
    ("dovecot-trixie", "local.conf", "  passwd_file_path = /etc/dovecot/users"),
    ("dovecot-trixie", "local.conf", "sieve_script company {"),
    (
        "dovecot-trixie",
        "conf.d/10-ssl.conf",
        "# The domain from before the merger, until its last users have moved.",
    ),
    ("dovecot-trixie", "conf.d/10-ssl.conf", "local_name mail.old.example.test {"),
    (
        "dovecot-trixie",
        "conf.d/20-pop3.conf",
        "  # The till in the shop fetches its orders by POP3 and can not do TLS.",
    ),
    ("dovecot-trixie", "conf.d/10-master.conf", "  inet_listener imap-tickets {"),
    (
        "dovecot-trixie",
        "company.sieve",
        'if header :contains "X-Spam-Flag" "YES" { fileinto "Junk"; }',
    ),
    (
        "dovecot-sid",
        "local.conf",
        "# The branch offices come in over the VPN, which is encrypted anyway.",
    ),
    ("dovecot-sid", "local.conf", "login_trusted_networks = 10.0.0.0/8"),
    ("courier-bookworm", "imapd", "# No plaintext passwords! 2024-05-14"),
    ("courier-bookworm", "imapd-ssl", 'TLS_CIPHER_LIST="HIGH:!aNULL:!MD5:!3DES"'),
    ("courier-trixie", "imapd", "PORT=143,1143"),
    ("courier-trixie", "imapd-ssl", "TLS_CERTFILE=/etc/courier/`hostname`.pem"),
    ("courier-trixie", "imapd-ssl", 'TLS_BASE="NORMAL:%COMPAT"'),
    ("courier-trixie", "pop3d-ssl", "# the old phones"),
    ("courier-sid", "imapd-ssl", "# temporary, until the new phones are there"),
    ("courier-sid", "pop3d", 'POP3AUTH="PLAIN LOGIN"'),
)

# Host, command, and what it must say: what the administrator's words mean is in force as before.
IN_FORCE = (
    ("dovecot-bookworm", "doveconf -h auth_mechanisms", "plain login"),
    ("dovecot-bookworm", "ss -Hltn sport = :24", "127.0.0.1:24"),
    ("dovecot-bookworm", "ss -Hltn sport = :10993", ":10993"),
    ("dovecot-trixie", "doveconf -n", "passdb passwd-file {"),
    ("dovecot-trixie", "doveconf -n", "sieve_script company {"),
    ("dovecot-trixie", "doveadm auth lookup sieve-admin", "sieve-admin"),
    ("dovecot-trixie", "ss -Hltn sport = :24", "127.0.0.1:24"),
    ("dovecot-trixie", "ss -Hltn sport = :1143", ":1143"),
    ("dovecot-trixie", "ss -Hltn sport = :2000", ":2000"),
    ("courier-trixie", "ss -Hltn sport = :1143", ":1143"),
)


@pytest.mark.parametrize(("name", "file", "line"), WRITTEN)
def test_what_the_administrator_wrote_stands(on: On, name: str, file: str, line: str) -> None:
    folder = "/etc/courier" if name.startswith("courier") else "/etc/dovecot"
    assert f"\n{line}" in "\n" + on(name).check_output("cat %s", f"{folder}/{file}")


@pytest.mark.parametrize(("name", "command", "says"), IN_FORCE)
def test_what_the_administrator_set_is_in_force(on: On, name: str, command: str, says: str) -> None:
    assert says in on(name).check_output(command)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("dovecot-bookworm", "webmail.example.test"),
        ("dovecot-trixie", "mail.old.example.test"),
        ("dovecot-trixie", "mail.example.test"),
    ],
)
def test_names_keep_their_own_certificate(name: str, asked: str) -> None:
    assert asked in clients.names(clients.asked_for(ipv4(HOSTS[name]), 993, asked))


@pytest.mark.parametrize("name", SERVERS)
def test_others_cannot_read_private_keys(on: On, name: str) -> None:
    find = "grep -rl 'PRIVATE KEY' /etc/dovecot /etc/courier"
    keys = on(name).run(find).stdout.split()
    assert keys
    for path in keys:
        mode = int(on(name).check_output("stat -Lc %%a %s", path), 8)
        assert mode & 0o007 == 0, f"{path} {mode:o}"


@pytest.mark.parametrize("name", SERVERS)
def test_nothing_is_left_lying_about(on: On, name: str) -> None:
    places = "/etc/dovecot /etc/courier /run /tmp /var/tmp /root"
    names = (
        r"-name 'postmaster-tls.*' -o -name '.*.????????????' -o -name '*.tmp' -o -name 'ansible*'"
    )
    found = on(name).run(f"find {places} -xdev {names}").stdout.split()
    allowed = r"/run/postmaster-tls\.lock|/etc/.*/postmaster-tls\.(crt|key|pem)|/root/\.ansible.*"
    assert [path for path in found if not re.fullmatch(allowed, path)] == []


@pytest.mark.parametrize("name", SERVERS)
def test_the_old_files_are_kept(on: On, name: str) -> None:
    """One generation, readable by root alone, whose bytes are those from before."""
    folder = on(name).check_output("ls -d /var/lib/postmaster-tls/generations/*")
    assert len(folder.split()) == 1
    assert on(name).check_output("stat -c '%%a %%U' %s", folder) == "700 root"
    manifest = json.loads(on(name).check_output("cat %s", f"{folder}/manifest.json"))
    old = {
        entry["path"]: on(name).check_output("cat %s", f"{folder}/{entry['file']}")
        for entry in manifest["files"]
        if entry["file"]
    }
    path, words = OLD[name]
    assert words in old.get(path, "")
    assert "postmaster.tls" not in "".join(old.values())
    assert "PRIVATE KEY" not in "".join(old.values())


OLD = {
    "dovecot-bullseye": ("/etc/dovecot/local.conf", "\n  disable_plaintext_auth = no\n"),
    "dovecot-bookworm": (
        "/etc/dovecot/conf.d/10-ssl.conf",
        "\nssl_dh = </etc/dovecot/dh1024.pem\n",
    ),
    "dovecot-trixie": ("/etc/dovecot/conf.d/20-pop3.conf", "\n  auth_allow_cleartext = yes\n"),
    "dovecot-sid": ("/etc/dovecot/local.conf", "\n  ssl = no\n"),
    "courier-bookworm": ("/etc/courier/imapd-ssl", "\nIMAP_TLS_REQUIRED=0\n"),
    "courier-trixie": ("/etc/courier/imapd-ssl", "\nIMAPDSTARTTLS=NO\n"),
    "courier-sid": ("/etc/courier/pop3d-ssl", '\nTLS_PRIORITY="NORMAL:+VERS-TLS1.0"'),
}


@pytest.mark.parametrize("name", DOVECOT)
def test_the_log_tells_version_and_cipher_of_a_login(on: On, name: str) -> None:
    clients.count_mail(ipv4(HOSTS[name]), "imaps 993", clients.context())
    lines = on(name).check_output("journalctl --no-pager -o cat -n 200 -u dovecot.service")
    logins = [line for line in lines.splitlines() if "ogin: " in line or "ogged in: " in line]
    assert logins
    assert "TLSv1.3 with cipher TLS_AES_" in logins[-1]


@pytest.mark.parametrize("name", ["dovecot-trixie", "dovecot-sid"])
def test_a_post_quantum_group_is_negotiated(on: On, name: str) -> None:
    """Asked by the host's own OpenSSL 3.5 or later, which offers its default groups."""
    said = on(name).run("openssl s_client -connect 127.0.0.1:993 </dev/null 2>&1").stdout
    assert "Negotiated TLS1.3 group: X25519MLKEM768" in said


def test_verify_exits_0(reported: Any) -> None:
    code, report = reported("verify")
    assert code == 0
    assert {h["host"]: h["verdict"] for h in report["hosts"]} == {
        **dict.fromkeys(SERVERS, "pass"),
        "nomail": "none",
    }
