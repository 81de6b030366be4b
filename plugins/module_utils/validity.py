# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a certificate ends, read from its DER: the one thing of X.509 that a node has to know.

A server serves an expired certificate without a word, and no client takes it; so it is not put in
force. Source: RFC 5280 section 4.1 (Certificate, TBSCertificate, Validity, Time), X.690.
"""

from __future__ import annotations

import base64
import calendar
import time
from collections.abc import Sequence
from typing import Optional

from .der import part

_SEQUENCE, _VERSION = 0x30, 0xA0
_FORMATS = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}  # UTCTime, GeneralizedTime
_BEFORE_VALIDITY = 3  # serial number, signature algorithm, issuer


def not_after(der: bytes) -> Optional[float]:
    """Seconds since 1970 at which a certificate ends; ``None`` for what is no certificate."""
    try:
        _tag, certificate, _rest = part(der)
        _tag, rest, _after = part(certificate)
        tag, _value, after = part(rest)
        rest = after if tag == _VERSION else rest
        for _number in range(_BEFORE_VALIDITY):
            _tag, _value, rest = part(rest)
        tag, validity, _rest = part(rest)
        _tag, _value, rest = part(validity)
        kind, moment, _rest = part(rest)
        return float(calendar.timegm(time.strptime(moment.decode("ascii"), _FORMATS[kind])))
    except (ValueError, IndexError, KeyError):
        return None


def ended(chain: Sequence[str]) -> Optional[str]:
    """When the first certificate of a chain (base64 DER) ended; ``None`` where it has not."""
    end = not_after(base64.b64decode(chain[0])) if chain else None
    if end is None or end > time.time():
        return None
    return f"ended at {time.strftime('%Y-%m-%d %H:%M:%SZ', time.gmtime(end))}"
