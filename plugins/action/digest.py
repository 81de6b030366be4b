# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of postmaster.tls.digest: what all hosts of the play drifted by, to people and programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..plugin_utils.drift.direction import Direction
from ..plugin_utils.history.database import Trouble
from ..plugin_utils.history.place import find
from ..plugin_utils.history.rows import DRIFT
from ..plugin_utils.history.store import History, open_history
from ..plugin_utils.report.files import write
from ..plugin_utils.report.formats import Made
from ..plugin_utils.told.channels import Channel, channels, tell
from ..plugin_utils.told.lines import lines
from ..plugin_utils.told.metric import FILE, metrics

REPORT = "drift.json"
STATES = ("clean", "drifted", "unseen")


class ActionModule(ActionBase):
    """See plugins/modules/digest.py for the documentation."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Write drift.json and the metric, and tell who is to be told."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        _result, args = self.validate_argument_spec(
            {
                "variable": {"type": "str", "required": True},
                "directory": {"type": "path", "required": True},
                "history": {"type": "str", "default": ""},
                "mail": {"type": "dict", "default": {}},
                "webhooks": {"type": "list", "elements": "dict", "default": []},
                "metrics": {"type": "path", "default": ""},
            }
        )
        sources = [str(s) for s in variables.get("ansible_inventory_sources") or ()]
        place = find(args["history"], sources, args["directory"])
        hosts = _hosts(variables, args["variable"])
        try:
            if place is None:
                raise ValueError("there is no history: mail_tls_history is none")
            with open_history(place) as history:
                return self._tell(history, hosts, args)
        except (Trouble, OSError, ValueError) as error:
            raise AnsibleActionFail(f"drift could not be told: {error}") from None

    def _tell(
        self, history: History, hosts: Mapping[str, dict[str, Any]], args: dict[str, Any]
    ) -> dict[str, Any]:
        now = datetime.now(timezone.utc)
        made = {
            "schema": "postmaster.tls/drift",
            "schema_version": 1,
            "generated_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "hosts": [{"host": name, **host} for name, host in hosts.items()],
        }
        paths = write(args["directory"], [Made(REPORT, json.dumps(made) + "\n", 0o600)])
        ways: tuple[Channel, ...] = channels(args["mail"], args["webhooks"])
        told = tell(history, ways, now)
        if args["metrics"]:
            counted = Counter(host["state"] for host in hosts.values())
            grades = Counter(item.grade for item in history.items(DRIFT))
            text = metrics(
                now,
                {state: counted[state] for state in STATES},
                {each.value: grades[each.value] for each in Direction},
                len(told.problems),
            )
            write(args["metrics"], [Made(FILE, text, 0o644)])
        Display().display("\n".join([*lines(made), f"report: {paths[0]}"]))
        return {
            "changed": False,
            "path": paths[0],
            "drifted": [name for name, host in hosts.items() if host["state"] != "clean"],
            "sent": list(told.sent),
            "warnings": list(told.problems),
        }


def _hosts(variables: Mapping[str, Any], variable: str) -> dict[str, dict[str, Any]]:
    """Each host of the play by name: its state, and what it drifted by."""
    found = {}
    for name in sorted(variables.get("ansible_play_hosts_all", [])):
        # Raw: what was registered holds no templates, and looking for some takes long.
        result = variables["hostvars"].raw_get(name).get(variable) or {}
        if "drifted" not in result:
            unseen = "the host could not be observed: it was not reached, or observing it failed"
            result = {"unseen": unseen}
        state = "unseen" if result.get("unseen") else "drifted" if result["drifted"] else "clean"
        found[str(name)] = {
            "state": state,
            "unseen": result.get("unseen", ""),
            "baseline": result.get("baseline"),
            "differences": result.get("differences", []),
            "reasons": result.get("reasons", []),
        }
    return found
