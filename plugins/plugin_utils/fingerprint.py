# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of a finding that stays the same from run to run, in history and in every report.

It is made of what the finding is about and of nothing that changes while the finding stays: not
its severity, not what was seen, not the day. Values that were given out are kept by programs of
others (trackers, code scanning, baselines), so this never changes.
"""

from __future__ import annotations

import hashlib

LENGTH = 32
"""Hexadecimal digits: 128 bits, so that no two findings of any fleet share one by chance."""


def finding(host: str, check_id: str, subject: str) -> str:
    """The fingerprint of a check's result on one subject of one host.

    The first 32 hexadecimal digits of SHA-256 over ``host``, ``check_id`` and ``subject`` as UTF-8
    with a NUL between them; ``host`` is the inventory's name for it. Text of a document holds no
    NUL (module_utils/text.py), so that no two findings are the same bytes.
    """
    named = "\0".join((host, check_id, subject))
    return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()[:LENGTH]
