# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop closes without a server: what the renderer writes, the judge finds nothing wrong with.

A weak configuration is observed, planned for, edited, observed again and judged, for each profile
on each kind of server. The second plan changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    FileFact,
    ServerConfig,
    TlsLibrary,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.posture import (
    Finding,
    Posture,
    Status,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.judge import fails, judge
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import (
    load_checks,
    load_profile,
    profile_names,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import NAME, NOW
from ansible_collections.postmaster.tls.tests.unit.worlds import (
    GNUTLS_37,
    GNUTLS_38,
    OPENSSL_30,
    OPENSSL_35,
    OPENSSL_111,
    CourierWorld,
    DovecotWorld,
    World,
    couriertls,
    short_rsa,
    usable,
)

CATALOGUE = load_checks()
CONFIGURATION = ("CFG-", "LOG-", "PT-08", "CRT-08")
"""The checks that need nobody to knock at a port."""

# ---------------------------------------------------------------------------------------------
# Weak hosts

DOVECOT_23 = {
    "dovecot.conf": (
        "# the administrator's own words\n"
        "protocols = imap pop3 sieve lmtp\n"
        "ssl = no\n"
        "!include conf.d/*.conf\n"
        "!include_try local.conf\n"
    ),
    "conf.d/10-auth.conf": "disable_plaintext_auth = no\nauth_mechanisms = plain login\n",
    "conf.d/10-ssl.conf": (
        "ssl = yes\n"
        "ssl_cert = <private/mail.pem\n"
        "ssl_key = <private/mail.key\n"
        "ssl_dh = <dh.pem\n"
        "ssl_min_protocol = TLSv1\n"
        "ssl_cipher_list = ALL:!aNULL:@SECLEVEL=0\n"
        "ssl_curve_list = secp160r1\n"
        "local_name old.example.org {\n"
        "  ssl_cert = </etc/old.pem\n"
        "  ssl_min_protocol = TLSv1.1\n"
        "  ssl_cipher_list = \\\n"
        "    LOW:\\\n"
        "    MEDIUM\n"
        "}\n"
    ),
    "conf.d/20-pop3.conf": (
        "protocol pop3 {\n  # the till\n  disable_plaintext_auth = no\n  ssl = no\n}\n"
        "protocol imap {\n  login_log_format_elements = user=<%u>\n}\n"
        "protocol lmtp {\n  ssl = no\n}\n"
    ),
    "conf.d/99-zz.conf": "ssl_min_protocol = TLSv1.1\nssl = yes\n",
    "local.conf": (
        "login_trusted_networks = 10.0.0.0/8 127.0.0.1\n"
        "ssl_protocols = !SSLv2\n"
        "remote 192.168.0.0/16 {\n"
        "  disable_plaintext_auth = no\n"
        "  protocol imap {\n    ssl = yes\n  }\n"
        "}\n"
        "ssl_cipher_list = HIGH\n"
    ),
}
DOVECOT_24 = {
    "dovecot.conf": (
        "dovecot_config_version = 2.4.0\n"
        "dovecot_storage_version = 2.4.0\n"
        "protocols {\n  imap = yes\n  pop3 = yes\n  sieve = yes\n  lmtp = yes\n}\n"
        "!include conf.d/*.conf\n"
        "!include_try local.conf\n"
    ),
    "conf.d/10-auth.conf": "auth_allow_cleartext = yes\nauth_mechanisms = plain login\n",
    "conf.d/10-ssl.conf": (
        "ssl = yes\n"
        "ssl_server_cert_file = private/mail.pem\n"
        "ssl_server {\n  key_file = private/mail.key\n}\n"
        "ssl_server_dh_file = dh.pem\n"
        "ssl_min_protocol = TLSv1\n"
        "ssl_cipher_list = ALL:@SECLEVEL=0\n"
        "ssl_curve_list = X25519:prime256v1:secp384r1\n"
        "local_name old.example.org {\n"
        "  ssl_server_cert_file = /etc/old.pem\n"
        "  ssl_min_protocol = TLSv1.1\n"
        "}\n"
    ),
    "conf.d/20-pop3.conf": (
        "protocol pop3 {\n  # the till\n  auth_allow_cleartext = yes\n}\n"
        "protocol imap {\n  login_log_format_elements = user=<%{user}>\n}\n"
        "protocol lmtp {\n  ssl = no\n}\n"
    ),
    "conf.d/99-zz.conf": "ssl_min_protocol = TLSv1.1\n",
    "local.conf": (
        "ssl_cipher_suites = TLS_AES_128_CCM_8_SHA256\n"
        "remote 192.168.0.0/16 {\n"
        "  auth_allow_cleartext = yes\n"
        "  protocol imap {\n    ssl = yes\n  }\n"
        "}\n"
        "ssl = yes\n"
    ),
}
FACTS_DOVECOT = (
    usable("{root}/conf.d/private/mail.pem", "certificate"),
    usable("{root}/conf.d/private/mail.key", "key", mode="0644"),
    usable("/etc/old.pem", "certificate"),
    FileFact("{root}/conf.d/dh.pem", "dh", True, bits=1024),
)

DEBIAN_COURIER = {
    "etc/imapd": "ADDRESS=0\nPORT=143\nIMAPDSTARTTLS=NO\nIMAP_TLS_REQUIRED=0\n",
    "etc/imapd-ssl": (
        "##NAME: SSLPORT:1\n"
        "SSLPORT=993\nSSLADDRESS=0\n"
        "IMAPDSTARTTLS=YES\nIMAP_TLS_REQUIRED=0\n"
        f"COURIERTLS={couriertls()}\n"
        'TLS_STARTTLS_PROTOCOL="$TLS_PROTOCOL"\n'
        'TLS_BASE="NORMAL:%COMPAT"\n'
        'TLS_PRIORITY="$TLS_BASE:+VERS-TLS1.0"\n'
        "TLS_CERTFILE={root}/etc/imapd.pem\n"
        "TLS_VERIFYPEER=NONE\n"
    ),
    "etc/pop3d": 'ADDRESS=0\nPORT=110\nPOP3AUTH="PLAIN LOGIN"\n',
    "etc/pop3d-ssl": (
        "SSLPORT=995\nSSLADDRESS=0\n"
        "POP3_STARTTLS=NO\n"
        f"COURIERTLS={couriertls()}\n"
        'TLS_PROTOCOL="TLSv1"\n'
        'TLS_STARTTLS_PROTOCOL="$TLS_PROTOCOL"\n'
        'TLS_CIPHER_LIST="HIGH:MEDIUM"\n'
        "if test -e /etc/legacy; then\n  POP3_TLS_REQUIRED=0\nfi\n"
        "TLS_CERTFILE={root}/etc/pop3d.pem"
    ),
}
# pop3d.pem was deleted in a clean-up.
FACTS_COURIER = (usable("{root}/etc/imapd.pem", "combined", group="courier", mode="0644"),)

SERVERS: dict[str, tuple[type[World], str, Optional[TlsLibrary]]] = {
    "dovecot 2.3.13, OpenSSL 1.1.1": (DovecotWorld, "2.3.13", OPENSSL_111),
    "dovecot 2.3.19, OpenSSL 3.0": (DovecotWorld, "2.3.19.1", OPENSSL_30),
    "dovecot 2.4.1, OpenSSL 3.5": (DovecotWorld, "2.4.1-4", OPENSSL_35),
    "dovecot 2.4.5, OpenSSL 3.5": (DovecotWorld, "2.4.5", OPENSSL_35),
    "courier 5.0.13, GnuTLS": (CourierWorld, "5.0.13", GNUTLS_37),
    "courier 5.2.11, GnuTLS": (CourierWorld, "5.2.11", GNUTLS_38),
    "courier 6.0.5, OpenSSL": (CourierWorld, "6.0.5", OPENSSL_35),
}

# TLS 1.3 alone is more than these can be told; the plan says so in a note.
BEYOND_THEM = {
    ("modern", "dovecot 2.3.13, OpenSSL 1.1.1"): {"CFG-03"},
    ("modern", "courier 6.0.5, OpenSSL"): {"CFG-03"},
}


def world(name: str, root: Path, files: Optional[Mapping[str, str]] = None) -> World:
    kind, version, library = SERVERS[name]
    made = kind(root, version, library)
    if isinstance(made, CourierWorld):
        made.start()
        made.write(files or DEBIAN_COURIER)
        made.add(*FACTS_COURIER)
    else:
        made.write(files or (DOVECOT_24 if version.startswith("2.4") else DOVECOT_23))
        made.add(*FACTS_DOVECOT)
    return made


def findings(server: ServerConfig, profile: str) -> tuple[Finding, ...]:
    posture = Posture("mail", "2026-11-24T12:00:00Z", profile, (server,))
    judged = judge(posture, load_profile(profile), CATALOGUE, NOW, (NAME,))
    return tuple(f for f in judged if f.check_id.startswith(CONFIGURATION))


def told(found: tuple[Finding, ...]) -> list[str]:
    return [f"{f.check_id} {f.subject}: {f.actual} {f.evidence}" for f in found]


CASES = [(profile, server) for profile in profile_names() for server in SERVERS]


@pytest.mark.parametrize(("profile", "server"), CASES)
def test_what_is_written_is_judged_hard(profile: str, server: str, tmp_path: Path) -> None:
    host = world(server, tmp_path)
    weak = {f.check_id for f in fails(findings(host.observe(), profile))}
    assert weak >= {"CFG-01", "CFG-02", "CFG-03", "CFG-04"}
    plan = host.plan(load_profile(profile))
    assert host.apply(plan)
    left = fails(findings(host.observe(), profile))
    expected = BEYOND_THEM.get((profile, server), set())
    assert {f.check_id for f in left} == expected, told(left)
    assert bool(plan.notes) == bool(expected)


@pytest.mark.parametrize(("profile", "server"), CASES)
def test_the_second_run_plans_the_same_and_changes_nothing(
    profile: str, server: str, tmp_path: Path
) -> None:
    host = world(server, tmp_path)
    host.apply(host.plan(load_profile(profile)))
    texts = host.texts()
    second = host.plan(load_profile(profile))
    assert second.overrides == ()
    assert second.certificate is None
    assert second.modes == ()
    assert host.apply(second) == []
    assert host.texts() == texts
    assert host.plan(load_profile(profile)) == second


@pytest.mark.parametrize("server", SERVERS)
def test_going_from_modern_to_intermediate_softens_nothing(server: str, tmp_path: Path) -> None:
    host = world(server, tmp_path)
    host.apply(host.plan(load_profile("modern")))
    modern = host.observe()
    host.apply(host.plan(load_profile("intermediate")))
    after = host.observe()
    left = fails(findings(after, "intermediate"))
    assert left == (), told(left)
    for row in modern.effective:
        if row.field == "protocol_min":
            now = after.value(row.field, row.scope)
            assert now is None or now.value == row.value


@pytest.mark.parametrize("server", [name for name in SERVERS if name.startswith("dovecot")])
def test_what_is_not_about_logins_stays_byte_for_byte(server: str, tmp_path: Path) -> None:
    host = world(server, tmp_path)
    before = host.texts()
    host.apply(host.plan(load_profile("intermediate")))
    after = host.texts()
    assert "protocol lmtp {\n  ssl = no\n}\n" in after["conf.d/20-pop3.conf"]
    assert after["dovecot.conf"] == before["dovecot.conf"]
    for name, text in before.items():
        assert len(after[name].splitlines()) == len(text.splitlines())
        kept = [line for line in after[name].splitlines() if "postmaster.tls" not in line]
        assert all(line in text.splitlines() for line in kept)


@pytest.mark.parametrize("server", [name for name in SERVERS if name.startswith("courier")])
def test_courier_keeps_what_it_is_not_told_to_change(server: str, tmp_path: Path) -> None:
    host = world(server, tmp_path)
    host.apply(host.plan(load_profile("intermediate")))
    assert 'POP3AUTH="PLAIN LOGIN"\n' in host.text("etc/pop3d")
    assert "PORT=143\n" in host.text("etc/imapd")
    assert "##NAME: SSLPORT:1\n" in host.text("etc/imapd-ssl")
    assert f"TLS_CERTFILE={tmp_path}/etc/imapd.pem\n" in host.text("etc/imapd-ssl")
    assert f"TLS_CERTFILE={tmp_path}/etc/postmaster-tls.pem\n" in host.text("etc/pop3d-ssl")


@pytest.mark.parametrize(("profile", "server"), CASES)
def test_one_file_for_everything(profile: str, server: str, tmp_path: Path) -> None:
    """Without includes, and with nothing set that is not needed."""
    if server.startswith("courier"):
        files = {f"etc/{name}": "" for name in ("imapd", "pop3d")}
        files["etc/imapd-ssl"] = files["etc/pop3d-ssl"] = f"COURIERTLS={couriertls()}\n"
    else:
        old = DOVECOT_24["dovecot.conf"].split("protocols")[0] if "2.4" in server else ""
        files = {"dovecot.conf": old}
    host = world(server, tmp_path, files)
    plan = host.plan(load_profile(profile))
    assert plan.certificate is not None
    host.apply(plan)
    left = fails(findings(host.observe(), profile))
    expected = BEYOND_THEM.get((profile, server), set())
    problems = {f.check_id for f in left if f.status is not Status.ERROR} - {"CFG-06"}
    assert problems == expected, told(left)
    assert host.apply(host.plan(load_profile(profile))) == []


@pytest.mark.parametrize("server", [name for name in SERVERS if name.startswith("dovecot")])
def test_a_short_key_is_replaced_in_the_same_plan(server: str, tmp_path: Path) -> None:
    """The strong list without @SECLEVEL=0 would end every handshake with a key of 1024 bits."""
    host = world(server, tmp_path)
    host.add(short_rsa("{root}/conf.d/private/mail.pem", "certificate"))
    plan = host.plan(load_profile("intermediate"))
    assert plan.certificate is not None
    assert "RSA with 1024 bits" in plan.certificate.reason
    host.apply(plan)
    row = host.observe().value("certificate")
    assert row is not None
    assert row.value == plan.certificate.certificate
    assert host.apply(host.plan(load_profile("intermediate"))) == []
