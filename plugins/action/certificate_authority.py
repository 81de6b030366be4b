# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of postmaster.tls.certificate_authority: signs on the controller, asks no host anything."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.authority import Authority, AuthorityError, fingerprint


class ActionModule(ActionBase):
    """See plugins/modules/certificate_authority.py for the documentation."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Answer a request, and keep the revocation list."""
        super().run(tmp, task_vars)
        _result, args = self.validate_argument_spec(
            {
                "directory": {"type": "path", "required": True},
                "title": {"type": "str", "default": "Mail"},
                "passphrase": {"type": "str", "required": True, "no_log": True},
                "request": {"type": "str"},
                "names": {"type": "list", "elements": "str", "default": []},
                "days": {"type": "int", "default": 90},
                "revoked": {"type": "list", "elements": "str", "default": []},
            },
            required_by={"request": "names"},
        )
        try:
            return _predicted(args) if self._task.check_mode else _answer(args)
        except AuthorityError as error:
            raise AnsibleActionFail(str(error)) from None


def _predicted(args: dict[str, Any]) -> dict[str, Any]:
    held = fingerprint(args["directory"])
    changed = args["request"] is not None or held is None
    return {"changed": changed, "chain": None, "root": None, "fingerprint": held}


def _answer(args: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(timezone.utc).replace(microsecond=0)
    authority = Authority(args["directory"], args["title"], args["passphrase"], now)
    listed = authority.revoke(args["revoked"])
    chain = None
    if args["request"] is not None:
        chain = authority.issue(args["request"], args["names"], args["days"])
    changed = authority.made or listed or chain is not None
    held = fingerprint(args["directory"])
    return {"changed": changed, "chain": chain, "root": authority.root, "fingerprint": held}
