# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLSA records: what a record names, in agreement with OpenSSL's own verifier."""

from __future__ import annotations

import base64
import hashlib
import socket
import subprocess
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from ansible_collections.postmaster.tls.plugins.plugin_utils.certificate import (
    CertificateError,
    public_key_info,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.dane import matches, read, record_for
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    CA,
    LEAF,
    NAME,
    NOW,
    certificate,
    key,
)

CHAIN = [base64.b64decode(LEAF), base64.b64decode(CA)]
OTHER = base64.b64decode(certificate(kind="rsa2048"))


def record(usage: int, selector: int, matching: int, der: bytes) -> str:
    """A record made by hand, as a person would with openssl and sha256sum."""
    content = public_key_info(der) if selector else der
    data = {0: content, 1: hashlib.sha256(content).digest(), 2: hashlib.sha512(content).digest()}
    return f"{usage} {selector} {matching} {data[matching].hex()}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A TLS server with LEAF and CA; its port."""
    folder = tmp_path_factory.mktemp("dane")
    pem = [
        f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n" for text in (LEAF, CA)
    ]
    (folder / "leaf.pem").write_text(pem[0])
    (folder / "chain.pem").write_text(pem[1])
    secret = key("p256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    files = ["-cert", "leaf.pem", "-cert_chain", "chain.pem", "-key", "key.pem"]
    argv = ["openssl", "s_server", "-accept", f"127.0.0.1:{number}", *files, "-naccept", "100"]
    pipe = subprocess.PIPE  # it ends with its standard input
    with subprocess.Popen(argv, cwd=folder, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("ACCEPT"))
        yield number
        process.kill()


def openssl_believes(number: int, text: str) -> bool:
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{number}", "-servername", NAME]
    argv += ["-dane_tlsa_domain", NAME, "-dane_tlsa_rrdata", text, "-verify_return_error"]
    argv += ["-dane_ee_no_namechecks", "-brief", "-attime", str(int(NOW.timestamp()))]
    done = subprocess.run(argv, input="", capture_output=True, text=True, timeout=20, check=False)
    return "Verification: OK" in done.stderr


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
@pytest.mark.parametrize(("usage", "named"), [(3, CHAIN[0]), (2, CHAIN[1]), (3, OTHER), (2, OTHER)])
def test_openssl_says_the_same(
    server: int, usage: int, selector: int, matching: int, named: bytes
) -> None:
    text = record(usage, selector, matching, named)
    found = read(text)
    assert found is not None
    told, theirs = matches(found, CHAIN), openssl_believes(server, text)
    if told is None:  # a whole authority that is not sent: OpenSSL looks at signatures by it
        assert (usage, matching, named) == (2, 0, OTHER)
    else:
        assert told is theirs is (named in CHAIN)


def test_the_record_to_publish_is_believed(server: int) -> None:
    assert openssl_believes(server, record_for(CHAIN[0]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3 1 1",
        "3 1 1 xyz",
        "4 1 1 00",
        "3 2 1 00",
        "3 1 3 00",
        "-1 1 1 00",
        "a b c d",
        "3 1 1 0",
    ],
)
def test_what_a_client_ignores_is_none(text: str) -> None:
    assert read(text) is None


def test_digits_may_be_in_groups() -> None:
    found = read("3 1 1 AB cd\tEF")
    assert found is not None
    assert found.data == b"\xab\xcd\xef"


def test_no_certificate_is_an_error_of_one_sentence() -> None:
    with pytest.raises(CertificateError, match="cannot be read"):
        record_for(b"no certificate")
