# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of a real ACME server: served, renewed under load, and bad ones refused.

    SWAPS=500 SWAPPED=courier-trixie pytest molecule/certificate/tests -k swaps    hosts that are up

SWAPS is the number of certificates that a host is given under load, 4 by default; SWAPPED are the
hosts, all at once by default. `playbooks/certificate.yml` puts the program there.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ansible_collections.postmaster.tls.lab.hosts import HOSTS, ipv4
from ansible_collections.postmaster.tls.molecule.certificate.hosts import (
    BOTH,
    LIVE,
    NAMES,
    RENEW,
    SECRETS,
    archive,
    doors,
    name_of,
    of_each_kind,
    roots,
    secret_lines,
    served,
)
from ansible_collections.postmaster.tls.molecule.faults.tests.test_sessions import (
    Users,
    idle,
    lives,
)
from ansible_collections.postmaster.tls.molecule.shared import clients
from ansible_collections.postmaster.tls.molecule.shared.faults import Host, everywhere
from ansible_collections.postmaster.tls.tests.unit import pki

SNI = {"dovecot-bookworm": "webmail.example.test", "dovecot-trixie": "mail.old.example.test"}
SWAPS = int(os.environ.get("SWAPS", "4"))
SWAPPED = os.environ.get("SWAPPED", " ".join(NAMES)).split()
METRICS = "/var/lib/prometheus/node-exporter"


@pytest.fixture(params=NAMES)
def host(request: Any) -> Host:
    return Host(request.param)


def deploy(host: Host, options: str) -> str:
    return host.run(f"set +e; postmaster-tls deploy {options} 2>&1; echo rc $?")


def in_force(host: Host, both: bool = True) -> str:
    """Deploy what certbot has, ``both`` kinds of key where there are two; nothing is to be done
    where that is in force."""
    given = f"--certificate {LIVE}/fullchain.pem --key {LIVE}/privkey.pem"
    if both and host.name == BOTH:
        given += f" --alt-certificate {LIVE}-rsa/fullchain.pem --alt-key {LIVE}-rsa/privkey.pem"
    return deploy(host, f"{given} --name {name_of(host.name)}")


# ---------------------------------------------------------------------------------------------


def test_a_client_that_trusts_the_authority_verifies_the_certificate(host: Host) -> None:
    context = ssl.create_default_context(cadata=roots())
    leaf = served(host, name_of(host.name), context)
    kind = rsa.RSAPublicKey if host.name == "dovecot-bookworm" else ec.EllipticCurvePublicKey
    assert isinstance(leaf.public_key(), kind)


def test_every_port_serves_it(host: Host) -> None:
    wanted = served(host, name_of(host.name)).public_bytes(Encoding.DER)
    for door in doors(host):
        _version, leaf = clients.handshake(ipv4(HOSTS[host.name]), door, clients.context())
        assert leaf == wanted, door


def test_only_root_and_the_server_read_the_key(host: Host) -> None:
    paths = {
        "dovecot-bookworm": "private/mail.key",
        "dovecot-trixie": "private/mail.key",
        "courier-trixie": "postmaster-tls.pem",
    }
    seen = host.run(f"stat -c '%a %U:%G' {host.folder}/{paths[host.name]}").strip()
    assert seen == ("400 root:root" if host.product == "dovecot" else "640 root:courier")


def test_metrics_say_when_it_ends(host: Host) -> None:
    text = host.run(f"cat {METRICS}/postmaster_tls_{host.product}.prom")
    label = f'{{product="{host.product}",server_name=""}}'
    leaves = [served(host, name_of(host.name))]
    if host.name == BOTH:
        leaves = list(of_each_kind(host, "imaps 993").values())
    ends = min(leaf.not_valid_after_utc for leaf in leaves).timestamp()
    assert f"postmaster_tls_deploy_success{label} 1\n" in text
    assert f"postmaster_tls_certificate_not_after_timestamp_seconds{label} {ends:.0f}\n" in text


def test_the_distributions_timer_renews(host: Host) -> None:
    """At a random time of half a day each time, also where the host was off."""
    shown = host.run("systemctl is-enabled certbot.timer; systemctl is-active certbot.timer")
    assert shown.split() == ["enabled", "active"]
    timer = host.run("systemctl show certbot.timer -p RandomizedDelayUSec -p Persistent")
    assert sorted(timer.split()) == ["Persistent=yes", "RandomizedDelayUSec=12h"]
    assert "REQUESTS_CA_BUNDLE" in host.run("systemctl show certbot.service -p Environment")


