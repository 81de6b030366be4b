#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to the login logs of a host; all understanding is in module_utils/login_reader.py."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: login_info
short_description: Who logs in to the mail servers of a host, and how, by their logs
version_added: 0.2.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Reads the login lines of Dovecot and Courier, from their own log files, from syslog files with their rotated and
    compressed generations, and from the journal, and counts them by user, service and kind of security. A time that
    several of these cover is counted once.
  - Counts clients that were turned away for the sake of TLS too. Failed passwords are not kept, and no log holds a
    password.
  - Reads as a stream and keeps at most RV(log.usage) rows of O(rows); memory does not grow with the logs.
  - What is returned holds names of users and addresses of clients. The action plugin
    P(postmaster.tls.impact#module) calls this module and shows counts alone unless it is told otherwise; a task that
    calls it directly should set C(no_log).
options:
  days:
    description: How far to look back.
    type: int
    default: 30
  since:
    description: From when on lines count, in seconds since 1970, instead of O(days).
    type: int
  until:
    description: Until when lines count, in seconds since 1970. By default now.
    type: int
  paths:
    description:
      - Log files to read instead of those that the configuration names. Their older generations are read with them.
    type: list
    elements: path
    default: []
  rows:
    description:
      - How many kinds of logins (user, service, security, version and suite) are kept apart. What is beyond is counted
        without user and address and marked C(folded).
    type: int
    default: 50000
extends_documentation_fragment:
  - postmaster.tls.attributes
requirements:
  - The user root, or one who may read the logs.
  - The command C(zstd) for logs packed with it.
seealso:
  - module: postmaster.tls.impact
"""

EXAMPLES = r"""
- name: Look at a week of logins
  postmaster.tls.login_info:
    days: 7
  register: logins
  no_log: true

- name: Count logins without TLS
  ansible.builtin.debug:
    msg: "{{ logins.log.usage | selectattr('security', 'equalto', 'cleartext') | map(attribute='count') | sum }}"
"""

RETURN = r"""
log:
  description: What the logs say. Times are seconds since 1970 in UTC.
  returned: always
  type: dict
  sample:
    since: 1792936292
    until: 1795528292
    evidence:
      - {product: dovecot, tls: true, version: true, plaintext_refusals: true, tls_refusals: true,
         setting: login_log_format_elements}
    usage:
      - product: dovecot
        service: imap
        security: tls
        user: alice
        count: 2
        first: 1795528292
        last: 1795528292
        version: TLSv1.2
        suite: ECDHE-RSA-AES256-GCM-SHA384
        tls_mode: null
        reason: null
        clients: [{address: 192.0.2.7, count: 2, last: 1795528292}]
        more_clients: false
        folded: false
    sources:
      - {name: /var/log/mail.log, lines: 107, first: 1795527810, last: 1795528293}
    problems: []
  contains:
    since:
      description: From when on lines count.
      type: int
      returned: always
    until:
      description: When the logs were read.
      type: int
      returned: always
    evidence:
      description: >-
        What the present configuration of each server writes, C(tls) whether a login had TLS, C(version) its version
        and suite, C(plaintext_refusals) and C(tls_refusals) clients that were turned away.
      type: list
      elements: dict
      returned: always
    usage:
      description: >-
        One entry per user, service and kind of security. C(security) is C(cleartext) (the password crossed the wire
        without TLS), C(sasl) (no TLS, a mechanism that does not send the password), C(secured) (no TLS, a client
        that the server trusts), C(tls) or C(unknown). C(reason) is set where the client was turned away;
        C(user) is then what the client said. C(clients) are some of the addresses.
      type: list
      elements: dict
      returned: always
    sources:
      description: What was read, and from when to when its lines are.
      type: list
      elements: dict
      returned: always
    problems:
      description: What could not be read or understood.
      type: list
      elements: dict
      returned: always
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.login_reader import read
from ..module_utils.plain import to_plain
from ..module_utils.server import observe_all

DAY = 86400


def main() -> None:
    """Read the logs of the servers that are installed."""
    module = AnsibleModule(
        argument_spec={
            "days": {"type": "int", "default": 30},
            "since": {"type": "int"},
            "until": {"type": "int"},
            "paths": {"type": "list", "elements": "path", "default": []},
            "rows": {"type": "int", "default": 50000},
        },
        supports_check_mode=True,
    )
    servers, _problems = observe_all()
    options = module.params
    until = options["until"] or int(time.time())
    since = options["since"] or until - options["days"] * DAY
    log = read(servers, since, until, options["paths"], options["rows"])
    module.exit_json(changed=False, log=to_plain(log))


if __name__ == "__main__":
    main()
