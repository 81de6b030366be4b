#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action postmaster.tls.report; the code is in plugins/action/report.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Write report.json of all hosts of the play and print a summary
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Collects what P(postmaster.tls.posture#module) returned for each host of the play, writes
    C(report.json) on the controller and prints a summary of at most 80 columns.
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
  description: The report.
  returned: success
  type: str
  sample: reports/report.json
summary:
  description: Counts over all hosts.
  returned: success
  type: dict
  sample: {hosts: 4, pass: 3, fail: 1}
"""
