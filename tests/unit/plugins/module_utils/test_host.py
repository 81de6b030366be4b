# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rim of a node: commands, files, certificates, units."""

from __future__ import annotations

import base64
import datetime
import os
import sys
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.postmaster.tls.plugins.module_utils import host
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import Unit

# ---------------------------------------------------------------------------------------------
# Commands


def test_run_gives_output_and_code_in_the_c_locale() -> None:
    code = (
        "import os,sys; print(os.environ['LC_ALL']); sys.stderr.write(os.environ['X']); sys.exit(3)"
    )
    result = host.run([sys.executable, "-c", code], env={"X": "y"})
    assert result == host.Result(3, "C\n", "y")


def test_run_has_no_input_and_no_shell() -> None:
    assert host.run(["cat"]).stdout == ""
    assert host.run(["echo", "$HOME; ls"]).stdout == "$HOME; ls\n"


def test_a_command_that_is_missing() -> None:
    result = host.run(["/no/such/command"])
    assert result.rc == host.NOT_FOUND
    assert "/no/such/command could not be run: No such file or directory" in result.stderr


def test_a_command_that_hangs_is_ended_with_its_children() -> None:
    began = time.monotonic()
    result = host.run(["sh", "-c", "echo begun; sleep 30 & sleep 30"], timeout=0.3)
    assert result.rc == host.TIMED_OUT
    assert time.monotonic() - began < 5


def test_output_is_capped_and_never_fails_to_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "OUTPUT_LIMIT", 4)
    assert host.run(["printf", r"\377abcdef"]).stdout == "\\xffabc"


def test_a_command_finds_the_folders_of_administrators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert "/usr/sbin" in host.run(["sh", "-c", "echo $PATH"]).stdout.strip().split(":")


# ---------------------------------------------------------------------------------------------
# Files


def test_text_survives_whatever_its_bytes(tmp_path: Path) -> None:
    raw = b"a\r\nb\xff\n\xc3\xa9"
    (tmp_path / "f").write_bytes(raw)
    text = host.read_text(str(tmp_path / "f"), 100)
    assert text is not None
    assert text.encode("utf-8", "surrogateescape") == raw


def test_text_that_cannot_be_had(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "long").write_text("x" * 11)
    assert host.read_text(str(tmp_path / "none"), 10) is None
    assert host.read_text(str(tmp_path), 10) is None
    assert host.read_text(str(tmp_path / "fifo"), 10) is None
    assert host.read_text(str(tmp_path / "long"), 10) is None
    assert host.read_text("a\0b", 10) is None
    assert host.read_text(str(tmp_path / "long"), 11) == "x" * 11


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.conf", ["10-a.conf", "20-b.conf", "B.conf", "a.conf"]),
        ("[0-9]*.conf", ["10-a.conf", "20-b.conf"]),
        ("[^0-9]*.conf", ["B.conf", "a.conf"]),
        ("[!0-9]*.conf", ["B.conf", "a.conf"]),
        ("{20,10}-*.conf", ["20-b.conf", "10-a.conf"]),
        ("{a,{B,none}}.conf", ["a.conf", "B.conf"]),
        ("a.conf", ["a.conf"]),
        ("?.conf", ["B.conf", "a.conf"]),
        (".*.conf", [".hidden.conf"]),
        ("none*", []),
        ("none.conf", []),
    ],
)
def test_glob_as_the_library_does(tmp_path: Path, pattern: str, found: list[str]) -> None:
    for name in ("a.conf", "B.conf", "20-b.conf", "10-a.conf", ".hidden.conf", "x.ext"):
        (tmp_path / name).touch()
    assert host.glob_files(f"{tmp_path}/{pattern}") == [f"{tmp_path}/{name}" for name in found]


def test_glob_is_bounded(tmp_path: Path) -> None:
    assert len(host._braces("{a,b}" * 30)) <= 64


# ---------------------------------------------------------------------------------------------
# Certificates and keys


@pytest.fixture(scope="module")
def pair() -> tuple[bytes, bytes, bytes]:
    """A certificate, its key and its key with a pass phrase, all PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example.test")])
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=90))
        .sign(key, hashes.SHA256())
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return (
        certificate.public_bytes(pem),
        key.private_bytes(pem, form, serialization.NoEncryption()),
        key.private_bytes(pem, form, serialization.BestAvailableEncryption(b"phrase")),
    )


def other_key() -> bytes:
    """A key that belongs to no certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(pem, form, serialization.NoEncryption())


