# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installed GnuTLS, asked for what its documentation says of a few priority strings."""

from __future__ import annotations

import ctypes.util
import re
import subprocess
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.library import gnutls
from ansible_collections.postmaster.tls.plugins.module_utils.library.loader import Rejected

STRICT = (
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:"
    "+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD"
)


def installed() -> Optional[str]:
    name = ctypes.util.find_library("gnutls")
    cache = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=False)
    found = re.search(rf"{re.escape(name or 'libgnutls')}.* => (/\S+)", cache.stdout)
    return found.group(1) if found else None


@pytest.fixture(scope="module")
def path() -> str:
    found = installed()
    if found is None:
        pytest.skip("no GnuTLS is installed here")
    return found


def test_version(path: str) -> None:
    assert re.fullmatch(r"3\.\d+\.\d+", gnutls.version(path) or "")


def test_a_strict_priority(path: str) -> None:
    expansion = gnutls.expand(path, STRICT)
    assert expansion.versions == (0x0304, 0x0303)
    assert set(expansion.suites or ()) == {
        *(0x1301, 0x1302, 0x1303),
        *(0xC02B, 0xC02C, 0xC02F, 0xC030, 0xCCA8, 0xCCA9),
    }


def test_versions_and_groups_keep_their_order(path: str) -> None:
    priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1"
    expansion = gnutls.expand(path, priority)
    assert (expansion.versions, expansion.groups) == ((0x0303,), (29, 23))


def test_an_empty_string_is_the_default(path: str) -> None:
    assert 0x0304 in (gnutls.expand(path, "").versions or ())


@pytest.mark.parametrize(
    ("priority", "position"), [("NORMAL:+BOGUS", 7), ("BOGUS", 0), ("NORMAL:-VERS-ALL:+X", 17)]
)
def test_rejected_with_its_position(path: str, priority: str, position: int) -> None:
    with pytest.raises(Rejected, match="priority: ") as caught:
        gnutls.expand(path, priority)
    assert caught.value.position == position
