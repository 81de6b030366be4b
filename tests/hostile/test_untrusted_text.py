# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers and certificates say is data: on its way to a reader nothing of it acts.

Each text is in the greeting, the capabilities, the refusals and the certificate of a server that
is otherwise decent; and it is followed through observation, judge, report document and terminal.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Endpoint, Service
from ansible_collections.postmaster.tls.plugins.module_utils.probe import probe
from ansible_collections.postmaster.tls.tests.hostile.passed_on import reported, unclean
from ansible_collections.postmaster.tls.tests.hostile.server import servers
from ansible_collections.postmaster.tls.tests.hostile.steps import (
    IMAP,
    POP3,
    SIEVE,
    STARTTLS,
    Decent,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import NOW

ROOT = Path(__file__).resolve().parents[2]

TEXTS = {
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "Jinja": "{{ lookup('pipe', 'id') }}{% for x in y %}{# #}",
    "a spreadsheet formula": '=HYPERLINK("http://x";"y")',
    "another formula": "@SUM(1+1)*cmd|' /C calc'!A0",
    "terminal escapes": "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b31m\x7f\x08",
    "a link for terminals": "\x1b]8;;http://x\x1b\\y\x1b]8;;\x1b\\",
    "bidi marks": "\u202egnp.exe\u202c\u2066x\u2069\u200f",
    "zero width": "a\u200bb\u200dc\ufeffd\u00ade",
    "line and paragraph": "a\u2028b\u2029c\x85d\x0b\x0c",
    "tags and private use": "\U000e0041\ue000\U0010ffff",
    "combining marks": "Z" + "\u0301\u0302\u0303" * 300,
    "wide and very long": "\uff2d" * 1500,
    "YAML and shell": "!!python/object:os.system [id] `id` $(id) ${HOME} %s %n",
    "workflow commands": "::error file=x::y ##[group]z",
}


def made_certificate(text: str, where: Path) -> Path:
    """A certificate that has the text in all names that can hold it."""
    key = ec.generate_private_key(ec.SECP256R1())
    oids = (
        NameOID.COMMON_NAME,
        NameOID.ORGANIZATION_NAME,
        NameOID.ORGANIZATIONAL_UNIT_NAME,
    )
    name = x509.Name([x509.NameAttribute(oid, text, _validate=False) for oid in oids])
    raw = text.encode("ascii", "backslashreplace").decode()[:200]
    names: list[x509.GeneralName] = [
        x509.DNSName._init_without_validation(raw),
        x509.RFC822Name._init_without_validation(raw),
        x509.UniformResourceIdentifier._init_without_validation(raw),
        x509.DirectoryName(name),
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    made = builder.sign(key, hashes.SHA256())
    pem = where / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(private + made.public_bytes(Encoding.PEM))
    return pem


def context(pem: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pem)
    return made


def speaking(service: Service, text: str, tls: ssl.SSLContext) -> Decent:
    """A server with that text in whatever it says."""
    said = text.encode().replace(b"\n", b"")
    word = said.replace(b" ", b"_")
    quoted = said.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    if service is IMAP:
        return Decent(
            IMAP,
            STARTTLS,
            greeting=b"* OK " + said + b"\r\n",
            capable=b"* CAPABILITY STARTTLS AUTH="
            + word
            + b" "
            + word
            + b"\r\n%t OK "
            + said
            + b"\r\n",
            inside=b"* CAPABILITY AUTH=" + word + b" " + word + b"\r\n%t OK\r\n",
            refusal=b"%t NO [" + said + b"] " + said + b"\r\n",
            context=tls,
        )
    if service is POP3:
        return Decent(
            POP3,
            STARTTLS,
            greeting=b"+OK " + said + b"\r\n",
            capable=b"+OK\r\nSTLS\r\nSASL " + said + b"\r\nIMPLEMENTATION " + said + b"\r\n.\r\n",
            inside=b"+OK\r\nSASL " + said + b"\r\n.\r\n",
            refusal=b"-ERR [" + said + b"] " + said + b"\r\n",
            context=tls,
        )
    listed = b'"IMPLEMENTATION" "' + quoted + b'"\r\n"SASL" "' + quoted + b'"\r\n'
    return Decent(
        SIEVE,
        STARTTLS,
        greeting=listed + b'"STARTTLS"\r\nOK "' + quoted + b'"\r\n',
        capable=listed + b'"STARTTLS"\r\nOK\r\n',
        inside=listed + b"OK\r\n",
        refusal=b'NO (X) "' + quoted + b'"\r\n',
        context=tls,
    )


@pytest.mark.filterwarnings("ignore:Attribute's length")  # longer than X.520 allows
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_nothing_acts(text: str, tmp_path: Path) -> None:
    tls = context(made_certificate(text, tmp_path))
    services = (IMAP, POP3, SIEVE)
    with servers([(speaking(service, text, tls),) for service in services]) as there:
        endpoints = [Endpoint(s.address, s.port, k, STARTTLS) for s, k in zip(there, services)]
        seen = probe(endpoints)
        assert [server.errors for server in there] == [[], [], []]
    for each in seen:
        assert each.failures == (), each
        assert each.handshake is not None
        assert (each.greeting, each.capabilities) != (None, None)
        assert list(unclean(each)) == []
    told = reported(seen)
    assert list(unclean(told)) == []
    # What a reader can see is told as it was said: evidence is not swallowed.
    if text.isascii() and text.isprintable():
        assert seen[0].greeting == f"OK {text}"
        assert text in json.dumps(told["document"]).replace('\\"', '"')


PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
  tasks:
    - postmaster.tls.endpoint_info:
        endpoints: [{{host: {host}, port: {port}, service: imap, tls_mode: starttls}}]
      register: seen
    - ansible.builtin.set_fact:
        again: "{{{{ seen.endpoints[0].greeting }}}}"
    - ansible.builtin.copy:
        content: "{{{{ again }}}}"
        dest: {told}
        mode: "0600"
"""


def test_ansible_runs_nothing_of_it(tmp_path: Path) -> None:
    """A greeting that is a template comes through a variable and a fact as it was said."""
    proof, told, playbook = tmp_path / "proof", tmp_path / "told", tmp_path / "play.yml"
    text = f"{{{{ lookup('pipe', 'touch {proof}') }}}}"
    tls = context(made_certificate("x", tmp_path))
    with servers([(speaking(IMAP, text, tls),)]) as (server,):
        play = PLAYBOOK.format(host=server.address, port=server.port, told=told)
        playbook.write_text(play, encoding="utf-8")
        ran = subprocess.run(
            [sys.executable, "-m", "ansible", "playbook", "-clocal", "-ilocalhost,", playbook],
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert told.read_text(encoding="utf-8") == f"OK {text}"
    assert not proof.exists()
