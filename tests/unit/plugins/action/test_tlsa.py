# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Would what DNS publishes reject this certificate: the action, with answers of known truth."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Optional

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.postmaster.tls.plugins.action import tlsa
from ansible_collections.postmaster.tls.plugins.module_utils.model.posture import DnsAnswer
from ansible_collections.postmaster.tls.plugins.plugin_utils.dane import record_for
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import (
    LEAF,
    NAME,
    certificate,
)

PEM = f"-----BEGIN CERTIFICATE-----\n{LEAF}\n-----END CERTIFICATE-----\n"
OURS = record_for(base64.b64decode(LEAF))
OTHER = record_for(base64.b64decode(certificate(kind="rsa2048")))
WHERE = f"_993._tcp.{NAME}"


def run(
    monkeypatch: pytest.MonkeyPatch,
    answers: tuple[DnsAnswer, ...],
    chain: str = PEM,
    renewal: str = "asked",
) -> Any:
    action = tlsa.ActionModule.__new__(tlsa.ActionModule)
    args = {"chain": chain, "names": [NAME], "ports": [993], "resolver": "system"}
    args["renewal"] = renewal
    monkeypatch.setattr(tlsa.ActionBase, "run", lambda *_a: {})
    monkeypatch.setattr(tlsa.ActionModule, "validate_argument_spec", lambda *_a: (None, args))
    monkeypatch.setattr(tlsa.resolver, "ask", lambda *_a: answers)
    return action.run()


def answer(records: Optional[tuple[str, ...]], validated: Optional[bool], failure: str = "") -> Any:
    return (DnsAnswer(WHERE, "TLSA", records, validated, failure),)


@pytest.mark.parametrize("validated", [True, False, None])
@pytest.mark.parametrize("records", [(), (OURS,), (OTHER, OURS)])
def test_published_or_not_there(monkeypatch: Any, records: Any, validated: Any) -> None:
    result = run(monkeypatch, answer(records, validated))
    assert result["publish"] == [f"{WHERE}. IN TLSA {OURS}"]
    assert result["published"] == ({WHERE: list(records)} if records else {})


@pytest.mark.parametrize("validated", [True, None])
def test_a_key_that_is_not_published_is_refused(monkeypatch: Any, validated: Any) -> None:
    with pytest.raises(AnsibleActionFail, match=f"publish `{WHERE}. IN TLSA {OURS}`"):
        run(monkeypatch, answer((OTHER,), validated))


AUTHORITY = "2 1 1" + OURS[5:]
"""Of a chain of one certificate, which is then the authority as well."""
CERTIFICATE = f"3 0 1 {hashlib.sha256(base64.b64decode(LEAF)).hexdigest()}"


@pytest.mark.parametrize(
    ("records", "renewal", "refused"),
    [
        ((OURS,), "asked", False),
        ((OURS,), "same_key", False),
        ((OURS,), "new_key", True),
        ((CERTIFICATE,), "asked", False),
        ((CERTIFICATE,), "same_key", True),
        ((CERTIFICATE, OURS), "same_key", False),
        ((OURS, AUTHORITY), "new_key", False),
        ((OURS, OTHER), "new_key", True),
        ((), "new_key", False),
    ],
)
def test_a_renewal_that_asks_nobody(
    monkeypatch: Any, records: tuple[str, ...], renewal: str, refused: bool
) -> None:
    if refused:
        with pytest.raises(
            AnsibleActionFail, match="name what the next renewal on the host replaces"
        ):
            run(monkeypatch, answer(records, True), renewal=renewal)
    else:
        assert run(monkeypatch, answer(records, True), renewal=renewal)["changed"] is False
    assert not run(monkeypatch, answer(records, False), renewal=renewal)["changed"]


def test_nobody_believes_what_is_not_signed(monkeypatch: Any) -> None:
    assert run(monkeypatch, answer((OTHER,), False))["published"] == {WHERE: [OTHER]}


def test_what_could_not_be_asked_is_a_warning(monkeypatch: Any) -> None:
    result = run(monkeypatch, answer(None, None, "no answer in time"))
    assert [("no answer in time" in warning) for warning in result["warnings"]] == [True]


@pytest.mark.parametrize("chain", ["", "-----BEGIN CERTIFICATE-----\n*\n", PEM.replace("M", "!")])
def test_no_certificate_is_an_error_of_one_sentence(monkeypatch: Any, chain: str) -> None:
    with pytest.raises(AnsibleActionFail, match="certificate"):
        run(monkeypatch, (), chain)
