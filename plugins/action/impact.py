# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of postmaster.tls.impact: plan here, read the logs on the node, forecast here."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.login_log.usage import LoginLog
from ..module_utils.model.configured import ServerConfig
from ..module_utils.plain import from_plain
from ..plugin_utils import exceptions, observe, policy
from ..plugin_utils.impact import changes, compare, forecast, report
from ..plugin_utils.render.server import plan, require_readable

EXPECTED = (policy.PolicyError, observe.Unreadable, ValueError, OSError)
DAY = 86400
_LIMIT = 256 * 1024 * 1024


class ActionModule(ActionBase):
    """See plugins/modules/impact.py for the documentation."""

    _requires_connection = True
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Forecast what hardening does to the users of one host, or compare with what it did."""
        super().run(tmp, task_vars)
        self._variables = task_vars or {}
        self._host = str(self._variables.get("inventory_hostname", "localhost"))
        _result, args = self.validate_argument_spec(
            {
                "state": {"type": "str", "default": "forecast", "choices": list(_STATES)},
                "profile": {"type": "str", "default": "intermediate"},
                "servers": {"type": "list", "elements": "dict"},
                "days": {"type": "int", "default": 30},
                "paths": {"type": "list", "elements": "path", "default": []},
                "exceptions": {"type": "list", "elements": "dict", "default": []},
                "closed_ports": {"type": "list", "elements": "int", "default": []},
                "max_locked_out": {"type": "str", "default": "any"},
                "unknown_logins": {"type": "str", "default": "count", "choices": _UNKNOWN},
                "report_users": {"type": "str", "default": "counts", "choices": _NAMES},
                "directory": {"type": "path", "required": True},
                "only_if_changing": {"type": "bool", "default": False},
            }
        )
        try:
            return _STATES[args["state"]](self, args)
        except EXPECTED as error:
            raise AnsibleActionFail(f"the forecast could not be made: {error}") from None

    def _forecast(self, args: dict[str, Any]) -> dict[str, Any]:
        answer = {"servers": args["servers"]} if args["servers"] is not None else None
        found = observe.servers(answer or self._module("server_info", {}))
        held = exceptions.read_exceptions(args["exceptions"])
        planned = _changes(found, args, held)
        if not found or (args["only_if_changing"] and not planned):
            return dict(_NOTHING)
        log = self._log(args, days=args["days"])
        made = forecast.forecast(log, planned, held)
        names = report.Names(args["report_users"])
        document = report.document(self._host, made, planned, names, secrets.token_bytes(32))
        path = _path(args["directory"], "impact", self._host)
        _write(path, document)
        unknown = report.Unknown(args["unknown_logins"])
        stop = report.exceeded(made, args["max_locked_out"], unknown)
        if stop:
            where = report.where_named(names, path)
            raise AnsibleActionFail(f"{stop}. Nothing was changed. {where}", result=dict(_NOTHING))
        return {
            "changed": False,
            "lines": report.lines(made),
            "locked_out": len(made.locked_out),
            "possibly_locked_out": len(made.possibly_locked_out),
            "users": len(made.users),
            "path": path,
            "warnings": [problem.message for problem in log.problems],
        }

    def _keep(self, args: dict[str, Any]) -> dict[str, Any]:
        """The forecast of this run becomes the one that its change is compared with."""
        path = _path(args["directory"], "change", self._host)
        if not self._task.check_mode:
            document = _load(_path(args["directory"], "impact", self._host))
            if document is not None:
                _write(path, document)
        return {**_NOTHING, "path": path}

    def _compare(self, args: dict[str, Any]) -> dict[str, Any]:
        path = _path(args["directory"], "change", self._host)
        document = _load(path)
        if document is None:
            return dict(_NOTHING)
        then, planned = report.made_at(document), report.changes_of(document)
        before = self._log(args, since=then - args["days"] * DAY, until=then)
        after = self._log(args, since=then)
        made = forecast.forecast(before, planned, exceptions.read_exceptions(args["exceptions"]))
        said = compare.lines(compare.compare(planned, made, before, after))
        return {**_NOTHING, "lines": said, "path": path}

    def _log(self, args: dict[str, Any], **span: int) -> LoginLog:
        with self._unheard():
            answer = self._module("login_info", {"paths": args["paths"], **span})
        return from_plain(LoginLog, answer.get("log"))

    @contextmanager
    def _unheard(self) -> Iterator[None]:
        """With -vvv a connection prints what a module returns, unless the task is not logged."""
        context = getattr(self._connection, "_play_context", None)
        before = getattr(context, "no_log", None)
        if context is None:
            yield
            return
        context.no_log = True
        try:
            yield
        finally:
            context.no_log = before

    def _module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name=f"postmaster.tls.{name}", module_args=arguments, task_vars=self._variables
        )
        if answer.get("failed"):
            # What else a module says may hold names; its message does not.
            raise AnsibleActionFail(str(answer.get("msg", f"{name} failed")), result=_NOTHING)
        return answer


_NOTHING = {
    "changed": False,
    "lines": [],
    "locked_out": 0,
    "possibly_locked_out": 0,
    "users": None,
    "path": None,
}
_NAMES = [name.value for name in report.Names]
_UNKNOWN = [word.value for word in report.Unknown]
_STATES = {
    "forecast": ActionModule._forecast,
    "kept": ActionModule._keep,
    "compared": ActionModule._compare,
}


def _changes(
    found: tuple[ServerConfig, ...],
    args: dict[str, Any],
    held: tuple[exceptions.Exemption, ...],
) -> tuple[changes.Change, ...]:
    profile = policy.load_profile(args["profile"])
    today = datetime.now(timezone.utc).date()
    made: list[changes.Change] = []
    for server in found:
        require_readable(server)
        made += changes.changes(server, plan(server, profile, (), held, today), profile)
        made += changes.closing(server, args["closed_ports"])
    return tuple(made)


def _path(directory: str, kind: str, host: str) -> str:
    safe = "".join(c if c.isalnum() or c in "-._" else "_" for c in host)
    return os.path.join(directory, f"{kind}-{safe}.json")


def _write(path: str, document: dict[str, Any]) -> None:
    """Whole, and for its owner alone (mkstemp)."""
    directory = os.path.dirname(path) or "."
    os.makedirs(directory, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".impact.", dir=directory)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(json.dumps(document, indent=1) + "\n")
    os.replace(temporary, path)


def _load(path: str) -> Optional[dict[str, Any]]:
    """A document that is there; ValueError where it is none of ours."""
    try:
        with open(path, encoding="utf-8") as handle:
            found = json.loads(handle.read(_LIMIT))
    except FileNotFoundError:
        return None
    if not isinstance(found, dict):
        raise ValueError(f"{path} is no forecast")
    return found
