# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of postmaster.tls.history: the history as JSON lines, and back."""

from __future__ import annotations

import os
import tempfile
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.history.database import Trouble
from ..plugin_utils.history.place import find
from ..plugin_utils.history.store import open_history


class ActionModule(ActionBase):
    """See plugins/modules/history.py for the documentation."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Write the history to a file, or add one to it."""
        super().run(tmp, task_vars)
        _result, args = self.validate_argument_spec(
            {
                "state": {"type": "str", "choices": ["exported", "imported"], "required": True},
                "path": {"type": "path", "required": True},
                "history": {"type": "str", "default": ""},
                "directory": {"type": "path", "default": "reports"},
            }
        )
        sources = [str(s) for s in (task_vars or {}).get("ansible_inventory_sources") or ()]
        place = find(args["history"], sources, args["directory"])
        if place is None:
            raise AnsibleActionFail("there is no history: mail_tls_history is none")
        try:
            if args["state"] == "exported":
                return {"changed": False, "lines": _export(place, args["path"])}
            if self._task.check_mode:
                return {"changed": True, "lines": 0}
            with open_history(place) as history, open(args["path"], encoding="utf-8") as lines:
                return {"changed": True, "lines": history.read_in(lines)}
        except (Trouble, OSError, UnicodeDecodeError) as error:
            raise AnsibleActionFail(f"the history was not {args['state']}: {error}") from None


def _export(place: str, path: str) -> int:
    """Write whole and rename; how many lines."""
    folder = os.path.dirname(path) or "."
    with open_history(place, read_only=True) as history:
        descriptor, temporary = tempfile.mkstemp(prefix=".history.", dir=folder)
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            lines = [handle.write(line + "\n") for line in history.export()]
    os.replace(temporary, path)
    return len(lines)
