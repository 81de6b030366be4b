#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action postmaster.tls.digest; the code is in plugins/action/digest.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: digest
short_description: Tell what all hosts of the play drifted by, once, to people and programs
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Writes C(drift.json), prints it in at most 80 columns, and tells each channel what opened and what recovered since it
    heard last. Where nothing changed, nothing is sent.
  - A digest that could not be delivered is a warning, and goes out with the next run.
  - Runs on the controller and touches no host; use it with C(run_once), and with C(no_log) where O(mail) or O(webhooks)
    hold secrets.
options:
  variable:
    description: Name of the variable in which each host registered what P(postmaster.tls.drift#module) returned.
    type: str
    required: true
  directory:
    description: Folder on the controller for C(drift.json); made if it is missing.
    type: path
    required: true
  history:
    description: The history, as in P(postmaster.tls.report#module).
    type: str
    default: ''
  mail:
    description:
      - Whom to tell by mail, over SMTP with TLS that is verified. Needs C(to) (an address or several), C(from) and C(host).
      - May have C(port), C(tls) (C(starttls) or C(implicit)), C(user) and C(password), C(ca_file), and C(timeout) in seconds.
    type: dict
    default: {}
  webhooks:
    description:
      - Whom to tell by HTTPS. Each needs C(url), and may have C(kind) (C(generic), C(slack), C(mattermost) or C(teams)),
        C(secret) (the body is signed by HMAC-SHA256 with it), C(ca_file), and C(timeout) in seconds.
    type: list
    elements: dict
    default: []
  metrics:
    description: Folder of node_exporter's textfile collector for the time of the last run. Empty writes none.
    type: path
    default: ''
extends_documentation_fragment:
  - postmaster.tls.attributes
seealso:
  - module: postmaster.tls.drift
"""

EXAMPLES = r"""
- name: Tell
  postmaster.tls.digest:
    variable: drift_result
    directory: reports
    mail:
      to: postmaster@example.org
      from: mail-tls@example.org
      host: smtp.example.org
      user: mail-tls
      password: "{{ vault_mail_tls_smtp }}"
  run_once: true
  no_log: true
"""

RETURN = r"""
path:
  description: The report of drift.
  returned: success
  type: str
  sample: reports/drift.json
drifted:
  description: Hosts that drifted or were not seen.
  returned: success
  type: list
  elements: str
  sample: [mail1.example.org]
sent:
  description: Channels that were sent a digest.
  returned: success
  type: list
  elements: str
  sample: [mail to postmaster@example.org]
"""
