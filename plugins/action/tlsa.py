# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of postmaster.tls.tlsa: would what DNS publishes reject this certificate?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.model.posture import DnsAnswer
from ..module_utils.probe import DEFAULT_PORTS
from ..plugin_utils import dane, resolver
from ..plugin_utils.certificate import CertificateError, from_pem

_SAME_KEY = {"asked": None, "same_key": True, "new_key": False}
"""How renewals come about, and whether the key stays in those that ask nobody."""
PORTS = [port for port, _service, _mode in DEFAULT_PORTS]


class ActionModule(ActionBase):
    """See plugins/modules/tlsa.py for the documentation."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Ask DNS, and fail where a certificate would be rejected."""
        super().run(tmp, task_vars)
        _result, args = self.validate_argument_spec(
            {
                "chain": {"type": "str", "required": True},
                "names": {"type": "list", "elements": "str", "default": []},
                "ports": {"type": "list", "elements": "int", "default": PORTS},
                "resolver": {"type": "str", "default": resolver.SYSTEM},
                "renewal": {"type": "str", "choices": list(_SAME_KEY), "default": "asked"},
            }
        )
        asked = resolver.questions([], args["names"], args["ports"])
        try:
            chain = from_pem(args["chain"])
            answers = resolver.ask(asked, args["resolver"])
            rejected = [answer for answer in answers if dane.rejects(answer, chain)]
            ending = _ending(answers, chain, _SAME_KEY[args["renewal"]])
            publish = [f"{name}. IN TLSA {dane.record_for(chain[0])}" for name, _kind in asked]
        except (CertificateError, ValueError) as error:
            raise AnsibleActionFail(str(error)) from None
        if rejected:
            raise AnsibleActionFail(_refusal(rejected[0].name, dane.record_for(chain[0])))
        if ending:
            raise AnsibleActionFail(_soon(ending[0].name, dane.record_for(chain[0])))
        return {
            "changed": False,
            "published": {each.name: list(each.records) for each in answers if each.records},
            "publish": publish,
            "warnings": sorted({_unknown(e.failure) for e in answers if e.records is None}),
        }


def _ending(
    answers: Sequence[DnsAnswer], chain: Sequence[bytes], same_key: Optional[bool]
) -> list[DnsAnswer]:
    if same_key is None:
        return []
    return [answer for answer in answers if dane.ends_with(answer, chain, same_key)]


def _soon(name: str, record: str) -> str:
    return (
        f"the TLSA records of {name} name what the next renewal on the host replaces, and that asks nobody; "
        f"have it keep the key (certificate_reuse_key), and publish `{name}. IN TLSA {record}`"
    )


def _refusal(name: str, record: str) -> str:
    return (
        f"the TLSA records of {name} name other keys, so programs that believe them would refuse this "
        f"certificate; publish `{name}. IN TLSA {record}` beside them, wait for their TTL, and run again"
    )


def _unknown(failure: str) -> str:
    return f"whether TLSA records reject the certificate is not known: {failure}"
