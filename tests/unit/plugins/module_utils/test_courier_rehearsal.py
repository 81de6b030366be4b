# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private Courier: the real start script on copies, and nothing live is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import courier_rehearsal
from ansible_collections.postmaster.tls.plugins.module_utils.courier_rehearsal import prepare
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service, TlsMode
from ansible_collections.postmaster.tls.plugins.module_utils.rehearsal import Impossible

SCRIPT = """sysconfdir=/etc/courier
. /etc/courier/imapd
. ${sysconfdir}/imapd-ssl
case $1 in
start)
\t/usr/bin/env -i /bin/sh -c " set -a ; . /etc/courier/imapd ; . $sysconfdir/imapd-ssl; \\
\t\t/usr/bin/imapd ${MAILDIRPATH}"
esac
"""
IMAP, IMAPS = (Service.IMAP, TlsMode.STARTTLS), (Service.IMAP, TlsMode.IMPLICIT)


@pytest.fixture(autouse=True)
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("etc", "lib", "run"):
        (tmp_path / folder).mkdir()
    for name in courier_rehearsal.FILES:
        (tmp_path / "etc" / name).write_text(f"NAME={name}\nTLS_CERTFILE=/etc/courier/new.pem\n")
        (tmp_path / "lib" / name).write_text(SCRIPT)
    monkeypatch.setattr(courier_rehearsal, "FOLDER", str(tmp_path / "etc"))
    monkeypatch.setattr(courier_rehearsal, "SCRIPTS", (str(tmp_path / "lib"),))
    monkeypatch.setattr(courier_rehearsal, "group", os.getegid)
    return tmp_path


def test_the_script_reads_copies_and_nothing_else_is_different(node: Path) -> None:
    run = str(node / "run")
    instance = prepare({}, {}, run, {IMAP: 30143, IMAPS: 30993})
    own = f"{run}/imap-implicit"
    assert instance.commands == (
        ("sh", f"{run}/imap-starttls/start", "start"),
        ("sh", f"{own}/start", "start"),
    )
    script = Path(own, "start").read_text()
    for name in ("imapd", "imapd-ssl"):
        for live in (f"/etc/courier/{name}", f"${{sysconfdir}}/{name}", f"$sysconfdir/{name}"):
            script = script.replace(f". {own}/{name}", f". {live}", 0)
    assert script.count(f". {own}/imapd ") + script.count(f". {own}/imapd\n") == 2
    assert script.count(f". {own}/imapd-ssl") == 2
    assert "/usr/bin/imapd ${MAILDIRPATH}" in script


def test_addresses_ports_and_places_come_last_in_every_file(node: Path) -> None:
    texts = {str(node / "etc" / "imapd-ssl"): "TLS_PRIORITY=NORMAL\nTLS_CACHEFILE=/live/cache"}
    prepare(texts, {}, str(node / "run"), {IMAPS: 30993})
    own = node / "run" / "imap-implicit"
    for name in courier_rehearsal.FILES:
        lines = (own / name).read_text().splitlines()
        assert lines[-9:] == [
            *("ADDRESS=127.0.0.1", "SSLADDRESS=127.0.0.1", "PORT=30993", "SSLPORT=30993"),
            *(f"PIDFILE={own}/pid", f"SSLPIDFILE={own}/pid"),
            *('LOGGEROPTS="-name=postmaster-tls"', 'SSLLOGGEROPTS="-name=postmaster-tls"'),
            "TLS_CACHEFILE=",
        ]
    assert (own / "imapd-ssl").read_text().startswith("TLS_PRIORITY=NORMAL\n")
    assert (own / "imapd").read_text().startswith("NAME=imapd\n")


def test_a_new_certificate_is_read_from_beside_it(node: Path) -> None:
    prepare({}, {"/etc/courier/new.pem": b"PEM"}, str(node / "run"), {IMAP: 30143})
    text = (node / "run" / "imap-starttls" / "imapd-ssl").read_text()
    assert f"TLS_CERTFILE={node}/run/0.pem\n" in text
    assert (node / "run" / "0.pem").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("kind", "script", "message"),
    [
        ((Service.SIEVE, TlsMode.STARTTLS), SCRIPT, "Courier serves no sieve"),
        (IMAP, "exec something-else", "no start script of imapd is of a known shape"),
    ],
)
def test_what_cannot_be_rehearsed_is_told(
    kind: courier_rehearsal.Kind, script: str, message: str, node: Path
) -> None:
    (node / "lib" / "imapd").write_text(script)
    with pytest.raises(Impossible, match=message):
        prepare({}, {}, str(node / "run"), {kind: 30143})
