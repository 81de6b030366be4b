# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of postmaster.tls.proof: end a lent change by what another host saw of the ports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.model.observed import EndpointObservation
from ..plugin_utils import judge, observe, policy
from ..plugin_utils.exceptions import as_waivers, read_exceptions
from ..plugin_utils.proof import Measure, not_served, taken_back

EXPECTED = (policy.PolicyError, judge.WaiverError, observe.Unreadable, ValueError)

_MEASURE = {
    "profile": {"type": "str", "required": True},
    "new_certificate": {"type": "bool", "default": False},
    "served_only": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """See plugins/modules/proof.py for the documentation."""

    _requires_connection = True
    _supports_check_mode = False
    _supports_async = False

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Confirm the change, ask for another look, take it back, or say that it was."""
        super().run(tmp, task_vars)
        self._variables = task_vars or {}
        _result, args = self.validate_argument_spec(
            {
                "state": {"type": "str", "choices": list(_STATES), "required": True},
                "transaction": {"type": "str", "required": True},
                "measure": {"type": "dict", "required": True, "options": _MEASURE},
                "before": {"type": "dict", "required": True},
                "now": {"type": "dict", "required": True},
                "exceptions": {"type": "list", "elements": "dict", "default": []},
                "problems": {"type": "list", "elements": "str", "default": []},
                "said": {"type": "str", "default": ""},
            }
        )
        try:
            return _STATES[args["state"]](self, args)
        except EXPECTED as error:
            raise AnsibleActionFail(str(error)) from None

    def _judge(self, args: dict[str, Any]) -> dict[str, Any]:
        """Confirm what is proven; else it stays open for the next look."""
        problems = _problems(args)
        if not problems:
            arguments = {"state": "confirmed", "transaction": args["transaction"]}
            self._server_config(arguments)
        return {"changed": False, "proven": not problems, "problems": problems}

    def _judge_finally(self, args: dict[str, Any]) -> dict[str, Any]:
        """The same, but what is not proven goes back."""
        told = self._judge(args)
        if told["proven"]:
            return told
        arguments = {
            "state": "reverted",
            "transaction": args["transaction"],
            "reason": "; ".join(told["problems"]),
        }
        return {**told, "said": self._server_config(arguments)["msg"]}

    def _fail(self, args: dict[str, Any]) -> dict[str, Any]:
        """Say why a change went back, and which ports do not serve as they did."""
        before, now = _seen(args["before"]), _seen(args["now"])
        still = [_blind(args["now"])] if now is None else not_served(before or (), now)
        words = taken_back(args["problems"], args["said"], still)
        raise AnsibleActionFail(words, result={"changed": False})

    def _server_config(self, arguments: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name="postmaster.tls.server_config",
            module_args=arguments,
            task_vars=self._variables,
        )
        if answer.get("failed"):
            raise AnsibleActionFail(str(answer.get("msg", "server_config failed")), result=answer)
        return answer


_STATES = {
    "judged": ActionModule._judge,
    "judged_finally": ActionModule._judge_finally,
    "taken_back": ActionModule._fail,
}


def _problems(args: Mapping[str, Any]) -> list[str]:
    """What is worse than before; a look that could not be made proves nothing."""
    before, now = _seen(args["before"]), _seen(args["now"])
    if before is None or now is None:
        return [_blind(args["before"] if before is None else args["now"])]
    waivers = as_waivers(read_exceptions(args["exceptions"]), args["before"].get("sources") or {})
    return Measure(**args["measure"], waivers=waivers).worse(before, now)


def _seen(answer: Mapping[str, Any]) -> Optional[tuple[EndpointObservation, ...]]:
    """What an answer of ``endpoint_info`` shows; ``None`` where it is none."""
    if answer.get("failed") or answer.get("unreachable") or "endpoints" not in answer:
        return None
    return observe.observations(answer["endpoints"])


def _blind(answer: Mapping[str, Any]) -> str:
    reason = " ".join(str(answer.get("msg") or "no reason is known").split())
    return f"the vantage host could not look at the ports ({reason})"
