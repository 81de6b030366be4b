# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every line of the table is proven: by its formula, or by OpenSSL where there is none."""

from __future__ import annotations

import base64
import shutil
import subprocess
from hashlib import sha256

import pytest

from ansible_collections.postmaster.tls.plugins.plugin_utils.dh_groups import (
    DH_GROUPS,
    dh_group_name,
)
from ansible_collections.postmaster.tls.tests.ground_truth.dh_primes import PRIMES

RFC_5114 = {
    1: "RFC 5114 group 22, 1024 bits",
    2: "RFC 5114 group 23, 2048 bits",
    3: "RFC 5114 group 24, 2048 bits",
}


def digest(prime: int) -> str:
    return sha256(prime.to_bytes((prime.bit_length() + 7) // 8, "big")).hexdigest()


@pytest.mark.parametrize("name", PRIMES)
def test_what_has_a_formula_follows_from_it(name: str) -> None:
    prime = PRIMES[name]
    assert dh_group_name(prime.bit_length(), digest(prime)) == name


@pytest.mark.parametrize("number", RFC_5114)
def test_what_has_none_is_as_openssl_has_it(number: int) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    argv = [openssl, "genpkey", "-genparam", "-algorithm", "DHX"]
    made = subprocess.run(
        [*argv, "-pkeyopt", f"dh_rfc5114:{number}"], capture_output=True, text=True, check=True
    )
    prime = _first_integer("".join(line for line in made.stdout.splitlines() if "-" not in line))
    assert dh_group_name(prime.bit_length(), digest(prime)) == RFC_5114[number]


def _first_integer(pem: str) -> int:
    """The first of a sequence in DER (X.690 section 8.1): the sequence's length has two bytes."""
    der = base64.b64decode(pem)
    assert (der[0], der[1], der[4]) == (0x30, 0x82, 0x02)
    if der[5] < 0x80:
        at, length = 6, der[5]
    else:
        at = 6 + (der[5] & 0x7F)
        length = int.from_bytes(der[6:at], "big")
    return int.from_bytes(der[at : at + length], "big")


def test_no_line_is_left_unproven() -> None:
    assert len(DH_GROUPS) == len(PRIMES) + len(RFC_5114)


@pytest.mark.parametrize("prime", [None, "", digest(23)])
def test_what_nobody_published_is_custom(prime: str) -> None:
    assert dh_group_name(2048, prime) == "custom, 2048 bits"
