# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter postmaster.tls.endpoints: the ports of a host to look at from outside."""

from __future__ import annotations

DOCUMENTATION = r"""
name: endpoints
short_description: The ports of a host to look at from outside
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - The registered ports of IMAP, POP3 and ManageSieve, and those that the servers' configuration
    opens, on each address.
options:
  _input:
    description: What P(postmaster.tls.server_info#module) returned as RV(postmaster.tls.server_info#module:servers).
    type: list
    elements: dict
    required: true
  addresses:
    description: The addresses of the host.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Look at all ports of a host from a vantage host
  postmaster.tls.endpoint_info:
    endpoints: "{{ observed.servers | postmaster.tls.endpoints(['192.0.2.1']) }}"
  delegate_to: vantage.example.org
"""

RETURN = r"""
_value:
  description: The argument O(postmaster.tls.endpoint_info#module:endpoints).
  type: list
  elements: dict
"""

from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.plain import to_plain
from ..plugin_utils import observe, targets


def endpoints(servers: Any, addresses: Sequence[str]) -> list[dict[str, Any]]:
    """The endpoints as plain data; AnsibleFilterError for anything but servers."""
    try:
        found = targets.endpoints(list(addresses), observe.servers({"servers": servers}))
    except observe.Unreadable as error:
        raise AnsibleFilterError(str(error)) from None
    plain: list[dict[str, Any]] = to_plain(found)
    return plain


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names and functions."""
        return {"endpoints": endpoints}
