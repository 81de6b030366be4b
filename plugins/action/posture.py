# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of postmaster.tls.posture: one module call on the node, probes from here, judgement."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from functools import partial
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.limits import Limits
from ..module_utils.model.configured import ServerConfig
from ..module_utils.model.observed import EndpointObservation
from ..module_utils.model.posture import DnsAnswer, Posture
from ..module_utils.names import is_own, source
from ..module_utils.plain import to_plain
from ..module_utils.probe import DEFAULT_PORTS, default_endpoints, look
from ..module_utils.talk import Depth
from ..plugin_utils import exceptions, judge, observe, policy, resolver, targets, trust

Observed = tuple[dict[str, Any], tuple[ServerConfig, ...], tuple[EndpointObservation, ...]]

EXPECTED = (
    policy.PolicyError,
    judge.WaiverError,
    observe.Unreadable,
    trust.TrustError,
    ValueError,
)


class ActionModule(ActionBase):
    """See plugins/modules/posture.py for the documentation."""

    _requires_connection = True
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None
    ) -> dict[str, Any]:
        """Observe and judge one host."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        _result, args = self.validate_argument_spec(
            {
                "profile": {"type": "str", "default": "intermediate"},
                "addresses": {"type": "list", "elements": "str", "required": True},
                "names": {"type": "list", "elements": "str", "default": []},
                "domains": {"type": "list", "elements": "str", "default": []},
                "ca_file": {"type": "str", "default": ""},
                "waivers": {"type": "list", "elements": "raw", "default": []},
                "exceptions": {"type": "list", "elements": "dict", "default": []},
                "observations": {"type": "list", "elements": "dict"},
                "sources": {"type": "dict", "default": {}},
                "resolver": {"type": "str", "default": "none"},
                "depth": {"type": "str", "default": "judge", "choices": ["judge", "full"]},
                "timeout": {"type": "float", "default": 10.0},
            }
        )
        try:
            authorities = trust.load(args["ca_file"])
            held = _held(args)
            with ThreadPoolExecutor(1) as beside:
                asked = beside.submit(_dns, args)
                answer, found, seen = self._observe(args, variables)
            now = datetime.now(timezone.utc)
            posture = Posture(
                host=str(variables.get("inventory_hostname", "")),
                observed_at=now.isoformat(timespec="seconds"),
                profile=args["profile"],
                servers=found,
                endpoints=seen,
                problems=observe.problems(answer),
                dns=asked.result(),
            )
            waivers = [*args["waivers"], *held]
            judged = observe.judged(
                posture, args["names"], waivers, now, args["domains"], authorities
            )
        except EXPECTED as error:
            raise AnsibleActionFail(str(error)) from None
        failing = judge.in_words(judge.fails(judged.findings))
        return {
            "changed": False,
            "posture": to_plain(judged),
            "failing": failing,
            "warnings": _warnings(args),
        }

    def _observe(self, args: dict[str, Any], variables: dict[str, Any]) -> Observed:
        """The node's answer, its servers, and what is seen of their ports.

        The registered ports are looked at while the node still reads its configuration.
        """
        if args["observations"] is not None:
            answer = self._node(variables)
            return answer, observe.servers(answer), observe.observations(args["observations"])
        addresses = args["addresses"]
        ask = partial(
            look,
            limits=Limits(total=args["timeout"]),
            server_name=_sni(args["names"]),
            depth=Depth(args["depth"]),
        )
        with ThreadPoolExecutor(1) as beside:
            ahead = beside.submit(ask, default_endpoints(addresses))
            answer = self._node(variables)
            found = observe.servers(answer)
            ports, seen = targets.endpoints(addresses, found), ahead.result()
        seen = {**seen, **ask([port for port in ports if port not in seen])}
        return answer, found, tuple(each for port in ports for each in seen[port])

    def _node(self, variables: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name="postmaster.tls.server_info", module_args={}, task_vars=variables
        )
        if answer.get("failed"):
            raise AnsibleActionFail(str(answer.get("msg", "server_info failed")), result=answer)
        return answer


def _dns(args: dict[str, Any]) -> tuple[DnsAnswer, ...]:
    """What DNS says of the mail domains, and of the registered ports of the names."""
    ports = [port for port, _service, _mode in DEFAULT_PORTS]
    return resolver.ask(resolver.questions(args["domains"], args["names"], ports), args["resolver"])


def _held(args: dict[str, Any]) -> list[dict[str, Any]]:
    """Waivers for exceptions, by where the ports are looked at from: from here, or as told."""
    local = args["observations"] is None
    sources = {a: source(a) for a in args["addresses"]} if local else args["sources"]
    return exceptions.as_waivers(exceptions.read_exceptions(args["exceptions"]), sources)


def _warnings(args: dict[str, Any]) -> list[str]:
    """Dovecot takes a client with its own address for secured, whatever is configured."""
    own = [a for a in args["addresses"] if args["observations"] is None and is_own(a)]
    if not own:
        return []
    words = (
        f"{own[0]} is an address of this controller, and Dovecot takes its own host for secured: "
        "what is seen of logins without TLS is not what others see; set mail_tls_vantage to "
        "another host"
    )
    return [words]


def _sni(names: list[str]) -> Optional[str]:
    return names[0] if names else None
