# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the four services make of their files; the table of switches is taken from live servers."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.config.courier import SourceFile, parse
from ansible_collections.postmaster.tls.plugins.module_utils.config.courier_services import (
    DEFAULT_PRIORITY,
    PORTS,
    Port,
    Start,
    Variables,
    effective,
    listeners,
    start_script,
)
from ansible_collections.postmaster.tls.plugins.module_utils.config.vocabulary import (
    COURIER_GNUTLS,
    COURIER_OPENSSL,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Effective,
    Expansion,
    Listener,
    Origin,
    Problem,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service, TlsMode

FIXTURES = Path(__file__).parents[4] / "fixtures" / "config"
VERSIONS = ["5.0.13", "5.2.11", "6.0.5"]
PORT = {port.scope.partition("=")[2]: port for port in PORTS}
OPENS = Expansion(versions=(0x0304,), suites=(0x1301,), groups=(29,))


def sources(**texts: str) -> dict[str, SourceFile]:
    names = {name.replace("_", "-"): text for name, text in texts.items()}
    return {n: SourceFile(n, f"/etc/courier/{n}", parse(t)) for n, t in names.items()}


def expand(field: str, string: str) -> Optional[Expansion]:
    if "BAD" in string:
        raise ValueError(f"{field}: The request is invalid at character 1")
    return OPENS


def observed(
    service: str,
    files: dict[str, SourceFile],
    dialect: Optional[str] = COURIER_GNUTLS,
    start: Optional[Start] = None,
    runs: bool = True,
) -> tuple[dict[str, Effective], tuple[Problem, ...]]:
    port = PORT[service]
    variables = Variables(start or port.start, files)
    rows, problems = effective(port, variables, dialect, expand, lambda program: runs)
    assert {row.scope for row in rows} == {f"service={service}"}
    return {row.field: row for row in rows}, problems


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("service", "tls", "plaintext_login"),
    [("imap", "yes", "yes"), ("imaps", "required", "no"), ("pop3", "yes", "yes")],
)
def test_stock(version: str, service: str, tls: str, plaintext_login: str) -> None:
    folder = FIXTURES / f"courier-{version}"
    texts = {p.name.replace("-", "_"): p.read_text() for p in folder.iterdir()}
    rows, problems = observed(service, sources(**texts))
    assert (rows["tls"].value, rows["plaintext_login"].value) == (tls, plaintext_login)
    assert (rows["priority"].value, rows["priority"].origin) == (DEFAULT_PRIORITY, None)
    assert rows["client_certificate"].value == "no"
    assert problems == ()


# STARTTLS, REQUIRED → imap tls, imap plaintext, pop3 tls, pop3 plaintext: asked of imaplogin and
# courierpop3login of 5.0.13, 5.2.11 and 6.0.5.
SWITCHES = [
    ("YES", "1", "required", "no", "required", "no"),
    ("yes", "2", "required", "no", "required", "no"),
    ("YES", "0", "yes", "yes", "yes", "yes"),
    ("YES", "YES", "yes", "yes", "yes", "yes"),
    ("NO", "1", "no", "yes", "no", "no"),
    ("NO", "0", "no", "yes", "no", "yes"),
    ("", "", "no", "yes", "no", "yes"),
]


@pytest.mark.parametrize("row", SWITCHES, ids=lambda row: "-".join(row[:2]))
def test_switches(row: tuple[str, ...]) -> None:
    starttls, required, *expected = row
    files = sources(
        imapd="",
        imapd_ssl=f"COURIERTLS=x\nIMAPDSTARTTLS={starttls}\nIMAP_TLS_REQUIRED={required}\n",
        pop3d="",
        pop3d_ssl=f"COURIERTLS=x\nPOP3_STARTTLS={starttls}\nPOP3_TLS_REQUIRED={required}\n",
    )
    seen = [observed(s, files)[0][f].value for s in ("imap", "pop3") for f in DERIVED]
    assert seen == expected


DERIVED = ("tls", "plaintext_login")


@pytest.mark.parametrize(
    ("starttls", "required", "tls", "plaintext_login", "decider"),
    [
        ("YES", "1", "required", "no", "IMAP_TLS_REQUIRED"),
        ("NO", "1", "no", "yes", "IMAPDSTARTTLS"),
        ("`x`", "1", None, None, "IMAPDSTARTTLS"),
        ("YES", "`x`", None, None, "IMAP_TLS_REQUIRED"),
        ("`x`", "0", None, "yes", "IMAP_TLS_REQUIRED"),
        ("NO", "`x`", "no", None, "IMAP_TLS_REQUIRED"),
    ],
)
def test_the_deciding_switch_is_named(
    starttls: str, required: str, tls: Optional[str], plaintext_login: Optional[str], decider: str
) -> None:
    text = f"COURIERTLS=x\nIMAPDSTARTTLS={starttls}\nIMAP_TLS_REQUIRED={required}\n"
    rows, _problems = observed("imap", sources(imapd="", imapd_ssl=text))
    assert (rows["tls"].value, rows["plaintext_login"].value) == (tls, plaintext_login)
    assert rows["plaintext_login"].name == decider
    origin = rows["plaintext_login"].origin
    assert origin == Origin("/etc/courier/imapd-ssl", text[: text.index(decider)].count("\n") + 1)


