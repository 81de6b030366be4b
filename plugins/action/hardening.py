# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of postmaster.tls.hardening: plan here, change on the node, prove from here, or go back."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.model.configured import ServerConfig
from ..module_utils.names import source
from ..module_utils.plain import to_plain
from ..plugin_utils import observe, owner, policy, targets
from ..plugin_utils.exceptions import as_waivers, read_exceptions
from ..plugin_utils.proof import Measure, Proof, taken_back
from ..plugin_utils.render.plan import Plan
from ..plugin_utils.render.server import evidence, require_readable
from ..plugin_utils.render.server import plan as plan_for

WAIT = 20
"""Seconds beyond the time out of a change after which it is over, one way or the other."""
EXPECTED = (policy.PolicyError, observe.Unreadable, ValueError)


class ActionModule(ActionBase):
    """See plugins/modules/hardening.py for the documentation."""

    _requires_connection = True
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Harden one server of one host."""
        super().run(tmp, task_vars)
        self._variables = task_vars or {}
        _result, args = self.validate_argument_spec(
            {
                "product": {"type": "str", "choices": ["dovecot", "courier"], "required": True},
                "state": {"type": "str", "choices": list(_STATES), "default": "present"},
                "profile": {"type": "str", "default": "intermediate"},
                "addresses": {"type": "list", "elements": "str", "required": True},
                "names": {"type": "list", "elements": "str", "default": []},
                "servers": {"type": "list", "elements": "dict"},
                "prove": {"type": "bool", "default": True},
                "confirm_timeout": {"type": "int", "default": 120},
                "open": {"type": "dict"},
                "exceptions": {"type": "list", "elements": "dict", "default": []},
                "stage": {"type": "str", "choices": ["all", "evidence"], "default": "all"},
            }
        )
        try:
            return self._harden(args)
        except EXPECTED as error:
            raise AnsibleActionFail(str(error)) from None

    def _harden(self, args: dict[str, Any]) -> dict[str, Any]:
        answer = {"servers": args["servers"], "transaction": args["open"]}
        if args["servers"] is None:
            answer = self._module("server_info", {})
        settled = self._settle(answer.get("transaction"), args)
        if settled:
            answer = self._module("server_info", {})
        found = observe.servers(answer)
        server = next((s for s in found if s.product.value == args["product"]), None)
        told = {"changed": False, "warnings": settled}
        if args["state"] == "planned":
            told.update(servers=answer["servers"], endpoints=[])
        if server is None:
            return {**told, "msg": f"{args['product']} is not on this host"}
        require_readable(server)
        names = args["names"] or [str(self._variables.get("inventory_hostname", "localhost"))]
        plan = _planned(server, args, names)
        told.update(plan=to_plain(plan), warnings=[*settled, *_warnings(plan)])
        if plan.empty:
            return {**told, "msg": f"{args['product']} meets the profile already"}
        ports = targets.configured(args["addresses"], server)
        measure = _measure(plan, args)
        if args["state"] == "planned":
            return {**told, "endpoints": to_plain(ports), "measure": measure}
        proof = None
        if self._proves(args):
            proof = Proof(ports, Measure(**measure, waivers=_waivers(args)))
        return self._changed({**_arguments(plan, server, args), **_order(args)}, proof, args, told)

    def _changed(
        self,
        arguments: dict[str, Any],
        proof: Optional[Proof],
        args: dict[str, Any],
        told: dict[str, Any],
    ) -> dict[str, Any]:
        """Carry it out; an open change is ended here, or lent to whoever asked for that."""
        answer = self._module("server_config", arguments)
        result = {**told, **{key: answer.get(key) for key in _TOLD}}
        result["warnings"] += [*answer.get("notes", []), *_not_rehearsed(answer)]
        name = answer.get("transaction")
        if name and args["state"] == "lent":
            return {**result, "transaction": name}
        if name:
            self._end(name, proof)
        return result

    def _proves(self, args: dict[str, Any]) -> bool:
        return args["state"] == "present" and args["prove"] and not self._task.check_mode

    def _settle(self, record: Optional[dict[str, Any]], args: dict[str, Any]) -> list[str]:
        """End what a run before left open, or wait for the one that is at work; says what it was."""
        if not record or self._task.check_mode:
            return [f"the change {record['id']} is open on this host"] if record else []
        if owner.is_gone(str(record.get("owner", ""))):
            reason = "the run that began it ended without confirming it"
            arguments = {"transaction": record["id"], "reason": reason}
            said = self._module("server_config", {"state": "reverted", **arguments})["msg"]
            return [
                f"The change {record['id']} of {record['who']} was taken back: {reason}. {said}"
            ]
        wait = args["confirm_timeout"] + WAIT
        notes = self._module("server_config", {"state": "settled", "wait": wait}).get("notes")
        return notes or [f"The change {record['id']} of {record['who']} was open and has ended"]

    def _end(self, name: str, proof: Optional[Proof]) -> None:
        """Confirm the open change once its ports are proven from here, else take it back."""
        problems = proof.problems() if proof else []
        if not problems:
            self._module("server_config", {"state": "confirmed", "transaction": name})
            return
        arguments = {"state": "reverted", "transaction": name, "reason": "; ".join(problems)}
        said = self._module("server_config", arguments)["msg"]
        still = proof.not_served() if proof else []
        raise AnsibleActionFail(taken_back(problems, said, still), result={"changed": False})

    def _module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name=f"postmaster.tls.{name}",
            module_args=arguments,
            task_vars=self._variables,
        )
        if answer.get("failed"):
            raise AnsibleActionFail(str(answer.get("msg", f"{name} failed")), result=answer)
        return answer


_STATES = ("present", "lent", "planned")
_TOLD = ("changed", "paths", "generation", "diff", "rehearsal", "switch")


def _planned(server: ServerConfig, args: dict[str, Any], names: list[str]) -> Plan:
    """What this run is to do."""
    profile = policy.load_profile(args["profile"])
    if args["stage"] == "evidence":
        return evidence(server, profile)
    held = read_exceptions(args["exceptions"])
    return plan_for(server, profile, names, held, datetime.now(timezone.utc).date())


def _measure(plan: Plan, args: dict[str, Any]) -> dict[str, Any]:
    """By what the ports are compared; stage 0 leaves those alone that served no TLS before."""
    return {
        "profile": args["profile"],
        "new_certificate": plan.certificate is not None,
        "served_only": args["stage"] == "evidence",
    }


def _waivers(args: dict[str, Any]) -> list[dict[str, Any]]:
    """What is seen from a network with an exception is the exception."""
    sources = {address: source(address) for address in args["addresses"]}
    return as_waivers(read_exceptions(args["exceptions"]), sources)


def _order(args: dict[str, Any]) -> dict[str, Any]:
    return {
        "confirm_timeout": args["confirm_timeout"],
        "wait": args["confirm_timeout"] + WAIT,
        "who": owner.who(),
        "owner": owner.token(),
    }


def _not_rehearsed(answer: dict[str, Any]) -> list[str]:
    rehearsal = answer.get("rehearsal") or {}
    if rehearsal.get("done", True):
        return []
    return [f"The candidate was not rehearsed: {rehearsal.get('reason')}"]


def _warnings(plan: Plan) -> list[str]:
    """What the reader of the run must know: limits of the server, and a stopgap certificate."""
    made = plan.certificate
    stopgap = f"{made.reason}, so a self-signed one is made: {made.certificate}" if made else ""
    return [*plan.notes, *([stopgap] if stopgap else [])]


def _arguments(plan: Plan, server: ServerConfig, args: dict[str, Any]) -> dict[str, Any]:
    """The plan as the arguments of server_config."""
    plain = to_plain(plan)
    listeners = [
        {
            "service": li.service.value,
            "address": li.address,
            "port": li.port,
            "tls_mode": li.tls_mode.value if li.tls_mode else "starttls",
        }
        for li in server.listeners
    ]
    return {
        "product": plan.product.value,
        "config_file": server.config_file,
        "version": server.version or "",
        "settings": plain["settings"],
        "overrides": plain["overrides"],
        "scoped": plain["scoped"],
        "certificate": plain["certificate"],
        "modes": plain["modes"],
        "listeners": listeners,
        "served_only": args["stage"] == "evidence",
    }
