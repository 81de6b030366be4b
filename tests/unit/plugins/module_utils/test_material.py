# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is handed over is taken whole or refused, with one sentence that names the file."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils import host, transaction
from ansible_collections.postmaster.tls.plugins.module_utils.material import (
    CHECKS,
    BadInput,
    Source,
    take,
)
from ansible_collections.postmaster.tls.tests.unit import pki

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not here")


@pytest.fixture(scope="module")
def authority() -> pki.Authority:
    return pki.Authority()


def lay(folder: Path, chain: Any, key: Any, **more: Any) -> Source:
    for name, content in ((pki.CHAIN, chain), (pki.KEY, key)):
        if content is not None:
            (folder / name).write_bytes(content)
    return Source(str(folder / pki.CHAIN), str(folder / pki.KEY), **{"names": (pki.NAME,), **more})


def secrets(key: bytes) -> list[bytes]:
    """Every line of a key that must be in no message."""
    return [line for line in key.splitlines() if len(line) > 20 and b"-----" not in line]


@pytest.mark.parametrize("bad", pki.BAD, ids=[bad.what for bad in pki.BAD])
def test_each_bad_input_gets_one_sentence(
    bad: pki.Bad, authority: pki.Authority, tmp_path: Path
) -> None:
    chain, key = bad.make(authority)
    with pytest.raises(BadInput) as refused:
        take(lay(tmp_path, chain, key))
    said = str(refused.value)
    assert said.startswith(str(tmp_path / bad.file))
    assert bad.words in said
    assert "\n" not in said
    assert not [line for line in secrets(key or b"") if line.decode("latin-1") in said]


def test_there_are_ten_kinds_and_more() -> None:
    assert len({bad.words for bad in pki.BAD}) > 10


@pytest.mark.parametrize("bits", [0, 2048])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_good_one_is_taken_as_it_is(
    bits: int, legacy: bool, authority: pki.Authority, tmp_path: Path
) -> None:
    key = pki.new_key(bits)
    chain, text = authority.issue(key=key)[0], pki.key_pem(key, legacy=legacy)
    made = take(lay(tmp_path, chain, text))
    assert (made.pem, made.key) == (chain, text)
    assert made.leaf.covers(pki.NAME)
    assert made.leaf.key_type == ("rsa" if bits else "ecdsa")


def test_comments_line_ends_and_parameters_are_left_out(
    authority: pki.Authority, tmp_path: Path
) -> None:
    chain, key = authority.issue()
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    noisy = b"subject=mail\r\n" + chain.replace(b"\n", b"\r\n")
    made = take(lay(tmp_path, noisy, parameters + key.replace(b"\n", b"\r\n")))
    assert (made.pem, made.key) == (chain, key)


def test_one_file_may_hold_both(authority: pki.Authority, tmp_path: Path) -> None:
    chain, key = authority.issue()
    (tmp_path / "both.pem").write_bytes(key + chain)
    both = str(tmp_path / "both.pem")
    assert take(Source(both, both, (pki.NAME,))).pem == chain


def test_issuers_may_be_in_a_file_of_their_own(authority: pki.Authority, tmp_path: Path) -> None:
    key = pki.new_key()
    issuers = tmp_path / "issuers.pem"
    issuers.write_bytes(pki.pem(authority.intermediate))
    leaf = authority.leaf(key)
    source = lay(tmp_path, pki.pem(leaf), pki.key_pem(key))
    assert take(replace(source, chain=str(issuers))).pem == pki.pem(leaf, authority.intermediate)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_password_opens_a_key(legacy: bool, authority: pki.Authority, tmp_path: Path) -> None:
    key = pki.new_key()
    chain, _text = authority.issue(key=key)
    password = tmp_path / "password"
    password.write_text(f"{pki.PASSWORD}\n")
    closed = pki.key_pem(key, pki.PASSWORD, legacy)
    made = take(lay(tmp_path, chain, closed, password_file=str(password)))
    assert made.key == pki.key_pem(key)
    password.write_text("wrong\n")
    with pytest.raises(BadInput, match="cannot be opened with the password in"):
        take(lay(tmp_path, chain, closed, password_file=str(password)))


