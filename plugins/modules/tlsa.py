#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action postmaster.tls.tlsa; the code is in plugins/action/tlsa.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tlsa
short_description: Refuse a certificate that published TLSA records would reject
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Asks DNS, from the controller, for the TLSA records of each port of each name, and fails where records are there,
    none of which names the certificate. Programs that believe them would refuse the server (RFC 7671).
  - Records that DNSSEC does not vouch for are believed by nobody and refuse nothing. Where the resolver does not
    check DNSSEC they count all the same. What could not be asked is a warning.
  - Publishes nothing; C(publish) in the result says what to publish, before the certificate is served.
options:
  chain:
    description: The certificate and those above it, in PEM, leaf first.
    type: str
    required: true
  names:
    description: Host names that users connect to; wildcards and addresses have no records.
    type: list
    elements: str
    default: []
  ports:
    description: Ports whose records count. By default those of IMAP, POP3 and ManageSieve.
    type: list
    elements: int
    default: [143, 993, 110, 995, 4190]
  resolver:
    description:
      - Who is asked. V(none) asks nobody, V(system) the controller's own resolver; otherwise an address,
        C(ADDRESS) or C(ADDRESS#PORT). Asking needs C(dnspython) on the controller.
    type: str
    default: system
  renewal:
    description:
      - How the certificate will be renewed. With V(asked) by something that asks this module again.
      - With V(same_key) and V(new_key) by something on the host that asks nobody, and keeps the key or makes another.
        Then it also fails where the next certificate would be rejected, since all that names this one is its key,
        or the certificate itself.
    type: str
    choices: [asked, same_key, new_key]
    default: asked
extends_documentation_fragment:
  - postmaster.tls.attributes
"""

EXAMPLES = r"""
- name: Refuse a key that is not published yet
  postmaster.tls.tlsa:
    chain: "{{ lookup('ansible.builtin.file', 'files/mail.example.org.pem') }}"
    names: [mail.example.org]
"""

RETURN = r"""
published:
  description: The records that are there, by name.
  returned: success
  type: dict
  sample: {_993._tcp.mail.example.org: [3 1 1 2b68f0a6f5ae0d7b6e0b0f1fb59c8b1f2a1f6dbb4c0e0fd9c1f7b3b0a7b5f6e2]}
publish:
  description: A record for each port of each name, as a line of a zone file.
  returned: success
  type: list
  elements: str
  sample: [_993._tcp.mail.example.org. IN TLSA 3 1 1 2b68f0a6f5ae0d7b6e0b0f1fb59c8b1f2a1f6dbb4c0e0fd9c1f7b3b0a7b5f6e2]
"""
