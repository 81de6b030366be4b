#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door through which Ansible asks both observers in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: server_info
short_description: Observe every mail server of a host in one call
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Observes Dovecot and Courier, whichever are installed, so that an audit costs one round trip per host.
  - A host without either is no failure and returns an empty list.
  - What goes wrong inside the observer of one server is reported in RV(problems) and keeps nothing of the other from
    being seen.
extends_documentation_fragment:
  - postmaster.tls.attributes
seealso:
  - module: postmaster.tls.courier_info
  - module: postmaster.tls.dovecot_info
"""

EXAMPLES = r"""
- name: See which mail servers this host runs
  postmaster.tls.server_info:
  register: seen

- name: Name them
  ansible.builtin.debug:
    msg: "{{ item.product }} {{ item.version }} with {{ item.tls_library.name }} {{ item.tls_library.version }}"
  loop: "{{ seen.servers }}"
"""

RETURN = r"""
servers:
  description: >-
    One entry per mail server that is installed, of the form that RV(postmaster.tls.dovecot_info#module:server) and
    RV(postmaster.tls.courier_info#module:server) describe. Empty where there is none.
  returned: always
  type: list
  elements: dict
  sample:
    - product: courier
      version: 5.0.13
      tls_library:
        name: gnutls
        version: 3.7.9
        path: /lib/x86_64-linux-gnu/libgnutls.so.30
      config_file: /etc/courier
      units:
        - name: courier-imap.service
          enabled: true
          active: true
      settings: []
      effective:
        - scope: service=imap
          field: tls
          value: "yes"
          name: IMAP_TLS_REQUIRED
          native: "0"
          origin:
            file: /etc/courier/imapd-ssl
            line: 89
          expansion: null
      listeners:
        - service: imap
          address: "*"
          port: 143
          tls_mode: starttls
          origin:
            file: /etc/courier/imapd
            line: 38
      files: []
      problems: []
problems:
  description: >-
    What kept a whole server from being observed. C(origin) is C(null), or the place in a file.
  returned: always
  type: list
  elements: dict
  sample:
    - message: "dovecot could not be observed, which is a fault of this collection: MemoryError"
      origin: null
transaction:
  description: >-
    The change that is open on this host, C(null) where there is none: one that a run is at, or that
    a killed run left.
  returned: always
  type: dict
  sample:
    id: 20261124T140505Z-13a9dd5e
    state: swapped
    products: [dovecot]
    at: '2026-11-24T14:05:05Z'
    who: root@laptop
"""

from typing import Optional

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import ledger
from ..module_utils.plain import to_plain
from ..module_utils.server import observe_all


def main() -> None:
    """Observe both, and return them as plain data."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    servers, problems = observe_all()
    module.exit_json(
        changed=False,
        servers=to_plain(servers),
        problems=to_plain(problems),
        transaction=to_plain(_open_change()),
    )


def _open_change() -> Optional[ledger.Record]:
    """What another run left or is at; whoever changes the host finds out more."""
    try:
        return ledger.read()
    except ledger.Broken:
        return None


if __name__ == "__main__":
    main()
