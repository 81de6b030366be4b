# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The observer on hosts made of files in a temporary folder; their commands answer from here."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import courier, host, tls_library
from ansible_collections.postmaster.tls.plugins.module_utils.config.courier_services import PORTS
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Expansion,
    FileFact,
    Origin,
    ServerConfig,
    TlsLibrary,
    Unit,
)
from ansible_collections.postmaster.tls.plugins.module_utils.plain import from_plain, to_plain

FIXTURES = Path(__file__).parents[3] / "fixtures" / "config"
GNUTLS = TlsLibrary("gnutls", "3.7.9", "/lib/libgnutls.so.30")
OPENS = Expansion(versions=(0x0304, 0x0301), suites=(0x1301,), groups=(29,))
SCRIPT = """. /etc/courier/{0}
. /etc/courier/{1}
env -i /bin/sh -c " set -a ; . /etc/courier/{2} ; . /etc/courier/{2}-ssl ; {3} couriertcpd $PORT"
"""
# In the words of Debian's scripts.
GIVEN = {"imapd": "IMAP_STARTTLS=$IMAPDSTARTTLS ;", "imapd-ssl": "IMAP_TLS=1;", "pop3d": ""}
VERSION = "Courier 1.0.16 (Courier-IMAP 5.0.13)/x86_64-pc-linux-gnu/2023-03-23 08:10:59\n"
RUNNING = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"
STOPPED = "LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n"


