# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the labels of the corpus and of the ground truth were written for."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

LABELLED = {(3, 0), (3, 5)}
FOLDERS = ("hostile", "ground_truth")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Other releases of OpenSSL word some ends of a handshake otherwise, and are not labelled.

    Debian 12 and 13, on which the gate runs, have the two that are: nothing is skipped there.
    """
    if ssl.OPENSSL_VERSION_INFO[:2] in LABELLED:
        return
    reason = f"the labels are for OpenSSL 3.0 and 3.5, and this is {ssl.OPENSSL_VERSION}"
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and item.path.relative_to(here).parts[0] in FOLDERS:
            item.add_marker(pytest.mark.skip(reason=reason))
