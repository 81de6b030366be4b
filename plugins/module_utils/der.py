# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DER, as far as a node has to read it: one value after the other. Pure.

Source: X.690 section 8.1 (tags of one byte and definite lengths, as DER has them).
"""

from __future__ import annotations

from collections.abc import Iterator

Part = tuple[int, bytes, bytes]  # tag, value, what follows


def part(der: bytes) -> Part:
    """The first value of ``der``. IndexError where there is none, ValueError where it is cut."""
    tag, size, begin = der[0], der[1], 2
    if size & 0x80:
        begin += size & 0x7F
        size = int.from_bytes(der[2:begin], "big")
    if begin + size > len(der):
        raise ValueError("a value that is longer than what holds it")
    return tag, der[begin : begin + size], der[begin + size :]


def parts(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and value of everything in ``der``, in order. Raises as :func:`part`."""
    while der:
        tag, value, der = part(der)
        yield tag, value
