# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of postmaster.tls.impact: plan here, read the logs on the node, forecast here."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.login_log.usage import LoginLog
from ..module_utils.model import ServerConfig, from_plain
from ..plugin_utils import exceptions, observe, policy
from ..plugin_utils.impact import changes, forecast, report
from ..plugin_utils.render.server import plan, require_readable

EXPECTED = (policy.PolicyError, observe.Unreadable, ValueError, OSError)


class ActionModule(ActionBase):
    """See plugins/modules/impact.py for the documentation."""

    _requires_connection = True
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Forecast what hardening does to the users of one host."""
        super().run(tmp, task_vars)
        self._variables = task_vars or {}
        _result, args = self.validate_argument_spec(
            {
                "profile": {"type": "str", "default": "intermediate"},
                "servers": {"type": "list", "elements": "dict"},
                "days": {"type": "int", "default": 30},
                "paths": {"type": "list", "elements": "path", "default": []},
                "exceptions": {"type": "list", "elements": "dict", "default": []},
                "closed_ports": {"type": "list", "elements": "int", "default": []},
                "max_locked_out": {"type": "str", "default": "any"},
                "report_users": {
                    "type": "str",
                    "default": "counts",
                    "choices": [n.value for n in report.Names],
                },
                "directory": {"type": "path", "required": True},
                "only_if_changing": {"type": "bool", "default": False},
            }
        )
        try:
            return self._forecast(args)
        except EXPECTED as error:
            raise AnsibleActionFail(f"the forecast could not be made: {error}") from None

    def _forecast(self, args: dict[str, Any]) -> dict[str, Any]:
        answer = {"servers": args["servers"]} if args["servers"] is not None else None
        found = observe.servers(answer or self._module("server_info", {}))
        planned = _changes(found, args)
        if not found or (args["only_if_changing"] and not planned):
            return {"changed": False, "lines": [], "locked_out": 0, "users": None, "path": None}
        asked = {"days": args["days"], "paths": args["paths"]}
        log = from_plain(LoginLog, self._module("login_info", asked).get("log"))
        made = forecast.forecast(log, planned, exceptions.read_exceptions(args["exceptions"]))
        names = report.Names(args["report_users"])
        host = str(self._variables.get("inventory_hostname", "localhost"))
        document = report.document(host, made, planned, names, secrets.token_bytes(32))
        path = _write(args["directory"], host, document)
        stop = report.exceeded(made, args["max_locked_out"])
        if stop:
            where = " ".join(report.where_named(names, path))
            raise AnsibleActionFail(
                f"{stop}. Nothing was changed. {where}", result={"changed": False}
            )
        return {
            "changed": False,
            "lines": report.lines(made),
            "locked_out": len(made.locked_out),
            "users": len(made.users),
            "path": path,
            "warnings": [problem.message for problem in log.problems],
        }

    def _module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name=f"postmaster.tls.{name}", module_args=arguments, task_vars=self._variables
        )
        if answer.get("failed"):
            # What a module says may hold names; its own words do not.
            raise AnsibleActionFail(
                str(answer.get("msg", f"{name} failed")), result={"changed": False}
            )
        return answer


def _changes(found: tuple[ServerConfig, ...], args: dict[str, Any]) -> tuple[changes.Change, ...]:
    profile = policy.load_profile(args["profile"])
    made: list[changes.Change] = []
    for server in found:
        require_readable(server)
        made += changes.changes(server, plan(server, profile), profile)
        made += changes.closing(server, args["closed_ports"])
    return tuple(made)


def _write(directory: str, host: str, document: dict[str, Any]) -> str:
    """Written whole, and for its owner alone (mkstemp): the path of the document."""
    os.makedirs(directory, exist_ok=True)
    safe = "".join(c if c.isalnum() or c in "-._" else "_" for c in host).lstrip(".") or "host"
    path = os.path.join(directory, f"impact-{safe}.json")
    descriptor, temporary = tempfile.mkstemp(prefix=".impact.", dir=directory)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(json.dumps(document, indent=1) + "\n")
    os.replace(temporary, path)
    return path
