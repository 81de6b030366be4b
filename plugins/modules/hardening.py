#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action postmaster.tls.hardening; the code is in plugins/action/hardening.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: hardening
short_description: Bring Dovecot or Courier up to a TLS profile, proven from outside
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Works out the smallest change after which the server meets the profile, carries it out with
    P(postmaster.tls.server_config#module), and then looks at every port from the controller. A port
    that served TLS before and does not now makes every file go back, and so does a check that
    passed at a port and fails now. Else the change is confirmed.
  - Until then it is only lent. A switch on the host takes it back after O(confirm_timeout) seconds,
    whatever becomes of the controller.
  - What a run left that was killed is ended first; a run that is still at work is waited for.
  - What is already as hard as the profile, or harder, stays as it is. Settings that have nothing
    to do with TLS stay as they are.
  - A server whose configuration is broken is refused and left untouched.
options:
  product:
    description: The server to harden. Where it is not installed, nothing happens.
    type: str
    choices: [dovecot, courier]
    required: true
  state:
    description:
      - V(present) changes the server and proves the change from the controller.
      - V(lent) changes it and leaves the change open, for P(postmaster.tls.proof#module) to confirm or to take back, or for
        the host itself when O(confirm_timeout) is over.
      - V(planned) changes nothing and says which ports would show the change.
    type: str
    choices: [present, lent, planned]
    default: present
  profile:
    description: Name of the policy profile.
    type: str
    choices: [intermediate, modern]
    default: intermediate
  addresses:
    description: The addresses of the host, as seen from the controller.
    type: list
    elements: str
    required: true
  names:
    description:
      - Names for a self-signed certificate, should one have to be made because there is no usable
        one. By default the inventory's name of the host.
    type: list
    elements: str
    default: []
  servers:
    description:
      - What P(postmaster.tls.server_info#module) returned, if it was called already.
    type: list
    elements: dict
  exceptions:
    description:
      - Networks and users that somebody answers for, as in P(postmaster.tls.impact#module). Those for networks are
        made on the server until their last day.
    type: list
    elements: dict
    default: []
  stage:
    description:
      - V(evidence) has the TLS version and suite of each login logged and changes nothing else, so that a later
        forecast knows them.
    type: str
    choices: [all, evidence]
    default: all
  prove:
    description: Whether to look at the ports from the controller before and after a change.
    type: bool
    default: true
  confirm_timeout:
    description:
      - Seconds after which the host takes a change back by itself unless it was proven and
        confirmed.
    type: int
    default: 120
  open:
    description:
      - The change that P(postmaster.tls.server_info#module) found open on the host, where
        O(servers) is given.
    type: dict
extends_documentation_fragment:
  - postmaster.tls.attributes.changer
"""

EXAMPLES = r"""
- name: Harden Dovecot
  postmaster.tls.hardening:
    product: dovecot
    addresses: ["{{ ansible_host }}"]
    names: [mail.example.org]
"""

RETURN = r"""
endpoints:
  description: The ports that would show the change from outside; none where nothing is to be done.
  returned: when O(state=planned)
  type: list
  elements: dict
  sample: [{host: 192.0.2.1, port: 993, service: imap, tls_mode: implicit}]
measure:
  description: By what P(postmaster.tls.proof#module) compares two looks at them.
  returned: when O(state=planned) and something was to be done
  type: dict
  sample: {profile: intermediate, new_certificate: false, served_only: false}
servers:
  description: What P(postmaster.tls.server_info#module) returned, after an open change was ended.
  returned: when O(state=planned)
  type: list
  elements: dict
  sample: []
transaction:
  description: The open change.
  returned: when O(state=lent) and something was changed
  type: str
  sample: 20261124T140144Z-141b910d
paths:
  description: The files that changed, or would change.
  returned: when something was to be done
  type: list
  elements: str
  sample: [/etc/dovecot/conf.d/99-postmaster-tls.conf, /etc/dovecot/conf.d/10-ssl.conf]
plan:
  description: Settings, overrides, certificate and file modes that were worked out.
  returned: when the server is there
  type: dict
  sample:
    product: dovecot
    settings: [{name: ssl, value: required, file: ''}]
generation:
  description: Where the old files are kept on the host.
  returned: changed
  type: str
  sample: /var/lib/postmaster-tls/generations/20261124T103501Z-5f0c
rehearsal:
  description: Whether the candidate was tried in a private instance of the server first.
  returned: when something was to be done
  type: dict
  sample: {done: true, reason: '', ports: [imap starttls, imap implicit], seconds: 0.49}
switch:
  description: What would have taken the change back, had it not been confirmed.
  returned: when something was to be done
  type: str
  sample: systemd
"""