def test_without_a_program_there_is_no_starttls() -> None:
    text = "COURIERTLS=/nowhere\nIMAPDSTARTTLS=YES\nIMAP_TLS_REQUIRED=1\n"
    rows, _problems = observed("imap", sources(imapd="", imapd_ssl=text), runs=False)
    assert (rows["tls"].value, rows["tls"].name) == ("no", "COURIERTLS")
    assert rows["plaintext_login"].value == "yes"


# One variable in both files of the service, and which of them wins.
DOUBLE = [
    ("imap", "IMAP_TLS_REQUIRED", "require_tls", "imapd-ssl"),
    ("imap", "IMAPDSTARTTLS", "starttls", "imapd"),
    ("imap", "TLS_PRIORITY", "priority", "imapd-ssl"),
    ("imaps", "TLS_PRIORITY", "priority", "imapd-ssl"),
    ("pop3", "POP3_TLS_REQUIRED", "require_tls", "pop3d-ssl"),
    ("pop3", "POP3_STARTTLS", "starttls", "pop3d-ssl"),
    ("pop3s", "TLS_CERTFILE", "certificate", "pop3d-ssl"),
]


@pytest.mark.parametrize(("service", "name", "field", "winner"), DOUBLE)
def test_one_variable_in_both_files(service: str, name: str, field: str, winner: str) -> None:
    text = f"COURIERTLS=x\n{name}=1\n"
    rows, _problems = observed(
        service, sources(imapd=text, imapd_ssl=text, pop3d=text, pop3d_ssl=text)
    )
    assert rows[field].origin == Origin(f"/etc/courier/{winner}", 2)


def test_ports_are_read_by_the_outer_shell() -> None:
    files = sources(
        imapd="PORT=143\nSSLPORT=1\nADDRESS=0\nSSLADDRESS=0\n", imapd_ssl="PORT=1\nSSLPORT=993\n"
    )
    for service, port in (("imap", 143), ("imaps", 993)):
        found, _problems = listeners(PORT[service], variables(service, files), "yes")
        assert {x.port for x in found} == {port}


def test_without_an_address_nothing_is_opened() -> None:
    files = sources(imapd="PORT=143\n", imapd_ssl="")
    found, (problem,) = listeners(PORT["imap"], variables("imap", files), "yes")
    assert found == ()
    assert "PORT=143 ADDRESS= names no port to open" in problem.message


def variables(service: str, files: dict[str, SourceFile]) -> Variables:
    return Variables(PORT[service].start, files)


def test_gnutls_reads_no_protocol() -> None:
    text = 'TLS_PROTOCOL="TLSv1.2+"\nTLS_CIPHER_LIST=HIGH\n'
    rows, _problems = observed("imaps", sources(imapd="", imapd_ssl=text))
    assert "protocol_min" not in rows
    assert "ciphers" not in rows
    assert rows["priority"].value == DEFAULT_PRIORITY
    assert rows["priority"].expansion == OPENS


@pytest.mark.parametrize(
    ("written", "value"),
    [("TLSv1.2+", "TLSv1.2"), ("TLSv1.1++", "TLSv1.1"), ("TLSv1.3", "TLSv1"), ("", "TLSv1")],
)
def test_openssl_fails_open(written: str, value: str) -> None:
    files = sources(imapd="", imapd_ssl=f"TLS_PROTOCOL={written}\nTLS_PRIORITY=x\n")
    rows, _problems = observed("imaps", files, COURIER_OPENSSL)
    assert rows["protocol_min"].value == value
    assert "priority" not in rows


def test_openssl_ignores_a_bad_list() -> None:
    files = sources(imapd="", imapd_ssl="TLS_CIPHER_LIST=BAD\n")
    rows, problems = observed("imaps", files, COURIER_OPENSSL)
    assert rows["ciphers"].expansion == OPENS
    assert "ignored by Courier" in problems[0].message


def test_gnutls_dies_of_a_bad_priority() -> None:
    rows, problems = observed("pop3s", sources(pop3d="", pop3d_ssl="#\nTLS_PRIORITY=BAD\n"))
    assert (rows["priority"].value, rows["priority"].expansion) == ("BAD", None)
    assert "every TLS handshake fails" in problems[0].message
    assert problems[0].origin == Origin("/etc/courier/pop3d-ssl", 2)


def test_an_unknown_library_leaves_out_what_only_it_decides() -> None:
    rows, _problems = observed("imaps", sources(imapd="", imapd_ssl=""), None)
    assert set(rows) == {"certificate", "key", "dh", "client_certificate", *DERIVED}


