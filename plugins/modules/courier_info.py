#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door through which Ansible asks module_utils/courier.py what it sees on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: courier_info
short_description: Observe how Courier's IMAP and POP3 services are configured for TLS
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Reads what Courier's services on ports 143, 993, 110 and 995 are configured to do, and where each value comes from.
  - The files C(imapd), C(imapd-ssl), C(pop3d), C(pop3d-ssl) and C(authdaemonrc) are parsed as text and never sourced.
    A value that only the shell could compute is reported as dynamic and its effect as unknown.
  - The order in which the files are read is taken from the start scripts of the host, since it differs between
    services and distributions.
  - A GnuTLS priority or an OpenSSL cipher list is put to the very library that Courier is linked to, which answers with
    the protocol versions, suites and groups that it opens.
  - Files of the authentication back ends, which hold passwords, are never read, nor is a byte of a private key returned.
notes:
  - Has to run as root to read certificate files and files that only the service may read.
  - Tried with Debian's packages of Courier-IMAP 5.0.13, 5.2.11 and 6.0.5.
extends_documentation_fragment:
  - postmaster.tls.attributes
seealso:
  - module: postmaster.tls.dovecot_info
  - module: postmaster.tls.server_info
"""

EXAMPLES = r"""
- name: See how Courier is configured
  postmaster.tls.courier_info:
  register: courier

- name: Say where a plaintext login is decided
  ansible.builtin.debug:
    msg: "{{ item.scope }}: {{ item.name }}={{ item.native }} ({{ item.origin.file }}:{{ item.origin.line }})"
  loop: "{{ courier.server.effective | selectattr('field', 'eq', 'plaintext_login') }}"
  when: courier.server is not none
"""

RETURN = r"""
server:
  description: What was seen, or C(null) where Courier's IMAP and POP3 services are not installed.
  returned: always
  type: dict
  contains:
    product:
      description: Always C(courier).
      returned: when Courier is installed
      type: str
      sample: courier
    version:
      description: Version of Courier-IMAP, as its C(imapd) says it. C(null) where only POP3 is installed.
      returned: when Courier is installed
      type: str
      sample: 5.0.13
    tls_library:
      description: The library that C(couriertls) is linked to.
      returned: when Courier is installed
      type: dict
      sample:
        name: gnutls
        version: 3.7.9
        path: /lib/x86_64-linux-gnu/libgnutls.so.30
    config_file:
      description: The folder of the configuration files.
      returned: when Courier is installed
      type: str
      sample: /etc/courier
    units:
      description: The systemd units of the installed services; C(null) where systemd was not there to be asked.
      returned: when Courier is installed
      type: list
      elements: dict
      sample:
        - name: courier-imap.service
          enabled: true
          active: true
    settings:
      description: >-
        Each assignment that matters for TLS and logins. C(scope) is the name of its file, C(wins) whether it is the last
        one in that file, C(dynamic) whether the shell computes the value.
      returned: when Courier is installed
      type: list
      elements: dict
      sample:
        - name: IMAP_TLS_REQUIRED
          value: "1"
          scope: imapd
          origin:
            file: /etc/courier/imapd
            line: 492
          wins: true
          dynamic: false
    effective:
      description: >-
        The value in force for each service, with the native setting that decides it. C(scope) is C(service=imap),
        C(service=imaps), C(service=pop3) or C(service=pop3s); C(value) is C(null) where it is not known; C(expansion)
        holds code points.
      returned: when Courier is installed
      type: list
      elements: dict
      sample:
        - scope: service=imap
          field: plaintext_login
          value: "yes"
          name: IMAP_TLS_REQUIRED
          native: "0"
          origin:
            file: /etc/courier/imapd-ssl
            line: 89
          expansion: null
        - scope: service=imap
          field: priority
          value: SECURE256:-VERS-ALL:+VERS-TLS1.3
          name: TLS_PRIORITY
          native: SECURE256:-VERS-ALL:+VERS-TLS1.3
          origin:
            file: /etc/courier/imapd-ssl
            line: 132
          expansion:
            versions: [772]
            suites: [4866, 4867]
            groups: [24, 25, 260]
    listeners:
      description: The ports that enabled or running services open.
      returned: when Courier is installed
      type: list
      elements: dict
      sample:
        - service: imap
          address: "*"
          port: 143
          tls_mode: starttls
          origin:
            file: /etc/courier/imapd
            line: 38
    files:
      description: >-
        Certificate, key and Diffie-Hellman files that are named, those by host name and address as well. C(chain) holds
        base64 DER certificates.
      returned: when Courier is installed
      type: list
      elements: dict
      sample:
        - path: /etc/courier/imapd.pem
          role: combined
          exists: true
          owner: root
          group: courier
          mode: "0640"
          chain: [MIIC8zCCAdug]
          key_matches: true
          problem: null
    problems:
      description: What kept something from being seen, and where.
      returned: when Courier is installed
      type: list
      elements: dict
      sample:
        - message: >-
            service=imap: TLS_CERTFILE is not a literal that can be read (/etc/courier/`hostname`.pem), so its value is
            not known
          origin:
            file: /etc/courier/imapd-ssl
            line: 217
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.courier import observe
from ..module_utils.plain import to_plain


def main() -> None:
    """Observe, and return it as plain data."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.exit_json(changed=False, server=to_plain(observe()))


if __name__ == "__main__":
    main()
