# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The primes of published Diffie-Hellman groups, computed as their specifications say.

All are 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) * c) + x), where c is pi (RFC 2409 section 6,
RFC 3526) or e (RFC 7919 appendix A), and x the least that makes a safe prime.
"""

from __future__ import annotations

from typing import Callable

GUARD = 64
"""Bits computed beyond those that are used."""


def e(bits: int) -> int:
    """floor(2^bits * e), by the sum of 1/k!."""
    term, total, k = 1 << (bits + GUARD), 1 << (bits + GUARD), 0
    while term:
        k += 1
        term //= k
        total += term
    return total >> GUARD


def pi(bits: int) -> int:
    """floor(2^bits * pi), by Machin's formula."""
    one = 1 << (bits + GUARD)
    return 4 * (4 * _arctan_of_inverse(5, one) - _arctan_of_inverse(239, one)) >> GUARD


def _arctan_of_inverse(x: int, one: int) -> int:
    power, total, k = one // x, 0, 1
    while power:
        total += power // k if k % 4 == 1 else -(power // k)
        power //= x * x
        k += 2
    return total


def _prime(n: int, constant: Callable[[int], int], x: int) -> int:
    return (1 << n) - (1 << (n - 64)) - 1 + ((constant(n - 130) + x) << 64)


PRIMES: dict[str, int] = {
    "RFC 2409 group 1, 768 bits": _prime(768, pi, 149686),
    "RFC 2409 group 2, 1024 bits": _prime(1024, pi, 129093),
    "RFC 3526 group 5, 1536 bits": _prime(1536, pi, 741804),
    "RFC 3526 group 14, 2048 bits": _prime(2048, pi, 124476),
    "RFC 3526 group 15, 3072 bits": _prime(3072, pi, 1690314),
    "RFC 3526 group 16, 4096 bits": _prime(4096, pi, 240904),
    "RFC 3526 group 17, 6144 bits": _prime(6144, pi, 929484),
    "RFC 3526 group 18, 8192 bits": _prime(8192, pi, 4743158),
    "ffdhe2048": _prime(2048, e, 560316),
    "ffdhe3072": _prime(3072, e, 2625351),
    "ffdhe4096": _prime(4096, e, 5736041),
    "ffdhe6144": _prime(6144, e, 15705020),
    "ffdhe8192": _prime(8192, e, 10965728),
}
