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
    choices: [json, html, text, markdown, csv, csv_findings, junit, sarif, prometheus, cyclonedx]
    default: [json]
  summary:
    description: Whether to print the summary.
    type: bool
    default: true
  history:
    description:
      - Where the run is kept, beside the report. A file, made if it is missing (SQLite, on a local disk), or a URL that
        begins with C(postgresql://), which needs psycopg 3 on the controller. V(none) keeps nothing.
      - Empty means C(.mail_tls/history.sqlite) in the folder of the first inventory of the run, a hidden folder
        because Ansible reads all other files of an inventory folder as inventories.
      - A history that cannot be written is a warning. The password of a URL is shown in no message.
    type: str
    default: none
  history_days:
    description: Days after which a run is forgotten. What is open, and the newest baseline of a host, is not.
    type: int
    default: 400
  command:
    description: What the run is called in the history.
    type: str
    default: audit
extends_documentation_fragment:
  - postmaster.tls.attributes
"""

EXAMPLES = r"""
- name: Write the report
  postmaster.tls.report:
    variable: audit_result
    directory: reports
    history: /srv/mail/history.sqlite
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
run:
  description: The name of the run in the history, C(null) where none was kept.
  returned: success
  type: str
  sample: 0f8c6a4f2b7b4c2e9a5d3f1e7c6b5a40
"""
