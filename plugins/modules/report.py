#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action postmaster.tls.report; the code is in plugins/action/report.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Write the report of all hosts of the play and print a summary
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Collects what P(postmaster.tls.posture#module) returned for each host of the play, writes
    C(report.json) on the controller, and the same in the other formats that are asked for, and
    prints a summary of at most 80 columns.
  - All files are replaced whole and together; where one cannot be written, all stay as they were.
  - Hosts of the play without a posture are in the report as not observed.
  - Runs on the controller and touches no host; use it with C(run_once).
options:
  variable:
    description: Name of the variable in which each host registered its posture.
    type: str
    required: true
  profile:
    description: Name of the policy profile.
    type: str
    choices: [intermediate, modern]
    default: intermediate
  directory:
    description: Folder on the controller; made if it is missing.
    type: path
    required: true
  formats:
    description:
      - What is written, each into a file of its own. See C(docs/report.md) for who reads what.
      - V(json) is always written, since the others are made of it and the next run compares with it.
    type: list
    elements: str
    choices: [json]
    default: [json]
  summary:
    description: Whether to print the summary.
    type: bool
    default: true
extends_documentation_fragment:
  - postmaster.tls.attributes
"""

EXAMPLES = r"""
- name: Write the report
  postmaster.tls.report:
    variable: audit_result
    directory: reports
  run_once: true
"""

RETURN = r"""
path:
  description: The report that the others are made of.
  returned: success
  type: str
  sample: reports/report.json
files:
  description: All files that were written, C(report.json) first.
  returned: success
  type: list
  elements: str
  sample: [reports/report.json]
summary:
  description: Counts over all hosts.
  returned: success
  type: dict
  sample: {hosts: 4, pass: 3, fail: 1}
"""