class Host:
    """A host in a folder: what its commands say, and a way to write its files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.version = VERSION
        self.units = RUNNING

    def run(self, argv: Sequence[str], timeout: float = 30.0) -> host.Result:
        if argv[0] == "systemctl":
            names = argv[4:]
            return host.Result(0 if self.units else 1, "\n".join([self.units] * len(names)), "")
        return host.Result(0, self.version, "")

    def path(self, name: str) -> str:
        return str(self.root / "etc" / name)

    def write(self, name: str, text: str, mode: str = "w") -> None:
        with open(self.path(name), mode, encoding="utf-8", newline="") as file:
            file.write(text)

    def append(self, name: str, text: str) -> None:
        self.write(name, text, "a")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    shutil.copytree(FIXTURES / "courier-5.0.13", tmp_path / "etc")
    (tmp_path / "lib").mkdir()
    for port in PORTS:
        name, base = port.script, port.script.split("-")[0]
        order = (name, base) if port.implicit else (f"{base}-ssl", base)
        order = (base, f"{base}-ssl") if port.implicit else order
        text = SCRIPT.format(*order, base, GIVEN.get(name, ""))
        (tmp_path / "lib" / name).write_text(text)
    (tmp_path / "couriertls").write_text("#!/bin/false\n")
    (tmp_path / "couriertls").chmod(0o755)
    for name in ("imapd-ssl", "pop3d-ssl"):
        path = tmp_path / "etc" / name
        text = path.read_text().replace("/etc/courier", str(tmp_path / "etc"))
        path.write_text(text.replace("/usr/bin/couriertls", str(tmp_path / "couriertls")))
    seen = Host(tmp_path)
    layout = courier._Layout(str(tmp_path / "etc"), (f"{tmp_path}/lib/{{}}",), str(tmp_path))
    monkeypatch.setattr(courier, "_LAYOUTS", (layout,))
    monkeypatch.setattr(host, "run", seen.run)
    monkeypatch.setattr(tls_library, "linked", lambda program: GNUTLS)
    monkeypatch.setattr(tls_library, "expand", lambda library, **strings: OPENS)
    return seen


def observe() -> ServerConfig:
    server = courier.observe()
    assert server is not None
    assert from_plain(ServerConfig, to_plain(server)) == server
    return server


def fact(server: ServerConfig, path: str) -> Optional[FileFact]:
    return next((f for f in server.files if f.path == path), None)


def test_stock(here: Host) -> None:
    server = observe()
    assert (server.version, server.tls_library) == ("5.0.13", GNUTLS)
    assert server.problems == ()
    assert next(u.name for u in server.units) == "courier-authdaemon.service"
    assert {(x.port, x.address) for x in server.listeners} == {
        (port, address) for port in (143, 993, 110, 995) for address in ("*", "::")
    }
    for scope, tls in (("imap", "yes"), ("imaps", "required"), ("pop3", "yes")):
        row = server.value("tls", f"service={scope}")
        assert row is not None
        assert row.value == tls
    row = server.value("priority", "service=imap")
    assert row is not None
    assert (row.native, row.expansion) == ("NORMAL:-CTYPE-OPENPGP", OPENS)


def test_neither_scripts_nor_files(here: Host) -> None:
    shutil.rmtree(here.root / "lib")
    assert courier.observe() is None


def test_files_that_a_removed_package_left_are_no_server(here: Host) -> None:
    for name in ("imapd", "imapd-ssl"):
        (here.root / "lib" / name).unlink()
    server = observe()
    assert {e.scope for e in server.effective} == {"service=pop3", "service=pop3s"}
    assert len(server.units) == 3


def test_pop3_alone_names_no_version(here: Host) -> None:
    here.version = ""
    server = observe()
    assert server.version is None
    assert "names no version of Courier-IMAP" in server.problems[0].message


def test_only_ports_of_units_that_run_or_will(here: Host) -> None:
    here.units = STOPPED
    server = observe()
    assert server.listeners == ()
    assert server.units[1] == Unit("courier-imap.service", enabled=False, active=False)


def test_without_systemd_nothing_is_known_and_ports_count(here: Host) -> None:
    here.units = ""
    server = observe()
    assert server.units[1] == Unit("courier-imap.service", enabled=None, active=None)
    assert len(server.listeners) == 8


def test_required_in_the_file_that_is_read_first(here: Host) -> None:
    here.append("imapd", "IMAP_TLS_REQUIRED=1\n")
    row = observe().value("plaintext_login", "service=imap")
    assert row is not None
    assert (row.value, row.origin and row.origin.file) == ("yes", here.path("imapd-ssl"))


def test_a_protocol_for_another_library_is_written_in_vain(here: Host) -> None:
    here.append("imapd-ssl", 'TLS_PROTOCOL="TLSv1.2+"\n')
    server = observe()
    assert [s.value for s in server.settings if s.name == "TLS_PROTOCOL"] == ["TLSv1.2+"]
    assert [e for e in server.effective if e.field == "protocol_min"] == []


def test_a_computed_certificate(here: Host) -> None:
    here.append("imapd-ssl", "TLS_CERTFILE=/etc/`hostname`.pem\n")
    server = observe()
    row = server.value("certificate", "service=imaps")
    assert row is not None
    assert row.value is None
    assert fact(server, here.path("imapd.pem")) is None
    assert {p.origin and p.origin.file for p in server.problems} == {here.path("imapd-ssl")}


def test_certificates_by_name_and_address(here: Host) -> None:
    left = ("imapd.pem.dpkg-old", "imapd.pem.mail.example.org.bak", "imapd.pem~", "imapd.pemx")
    served = ("imapd.pem", "imapd.pem.mail.example.org", "imapd.pem.192.0.2.1", "imapd.pem.2001::1")
    for name in served + left:
        here.write(name, "")
    server = observe()
    for name in served:
        found = fact(server, here.path(name))
        assert found is not None
        assert (found.role, found.problem) == ("combined", "is not PEM")
    assert [name for name in left if fact(server, here.path(name))] == []


def test_a_separate_key_goes_with_its_suffix(here: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    here.append("imapd-ssl", f"TLS_PRIVATE_KEYFILE={here.path('imapd.key')}\n")
    for name in ("imapd.pem", "imapd.pem.a.example", "imapd.key.a.example", "imapd.pem.b.example"):
        here.write(name, "")
    asked = []
    monkeypatch.setattr(host, "file_fact", lambda *a: asked.append(a) or FileFact(a[0], a[1], True))
    observe()
    pairs = {a[0]: a[1:] for a in asked if a[1] in ("certificate", "combined")}
    assert pairs[here.path("imapd.pem")] == ("certificate", here.path("imapd.key"))
    assert pairs[here.path("imapd.pem.a.example")] == (
        "certificate",
        here.path("imapd.key.a.example"),
    )
    assert pairs[here.path("imapd.pem.b.example")] == ("combined", None)
    assert (here.path("imapd.key"), "key") in [a[:2] for a in asked]


def test_a_file_that_is_missing_is_a_problem(here: Host) -> None:
    (here.root / "etc" / "pop3d-ssl").unlink()
    messages = [p.message for p in observe().problems]
    assert f"{here.path('pop3d-ssl')} cannot be read, so its settings are not known" in messages


def test_a_priority_that_the_library_refuses(here: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(library: TlsLibrary, **strings: str) -> Expansion:
        raise tls_library.Rejected("priority", "The request is invalid", 7)

    monkeypatch.setattr(tls_library, "expand", refuse)
    here.append("pop3d-ssl", "TLS_PRIORITY=NORMAL:+X\n")
    problem = next(p for p in observe().problems if p.message.startswith("service=pop3s"))
    assert "every TLS handshake fails: priority: The request is invalid at character 8" in (
        problem.message
    )
    lines = Path(here.path("pop3d-ssl")).read_text().count("\n")
    assert problem.origin == Origin(here.path("pop3d-ssl"), lines)


def test_an_unknown_library(here: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_library, "linked", lambda program: None)
    server = observe()
    assert server.tls_library is None
    assert "is linked to no TLS library" in server.problems[0].message
    assert server.value("priority", "service=imaps") is None


def test_a_script_of_another_shape(here: Host) -> None:
    (here.root / "lib" / "imapd").write_text("#!/bin/sh\nexec /opt/imapd\n")
    server = observe()
    assert [p.message for p in server.problems] == [
        f"{here.root}/lib/imapd is of an unknown shape, taken for Debian's"
    ]
    assert server.value("tls", "service=imap") is not None


def test_exceptions_for_some_clients(here: Host) -> None:
    """They have rows of their own, for what differs alone."""
    here.write("access", "# 10 allow,IMAP_TLS_REQUIRED=0\n10\tallow,IMAP_TLS_REQUIRED=1,X=y\n")
    here.append("imapd", f"IMAPACCESSFILE={here.path('access')}\n")
    server = observe()
    rows = {(r.scope, r.field, r.value) for r in server.effective if "remote=" in r.scope}
    assert rows == {
        ("service=imap,remote=10.0.0.0/8", "require_tls", "yes"),
        ("service=imap,remote=10.0.0.0/8", "tls", "required"),
        ("service=imap,remote=10.0.0.0/8", "plaintext_login", "no"),
    }
    row = server.value("require_tls", "service=imap,remote=10.0.0.0/8")
    assert row is not None
    assert (row.name, row.origin) == ("IMAP_TLS_REQUIRED", Origin(here.path("access"), 2))


def test_exceptions_of_pop3_by_the_options_of_couriertcpd(here: Host) -> None:
    (here.root / "pop").mkdir()
    (here.root / "pop" / "a").write_text("192.0.2\tallow,TLS_PRIORITY=SECURE128\n")
    (here.root / "pop" / "a~").write_text("192.0.3\tallow,TLS_PRIORITY=SECURE128\n")
    here.append("pop3d", f'TCPDOPTS="-access={here.root}/pop.dat"\n')
    rows = {(r.scope, r.field) for r in observe().effective if "remote=" in r.scope}
    assert rows == {(f"service={s},remote=192.0.2.0/24", "priority") for s in ("pop3", "pop3s")}


def test_crlf_and_odd_lines_are_told(here: Host) -> None:
    here.append("imapd", "PORT = 143\nADDRESS=0\r\n")
    messages = [p.message for p in observe().problems]
    assert any("no space around = in PORT" in m for m in messages)
    assert any("CR LF" in m for m in messages)
    assert any("names no port to open" in m for m in messages)
