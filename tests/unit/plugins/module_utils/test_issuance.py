# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An order: its key stays, it is made anew when it is due, and what comes back has to fit."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes
from cryptography import x509

from ansible_collections.postmaster.tls.plugins.module_utils import (
    issuance,
    material,
    transaction,
)
from ansible_collections.postmaster.tls.plugins.module_utils.issuance import Order
from ansible_collections.postmaster.tls.plugins.module_utils.material import BadInput
from ansible_collections.postmaster.tls.plugins.modules import certificate_request
from ansible_collections.postmaster.tls.tests.unit import pki

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not here")
AUTHORITY = pki.Authority()
ORDER = Order("mail", (pki.NAME,))
DAY = 86400


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(transaction, "STATE_DIR", str(tmp_path / "state"))
    if os.geteuid():
        monkeypatch.setattr(os, "fchown", lambda *_: None)
    return tmp_path / "state"


def answer(request: str, **more: Any) -> str:
    asked = x509.load_pem_x509_csr(request.encode())

    class Key:
        """What a request shows of a key."""

        def public_key(self) -> Any:
            return asked.public_key()

    return pki.pem(AUTHORITY.leaf(Key(), **more), AUTHORITY.intermediate).decode()


@pytest.mark.parametrize("key_type", ["ecdsa", "rsa"])
def test_an_order_from_its_request_to_its_chain(key_type: str, state: Path) -> None:
    order = Order("mail", (pki.NAME, "imap.example.test"), key_type)
    assert issuance.due(order) == "there is none yet"
    request = issuance.request(order)
    asked = x509.load_pem_x509_csr(request.encode())
    names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == list(order.names)
    assert asked.is_signature_valid
    issuance.complete(order, answer(request, names=order.names))
    assert issuance.due(order) is None
    assert sorted(os.listdir(state / "certificates")) == ["mail.pem"]
    assert stat.S_IMODE(Path(order.path).stat().st_mode) == 0o600
    assert stat.S_IMODE((state / "certificates").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("order", "days", "reason"),
    [
        (ORDER, 0, None),
        (ORDER, 39, None),
        (ORDER, 41, "it ends at 20"),
        (Order("mail", (pki.NAME, "x.test")), 0, "it does not cover x.test"),
        (Order("mail", (pki.NAME,), "rsa"), 0, "its key is ECDSA"),
        (Order("mail", (pki.NAME,), selfsigned=True), 0, "it is not self-signed"),
        (Order("other", (pki.NAME,)), 0, "there is none yet"),
    ],
)
def test_when_one_is_due(order: Order, days: int, reason: str | None) -> None:
    request = issuance.request(ORDER)
    issuance.complete(ORDER, answer(request))
    said = issuance.due(order, time.time() + days * DAY)
    assert said is None if reason is None else said is not None and said.startswith(reason)


def test_a_chain_for_another_key_is_refused_and_the_old_one_stays() -> None:
    issuance.complete(ORDER, answer(issuance.request(ORDER)))
    before = Path(ORDER.path).read_bytes()
    issuance.request(ORDER)
    with pytest.raises(BadInput, match=r"^what was issued is the key of another certificate"):
        issuance.complete(ORDER, AUTHORITY.issue()[0].decode())
    assert Path(ORDER.path).read_bytes() == before


def test_a_renewal_makes_a_new_key() -> None:
    keys = []
    for _time in range(2):
        issuance.complete(ORDER, answer(issuance.request(ORDER)))
        keys.append(Path(ORDER.path).read_bytes().split(b"-----BEGIN CERT")[0])
    assert keys[0] != keys[1]


def held_key(path: str) -> bytes:
    return Path(path).read_bytes().split(b"-----BEGIN CERT")[0]


@pytest.mark.parametrize("key_type", ["ecdsa", "rsa"])
def test_a_renewal_that_is_asked_to_keeps_the_key(key_type: str) -> None:
    order = Order("mail", (pki.NAME,), key_type)
    issuance.complete(order, answer(issuance.request(order, reuse_key=True)))
    before = held_key(order.path)
    issuance.complete(order, answer(issuance.request(order, reuse_key=True)))
    assert held_key(order.path) == before


def test_a_key_of_another_kind_or_without_a_certificate_is_not_kept() -> None:
    issuance.complete(ORDER, answer(issuance.request(ORDER)))
    rsa = Order("mail", (pki.NAME,), "rsa")
    issuance.complete(rsa, answer(issuance.request(rsa, reuse_key=True)))
    assert issuance.due(rsa) is None
    Path(rsa.path).write_bytes(held_key(rsa.path))
    issuance.complete(rsa, answer(issuance.request(rsa, reuse_key=True)))
    assert issuance.due(rsa) is None


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        ("https://a.test", "https://a.test", None),
        ("https://a.test", "", None),
        ("https://a.test", "https://a.test/x", "it was not ordered from https://a.test/x"),
        ("https://a.test/x", "https://a.test", "it was not ordered from https://a.test"),
        ("", "https://a.test", "it was not ordered from https://a.test"),
        ("two\nlines", "two\nlines", None),
        ("two\nlines", "two", "it was not ordered from two"),
    ],
)
def test_another_issuer_is_noticed(before: str, now: str, reason: str | None) -> None:
    first, second = (Order("mail", (pki.NAME,), issuer=issuer) for issuer in (before, now))
    issuance.complete(first, answer(issuance.request(first)))
    assert issuance.due(second) == reason
    material.take(material.Source(first.path, first.path, (pki.NAME,)))


def test_a_name_that_is_a_path_is_refused() -> None:
    with pytest.raises(ValueError, match="is no name for a file"):
        issuance.due(Order("../x", (pki.NAME,)))


# ---------------------------------------------------------------------------------------------
# The module


def call(monkeypatch: pytest.MonkeyPatch, capsys: Any, **given: Any) -> dict[str, Any]:
    arguments = {"ANSIBLE_MODULE_ARGS": {"name": "mail", "names": [pki.NAME], **given}}
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps(arguments)))
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    with pytest.raises(SystemExit):
        certificate_request.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_the_module(monkeypatch: pytest.MonkeyPatch, capsys: Any, state: Path) -> None:
    predicted = call(monkeypatch, capsys, _ansible_check_mode=True)
    assert (predicted["changed"], predicted["request"]) == (True, None)
    assert not state.exists()
    asked = call(monkeypatch, capsys)
    assert asked["changed"]
    assert "PRIVATE" not in json.dumps(asked)
    done = call(monkeypatch, capsys, state="issued", chain=answer(asked["request"]))
    assert done["path"] == ORDER.path
    again = call(monkeypatch, capsys)
    assert (again["changed"], again["request"], again["reason"]) == (False, None, None)
    assert call(monkeypatch, capsys, renew=True)["reason"] == "asked for"
    assert call(monkeypatch, capsys, issuer="x")["reason"] == "it was not ordered from x"
    kept = call(monkeypatch, capsys, renew=True, reuse_key=True)["request"]
    public = [
        x509.load_pem_x509_csr(each.encode()).public_key() for each in (asked["request"], kept)
    ]
    assert public[0] == public[1]
    failed = call(monkeypatch, capsys, state="issued", chain="nonsense")
    assert failed["msg"] == "what was issued holds no certificate"


def test_a_stopgap(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    made = call(monkeypatch, capsys, state="selfsigned", key_type="rsa")
    assert made["changed"]
    assert x509.load_pem_x509_certificate(Path(made["path"]).read_bytes()).public_key().key_size
    assert not call(monkeypatch, capsys, state="selfsigned", key_type="rsa")["changed"]
