# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action calls a change: something was made, listed or signed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.postmaster.tls.plugins.action import certificate_authority
from ansible_collections.postmaster.tls.plugins.modules import (
    certificate_authority as documentation,
)
from ansible_collections.postmaster.tls.tests.unit import pki


def answer(folder: Path, **given: Any) -> dict[str, Any]:
    defaults = {"title": "Lab", "passphrase": "a long passphrase", "request": None}
    more = {"names": [], "days": 90, "revoked": [], "directory": str(folder)}
    return certificate_authority._answer({**defaults, **more, **given})


def test_what_is_a_change(tmp_path: Path) -> None:
    asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = asked.sign(pki.new_key(), hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    assert answer(tmp_path)["changed"]
    assert not answer(tmp_path)["changed"]
    signed = answer(tmp_path, request=request, names=["a.test"])
    assert signed["changed"]
    assert signed["chain"].count("BEGIN CERTIFICATE") == 2
    assert not answer(tmp_path)["changed"]
    assert answer(tmp_path, revoked=["ff"])["changed"]


def test_what_is_predicted(tmp_path: Path) -> None:
    given = {"directory": str(tmp_path), "request": None}
    before = certificate_authority._predicted(given)
    assert (before["changed"], before["fingerprint"]) == (True, None)
    made = answer(tmp_path)
    after = certificate_authority._predicted(given)
    assert (after["changed"], after["fingerprint"]) == (False, made["fingerprint"])
    root = x509.load_pem_x509_certificate(made["root"].encode())
    assert made["fingerprint"] == root.fingerprint(hashes.SHA256()).hex()
    assert certificate_authority._predicted({**given, "request": "any"})["changed"]


def test_the_result_is_as_documented(tmp_path: Path) -> None:
    assert set(yaml.safe_load(documentation.RETURN)) == set(answer(tmp_path)) - {"changed"}
