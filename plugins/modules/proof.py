#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action postmaster.tls.proof; the code is in plugins/action/proof.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proof
short_description: Confirm a lent change that another host has proven, or take it back
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Compares what a vantage host saw of the ports before a change and after it, as P(postmaster.tls.hardening#module) does
    with what the controller sees. A port that served TLS and does not now makes every file go back, and so does a check
    that passed at a port and fails now. A look that could not be made proves nothing.
  - The tasks around it are in the role C(postmaster.tls.vantage). Whatever keeps them from going on, the host takes the
    change back by itself, as it does with any change that nobody confirms.
options:
  state:
    description:
      - V(judged) confirms the change where it is proven. Else it stays open, for another look.
      - V(judged_finally) takes it back else.
      - V(taken_back) fails, and says why the change went back and which ports do not serve TLS as before.
    type: str
    choices: [judged, judged_finally, taken_back]
    required: true
  transaction:
    description: The open change, as P(postmaster.tls.hardening#module) named it with O(postmaster.tls.hardening#module:state=lent).
    type: str
    required: true
  measure:
    description: By what the looks are compared, as P(postmaster.tls.hardening#module) returned it.
    type: dict
    required: true
    suboptions:
      profile:
        description: The policy profile.
        type: str
        required: true
      new_certificate:
        description: Whether the change makes a certificate as a stopgap, so that certificates are no reason.
        type: bool
        default: false
      served_only:
        description: Whether ports that served no TLS before are none of the change's business.
        type: bool
        default: false
  before:
    description: What P(postmaster.tls.endpoint_info#module) answered before the change.
    type: dict
    required: true
  now:
    description: What it answers now; a failure counts as a look that could not be made.
    type: dict
    required: true
  exceptions:
    description: Networks and users that somebody answers for, as in P(postmaster.tls.impact#module).
    type: list
    elements: dict
    default: []
  problems:
    description: With O(state=taken_back), what was worse.
    type: list
    elements: str
    default: []
  said:
    description: With O(state=taken_back), what the host said when it took the change back.
    type: str
    default: ''
attributes:
  check_mode:
    description: Whether it runs in check mode, in which no change is ever open.
    support: none
  diff_mode:
    description: Whether it shows what changes.
    support: none
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
"""

EXAMPLES = r"""
- name: Keep the change where nothing got worse, as seen from the vantage host
  postmaster.tls.proof:
    state: judged
    transaction: "{{ lent.transaction }}"
    measure: "{{ planned.measure }}"
    before: "{{ seen_before }}"
    now: "{{ seen_now }}"
"""

RETURN = r"""
proven:
  description: Whether the change is proven, and so confirmed.
  returned: success
  type: bool
  sample: false
problems:
  description: What is worse than before.
  returned: success
  type: list
  elements: str
  sample: ["imap://192.0.2.7:993 serves no TLS after the change (alert at handshake)"]
said:
  description: What the host said when it took the change back.
  returned: when it was taken back
  type: str
  sample: Every file is as it was before and the server has read it again
"""
