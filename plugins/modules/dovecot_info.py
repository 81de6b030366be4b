#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Dovecot of a host as data; all understanding is in module_utils/dovecot.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dovecot_info
short_description: What Dovecot on a host is configured to do with TLS and logins
version_added: 0.1.0
description:
  - Reports the settings of Dovecot 2.3 or 2.4 that decide about TLS and plaintext logins, as they
    are in force for every scope (global, each protocol, each C(local), C(remote) and C(local_name)
    block), with the file and line that decides each of them.
  - Also reports the ports that are listened on, the certificate and key files (never a byte of a
    key), the systemd units, and the version of Dovecot and of the TLS library it is linked to.
  - Values come from C(doveconf), places from the configuration files. Nothing is changed.
  - A broken configuration does not fail the module. What Dovecot says of it is in
    RV(server.problems), and what can still be seen is reported.
  - Judging what is reported is the task of the other plugins of this collection.
author:
  - The postmaster.tls authors (@postmaster-tls)
requirements:
  - Python 3.9 or newer on the managed node, its standard library only.
  - The user root, or one who may read the configuration and the keys.
extends_documentation_fragment:
  - postmaster.tls.attributes
options: {}
seealso:
  - module: postmaster.tls.courier_info
"""

EXAMPLES = r"""
- name: Look at Dovecot
  postmaster.tls.dovecot_info:
  register: dovecot

- name: Show the oldest TLS version of each scope, and the line that decides
  ansible.builtin.debug:
    msg: "{{ item.scope | default('global', true) }}: {{ item.value }} ({{ item.origin }})"
  loop: "{{ dovecot.server.effective | selectattr('field', 'equalto', 'protocol_min') }}"
  when: dovecot.server is not none
"""

RETURN = r"""
server:
  description: The server, or V(none) where Dovecot is not installed.
  returned: always
  type: dict
  sample:
    product: dovecot
    version: 2.3.19.1
    tls_library: {name: openssl, version: 3.0.17, path: /lib/x86_64-linux-gnu/libssl.so.3}
    config_file: /etc/dovecot/dovecot.conf
    units:
      - {name: dovecot.service, enabled: true, active: true}
  contains:
    product:
      description: Always V(dovecot).
      type: str
      returned: always
    version:
      description: The version of Dovecot.
      type: str
      returned: always
    tls_library:
      description: Name, version and path of the TLS library; V(none) where it was not found.
      type: dict
      returned: always
    config_file:
      description: The file that Dovecot reads first.
      type: str
      returned: always
    units:
      description:
        - The systemd units. RV(server.units[].enabled) and RV(server.units[].active) are V(none)
          where systemd could not be asked.
      type: list
      elements: dict
      returned: always
      contains:
        name:
          description: Name of the unit.
          type: str
          returned: always
        enabled:
          description: Whether it starts at boot.
          type: bool
          returned: always
        active:
          description: Whether it runs.
          type: bool
          returned: always
    settings:
      description:
        - Every assignment in the files that has to do with TLS, logins or ports, in the order in
          which Dovecot reads them. Passwords and other secrets are left out.
      type: list
      elements: dict
      returned: always
      sample:
        - name: ssl_min_protocol
          value: TLSv1
          scope: local_name=mail.old.example.org
          origin: {file: /etc/dovecot/conf.d/10-ssl.conf, line: 71}
          wins: true
          dynamic: false
    effective:
      description:
        - Values in force. Global ones always; those of other scopes where they differ from the
          scopes around them or where the scope itself sets them. Empty where Dovecot refuses
          the configuration.
      type: list
      elements: dict
      returned: always
      sample:
        - scope: ""
          field: protocol_min
          value: TLSv1
          name: ssl_min_protocol
          native: TLSv1
          origin: {file: /etc/dovecot/conf.d/99-legacy.conf, line: 4}
          expansion: {versions: [769, 770, 771, 772], suites: null, groups: null}
    listeners:
      description: Ports that IMAP, POP3 and ManageSieve logins are accepted on.
      type: list
      elements: dict
      returned: always
      sample:
        - service: imap
          address: "*"
          port: 993
          tls_mode: implicit
          origin: null
    files:
      description: Certificate, key and Diffie-Hellman files that the configuration names.
      type: list
      elements: dict
      returned: always
      sample:
        - path: /etc/dovecot/private/mail.key
          role: key
          exists: true
          owner: root
          group: root
          mode: "0600"
          chain: []
          key_matches: null
          problem: null
    problems:
      description: What is wrong with the configuration or kept it from being seen, and where.
      type: list
      elements: dict
      returned: always
      sample:
        - message: "Dovecot refuses its configuration: Error in configuration file
            /etc/dovecot/conf.d/10-ssl.conf line 6: Unknown setting: ssl_protocol"
          origin: {file: /etc/dovecot/conf.d/10-ssl.conf, line: 6}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.dovecot import observe
from ..module_utils.plain import to_plain


def main() -> None:
    """Report the server; there is nothing to choose and nothing to change."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.exit_json(changed=False, server=to_plain(observe()))


if __name__ == "__main__":
    main()
