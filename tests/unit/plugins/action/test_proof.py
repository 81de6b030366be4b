# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a lent change ends: by what a vantage host saw, and taken back where it could not look."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.postmaster.tls.plugins.action import proof
from ansible_collections.postmaster.tls.plugins.action.proof import ActionModule
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    EndpointObservation,
    Handshake,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.plain import to_plain

IMAPS = Endpoint("192.0.2.7", 993, Service.IMAP, TlsMode.IMPLICIT)
SERVED = {
    "endpoints": to_plain((EndpointObservation(IMAPS, True, handshake=Handshake(0x0304, 0x1301)),)),
    "sources": {"192.0.2.7": "198.51.100.9"},
}
CLOSED = {"endpoints": to_plain((EndpointObservation(IMAPS, False),))}
BLIND = ({"unreachable": True, "msg": "no\nroute"}, {"failed": True, "msg": "no route"}, {})
BACK = "Every file is as it was before and the server has read it again"


class Node:
    """Calls of server_config, and what it answers."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.action = ActionModule.__new__(ActionModule)
        self.action._server_config = self.call  # type: ignore[method-assign]

    def call(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(arguments)
        return {"msg": BACK}


def args(**more: Any) -> dict[str, Any]:
    measure = {"profile": "intermediate"}
    given = {"transaction": "T", "measure": measure, "exceptions": [], "before": SERVED}
    return {**given, **more}


@pytest.mark.parametrize("end", [ActionModule._judge, ActionModule._judge_finally])
def test_what_is_proven_is_confirmed(end: Any) -> None:
    node = Node()
    assert end(node.action, args(now=SERVED))["proven"] is True
    assert node.calls == [{"state": "confirmed", "transaction": "T"}]


@pytest.mark.parametrize("now", [CLOSED, *BLIND])
def test_what_is_not_stays_open_for_one_more_look(now: dict[str, Any]) -> None:
    node = Node()
    told = node.action._judge(args(now=now))
    assert (told["proven"], len(told["problems"]), node.calls) == (False, 1, [])


@pytest.mark.parametrize("now", [CLOSED, *BLIND])
def test_then_it_goes_back_with_the_reason(now: dict[str, Any]) -> None:
    node = Node()
    told = node.action._judge_finally(args(now=now))
    assert (told["proven"], told["said"]) == (False, BACK)
    (call,) = node.calls
    assert (call["state"], call["reason"]) == ("reverted", told["problems"][0])


def test_a_look_before_that_could_not_be_made_proves_nothing() -> None:
    assert not Node().action._judge(args(before=BLIND[1], now=SERVED))["proven"]


@pytest.mark.parametrize(
    ("now", "end"),
    [
        (SERVED, "and every port serves as before"),
        (CLOSED, "from outside imap://192.0.2.7:993 serves no TLS after the change"),
        (BLIND[0], "from outside the vantage host could not look at the ports (no route)"),
    ],
)
def test_the_play_fails_with_the_reason_and_what_is_seen_now(now: Any, end: str) -> None:
    with pytest.raises(AnsibleActionFail, match=rf"^it broke\. .*{BACK}.*{re.escape(end)}$"):
        Node().action._fail(args(now=now, problems=["it broke"], said=BACK))


def test_the_network_of_the_vantage_host_has_its_exceptions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its own address, not the controller's."""
    asked: list[Any] = []
    monkeypatch.setattr(proof, "as_waivers", lambda _held, sources: asked.append(sources) or [])
    Node().action._judge(args(now=SERVED))
    assert asked == [{"192.0.2.7": "198.51.100.9"}]
