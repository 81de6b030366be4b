# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both editors share: the mark on a neutralised line, and the refusal of a line that moved."""

from __future__ import annotations

MARK = "# postmaster.tls: no longer in force, was: "


class Stale(ValueError):
    """A line to be neutralised is no longer what was observed; the message is a sentence."""
