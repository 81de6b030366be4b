#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action postmaster.tls.posture; the code is in plugins/action/posture.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: posture
short_description: Observe the mail servers of a host and their ports, and judge them by a profile
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Reads the configuration of Dovecot and Courier on the host (one module call), looks at the
    host's ports from the controller, and judges both by a profile.
  - Changes nothing and never fails for what it finds. What could not be observed is reported as
    C(not_checked) or C(error), never as C(pass).
options:
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
      - Names that users of this host enter in their mail programs. The first is sent in the TLS
        handshake. Without names, the certificate's names are not checked.
    type: list
    elements: str
    default: []
  domains:
    description:
      - Mail domains, the part behind the C(@), that mail programs find the server by in DNS (RFC 6186). The
        certificate should name each of them too, as a DNS name or an SRV name (RFC 7817). Without domains,
        that is not judged.
    type: list
    elements: str
    default: []
  ca_file:
    description:
      - PEM file on the controller with the authorities that the users' mail programs trust. By default those of
        the controller's own system.
      - Trust is judged where the controller has cryptography 42 or newer; before 45, a chain that only lacks
        extensions is reported as C(not_checked).
    type: str
    default: ''
  waivers:
    description:
      - Findings that somebody answers for. A check id, or a mapping with C(check), C(reason), and
        if wished C(subject) (a pattern) and C(expires) (a day, C(YYYY-MM-DD)).
    type: list
    elements: raw
    default: []
  exceptions:
    description:
      - Networks that somebody answers for until a day, as in P(postmaster.tls.hardening#module). What fails in the scope
        of such a network is C(waived) until that day has passed.
    type: list
    elements: dict
    default: []
  observations:
    description:
      - What P(postmaster.tls.endpoint_info#module) saw from a vantage host. By default the
        controller looks itself.
    type: list
    elements: dict
  sources:
    description:
      - With O(observations), which address of the vantage host each address sees, as
        P(postmaster.tls.endpoint_info#module) returns it. Who looks from a network of O(exceptions) sees the exception,
        and what is seen of it counts as C(waived).
    type: dict
    default: {}
  resolver:
    description:
      - Who is asked for SRV records of O(domains) and TLSA records of O(names), from the controller. V(none)
        asks nobody, V(system) the controller's own resolver; otherwise an address, C(ADDRESS) or C(ADDRESS#PORT).
      - Asking needs C(dnspython) on the controller. Records count as signed where the resolver says that it has
        checked them, so it should be one on the controller or on a trusted network.
    type: str
    default: none
  depth:
    description:
      - How much is asked of each port. V(judge) asks what a profile needs to decide, V(full) for the whole
        inventory, as in P(postmaster.tls.endpoint_info#module). With O(observations) it is not used.
    type: str
    choices: [judge, full]
    default: judge
  timeout:
    description: Seconds that one connection may take.
    type: float
    default: 10.0
extends_documentation_fragment:
  - postmaster.tls.attributes
"""

EXAMPLES = r"""
- name: Observe and judge
  postmaster.tls.posture:
    addresses: ["{{ ansible_host }}"]
    names: [mail.example.org]
    waivers:
      - check: CRT-02
        reason: renewed by hand, on the last day
        expires: 2027-03-31
  register: result

- name: Judge a chain by an authority of one's own, and look for the mail domain in the certificate
  postmaster.tls.posture:
    addresses: ["{{ ansible_host }}"]
    names: [mail.example.org]
    domains: [example.org]
    ca_file: /etc/ssl/certs/intranet-ca.pem

- name: Judge what a vantage host saw
  postmaster.tls.posture:
    addresses: ["{{ ansible_host }}"]
    observations: "{{ seen.endpoints }}"
    sources: "{{ seen.sources }}"

- name: Stop where something fails the profile
  ansible.builtin.fail:
    msg: "{{ result.failing | join('; ') }}"
  when: result.failing | length > 0
"""

RETURN = r"""
posture:
  description: All that was observed, and the findings; see docs/report.md for the fields.
  returned: success
  type: dict
  sample: {host: mail1, observed_at: '2026-11-24T10:35:01+00:00', profile: intermediate}
failing:
  description: One line for each finding that fails the profile.
  returned: success
  type: list
  elements: str
  sample: ["PT-01 imap://192.0.2.1:143: LOGINDISABLED is not listed before TLS"]
"""
