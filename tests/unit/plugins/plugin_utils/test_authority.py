# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the authority on the controller issues is taken, and none of its keys lies in clear."""

from __future__ import annotations

import json
import stat
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.verification import PolicyBuilder, Store

from ansible_collections.postmaster.tls.plugins.plugin_utils import authority as authority_module
from ansible_collections.postmaster.tls.plugins.plugin_utils.authority import (
    Authority,
    AuthorityError,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
WORDS = "a long passphrase"


def request(key: Any = None, name: str = "liar.example.test") -> str:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = made.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(str(tmp_path / "pki"), "Lab", WORDS, NOW)


def again(tmp_path: Path, now: datetime = NOW, words: str = WORDS) -> Authority:
    return Authority(str(tmp_path / "pki"), "Lab", words, now)


def test_what_it_issues_is_verified_by_another_library(authority: Authority) -> None:
    chain = authority.issue(request(), ["mail.example.test", "imap.example.test"], 90)
    leaf, issuing = x509.load_pem_x509_certificates(chain.encode())
    root = x509.load_pem_x509_certificate(authority.root.encode())
    for name in ("mail.example.test", "imap.example.test"):
        policy = PolicyBuilder().store(Store([root])).time(NOW)
        policy.build_server_verifier(x509.DNSName(name)).verify(leaf, [issuing])
    assert leaf.not_valid_after_utc == NOW + timedelta(days=90)
    assert "liar" not in leaf.subject.rfc4514_string()


def test_its_keys_are_encrypted_and_its_folder_is_its_own(
    authority: Authority, tmp_path: Path
) -> None:
    assert authority.made
    folder = tmp_path / "pki"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("root.key", "issuing.key"):
        text = (folder / name).read_text()
        assert text.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_it_is_made_once(authority: Authority, tmp_path: Path) -> None:
    root = authority.root
    second = again(tmp_path)
    assert (second.made, second.root) == (False, root)


def test_what_is_issued_is_written_down(authority: Authority, tmp_path: Path) -> None:
    chain = authority.issue(request(), ["a.test"], 90)
    (entry,) = map(json.loads, (tmp_path / "pki" / "issued.jsonl").read_text().splitlines())
    leaf = x509.load_pem_x509_certificate(chain.encode())
    assert entry["names"] == ["a.test"]
    assert int(entry["serial"], 16) == leaf.serial_number


def test_a_revocation_list_names_what_is_revoked(authority: Authority, tmp_path: Path) -> None:
    def crl() -> x509.CertificateRevocationList:
        return x509.load_pem_x509_crl((tmp_path / "pki" / "crl.pem").read_bytes())

    assert authority.revoke([])
    assert not authority.revoke([])
    assert authority.revoke(["0a:ff"])
    assert [entry.serial_number for entry in crl()] == [0x0AFF]
    assert not again(tmp_path, NOW + timedelta(days=14)).revoke(["aff"])
    assert again(tmp_path, NOW + timedelta(days=16)).revoke(["aff"])
    issuing = x509.load_pem_x509_certificate((tmp_path / "pki" / "issuing.pem").read_bytes())
    assert crl().is_signature_valid(issuing.public_key())  # type: ignore[arg-type]


def test_nothing_outlives_the_authority(authority: Authority) -> None:
    leaf = x509.load_pem_x509_certificate(authority.issue(request(), ["a"], 9999).encode())
    assert leaf.not_valid_after_utc == NOW + timedelta(days=1825)


def test_many_hosts_at_a_time(tmp_path: Path) -> None:
    """One authority is made, whoever comes first."""
    asked, found = request(), list[tuple[bool, str]]()

    def host() -> None:
        authority = again(tmp_path)
        found.append((authority.made, authority.issue(asked, ["a.test"], 90)))

    threads = [threading.Thread(target=host) for _host in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(made for made, _chain in found) == 1
    assert len({chain.split("-----BEGIN")[2] for _made, chain in found}) == 1
    lines = (tmp_path / "pki" / "issued.jsonl").read_text().splitlines()
    assert len({json.loads(line)["serial"] for line in lines}) == 8


def refusals(authority: Authority, tmp_path: Path) -> dict[str, Any]:
    return {
        "needs 12 characters": lambda: again(tmp_path, words="short"),
        "cannot be opened with this passphrase": lambda: again(tmp_path, words="x" * 12),
        "has ended; move the folder away": lambda: again(tmp_path, NOW + timedelta(days=2000)),
        "the request cannot be read": lambda: authority.issue("nonsense", ["a"], 1),
        "the request's key is weak": lambda: authority.issue(
            request(rsa.generate_private_key(65537, 1024)),  # noqa: S505 - what is refused
            ["a"],
            1,
        ),
        "is no serial number": lambda: authority.revoke(["nonsense"]),
    }


@pytest.mark.parametrize(
    "words",
    [
        "needs 12 characters",
        "cannot be opened with this passphrase",
        "has ended; move the folder away",
        "the request cannot be read",
        "the request's key is weak",
        "is no serial number",
    ],
)
def test_what_it_refuses(words: str, authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(AuthorityError, match=words):
        refusals(authority, tmp_path)[words]()


def test_where_the_library_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority_module, "HAS_CRYPTOGRAPHY", False)
    with pytest.raises(AuthorityError, match="cryptography 42 or newer is needed"):
        again(tmp_path)


def test_a_request_that_its_key_did_not_sign(authority: Authority) -> None:
    good, other = (x509.load_pem_x509_csr(request(name=n).encode()) for n in ("a", "b"))
    der = good.public_bytes(serialization.Encoding.DER)
    forged = der.replace(
        good.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        other.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )
    pem = x509.load_der_x509_csr(forged).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(AuthorityError, match="is not signed by its own key"):
        authority.issue(pem, ["a"], 1)
