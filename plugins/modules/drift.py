#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action postmaster.tls.drift; the code is in plugins/action/drift.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drift
short_description: Compare a host with what was accepted of it, and its policy, disk and served with each other
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Takes the posture that this run kept in the history, asks the host who wrote the files that decide, and compares both
    with the baseline that somebody accepted last, and what is on disk with what is served.
  - Keeps in the history what opened, what is still open, and what recovered. Changes nothing on the host, and does the
    same in check mode.
  - What could not be seen is never taken for no drift, and nothing that is open recovers by it.
options:
  run:
    description: Name of the run, as P(postmaster.tls.report#module) returned it.
    type: str
    required: true
  history:
    description: The history, as in P(postmaster.tls.report#module).
    type: str
    default: ''
  directory:
    description: Folder of the history where neither O(history) nor an inventory names one.
    type: path
    default: reports
  profile:
    description: Name of the policy profile that the posture was judged by.
    type: str
    choices: [intermediate, modern]
    default: intermediate
  baseline:
    description: Whether what was seen in this run becomes what is accepted (V(accept)), or what was accepted before holds.
    type: str
    choices: [keep, accept]
    default: keep
  reason:
    description: Why it is accepted; needed for O(baseline=accept).
    type: str
    default: ''
extends_documentation_fragment:
  - postmaster.tls.attributes
seealso:
  - module: postmaster.tls.digest
"""

EXAMPLES = r"""
- name: Compare the host
  postmaster.tls.drift:
    run: "{{ audit_reported.run }}"
  register: drift_result

- name: Accept what there is
  postmaster.tls.drift:
    run: "{{ audit_reported.run }}"
    baseline: accept
    reason: TLS 1.2 stays until the scanners in the cellar are replaced, ticket 4711
"""

RETURN = r"""
differences:
  description: >-
    What is otherwise, weaker first. C(to) says to what (C(baseline), or C(across): the other sides of today), C(side) is
    C(policy), C(disk) or C(served). C(since) and C(writer) are of the file at C(place), C(null) where the host does not tell;
    C(seen_since) is the first run that saw it.
  returned: success
  type: list
  elements: dict
  sample:
    - fingerprint: 3f0f2f8f1f7d4c6a9b1e5d2c7a8b9c0d
      host: mail1.example.org
      to: baseline
      side: disk
      subject: dovecot protocol=pop3
      name: plaintext_login
      before: auth_allow_cleartext = no
      after: auth_allow_cleartext = yes
      direction: weaker
      place: /etc/dovecot/local.conf:3
      since: '2026-11-30T21:16:02Z'
      writer: owner root
      seen_since: '2026-12-01T03:00:04.120000Z'
drifted:
  description: >-
    Whether there is drift, which is so for a difference that is not for the better, for a finding that fails the profile,
    and for what could not be seen.
  returned: success
  type: bool
  sample: true
unseen:
  description: What kept the host from being seen; empty where it was.
  returned: success
  type: str
  sample: ''
baseline:
  description: What holds, C(null) where nothing was accepted.
  returned: success
  type: dict
  sample: {at: '2026-11-30T12:00:00.000000Z', who: root@controller, reason: as hardened}
reasons:
  description: Why there is drift, at most a dozen clauses.
  returned: success
  type: list
  elements: str
  sample: ["dovecot protocol=pop3: plaintext_login auth_allow_cleartext = no -> auth_allow_cleartext = yes (/etc/dovecot/local.conf:3)"]
"""
