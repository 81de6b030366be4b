# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.postmaster.tls.plugins.module_utils.wire import ssl2


def test_the_bytes_of_a_hello() -> None:
    expected = "802e" + "01" + "0002" + "0015" + "0000" + "0010"
    expected += "010080020080030080040080050080060040" + "0700c0" + "11" * 16
    assert ssl2.client_hello(b"\x11" * 16).hex() == expected


# A SERVER-HELLO: type, session hit, certificate type, version, three lengths.
HELLO = "04" + "00" + "01" + "0002" + "0000"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", None),
        ("80", None),
        ("8020" + HELLO, None),
        ("8020" + HELLO + "0003" + "0010", True),
        ("8020" + HELLO + "0000" + "0010", False),
        ("8003" + "000001" + "00" * 8, False),  # ERROR
        ("15", None),
        ("15030100020228", False),
        ("485454502f", False),
    ],
)
def test_answers(answer: str, expected: Optional[bool]) -> None:
    assert ssl2.accepted(bytes.fromhex(answer)) is expected


@given(st.binary(max_size=64))
def test_noise_raises_nothing(data: bytes) -> None:
    assert ssl2.accepted(data) in (True, False, None)
