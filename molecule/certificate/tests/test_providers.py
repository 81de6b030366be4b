# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way to get a certificate, on real parts; what they refuse, and what they never say.

One run of a playbook gives each host another task, so that three cases take the time of one.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
import ssl
import subprocess
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ansible_collections.postmaster.tls.lab.hosts import HOSTS, ipv4
from ansible_collections.postmaster.tls.molecule.certificate.hosts import (
    LIVE,
    NAMES,
    NEWEST,
    RENEW,
    SECRETS,
    archive,
    is_short,
    name_of,
    of_each_kind,
    roots,
    secret_lines,
    served,
)
from ansible_collections.postmaster.tls.molecule.shared.faults import ROOT, Host, await_, everywhere
from ansible_collections.postmaster.tls.tests.unit import pki

FOLDER = Path(__file__).resolve().parent.parent
BOUND = yaml.safe_load((FOLDER / "vars" / "bound.yml").read_text())
ACCOUNT_PASSPHRASE = "a passphrase for the account"
BOOKWORM, TRIXIE, COURIER = NAMES
SAID: list[str] = []
"""What all runs of playbooks printed."""


def directory(which: str) -> str:
    host, port = {
        "open": ("nomail", 14000),
        "bound": ("nomail", 14001),
        "profiles": (NEWEST, 14000),
    }[which]
    return f"https://{ipv4(HOSTS[host])}:{port}/dir"


def public_key(certificate: x509.Certificate) -> bytes:
    key: bytes = certificate.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return key


