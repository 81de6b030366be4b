# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the nouns say of themselves."""

from __future__ import annotations

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Effective,
    Product,
    ServerConfig,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.posture import (
    SCHEMA_VERSION,
    Posture,
)
from ansible_collections.postmaster.tls.plugins.module_utils.plain import to_plain


def test_the_effective_row_of_exactly_that_scope() -> None:
    rows = tuple(
        Effective(scope, "tls", value, "ssl", value)
        for scope, value in (("", "yes"), ("protocol=imap", "no"))
    )
    server = ServerConfig(Product.DOVECOT, "2.4.1", None, "/etc/d", effective=rows)
    assert server.value("tls") == rows[0]
    assert server.value("tls", "protocol=imap") == rows[1]
    assert server.value("tls", "protocol=pop3") is None
    assert server.value("groups") is None


@pytest.mark.parametrize(("host", "shown"), [("192.0.2.1", "192.0.2.1"), ("::1", "[::1]")])
def test_an_endpoint_reads_as_a_url(host: str, shown: str) -> None:
    assert str(Endpoint(host, 993, Service.IMAP, TlsMode.IMPLICIT)) == f"imap://{shown}:993"


def test_a_posture_says_which_shape_it_has() -> None:
    assert to_plain(Posture("h", "t", "modern"))["schema_version"] == SCHEMA_VERSION
