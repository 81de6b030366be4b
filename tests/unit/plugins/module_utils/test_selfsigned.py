# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stopgap certificate, made by the openssl of this machine."""

from __future__ import annotations

import os
import shutil
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import host, scratch, selfsigned
from ansible_collections.postmaster.tls.plugins.module_utils.selfsigned import CannotMake, make

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not here")


def decoded(certificate: bytes, tmp_path: Path) -> dict[str, Any]:
    """What the standard library reads from a certificate."""
    (tmp_path / "certificate").write_bytes(certificate)
    read: dict[str, Any] = ssl._ssl._test_decode_cert(  # type: ignore[attr-defined]
        str(tmp_path / "certificate")
    )
    return read


@needs_openssl
def test_certificate_and_key_belong_together_and_name_the_host(tmp_path: Path) -> None:
    names = ["mail.example.org", "*.example.org", "web1", "_x.example"]
    certificate, key = make(names)
    (tmp_path / "key").write_bytes(key)
    facts = decoded(certificate, tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    assert facts["subjectAltName"] == tuple(("DNS", name) for name in names)
    assert facts["subject"] == facts["issuer"] == ((("commonName", names[0]),),)
    lifetime = ssl.cert_time_to_seconds(facts["notAfter"]) - time.time()
    assert 364 < lifetime / 86400 < 366
    assert b"PRIVATE KEY" not in certificate
    assert b"CERTIFICATE" not in key


@needs_openssl
def test_a_long_name_is_cut_in_the_common_name_only(tmp_path: Path) -> None:
    name = f"{'a' * 63}.example.org"
    facts = decoded(make([name])[0], tmp_path)
    assert facts["subjectAltName"] == (("DNS", name),)
    assert facts["subject"] == ((("commonName", name[:64]),),)


@needs_openssl
def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "RUN", str(tmp_path))
    make(["mail.example.org"])
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_written_where_only_its_owner_can_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def run(argv: Sequence[str]) -> host.Result:
        folder = os.path.dirname(argv[argv.index("-keyout") + 1])
        seen.append(os.stat(folder).st_mode & 0o777)
        return host.Result(1, "", "x\nno entropy\n")

    monkeypatch.setattr(scratch, "RUN", str(tmp_path))
    monkeypatch.setattr(selfsigned.host, "run", run)
    with pytest.raises(CannotMake, match=r"could not make a certificate: no entropy$"):
        make(["mail.example.org"])
    assert seen == [0o700]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (host.Result(host.NOT_FOUND, "", ""), "install the package openssl"),
        (host.Result(3, "", ""), "exit code 3"),
        (host.Result(1, "", "e" * 999), "e{200}$"),
    ],
)
def test_what_openssl_could_not_do_is_one_sentence(
    result: host.Result, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selfsigned.host, "run", lambda _argv: result)
    with pytest.raises(CannotMake, match=message):
        make(["mail.example.org"])


@pytest.mark.parametrize(
    "names",
    [
        [],
        [""],
        ["mail.example.org", ""],
        ["mail example"],
        ["mail.example.org, imap.example.org"],
        ["a" * 64],
        ["a." * 127 + "a"],
        ["-mail.example.org"],
        ["mail..example.org"],
        [".example.org"],
        ["mail.*.org"],
        ["::1"],
        ["mail.example.org\n[extensions]"],
        ["mail.example.org,DNS:evil.example"],
        ["mäil.example.org"],
        ["$ENV::HOME"],
        ["a" * 253 + "!"],
    ],
)
def test_what_is_no_host_name_is_refused_at_once(names: list[str]) -> None:
    began = time.monotonic()
    with pytest.raises(CannotMake, match="is no host name; set mail_tls_names"):
        make(names)
    assert time.monotonic() - began < 1
