# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which line decides: rank of filters in 2.3 and 2.4, groups, old names."""

from __future__ import annotations

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.config.dovecot import (
    read_document,
    settings,
)
from ansible_collections.postmaster.tls.plugins.module_utils.config.dovecot_origin import (
    deciding,
    holds,
)

NESTED = """\
ssl = yes
protocol pop3 {
  ssl = required
}
remote 10.0.0.0/8 {
  ssl = no
}
remote 10.1.0.0/16 {
  ssl = yes
}
local_name *.example {
  ssl = no
}
"""
GROUPS = """\
group @tls strict {
  ssl = required
}
group @tls lax {
  ssl = no
}
@tls = strict
remote 10.0.0.0/8 {
  @tls = lax
}
protocol pop3 {
  ssl = yes
}
"""


REOPENED = """\
remote 10.0.0.0/8 {
  b = 1
}
protocol pop3 {
  a = 2
}
remote 10.0.0.0/8 {
  a = 1
}
"""


@pytest.mark.parametrize(
    ("text", "name", "scope", "narrowest", "broadest_last"),
    [
        # text, name, scope, line in 2.3, line in 2.4
        (NESTED, "ssl", "", 1, 1),
        (NESTED, "ssl", "protocol=imap", 1, 1),
        (NESTED, "ssl", "protocol=pop3", 3, 3),
        (NESTED, "ssl", "remote=10.0.0.0/8", 6, 6),
        (NESTED, "ssl", "remote=10.1.2.3", 9, 9),
        (NESTED, "ssl", "remote=192.0.2.1", 1, 1),
        (NESTED, "ssl", "remote=10.0.0.0/8,protocol=pop3", 6, 6),
        (NESTED, "ssl", "local_name=a.example,remote=10.1.2.3", 12, 12),
        (NESTED, "ssl", "local_name=a.b.example", 1, 1),
        (NESTED, "ssl_cert", "", None, None),
        # The order of blocks decides in 2.4 only.
        (
            "remote 10.0.0.0/8 {\na = 1\n}\nprotocol pop3 {\na = 2\n}",
            "a",
            "remote=10.0.0.0/8,protocol=pop3",
            2,
            5,
        ),
        (
            "remote 10.1.0.0/16 {\na = 1\n}\nremote 10.0.0.0/8 {\na = 2\n}",
            "a",
            "remote=10.1.0.1",
            2,
            5,
        ),
        # A block that is opened again keeps its first place.
        (
            REOPENED,
            *("a", "remote=10.0.0.0/8,protocol=pop3", 8, 5),
        ),
        (GROUPS, "ssl", "", 2, 2),
        (GROUPS, "ssl", "remote=10.0.0.0/8", 5, 5),
        (GROUPS, "ssl", "protocol=pop3", 12, 12),
        ("@tls = a\nssl = yes\ngroup @tls a {\nssl = no\n}", "ssl", "", 2, 2),
        ("ssl_min_protocol = TLSv1\nssl_protocols = !TLSv1", "ssl_min_protocol", "", 2, 2),
        ("auth_mechanisms {\nlogin = yes\n}", "auth_mechanisms", "", 2, 2),
    ],
)
def test_deciding_line(
    text: str, name: str, scope: str, narrowest: int | None, broadest_last: int | None
) -> None:
    found = settings(read_document("/d.conf", lambda _: text, lambda _: []))
    for narrowest_wins, line in ((True, narrowest), (False, broadest_last)):
        wins = deciding(found, name, scope, lambda _: True, narrowest_wins)
        assert (wins and wins.origin.line) == line


def test_the_value_in_force_is_preferred() -> None:
    text = "ssl = yes\nssl = $odd\n"
    found = settings(read_document("/d.conf", lambda _: text, lambda _: []))
    wins = deciding(found, "ssl", "", lambda s: s.value == "yes", True)
    assert wins is not None
    assert wins.origin.line == 1
    fallback = deciding(found, "ssl", "", lambda s: s.value == "required", True)
    assert fallback is not None
    assert fallback.origin.line == 2


@pytest.mark.parametrize(
    ("mask", "scope", "expected"),
    [
        ("", "", True),
        ("", "protocol=imap", True),
        ("protocol=imap", "", False),
        ("protocol=!imap", "protocol=pop3", True),
        ("protocol=!imap", "protocol=imap", False),
        ("protocol=!imap", "", False),
        ("remote=10.0.0.0/8", "remote=10.1.0.0/16", True),
        ("remote=10.1.0.0/16", "remote=10.0.0.0/8", False),
        ("remote=10.0.0.0/16", "remote=10.0.0.0/8", False),
        ("remote=10.0.0.0/8", "local=10.0.0.1", False),
        ("remote=2001:db8::/32", "remote=2001:db8::1", True),
        ("remote=0.0.0.0/0", "remote=2001:db8::1", False),
        ("remote=mx.example", "remote=mx.example", True),
        ("local=[2001:db8::1]", "local=2001:db8::1", True),
        ("local_name=a.example b.example", "local_name=b.example", True),
        ("local_name=*.example", "local_name=a.example", True),
        ("local_name=*.example", "local_name=*.example", True),
        ("local_name=*.example", "local_name=a.b.example", False),
        ("local_name=?.example", "local_name=A.example", True),
        ("remote=10.0.0.0/8,protocol=pop3", "remote=10.0.0.1,protocol=pop3", True),
        ("remote=10.0.0.0/8,protocol=pop3", "remote=10.0.0.1,protocol=imap", False),
    ],
)
def test_holds(mask: str, scope: str, expected: bool) -> None:
    assert holds(mask, scope) is expected
