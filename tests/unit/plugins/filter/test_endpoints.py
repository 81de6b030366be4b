# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter takes what server_info returns and gives what endpoint_info wants."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.postmaster.tls.plugins.filter import endpoints as module
from ansible_collections.postmaster.tls.plugins.filter.endpoints import FilterModule, endpoints
from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import Listener
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import Service, TlsMode
from ansible_collections.postmaster.tls.plugins.module_utils.plain import to_plain
from ansible_collections.postmaster.tls.plugins.modules import endpoint_info
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.postures import dovecot

OWN = Listener(Service.IMAP, "192.0.2.77", 1143, TlsMode.STARTTLS)


def test_plain_servers_become_plain_endpoints() -> None:
    found = endpoints([to_plain(dovecot(listeners=(OWN,)))], ["192.0.2.1"])
    assert found[-1] == {
        "host": "192.0.2.77",
        "port": 1143,
        "service": "imap",
        "tls_mode": "starttls",
    }
    assert [e["port"] for e in found[:-1]] == [110, 143, 993, 995, 4190]


def test_the_result_is_an_argument_of_endpoint_info() -> None:
    given = {"hosts": None, "endpoints": endpoints([], ["192.0.2.1", "2001:db8::1"])}
    assert len(endpoint_info.endpoints(given)) == 10


@pytest.mark.parametrize("servers", [None, "text", 3, [3], [{}], [{"product": "exim"}], {}])
def test_anything_but_servers_is_one_sentence(servers: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="server_info returned"):
        endpoints(servers, ["192.0.2.1"])


def test_the_filter_has_the_name_that_is_documented() -> None:
    documented = yaml.safe_load(module.DOCUMENTATION)
    assert FilterModule().filters() == {documented["name"]: endpoints}
    assert set(documented["options"]) == {"_input", "addresses"}
