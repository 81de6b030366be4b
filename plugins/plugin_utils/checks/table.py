# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All checks by id. Its keys equal those of the catalogue in policy/checks (a test keeps it so)."""

from __future__ import annotations

from . import (
    acceptance,
    certificates,
    configuration,
    dns,
    groups,
    inventory,
    operation,
    plaintext,
    tls,
)
from .base import CheckFunction

CHECKS: dict[str, CheckFunction] = {
    **plaintext.TABLE,
    **tls.TABLE,
    **groups.TABLE,
    **inventory.TABLE,
    **certificates.TABLE,
    **acceptance.TABLE,
    **configuration.TABLE,
    **operation.TABLE,
    **dns.TABLE,
}
