#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action postmaster.tls.impact; the code is in plugins/action/impact.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: impact
short_description: Who would lose access when a host is hardened
version_added: 0.2.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Works out what P(postmaster.tls.hardening#module) would change on a host, has its login logs read by
    P(postmaster.tls.login_info#module), and says how many users used what would go away.
  - What is refused already is no change. What the logs do not tell is said, and never taken for safe.
  - Neither the result nor the output of the run names a user or a client. The report file does where O(report_users)
    says so; only its owner can read it.
options:
  state:
    description:
      - V(forecast) tells who would lose access.
      - V(kept) keeps the last forecast in O(directory) as that of a change that was carried out.
      - V(compared) tells who was turned away since that change, beside who was to be. Where no forecast was kept,
        nothing happens.
    type: str
    choices: [forecast, kept, compared]
    default: forecast
  profile:
    description: Name of the policy profile.
    type: str
    choices: [intermediate, modern]
    default: intermediate
  servers:
    description: What P(postmaster.tls.server_info#module) returned, if it was called already.
    type: list
    elements: dict
  days:
    description: How many days of logs count.
    type: int
    default: 30
  paths:
    description: Log files to read instead of those that the host's configuration names.
    type: list
    elements: path
    default: []
  exceptions:
    description:
      - Networks and users that somebody answers for, as mappings with C(network) or C(user), C(allow) (C(plaintext) or
        C(old_tls)), C(reason), and C(until), the last day. They do not count as locked out until that day has passed.
    type: list
    elements: dict
    default: []
  closed_ports:
    description: Ports of which to tell who would lose access were they closed.
    type: list
    elements: int
    default: []
  max_locked_out:
    description:
      - How many users may lose access, as a number, as a share of all that logged in (V(5%)), or V(any). The task
        fails where more would, and where nothing is known of who logs in.
    type: str
    default: any
  unknown_logins:
    description:
      - What logins are to O(max_locked_out) of which the log does not say what they used. With V(count) each of their
        users may be locked out and counts, and a log that cannot be read whole fails the task; with V(ignore) they
        are told in RV(lines) alone.
    type: str
    choices: [count, ignore]
    default: count
  report_users:
    description: Whether the report names users and addresses, not at all, hashed with a key that is thrown away, or as they are.
    type: str
    choices: [counts, hashed, full]
    default: counts
  directory:
    description: Folder on the controller for the report.
    type: path
    required: true
  only_if_changing:
    description: Whether to read the logs only where something would go away.
    type: bool
    default: false
extends_documentation_fragment:
  - postmaster.tls.attributes
seealso:
  - module: postmaster.tls.login_info
  - module: postmaster.tls.hardening
"""

EXAMPLES = r"""
- name: Tell who would lose access
  postmaster.tls.impact:
    directory: reports
    max_locked_out: 5%
"""

RETURN = r"""
lines:
  description: The forecast in sentences, with numbers alone.
  returned: always
  type: list
  elements: str
  sample:
    - "passwords without TLS are refused: 1 of 2 users (50.0 %), 4 logins, the last on 2026-11-24"
locked_out:
  description: How many users would lose access and are not waived.
  returned: always
  type: int
  sample: 1
possibly_locked_out:
  description: How many more may lose access, for the log does not say what all of their logins used.
  returned: always
  type: int
  sample: 0
users:
  description: How many users logged in; V(none) where the logs were not read.
  returned: always
  type: int
  sample: 2
path:
  description: The report.
  returned: always
  type: str
  sample: reports/impact-mail.example.org.json
"""