@pytest.fixture(scope="module")
def given(playbook: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """given({host: {variable: value}}, option, …): run the playbook, each host with its own."""

    def run(each: dict[str, dict[str, Any]], *options: str) -> subprocess.CompletedProcess[str]:
        names = {name for variables in each.values() for name in variables}
        written = tmp_path_factory.mktemp("given") / "variables.json"
        of_host = {n: f"{{{{ given_of[inventory_hostname].{n} | default('') }}}}" for n in names}
        name = {"mail_tls_names": ["{{ inventory_hostname }}.example.test"]}
        written.write_text(json.dumps({"given_of": each, **of_host, **name}))
        done: subprocess.CompletedProcess[str] = playbook(
            "certificate", "--limit", ",".join(each), "-e", f"@{written}", *options
        )
        SAID.append(done.stdout + done.stderr)
        return done

    return run


def failed(done: subprocess.CompletedProcess[str], host: str) -> str:
    """The sentence with which the run ended on a host, in one line."""
    head = rf"^fatal: \[{host}(?: -> \S+)?\]"
    found = re.findall(rf"(?ms){head}.*?^ +msg: (.*?)(?=^    \w+:|^\S)", done.stdout)
    assert found, done.stdout[-3000:]
    return " ".join(found[-1].split()).strip("'\"").removeprefix(">- ").replace("''", "'")


def changes(done: subprocess.CompletedProcess[str], host: str) -> int:
    found = re.search(rf"(?m)^{host} .*changed=(\d+)", done.stdout)
    assert found, done.stdout[-2000:]
    return int(found[1])


def txt(host: str) -> list[str]:
    """The records that prove the host's name, as the DNS server answers."""
    asked = dns.message.make_query(f"_acme-challenge.{name_of(host)}", "TXT")
    answer = dns.query.udp(asked, ipv4(HOSTS["nomail"]), timeout=10, port=8053)
    return [str(record) for rrset in answer.answer for record in rrset]


# ---------------------------------------------------------------------------------------------
# By an ACME client on the controller


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Two hosts whose names are proven by DNS, by a file with tasks and by a role; one by HTTP."""
    folder = tmp_path_factory.mktemp("controller")
    (folder / "server.pem").write_text(Host(COURIER).run("cat /etc/ssl/acme-server.pem"))
    same = {
        "certificate_provider": "acme_controller",
        "certificate_name": "fleet",
        "certificate_acme_directory": directory("bound"),
        "certificate_acme_server_ca_file": str(folder / "server.pem"),
        "certificate_acme_account_key": str(folder / "account" / "account.key"),
        "certificate_acme_account_passphrase": ACCOUNT_PASSPHRASE,
        "certificate_acme_eab_key_id": BOUND["bound_key_id"],
        "certificate_acme_eab_hmac": BOUND["bound_hmac"],
        "certificate_acme_challenge": "dns-01",
        "certificate_reuse_key": False,
        "certificate_key_type": "ecdsa",
    }
    publish = FOLDER / "roles" / "publish"
    return {
        BOOKWORM: {**same, "certificate_acme_dns_tasks": str(publish / "tasks" / "main.yml")},
        TRIXIE: {
            **same,
            "certificate_acme_dns_role": str(publish),
            "certificate_key_type": "both",
        },
        COURIER: {
            **same,
            "certificate_acme_challenge": "http-01",
            "certificate_acme_webroot": "/srv/www",
        },
    }


def test_the_controller_orders_for_hosts_without_credentials(given: Any, fleet: Any) -> None:
    done = given(fleet, "-vvvv", "--diff")
    assert done.returncode == 0, done.stdout[-3000:]
    context = ssl.create_default_context(cadata=roots())
    for host in map(Host, NAMES):
        served(host, name_of(host.name), context)
        order = f"/var/lib/postmaster-tls/certificates/{fleet[BOOKWORM]['certificate_name']}.pem"
        assert directory("bound") in host.run(f"head -1 {order}")
        assert host.run(f"stat -c '%a %U' {order}").strip() == "600 root"
        assert txt(host.name) == []
    for kind, leaf in of_each_kind(Host(TRIXIE), "imaps 993").items():
        assert isinstance(leaf.public_key(), kind)
    assert Host(COURIER).run("ls /srv/www/.well-known/acme-challenge") == ""
    key = Path(fleet[BOOKWORM]["certificate_acme_account_key"])
    assert key.stat().st_mode & 0o777 == 0o600
    assert b"ENCRYPTED" in key.read_bytes()


def test_another_server_is_noticed_and_a_failed_proof_leaves_nothing(
    given: Any, fleet: Any
) -> None:
    """One asks another server, which has profiles, and keeps its key; one changes nothing; one
    publishes nonsense."""
    before = {name: served(Host(name), name_of(name)) for name in NAMES}
    elsewhere = {
        "certificate_acme_directory": directory("open"),
        "certificate_acme_eab_key_id": "",
        "certificate_acme_eab_hmac": "",
    }
    short = {
        "certificate_acme_directory": directory("profiles"),
        "certificate_acme_profile": "shortlived",
    }
    wrong = {
        "certificate_acme_challenge": "dns-01",
        "certificate_acme_dns_tasks": fleet[BOOKWORM]["certificate_acme_dns_tasks"],
        "publish_instead": "nonsense",
    }
    done = given(
        {
            BOOKWORM: {**fleet[BOOKWORM], **elsewhere, **short, "certificate_reuse_key": True},
            TRIXIE: fleet[TRIXIE],
            COURIER: {**fleet[COURIER], **elsewhere, **wrong},
        }
    )
    now = {name: served(Host(name), name_of(name)) for name in NAMES}
    assert now[BOOKWORM] != before[BOOKWORM]
    assert public_key(now[BOOKWORM]) == public_key(before[BOOKWORM])
    assert is_short(now[BOOKWORM])
    assert changes(done, TRIXIE) == 0
    assert now[TRIXIE] == before[TRIXIE]
    assert "Correct value not found for DNS challenge" in failed(done, COURIER)
    assert now[COURIER] == before[COURIER]
    assert [txt(name) for name in NAMES] == [[], [], []]


def test_what_is_missing_is_one_sentence(given: Any, fleet: Any) -> None:
    nothing = {"certificate_acme_dns_tasks": "", "certificate_acme_webroot": ""}
    done = given({name: {**fleet[name], **nothing} for name in (BOOKWORM, COURIER)})
    assert failed(done, BOOKWORM).startswith("certificate_acme_dns_tasks is not set; it names")
    assert failed(done, COURIER).startswith("certificate_acme_webroot is not set; it names")


# ---------------------------------------------------------------------------------------------
# By certbot on the host


def test_what_certbot_is_told_anew_is_done_and_what_it_cannot_is_said(given: Any) -> None:
    """Debian 12 has no profiles; one keeps the key that is left of two; one proves nothing."""
    same = {
        "certificate_provider": "acme",
        "certificate_acme_directory": directory("open"),
        "certificate_acme_server_ca_file": "/etc/ssl/acme-server.pem",
        "certificate_acme_challenge": "dns-01",
        "certificate_acme_dns_hook": "/usr/local/sbin/publish set",
        "certificate_acme_dns_cleanup_hook": "/usr/local/sbin/publish clear",
        "certificate_reuse_key": False,
    }
    host = Host(TRIXIE)
    unproven = {"certificate_acme_dns_hook": "/bin/true"}
    done = given(
        {
            BOOKWORM: {**same, "certificate_acme_profile": "shortlived"},
            TRIXIE: {**same, "certificate_reuse_key": True},
            COURIER: {**same, **unproven},
        }
    )
    assert "knows no profiles; 4.0.0-2+deb13u1 does better" in failed(done, BOOKWORM)
    refused = failed(done, COURIER)
    assert refused.startswith(f"certbot got no certificate for {name_of(COURIER)}: "), refused
    assert "No TXT records found" in refused or "Correct value not found" in refused, refused
    assert changes(done, TRIXIE) > 0, done.stdout[-3000:]
    assert host.run("ls /etc/letsencrypt/renewal /etc/letsencrypt/live").count("mail-rsa") == 0
    assert "postmaster-tls-alt" not in host.run("doveconf -n")
    renewal = host.run(f"cat /etc/letsencrypt/renewal/{Path(LIVE).name}.conf")
    assert directory("open") in renewal
    assert "authenticator = manual" in renewal
    before = served(host, name_of(TRIXIE))
    assert "all renewals succeeded" in host.run(RENEW)
    after = served(host, name_of(TRIXIE))
    assert after != before
    assert public_key(after) == public_key(before)


# ---------------------------------------------------------------------------------------------
# By other clients, whose hooks are documented


LEGO = """
cd /root; export LEGO_CA_CERTIFICATES=/etc/ssl/acme-server.pem
D=/root/lego/certificates NAME={name} TOOL=/usr/local/sbin/postmaster-tls
client() {{ lego --accept-tos --email a@example.test --server {server} --path /root/lego --http \
    --domains $NAME "$@" 2>&1; }}
client run
client renew --days 9999 --no-random-sleep \
    --renew-hook "$TOOL deploy --certificate $D/$NAME.crt --key $D/$NAME.key"
"""
ACME_SH = """
cd /root; F=/root/sh.pem K=/root/sh.key
acme.sh --issue --server {server} --ca-bundle /etc/ssl/acme-server.pem -d {name} -w /srv/www 2>&1
acme.sh --install-cert -d {name} --fullchain-file $F --key-file $K \
    --reloadcmd "/usr/local/sbin/postmaster-tls deploy --certificate $F --key $K" 2>&1
acme.sh --renew --force -d {name} 2>&1
"""
DEHYDRATED = """
mkdir -p /root/dehydrated; cd /root/dehydrated; export CURL_CA_BUNDLE=/etc/ssl/acme-server.pem
cat >hook <<'HOOK'
#!/bin/sh
deploy_challenge() {{ CERTBOT_DOMAIN=$1 CERTBOT_VALIDATION=$3 /usr/local/sbin/publish set; }}
clean_challenge() {{ CERTBOT_DOMAIN=$1 CERTBOT_VALIDATION=$3 /usr/local/sbin/publish clear; }}
deploy_cert() {{ /usr/local/sbin/postmaster-tls deploy --certificate "$4" --key "$2"; }}
what=$1; shift
case $what in deploy_challenge|clean_challenge|deploy_cert) $what "$@" ;; esac
HOOK
chmod 755 hook
printf '%s\\n' CA={server} BASEDIR=$PWD CHALLENGETYPE=dns-01 HOOK=$PWD/hook \
    KEY_ALGO=secp384r1 >config
