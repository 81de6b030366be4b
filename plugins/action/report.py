# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of postmaster.tls.report: postures of all hosts → the report's files and a summary."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime, timezone
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils.model.configured import Problem
from ..module_utils.model.posture import Posture
from ..module_utils.plain import from_plain
from ..plugin_utils import policy
from ..plugin_utils.history.place import NOWHERE, find
from ..plugin_utils.history.run import DAYS, keep
from ..plugin_utils.report import files
from ..plugin_utils.report.formats import FORMATS, SOURCE, Past, make
from ..plugin_utils.report.json import document
from ..plugin_utils.report.terminal import summary

REPORT = FORMATS[SOURCE].file
_LIMIT = 256 * 1024 * 1024


class ActionModule(ActionBase):
    """See plugins/modules/report.py for the documentation."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Write the report of the play's hosts."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        _result, args = self.validate_argument_spec(
            {
                "variable": {"type": "str", "required": True},
                "profile": {"type": "str", "default": "intermediate"},
                "directory": {"type": "path", "required": True},
                "formats": {
                    "type": "list",
                    "elements": "str",
                    "choices": list(FORMATS),
                    "default": [SOURCE],
                },
                "summary": {"type": "bool", "default": True},
                "history": {"type": "str", "default": NOWHERE},
                "history_days": {"type": "int", "default": DAYS},
                "command": {"type": "str", "default": "audit"},
            }
        )
        now = datetime.now(timezone.utc)
        try:
            profile = policy.load_profile(args["profile"])
            postures = [
                _posture(host, variables["hostvars"], args, now)
                for host in variables.get("ansible_play_hosts_all", [])
            ]
            before = _previous(os.path.join(args["directory"], REPORT))
            made = document(postures, profile, now, before)
            kept = keep(_place(args, variables), made, args["command"], now, args["history_days"])
            paths = files.write(
                args["directory"], make(made, args["formats"], Past(kept.trend, before))
            )
        except (policy.PolicyError, OSError, ValueError) as error:
            raise AnsibleActionFail(f"the report could not be written: {error}") from None
        if args["summary"]:
            said = [summary(made, 80, colour=_colour()), *(f"report: {path}" for path in paths)]
            Display().display("\n".join(said))
        result = {"changed": False, "path": paths[0], "files": paths, "summary": made["summary"]}
        return {**result, "run": kept.id, "warnings": [kept.warning] if kept.warning else []}


def _posture(host: str, hostvars: Any, args: dict[str, Any], now: datetime) -> Posture:
    """The host's posture, or one that says that there is none."""
    # Raw: what was registered holds no templates, and looking for some in it takes longer than
    # all the rest of the report.
    registered = hostvars.raw_get(host).get(args["variable"]) or {}
    if registered.get("posture"):
        return from_plain(Posture, registered["posture"])
    problem = Problem("the host could not be observed: it was not reached, or observing it failed")
    at = now.isoformat(timespec="seconds")
    return Posture(str(host), at, args["profile"], problems=(problem,))


def _place(args: dict[str, Any], variables: dict[str, Any]) -> Optional[str]:
    """Where the history of this run is."""
    sources = [str(source) for source in variables.get("ansible_inventory_sources") or ()]
    return find(args["history"], sources, args["directory"])


def _previous(path: str) -> Optional[dict[str, Any]]:
    """The report that is there, if it is one of ours."""
    try:
        with open(path, encoding="utf-8") as handle:
            found = json.loads(handle.read(_LIMIT))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "hosts" in found else None


def _colour() -> bool:
    return "NO_COLOR" not in os.environ and sys.stdout.isatty()
