#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action postmaster.tls.history; the code is in plugins/action/history.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: history
short_description: Write the history of all runs to a file, or add one to it
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Writes all that the history holds as JSON lines, or adds such a file to a history, which may be in another kind of
    database. What is there already stays as it is.
  - Runs on the controller and touches no host; use it with C(run_once) or on localhost.
options:
  state:
    description: Whether to write the file, or to read it in. A file is read in whole or not at all.
    type: str
    choices: [exported, imported]
    required: true
  path:
    description: The file on the controller.
    type: path
    required: true
  history:
    description: The history, as in P(postmaster.tls.report#module).
    type: str
    default: ''
  directory:
    description: Folder of the history where neither O(history) nor an inventory names one.
    type: path
    default: reports
extends_documentation_fragment:
  - postmaster.tls.attributes
"""

EXAMPLES = r"""
- name: Write the history to a file
  postmaster.tls.history:
    state: exported
    path: history.jsonl

- name: Move to PostgreSQL
  postmaster.tls.history:
    state: imported
    path: history.jsonl
    history: postgresql://mail_tls@db.example.org/mail_tls
"""

RETURN = r"""
lines:
  description: How many lines were written or read.
  returned: success
  type: int
  sample: 5210
"""
