# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of postmaster.tls.drift: one host's posture of this run against its accepted baseline."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.plain import to_plain
from ..plugin_utils import owner
from ..plugin_utils.drift.compare import differences, may_recover, paths
from ..plugin_utils.history.database import Trouble
from ..plugin_utils.history.place import find
from ..plugin_utils.history.rows import DRIFT, Baseline
from ..plugin_utils.history.store import History, open_history

NO_HISTORY = (
    "drift is told by the history, and there is none: set mail_tls_history to a file or a "
    "postgresql:// URL"
)
NO_REASON = (
    "a baseline is accepted with a reason, for whoever reads it later: set mail_tls_baseline_reason"
)


class ActionModule(ActionBase):
    """See plugins/modules/drift.py for the documentation."""

    _requires_connection = True
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Compare one host, and accept it where that is asked for."""
        super().run(tmp, task_vars)
        self._variables = task_vars or {}
        _result, args = self.validate_argument_spec(
            {
                "run": {"type": "str", "required": True},
                "history": {"type": "str", "default": ""},
                "directory": {"type": "path", "default": "reports"},
                "profile": {"type": "str", "default": "intermediate"},
                "baseline": {"type": "str", "choices": ["keep", "accept"], "default": "keep"},
                "reason": {"type": "str", "default": ""},
            }
        )
        sources = [str(s) for s in self._variables.get("ansible_inventory_sources") or ()]
        place = find(args["history"], sources, args["directory"])
        if place is None:
            raise AnsibleActionFail(NO_HISTORY)
        if args["baseline"] == "accept" and not args["reason"].strip():
            raise AnsibleActionFail(NO_REASON)
        try:
            with open_history(place) as history:
                return self._compare(history, args)
        except Trouble as error:
            raise AnsibleActionFail(str(error)) from None

    def _compare(self, history: History, args: dict[str, Any]) -> dict[str, Any]:
        name = str(self._variables.get("inventory_hostname", ""))
        now = datetime.now(timezone.utc)
        kept, baseline = history.latest(name), history.baseline(name)
        if kept is None or kept.run != args["run"]:
            raise AnsibleActionFail(f"the history has no posture of {name} of this run")
        wanted = {*paths(kept.document), *(paths(baseline.document) if baseline else ())}
        more = {"written": self._written(sorted(wanted)), "profile": args["profile"]}
        kept = history.add(args["run"], name, more)
        unseen = _unseen(kept.document)
        if args["baseline"] == "accept":
            if unseen:
                raise AnsibleActionFail(f"nothing is accepted of what was not seen: {unseen}")
            history.accept(name, now, owner.who(), args["reason"].strip())
            baseline = history.baseline(name)
        found = differences(kept.document, baseline.document if baseline else None)
        items = [difference.item() for difference in found]
        history.fold(DRIFT, now, items, [name], may_recover(kept.document))
        since = {item.fingerprint: item.since for item in history.items(DRIFT, host=name)}
        drifted = [each for each in found if each.drifted]
        failing = [f for f in kept.document["findings"] if f["fails"]]
        return {
            "changed": False,
            "differences": [{**to_plain(d), "seen_since": since.get(d.fingerprint)} for d in found],
            "drifted": bool(drifted or failing or unseen),
            "unseen": unseen,
            "baseline": _told(baseline),
            "reasons": _reasons(drifted, failing, unseen),
        }

    def _written(self, wanted: list[str]) -> list[dict[str, Any]]:
        answer: dict[str, Any] = self._execute_module(
            module_name="postmaster.tls.provenance_info",
            module_args={"paths": wanted},
            task_vars=self._variables,
        )
        if answer.get("failed"):
            raise AnsibleActionFail(str(answer.get("msg", "provenance_info failed")), result=answer)
        files: list[dict[str, Any]] = answer["files"]
        return files


def _unseen(document: dict[str, Any]) -> str:
    """What had to be seen and was not; empty where all of it was."""
    if document["problems"]:
        return str(document["problems"][0]["message"])
    blind = ("error", "not_checked")
    not_proven = [f for f in document["findings"] if f["fails"] and f["status"] in blind]
    return f"{not_proven[0]['subject']}: {not_proven[0]['actual']}" if not_proven else ""


def _told(baseline: Optional[Baseline]) -> Optional[dict[str, str]]:
    if baseline is None:
        return None
    return {"at": baseline.at, "who": baseline.who, "reason": baseline.reason}


def _reasons(drifted: list[Any], failing: list[dict[str, Any]], unseen: str) -> list[str]:
    """Why there is drift, one clause each, a dozen of them."""
    said = [unseen] if unseen else []
    said += [f"{d.subject}: {d.name} {d.before} -> {d.after} ({d.place})" for d in drifted]
    said += [f"{f['check_id']} {f['subject']}: {f['actual']}" for f in failing]
    return [*said[:12], f"{len(said) - 12} more in the report"] if len(said) > 12 else said