def test_one_that_is_in_force_disturbs_nobody(host: Host) -> None:
    units = "dovecot" if host.product == "dovecot" else "'courier-*'"
    state = (
        f"systemctl show {units} -p Id,MainPID,StateChangeTimestampMonotonic,NRestarts; "
        f"ls /var/lib/postmaster-tls/generations; find {host.folder} -type f -printf '%p %i %T@\\n'"
    )
    session = idle(host)
    before = host.run(state)
    said = in_force(host)
    assert said.endswith("is in force already\nrc 0\n"), said
    assert host.run(state) == before
    assert lives(session)
    session.shutdown()


@contextlib.contextmanager
def load(host: Host) -> Iterator[list[Users]]:
    """Two clients that log in without a pause; afterwards it is counted how that went."""
    users = [Users(host) for _ in range(2)]
    for user in users:
        user.start()
    try:
        yield users
    finally:
        for user in users:
            user.over.set()
        for user in users:
            user.join()


def judged(host: Host, users: list[Users], swaps: int) -> None:
    """No handshake fails on Courier, one in ten reloads at most on Dovecot; no port closes."""
    came = sum((user.came for user in users), Counter[str]())
    print(f"\n{host.name}: {swaps} certificates under load: {dict(came)}")
    assert came["ok"] > swaps
    assert came["refused"] == 0
    allowed = max(1, swaps // 10) if host.product == "dovecot" else 0
    assert came["handshake failed"] <= allowed, [user.faults for user in users]


def test_renewed_twice_under_login_load(host: Host) -> None:
    seen = [served(host, name_of(host.name))]
    with load(host) as users:
        for _renewal in range(2):
            said = host.run(RENEW)
            assert "all renewals succeeded" in said, said
            seen.append(served(host, name_of(host.name)))
    keys = {
        each.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for each in seen
    }
    assert len({each.fingerprint(hashes.SHA256()) for each in seen}) == len(keys) == 3
    judged(host, users, 2)


HOOK = "/etc/letsencrypt/renewal-hooks/deploy/postmaster-tls-mail"


def test_what_a_hook_could_not_do_is_seen_and_done_in_the_next_hour() -> None:
    """certbot ends well all the same, and calls no hook again before the next renewal."""
    host = Host("dovecot-bookworm")
    before = served(host, name_of(host.name))
    host.run(f"cp {HOOK} /root/hook; sed -i 's|renew |renew --name=nobody.example.test |' {HOOK}")
    said = host.run(f"set +e; {RENEW}; echo rc $?")
    host.run(f"cat /root/hook >{HOOK}")
    assert "does not cover nobody.example.test" in said
    print(said.splitlines()[-1])
    metric = f"cat {METRICS}/postmaster_tls_dovecot.prom"
    assert 'postmaster_tls_deploy_success{product="dovecot",server_name=""} 0\n' in host.run(metric)
    assert served(host, name_of(host.name)) == before
    standing = "/var/lib/postmaster-tls/certificates/mail.renewal.json"
    # Half an hour later:
    host.run(
        f'sed -i \'s|"until": [0-9.]*|"until": 1|\' {standing}; '
        "systemctl start postmaster-tls-renew-mail.service"
    )
    assert served(host, name_of(host.name)) != before
    seen = host.run(metric)
    assert 'postmaster_tls_deploy_success{product="dovecot",server_name=""} 1\n' in seen
    assert 'postmaster_tls_renewal_failures{product="dovecot",server_name=""} 0\n' in seen


def test_two_hooks_at_a_time_take_turns() -> None:
    host = Host("courier-trixie")
    made = pki.Authority()
    for number in (0, 1):
        chain, key = made.issue([name_of(host.name)])
        text = base64.b64encode(key + chain).decode()
        host.run(f"umask 77; echo {text} | base64 -d >/root/turn{number}.pem")
    give = f"postmaster-tls deploy --name {name_of(host.name)} --certificate /root/turn"
    said = host.run(f"{give}0.pem & first=$!; {give}1.pem; wait $first")
    assert said.count("and served\n") == 2, said
    assert "is written to" in in_force(host)


def test_three_generations_are_kept(host: Host) -> None:
    assert len(host.run("ls /var/lib/postmaster-tls/generations").split()) == 3


# ---------------------------------------------------------------------------------------------
# What must not go into force


def test_each_bad_input_is_one_sentence_and_changes_nothing() -> None:
    packed = archive()

    def refused(host: Host) -> list[str]:
        host.run(
            f"rm -rf /root/bad; mkdir /root/bad; echo {packed} | base64 -d | tar x -C /root/bad"
        )
        before, served_before = host.sums(), served(host, name_of(host.name))
        said = host.run(
            f"for n in $(seq 0 {len(pki.BAD) - 1}); do postmaster-tls deploy "
            f"--certificate /root/bad/$n/{pki.CHAIN} --key /root/bad/$n/{pki.KEY} "
            f"--name {pki.NAME} 2>&1 && echo accepted; done || true"
        )
        assert host.sums() == before
        assert served(host, name_of(host.name)) == served_before
        return said.splitlines()

    for name, lines in everywhere(refused, NAMES).items():
        assert len(lines) == len(pki.BAD), (name, lines)
        for number, (bad, line) in enumerate(zip(pki.BAD, lines)):
            assert line.startswith(f"postmaster-tls: /root/bad/{number}/{bad.file}"), (name, line)
            assert bad.words in line, (name, bad.what, line)


def test_a_failure_is_in_the_metrics_until_the_next_success(host: Host) -> None:
    metric = f"grep ^postmaster_tls_deploy_success {METRICS}/postmaster_tls_{host.product}.prom"
    assert host.run(metric).endswith(" 0\n")
    in_force(host)
    assert host.run(metric).endswith(" 1\n")


def test_a_link_that_a_service_could_have_made_is_refused(host: Host) -> None:
    host.run("install -d -m 777 /root/shared; ln -sf /root/bad/0/key.pem /root/shared/key.pem")
    host.run(f"ln -sf {LIVE}/fullchain.pem /root/shared/chain.pem")
    said = deploy(host, "--certificate /root/shared/chain.pem --key /root/shared/key.pem")
    assert "can be written by others than root" in said
    assert said.endswith("rc 1\n")


def test_swaps_under_login_load() -> None:
    """On all hosts at once, as a fleet renews."""
    authority = pki.Authority()

    def swapped(host: Host) -> str:
        files = {
            f"{number}.{kind}": base64.b64encode(content).decode()
            for number in (0, 1)
            for kind, content in zip(("pem", "key"), authority.issue([name_of(host.name)]))
        }
        put = "; ".join(f"echo {text} | base64 -d >{name}" for name, text in files.items())
        host.run(f"install -d -m 700 /root/swap; cd /root/swap; {put}")
        with load(host) as users:
            said = host.run(
                f"cd /root/swap; for n in $(seq {SWAPS}); do postmaster-tls deploy --certificate "
                f"$((n % 2)).pem --key $((n % 2)).key --name {name_of(host.name)} 2>&1; done"
            )
        judged(host, users, SWAPS)
        return said

    for name, said in everywhere(swapped, SWAPPED).items():
        assert said.count("and served\n") == SWAPS, (name, said)


def test_stock_links_stay_and_hardening_keeps_what_is_served(playbook: Any) -> None:
    """Debian's Dovecot names a link to the snake oil certificate, which others use as well."""
    host = Host("dovecot-bookworm")
    host.run(
        "cd /etc/dovecot/conf.d; sed -i 's|private/mail.pem|private/dovecot.pem|; "
        "s|private/mail.key|private/dovecot.key|' 10-ssl.conf; systemctl reload dovecot"
    )
    oil = "sha256sum /etc/ssl/certs/ssl-cert-snakeoil.pem /etc/ssl/private/ssl-cert-snakeoil.key"
    links = "readlink /etc/dovecot/private/dovecot.pem /etc/dovecot/private/dovecot.key"
    before = host.run(f"{oil}; {links}")
    assert "private/postmaster-tls.pem" in in_force(host)
    wanted = served(host, name_of(host.name))
    done = playbook("harden", f"--limit={host.name}")
    assert done.returncode == 0, done.stdout[-3000:]
    assert served(host, name_of(host.name)) == wanted
    assert in_force(host).endswith("is in force already\nrc 0\n")
    assert host.run(f"{oil}; {links}") == before


# ---------------------------------------------------------------------------------------------
# The other providers


def authority(folder: Path, **more: Any) -> list[str]:
    variables = {
        "certificate_provider": "ca",
        "certificate_ca_directory": str(folder),
        "certificate_ca_passphrase": "a passphrase for the lab",
        "certificate_name": folder.parent.name,
        **more,
    }
    given = folder.parent / "variables.json"  # Ansible shows what its command line holds
    given.write_text(json.dumps(variables))
    return ["--limit", ",".join(NAMES), "-e", f"@{given}"]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pki")


def test_an_authority_of_our_own_and_no_key_in_any_output(playbook: Any, own: Path) -> None:
    name = {"mail_tls_names": ["{{ inventory_hostname }}.example.test"]}
    # A resolver that is none, so that the certificate is read for the question of TLSA records.
    asked = authority(own, **name, mail_tls_resolver="127.0.0.1#9")
    done = playbook("certificate", "-vvvv", "--diff", *asked)
    assert done.returncode == 0, done.stdout[-3000:]
    words = " ".join((done.stdout + done.stderr).split())
    assert "whether TLSA records reject the certificate is not known" in words
    context = ssl.create_default_context(cafile=str(own / "root.pem"))
    said = done.stdout + done.stderr
    for host in map(Host, NAMES):
        served(host, name_of(host.name), context)
        kept = [base64.b64decode(line) for line in host.run(SECRETS).splitlines()]
        keys = [content for content in kept if b"PRIVATE KEY" in content]
        assert len(keys) > 3
        for content in keys:
            assert not [line for line in secret_lines(content) if line in said]
            assert base64.b64encode(content).decode()[:200] not in said
    assert "a passphrase for the lab" not in said
    again = playbook("certificate", *authority(own, **name))
    assert again.stdout.count("changed=0") == len(NAMES), again.stdout[-2000:]


def test_both_kinds_of_key_at_once_where_the_server_can(playbook: Any, own: Path) -> None:
    """And Courier says that it cannot; the names of other certificates keep theirs."""
    name = ["{{ inventory_hostname }}.example.test"]
    asked = authority(own, mail_tls_names=name, certificate_key_type="both")
    done = playbook("certificate", *asked)
    words = " ".join(done.stdout.split())
    assert "Courier serves one certificate to every client" in words
    assert words.count("failed=1") == 1, done.stdout[-3000:]
    before = {}
    for host in map(Host, NAMES[:2]):
        doors_ = ("imap 143", "imaps 993", "pop3 110", "pop3s 995", "sieve 4190")
        for door in doors_:
            for kind, leaf in of_each_kind(host, door).items():
                assert isinstance(leaf.public_key(), kind), door
                assert clients.names(leaf.public_bytes(Encoding.DER)) == [name_of(host.name)]
        assert clients.names(clients.asked_for(ipv4(HOSTS[host.name]), 993, SNI[host.name])) == [
            SNI[host.name]
        ]
        before[host.name] = host.sums()
    again = playbook("certificate", *asked)
    assert again.stdout.count("changed=0") == 3, again.stdout[-2000:]
    assert before == {each: Host(each).sums() for each in NAMES[:2]}
    alone = playbook("certificate", *authority(own, mail_tls_names=name))
    assert alone.returncode == 0, alone.stdout[-3000:]
    for host in map(Host, NAMES[:2]):
        assert "postmaster-tls-alt" not in host.run("doveconf -n")


def test_a_certificate_for_one_name_alone(playbook: Any, own: Path) -> None:
    sni = {**SNI, "courier-trixie": "other.example.test"}
    lookup = "{{ (certificate_of[inventory_hostname]) }}"
    more = {"certificate_of": sni, "certificate_sni": lookup, "mail_tls_names": [lookup]}
    done = playbook(
        "certificate", *authority(own, **more, certificate_name=f"{own.parent.name}-one")
    )
    assert done.returncode == 0, done.stdout[-3000:]
    context = ssl.create_default_context(cafile=str(own / "root.pem"))
    for host in map(Host, NAMES):
        others = served(host, name_of(host.name), context)
        assert served(host, sni[host.name], context) != others


def test_one_that_lies_on_disk_and_is_not_served_is_found(reported: Any, own: Path) -> None:
    """Dovecot reads its files when it is told to; Courier at each connection."""
    dovecots = NAMES[:2]
    for host in map(Host, dovecots):
        chain, key = (f"{LIVE}/{name}.pem" for name in ("fullchain", "privkey"))
        own_files = "postmaster-tls" if host.name == "dovecot-bookworm" else "mail"
        at = f"/etc/dovecot/private/{own_files}"
        host.run(f"cat {chain} >{at}.pem; cat {key} >{at}.key")
    _code, report = reported("audit", f"--limit={','.join(dovecots)}")
    found = {
        each["host"]: [
            f["actual"]
            for f in each["findings"]
            if f["check_id"] == "CRT-08" and f["status"] == "fail"
        ]
        for each in report["hosts"]
    }
    for host in map(Host, dovecots):
        assert "another certificate is served than lies on disk" in found[host.name]
        assert "is read again by the server" in in_force(host, both=False)
        assert in_force(host, both=False).endswith("is in force already\nrc 0\n")


STOPGAP = {"certificate_provider": "selfsigned", "certificate_name": "stopgap"}
TIMER = "postmaster-tls-renew-stopgap"
ORDER = "/var/lib/postmaster-tls/certificates/stopgap.pem"


def test_a_stopgap_is_reported_as_one(playbook: Any, reported: Any) -> None:
    more = json.dumps(STOPGAP)
    done = playbook("certificate", "--limit=courier-trixie", "-e", more)
    assert done.returncode == 0, done.stdout[-3000:]
    _code, report = reported("audit", "--limit=courier-trixie", "-e", '{"mail_tls_accept": []}')
    failed = {f["check_id"] for f in report["hosts"][0]["findings"] if f["status"] == "fail"}
    assert "CRT-05" in failed


def test_a_stopgap_renews_itself_and_a_failure_is_seen_and_waited_with() -> None:
    """By the exit code of the unit, a line in the journal, and a metric."""
    host = Host("courier-trixie")
    shown = host.run(f"systemctl show {TIMER}.timer -p RandomizedDelayUSec,Persistent,ActiveState")
    assert sorted(shown.split()) == [
        "ActiveState=active",
        "Persistent=yes",
        "RandomizedDelayUSec=1h",
    ]
    before = served(host, name_of(host.name))
    start = f"systemctl start {TIMER}; echo $?"
    assert host.run(f"set +e; {start}") == "0\n"
    assert served(host, name_of(host.name)) == before
    away = "mv /usr/bin/openssl /usr/bin/openssl.away"
    said = host.run(
        f"rm {ORDER}; {away}; set +e; {start}; {start}; mv /usr/bin/openssl.away /usr/bin/openssl; "
        f"journalctl -q -o cat _SYSTEMD_UNIT={TIMER}.service"
    )
    assert said.startswith("1\n1\n")
    assert "\npostmaster-tls: openssl is not installed on the host" in said
    assert "\npostmaster-tls: it failed 1 times and waits until 20" in said
    metric = f"grep ^postmaster_tls_renewal_failures {METRICS}/postmaster_tls_courier.prom"
    assert host.run(metric).endswith(" 1\n")
    assert served(host, name_of(host.name)) == before
    host.run(f"rm {os.path.dirname(ORDER)}/stopgap.renewal.json; systemctl start {TIMER}")
    assert served(host, name_of(host.name)) != before
    assert host.run(metric).endswith(" 0\n")


def test_no_stopgap_comes_back_where_another_provider_is_wanted(playbook: Any) -> None:
    host = Host("courier-trixie")
    more = {**STOPGAP, "certificate_provider": "files", "certificate_file": ORDER}
    done = playbook("certificate", "--limit=courier-trixie", "-e", json.dumps(more))
    assert done.returncode == 0, done.stdout[-3000:]
    assert host.run(f"ls /etc/systemd/system | grep -c {TIMER} || true") == "0\n"
    assert "inactive" in host.run(f"systemctl is-active {TIMER}.timer || true")


def test_certbot_puts_nothing_in_force_where_another_provider_is_wanted(playbook: Any) -> None:
    host, gone = Host("courier-trixie"), f"test -e {HOOK} || echo gone"
    assert host.run(gone) == ""
    more = json.dumps({"certificate_provider": "files", "certificate_file": ORDER})
    done = playbook("certificate", "--limit=courier-trixie", "-e", more)
    assert done.returncode == 0, done.stdout[-3000:]
    assert host.run(gone) == "gone\n"
