# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller does about a change: confirm it, take it back, end or await another's."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, Optional

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.postmaster.tls.plugins.action import hardening
from ansible_collections.postmaster.tls.plugins.action.hardening import ActionModule

ARGS = {"confirm_timeout": 120}
RECORD = {"id": "T", "who": "me@laptop", "owner": "laptop/1:2"}
CONFIRM = {"state": "confirmed", "transaction": "T"}


class Node:
    """Calls of modules, and what they answer."""

    def __init__(self, check_mode: bool = False, **answers: dict[str, Any]) -> None:
        self.calls: list[dict[str, Any]] = []
        self.answers = answers
        self.action = ActionModule.__new__(ActionModule)
        self.action._task = SimpleNamespace(check_mode=check_mode)
        self.action._module = self.module  # type: ignore[method-assign]

    def module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert name == "server_config"
        self.calls.append(arguments)
        answer = self.answers.get(arguments["state"], {})
        if answer.get("failed"):
            raise AnsibleActionFail(answer["msg"])
        return answer


class Proof:
    """What is seen from outside."""

    def __init__(self, problems: list[str], not_served: Optional[list[str]] = None) -> None:
        self.problems = lambda: problems
        self.not_served = lambda: not_served or []


@pytest.mark.parametrize("proof", [None, Proof([])])
def test_what_is_proven_is_confirmed(proof: Any) -> None:
    node = Node()
    node.action._end("T", proof)
    assert node.calls == [CONFIRM]


@pytest.mark.parametrize(
    ("not_served", "end"),
    [
        ([], "read it again, and every port serves as before"),
        (["imap://x:993 serves no TLS"], "again; from outside imap://x:993 serves no TLS"),
    ],
)
def test_what_is_not_goes_back_and_the_play_fails(not_served: list[str], end: str) -> None:
    node = Node(reverted={"msg": "Every file is as it was before and the server has read it again"})
    with pytest.raises(AnsibleActionFail, match=rf"^PT-01 x: open\. .*{re.escape(end)}$"):
        node.action._end("T", Proof(["PT-01 x: open"], not_served))  # type: ignore[arg-type]
    assert node.calls == [{"state": "reverted", "transaction": "T", "reason": "PT-01 x: open"}]


def test_a_confirmation_that_comes_too_late_fails_the_play() -> None:
    node = Node(confirmed={"failed": True, "msg": "the change T is not open any more: it was rev"})
    with pytest.raises(AnsibleActionFail, match="not open any more"):
        node.action._end("T", None)


def test_nothing_open_is_nothing_to_end() -> None:
    node = Node()
    assert node.action._settle(None, ARGS) == []
    assert node.calls == []


def test_what_a_dead_run_of_this_controller_left_goes_back_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hardening.owner, "is_gone", lambda token: token == "laptop/1:2")
    node = Node(reverted={"msg": "Every file is as it was before"})
    (said,) = node.action._settle(RECORD, ARGS)
    assert re.search(r"change T of me@laptop was taken back: the run .* ended .*as it was", said)
    assert node.calls[0]["state"] == "reverted"


def test_another_run_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardening.owner, "is_gone", lambda _token: False)
    node = Node(settled={"notes": []})
    (said,) = node.action._settle(RECORD, ARGS)
    assert said == "The change T of me@laptop was open and has ended"
    assert node.calls == [{"state": "settled", "wait": 120 + hardening.WAIT}]


def test_check_mode_ends_nothing() -> None:
    node = Node(check_mode=True)
    assert node.action._settle(RECORD, ARGS) == ["the change T is open on this host"]
    assert node.calls == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({}, []),
        ({"rehearsal": {"done": True}}, []),
        ({"rehearsal": {"done": False, "reason": "why"}}, ["The candidate was not rehearsed: why"]),
    ],
)
def test_a_rehearsal_that_could_not_be_is_told(answer: dict[str, Any], said: list[str]) -> None:
    assert hardening._not_rehearsed(answer) == said