def test_starttls_protocol_where_the_script_gives_it() -> None:
    script = """. /etc/courier/imapd-ssl
. /etc/courier/imapd
env -i /bin/sh -c " set -a ; . /etc/courier/imapd-ssl ; . /etc/courier/imapd ; \\
    IMAP_STARTTLS=$IMAPDSTARTTLS ; TLS_PROTOCOL=$TLS_STARTTLS_PROTOCOL ; couriertcpd $PORT"
"""
    start = start_script(script)
    assert start is not None
    text = 'TLS_PROTOCOL=TLSv1.1\nTLS_STARTTLS_PROTOCOL="$TLS_PROTOCOL"\nTLS_PROTOCOL=TLSv1.2\n'
    rows, _problems = observed("imap", sources(imapd="", imapd_ssl=text), COURIER_OPENSSL, start)
    row = rows["protocol_min"]
    assert (row.value, row.name, row.native) == ("TLSv1.1", "TLS_STARTTLS_PROTOCOL", "TLSv1.1")


@pytest.mark.parametrize(
    ("written", "value"), [("NONE", "no"), ("none", "no"), ("REQUIREPEER", "yes"), ("", "yes")]
)
def test_client_certificate_goes_by_its_first_letter(written: str, value: str) -> None:
    rows, _problems = observed("imaps", sources(imapd="", imapd_ssl=f"TLS_VERIFYPEER={written}\n"))
    assert rows["client_certificate"].value == value


def test_a_dynamic_value_is_a_problem_with_its_place() -> None:
    rows, problems = observed(
        "imaps", sources(imapd="", imapd_ssl="\nTLS_CERTFILE=/etc/`hostname`.pem\n")
    )
    assert (rows["certificate"].value, rows["certificate"].native) == (None, "/etc/`hostname`.pem")
    (problem,) = problems
    assert "TLS_CERTFILE is not a literal" in problem.message
    assert problem.origin == Origin("/etc/courier/imapd-ssl", 2)


WITH_A_VARIABLE = """sysconfdir=/e
. ${sysconfdir}/pop3d-ssl
. ${sysconfdir}/pop3d
env -i sh -c " set -a; . /e/pop3d ; . /e/pop3d-ssl ; POP3_TLS=1; couriertcpd"
"""


@pytest.mark.parametrize(
    ("script", "start"),
    [
        ("", None),
        ("exec /opt/imapd", None),
        (
            WITH_A_VARIABLE,
            Start(("pop3d-ssl", "pop3d"), ("pop3d", "pop3d-ssl"), {"POP3_TLS": "1"}),
        ),
    ],
)
def test_start_script(script: str, start: Optional[Start]) -> None:
    assert start_script(script) == start


WILD = ("*", "::")
PORT_LISTS = [
    ("143", "0", [(a, 143) for a in WILD]),
    ("143,1143", "0", [(a, p) for p in (143, 1143) for a in WILD]),
    ("143", "192.0.2.1", [("192.0.2.1", 143)]),
    ("127.0.0.1.900,143", "192.0.2.1", [("127.0.0.1", 900), ("192.0.2.1", 143)]),
    ("0.143", "0", [(a, 143) for a in WILD]),
    ("::1.143", "0", [("::1", 143)]),
    ("imap2", "0", [(a, 143) for a in WILD]),
]


@pytest.mark.parametrize(("ports", "address", "expected"), PORT_LISTS)
def test_port_lists(ports: str, address: str, expected: list[tuple[str, int]]) -> None:
    files = sources(imapd=f"PORT={ports}\nADDRESS={address}\n", imapd_ssl="")
    found, problems = listeners(PORT["imap"], variables("imap", files), "yes")
    assert [(x.address, x.port) for x in found] == expected
    assert problems == ()


@pytest.mark.parametrize("ports", ["", "0", "65536", "nonsense", "mail.example.org.143"])
def test_a_port_that_cannot_be_opened_is_a_problem(ports: str) -> None:
    files = sources(imapd=f"PORT={ports}\nADDRESS=0\n", imapd_ssl="")
    found, (problem,) = listeners(PORT["imap"], variables("imap", files), "yes")
    assert found == ()
    assert "names no port to open" in problem.message


@pytest.mark.parametrize(
    ("service", "tls", "mode"),
    [
        ("imap", "no", None),
        ("imap", "yes", TlsMode.STARTTLS),
        ("imap", None, TlsMode.STARTTLS),
        ("imaps", "required", TlsMode.IMPLICIT),
    ],
)
def test_the_mode_of_a_port(service: str, tls: Optional[str], mode: Optional[TlsMode]) -> None:
    port: Port = PORT[service]
    files = sources(imapd=f"{port.port}=1\n{port.address}=192.0.2.1\n", imapd_ssl="")
    found, _problems = listeners(port, variables(service, files), tls)
    origin = Origin("/etc/courier/imapd", 1)
    assert found == (Listener(Service.IMAP, "192.0.2.1", 1, mode, origin),)
