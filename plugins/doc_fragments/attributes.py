# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes that all modules share: those that look, and those that change."""

from __future__ import annotations


class ModuleDocFragment:
    """``postmaster.tls.attributes`` for modules that look, ``….changer`` for those that change."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Whether it runs in check mode and says there what it says otherwise.
    support: full
    details: Nothing is ever changed on a mail server.
  diff_mode:
    description: Whether it shows what changes.
    support: none
    details: Nothing is ever changed on a mail server.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
"""

    CHANGER = r"""
options: {}
attributes:
  check_mode:
    description: Says exactly what would change, after the same checks of the candidate.
    support: full
  diff_mode:
    description: Shows every line that changes, never a private key.
    support: full
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
"""