def test_a_certificate_with_its_key(tmp_path: Path, pair: tuple[bytes, bytes, bytes]) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    certificate.write_bytes(b"words before\n" + pair[0] + pair[0])
    key.write_bytes(pair[1])
    key.chmod(0o640)
    fact = host.file_fact(str(certificate), "certificate", str(key))
    der = base64.b64encode(
        x509.load_pem_x509_certificate(pair[0]).public_bytes(serialization.Encoding.DER)
    ).decode()
    assert (fact.chain, fact.key_matches, fact.problem) == ((der, der), True, None)
    of_key = host.file_fact(str(key), "key")
    assert (of_key.exists, of_key.mode, of_key.chain, of_key.problem) == (True, "0640", (), None)
    assert of_key.owner
    assert pair[1].decode().split("\n")[1] not in repr(of_key)


def test_files_in_trouble(tmp_path: Path, pair: tuple[bytes, bytes, bytes]) -> None:
    certificate, key, encrypted = pair
    der = x509.load_pem_x509_certificate(certificate).public_bytes(serialization.Encoding.DER)
    contents = {
        "cert": certificate,
        "other": other_key(),
        "encrypted": encrypted,
        "der": der,
        "text": b"hello",
        "empty": b"",
        "both": key + certificate,
        "cut": certificate[:-30],
    }
    for name, raw in contents.items():
        (tmp_path / name).write_bytes(raw)
    at = {name: str(tmp_path / name) for name in (*contents, "none")}
    cases = [
        (("none", "certificate", None), (None, "does not exist")),
        (("text", "certificate", None), (None, "is not PEM")),
        (("cut", "certificate", None), (None, "is not PEM")),
        (("empty", "dh", None), (None, "is not PEM")),
        (("der", "certificate", None), (None, "is DER, not PEM")),
        (("encrypted", "key", None), (None, "is encrypted")),
        (("cert", "key", None), (None, "is not PEM")),
        (("cert", "combined", None), (None, "holds no private key")),
        (("both", "combined", None), (True, None)),
        (("cert", "certificate", None), (None, None)),
        (("cert", "certificate", "other"), (False, "key does not match certificate")),
        (("cert", "certificate", "none"), (None, f"its key {at['none']} does not exist")),
        (("cert", "certificate", "encrypted"), (None, f"its key {at['encrypted']} is encrypted")),
    ]
    for (name, role, partner), expected in cases:
        fact = host.file_fact(at[name], role, at[partner] if partner else None)
        assert (fact.key_matches, fact.problem) == expected, (name, role, partner)


def test_a_path_that_is_no_file(tmp_path: Path) -> None:
    fact = host.file_fact(str(tmp_path), "certificate")
    assert (fact.exists, fact.problem) == (True, "cannot be read: it is not a regular file")
    assert host.file_fact("a\0b", "key").problem is not None


# ---------------------------------------------------------------------------------------------
# Units


@pytest.mark.parametrize(
    ("shown", "enabled", "active"),
    [
        ("LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n", True, True),
        ("LoadState=loaded\nActiveState=failed\nUnitFileState=disabled\n", False, False),
        ("LoadState=loaded\nActiveState=inactive\nUnitFileState=masked\n", False, False),
        ("LoadState=loaded\nActiveState=active\nUnitFileState=static\n", None, True),
        ("LoadState=not-found\nActiveState=inactive\nUnitFileState=\n", False, False),
        ("", None, None),
    ],
)
def test_units(shown: str, enabled: bool | None, active: bool | None) -> None:
    assert host.parse_unit("x.service", shown) == Unit("x.service", enabled, active)


def test_units_by_one_call_and_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n\nLoadState=not-found\n"
    monkeypatch.setattr(host, "run", lambda *_: host.Result(0, answer, ""))
    assert host.units(("a", "b")) == (Unit("a", True, True), Unit("b", False, False))
    monkeypatch.setattr(host, "run", lambda *_: host.Result(1, "", "no systemd"))
    assert host.unit("a") == Unit("a", None, None)