def test_a_given_authority_has_to_be_reached(authority: pki.Authority, tmp_path: Path) -> None:
    chain, key = authority.issue()
    ca = tmp_path / "ca.pem"
    ca.write_bytes(pki.pem(authority.root))
    assert take(lay(tmp_path, chain, key, ca_file=str(ca)))
    ca.write_bytes(pki.pem(pki.Authority("Other").root))
    with pytest.raises(BadInput, match=r"chain\.pem does not lead to an authority of .*ca\.pem"):
        take(lay(tmp_path, chain, key, ca_file=str(ca)))


def test_an_end_that_nobody_knows_is_told(authority: pki.Authority, tmp_path: Path) -> None:
    """A root that is left out, or a second intermediate that is missing: it looks the same."""
    chain, key = authority.issue()
    (said,) = take(lay(tmp_path, chain, key)).notes
    assert said.startswith(f"{tmp_path / pki.CHAIN}: whether it is whole is not known")
    assert "(Test Issuing) is neither in it nor trusted by this host" in said
    ca = tmp_path / "ca.pem"
    ca.write_bytes(pki.pem(authority.root))
    assert take(lay(tmp_path, chain, key, ca_file=str(ca))).notes == ()
    assert take(lay(tmp_path, chain + pki.pem(authority.root), key)).notes == ()


def test_what_the_host_trusts_is_whole(
    authority: pki.Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE is where OpenSSL looks for the host's own authorities."""
    (tmp_path / "trusted.pem").write_bytes(pki.pem(authority.root))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
    assert take(lay(tmp_path, *authority.issue())).notes == ()


def test_a_self_signed_one_is_complete(tmp_path: Path) -> None:
    key = pki.new_key()
    chain = pki.pem(pki.certificate(pki.NAME, key, names=[pki.NAME], authority=True))
    assert take(lay(tmp_path, chain, pki.key_pem(key))).leaf.self_issued


def test_a_signature_on_sha_1_is_weak(authority: pki.Authority, tmp_path: Path) -> None:
    source = lay(tmp_path, *authority.issue())
    made = take(source)
    weak = replace(made, chain=(replace(made.leaf, weak_signature="SHA-1"), *made.chain[1:]))
    said = [problem for problem in (c(weak, source, time.time()) for c in CHECKS) if problem]
    assert said == [f"{source.certificate}: mail.example.test is signed with SHA-1"]


def test_a_link_in_a_folder_that_others_write_is_refused(
    authority: pki.Authority, tmp_path: Path
) -> None:
    chain, key = authority.issue()
    source = lay(tmp_path, chain, key)
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "chain.pem").symlink_to(source.certificate)
    shared.chmod(0o777)
    with pytest.raises(transaction.Refused, match="can be written by others than root"):
        take(Source(str(shared / "chain.pem"), source.key))


def test_a_link_of_certbots_is_followed(authority: pki.Authority, tmp_path: Path) -> None:
    chain, key = authority.issue()
    source = lay(tmp_path, chain, key)
    (tmp_path / "fullchain.pem").symlink_to("chain.pem")
    assert take(Source(str(tmp_path / "fullchain.pem"), source.key)).pem == chain


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_that_another_user_can_change_is_refused(
    authority: pki.Authority, tmp_path: Path
) -> None:
    source = lay(tmp_path, *authority.issue())
    os.chown(source.key, 4711, 4711)
    with pytest.raises(BadInput, match=r"key\.pem belongs to user 4711"):
        take(source)


def test_without_openssl_it_says_which_package(
    authority: pki.Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = lay(tmp_path, *authority.issue())
    monkeypatch.setattr(host, "run", lambda *_a, **_k: host.Result(host.NOT_FOUND, "", ""))
    with pytest.raises(BadInput, match="install the package openssl"):
        take(source)


def test_every_check_is_asked() -> None:
    assert len(CHECKS) == 8
