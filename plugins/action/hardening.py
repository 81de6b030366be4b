# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of postmaster.tls.hardening: plan here, change on the node, prove from here, or go back."""

from __future__ import annotations

from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.model import Endpoint, EndpointObservation, ServerConfig, to_plain
from ..module_utils.probe import handshakes
from ..plugin_utils import observe, policy, targets
from ..plugin_utils.render.plan import Plan
from ..plugin_utils.render.server import plan as plan_for
from ..plugin_utils.render.server import require_readable

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
                "profile": {"type": "str", "default": "intermediate"},
                "addresses": {"type": "list", "elements": "str", "required": True},
                "names": {"type": "list", "elements": "str", "default": []},
                "servers": {"type": "list", "elements": "dict"},
                "prove": {"type": "bool", "default": True},
            }
        )
        try:
            return self._harden(args)
        except EXPECTED as error:
            raise AnsibleActionFail(str(error)) from None

    def _harden(self, args: dict[str, Any]) -> dict[str, Any]:
        answer = {"servers": args["servers"]} if args["servers"] is not None else None
        found = observe.servers(answer or self._module("server_info", {}))
        server = next((s for s in found if s.product.value == args["product"]), None)
        if server is None:
            return {"changed": False, "msg": f"{args['product']} is not on this host"}
        require_readable(server)
        names = args["names"] or [str(self._variables.get("inventory_hostname", "localhost"))]
        plan = plan_for(server, policy.load_profile(args["profile"]), names)
        result = {"changed": False, "plan": to_plain(plan), "warnings": _warnings(plan)}
        if plan.empty:
            return {**result, "msg": f"{args['product']} meets the profile already"}
        ports = targets.configured(args["addresses"], server)
        before = self._served(ports, args)
        answer = self._module("server_config", _arguments(plan, server))
        result.update({k: answer.get(k) for k in ("changed", "paths", "generation", "diff")})
        if answer["changed"]:
            self._prove(args, server, ports, before, result)
        return result

    def _served(self, ports: tuple[Endpoint, ...], args: dict[str, Any]) -> frozenset[Endpoint]:
        """The ports that serve TLS from outside now: those must serve it afterwards."""
        if not args["prove"] or self._task.check_mode:
            return frozenset()
        return frozenset(o.endpoint for o in handshakes(ports) if o.handshake)

    def _prove(
        self,
        args: dict[str, Any],
        server: ServerConfig,
        ports: tuple[Endpoint, ...],
        before: frozenset[Endpoint],
        result: dict[str, Any],
    ) -> None:
        """Each port that served TLS, or is open now, must serve it now; else all goes back."""
        if not args["prove"] or self._task.check_mode:
            return
        dead = _dead(ports, before)
        if not dead:
            return
        arguments = {
            "product": args["product"],
            "state": "restored",
            "generation": result["generation"],
        }
        restored = self._module("server_config", arguments)
        state = "every file is as it was before" if restored["changed"] else "nothing was restored"
        raise AnsibleActionFail(
            f"{'; '.join(dead)}. That cannot be left so: {state}", result={"changed": False}
        )

    def _module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name=f"postmaster.tls.{name}",
            module_args=arguments,
            task_vars=self._variables,
        )
        if answer.get("failed"):
            raise AnsibleActionFail(str(answer.get("msg", f"{name} failed")), result=answer)
        return answer


def _dead(ports: tuple[Endpoint, ...], before: frozenset[Endpoint]) -> list[str]:
    """Sentences about ports without TLS, after one retry."""
    for _attempt in range(2):
        seen = [o for o in handshakes(ports) if o.handshake is None]
        seen = [o for o in seen if o.open or o.endpoint in before]
        if not seen:
            return []
    return [_sentence(o) for o in seen]


def _sentence(observation: EndpointObservation) -> str:
    cause = observation.failures[-1] if observation.failures else None
    words = f" ({cause.cause} at {cause.stage})" if cause else ""
    return f"{observation.endpoint} serves no TLS after the change{words}"


def _warnings(plan: Plan) -> list[str]:
    """What the reader of the run must know: limits of the server, and a stopgap certificate."""
    made = plan.certificate
    stopgap = f"{made.reason}, so a self-signed one is made: {made.certificate}" if made else ""
    return [*plan.notes, *([stopgap] if stopgap else [])]


def _arguments(plan: Plan, server: ServerConfig) -> dict[str, Any]:
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
        "certificate": plain["certificate"],
        "modes": plain["modes"],
        "listeners": listeners,
    }