dehydrated --config /root/dehydrated/config --register --accept-terms 2>&1
dehydrated --config /root/dehydrated/config --cron --force --domain {name} 2>&1
"""
CLIENTS = {BOOKWORM: LEGO, TRIXIE: DEHYDRATED, COURIER: ACME_SH}


def test_the_hooks_of_other_clients_put_in_force_what_they_got() -> None:
    before = {name: served(Host(name), name_of(name)) for name in NAMES}

    def renewed(host: Host) -> str:
        script = CLIENTS[host.name].format(name=name_of(host.name), server=directory("open"))
        return host.run(f"set +e; {script}")

    context = ssl.create_default_context(cadata=roots())
    for name, said in everywhere(renewed).items():
        assert served(Host(name), name_of(name), context) != before[name], said
        assert "and served" in said, said


def test_certmongers_hook_puts_in_force_what_it_got() -> None:
    """It speaks no ACME; its own local authority issues. It searches no /usr/local for commands."""
    host, files = Host(TRIXIE), "/etc/ssl/mail"
    hook = (
        f"/usr/local/sbin/postmaster-tls deploy --certificate {files}/f.pem --key {files}/f.key "
        f"--chain {files}/issuers.pem"
    )
    host.run(
        f"mkdir -p {files}; systemctl start certmonger; "
        f"getcert request -w -c local -f {files}/f.pem -k {files}/f.key -F {files}/issuers.pem "
        f"-D {name_of(TRIXIE)} -C '{hook}'"
    )
    issued = x509.load_pem_x509_certificate(host.run(f"cat {files}/f.pem").encode())
    await_(lambda: served(host, name_of(TRIXIE)) == issued, "certmonger's certificate is served")


def test_what_vaults_agent_writes_by_the_documented_template_is_put_in_force() -> None:
    """Vault is not in Debian. Its template is filled in here as its agent would.

    Vault gives keys in the form of before PKCS #8, and its chain may end with the root (API of the
    PKI secrets engine, "private_key_format", "ca_chain"); pkiCert ends each with a line's end
    (consul-template, dependency/vault_pki.go).
    """
    host, text = Host(BOOKWORM), (ROOT / "docs" / "certificates.md").read_text()

    def documented(name: str) -> Any:
        found = re.search(rf"(?m)^ +{name} += (.+)$", text)
        assert found, name
        return json.loads(found[1])

    authority, key = pki.Authority("Vault"), pki.new_key()
    leaf = authority.leaf(key, [name_of(host.name)])
    chain = "".join(pki.pem(each).decode() for each in (authority.intermediate, authority.root))
    loop = "{{ range .CAChain }}{{ . }}{{ end }}"
    bundle = documented("contents")
    for field, value in (
        (loop, chain),
        ("{{ .Cert }}", pki.pem(leaf).decode()),
        ("{{ .Key }}", pki.key_pem(key, legacy=True).decode()),
    ):
        assert field in bundle
        bundle = bundle.replace(field, value)
    bundle = re.sub(r"\{\{.*?\}\}", "", bundle)
    file, command = documented("destination"), documented("command")
    written = base64.b64encode(bundle.encode()).decode()
    said = host.run(
        f"install -d {Path(file).parent}; install -m {documented('perms')} /dev/null {file}; "
        f"echo {written} | base64 -d >{file}; {shlex.join(command)}"
    )
    assert "and served" in said, said
    assert served(host, name_of(host.name)) == leaf
    assert host.run(shlex.join(command)).endswith("is in force already\n")


# ---------------------------------------------------------------------------------------------
# What is refused, and what is never said

ISSUE = (
    ("no certificate file", "unreadable"),
    ("a password", "encrypted without password"),
    ("another key", "wrong key"),
    ("ended", "expired"),
    ("another name", "wrong name"),
    ("reversed", "reversed chain"),
    ("DER", "DER for PEM"),
    ("two leaves", "a bundle with two leaves"),
)


def test_the_provider_files_refuses_each_bad_input_with_one_sentence(
    tmp_path: Path, playbook: Any
) -> None:
    """The list of the issue, a third of it on each host; the command is given all of pki.BAD."""
    packed, whats = archive(), [bad.what for bad in pki.BAD]
    numbers = [whats.index(what) for what, _issue in ISSUE]
    given_to = {name: numbers[nth :: len(NAMES)] for nth, name in enumerate(NAMES)}

    def files(number: int) -> dict[str, str]:
        named = (("certificate", pki.CHAIN), ("key", pki.KEY))
        return {kind: f"/root/bad/{number}/{name}" for kind, name in named}

    everywhere(
        lambda host: host.run(
            f"rm -rf /root/bad; mkdir /root/bad; echo {packed} | base64 -d | tar x -C /root/bad"
        )
    )

    def state(host: Host) -> tuple[str, str, x509.Certificate]:
        renewed_by = host.run("ls /etc/letsencrypt/renewal-hooks/deploy /etc/systemd/system")
        return host.sums(), renewed_by, served(host, name_of(host.name))

    before = everywhere(state)
    variables = tmp_path / "variables.json"
    inputs = {name: [files(number) for number in numbers] for name, numbers in given_to.items()}
    variables.write_text(json.dumps({"inputs": inputs, "certificate_names": [pki.NAME]}))
    bad = str(FOLDER / "bad")
    done = playbook(bad, "--limit", ",".join(NAMES), "-e", f"@{variables}")
    SAID.append(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout[-3000:]
    assert everywhere(state) == before
    for host in map(Host, NAMES):
        said = json.loads(host.run("cat /root/bad/said.json"))
        assert len(said) == len(given_to[host.name])
        for number, sentence in zip(given_to[host.name], said):
            expected = pki.BAD[number]
            assert sentence.startswith(f"/root/bad/{number}/{expected.file} "), sentence
            assert expected.words in sentence
            assert "\n" not in sentence


LOGGED = (
    "{ journalctl -q --no-pager -o cat; find /var/log /tmp /var/tmp /root/.ansible -type f "
    "! -path '*/journal/*' -exec cat {} + 2>/dev/null; } | base64 -w0"
)
OTHERS = (
    "for each in /root/lego/certificates/*.key /root/dehydrated/certs/*/privkey*.pem /root/sh.key "
    "/etc/ssl/mail/f.key /etc/ssl/mail/vault.pem; do "
    "if [ -e $each ]; then base64 -w0 <$each; echo; fi; done"
)
ACCOUNTS = (
    "find /etc/letsencrypt/accounts -name private_key.json -exec cat {} + | tr ',' '\\n' | "
    'sed -n \'s/.*"d": *"\\([^"]*\\)".*/\\1/p\''
)


def test_no_output_journal_or_log_holds_a_secret(fleet: Any) -> None:
    """After all of the above: runs with -vvvv --diff, failures, renewals, five clients."""

    def logged(host: Host) -> tuple[bytes, list[str]]:
        files = (host.run(SECRETS) + host.run(OTHERS)).splitlines()
        kept = [base64.b64decode(line) for line in files]
        keys = [content for content in kept if b"PRIVATE KEY" in content]
        lines = [line for content in keys for line in secret_lines(content)]
        accounts = host.run(ACCOUNTS).split()
        assert len(keys) > 3
        return base64.b64decode(host.run(LOGGED)), [*lines, *accounts]

    found = everywhere(logged)
    account = Path(fleet[BOOKWORM]["certificate_acme_account_key"]).read_bytes()
    secrets = {ACCOUNT_PASSPHRASE, BOUND["bound_hmac"], *secret_lines(account)}
    secrets |= {line for _text, lines in found.values() for line in lines}
    texts = {name: text for name, (text, _lines) in found.items()}
    texts["what the runs printed"] = "\n".join(SAID).encode()
    for where, text in texts.items():
        assert len(text) > 10_000, where
        held = [secret for secret in secrets if secret.encode() in text]
        assert not held, (where, len(held))
