#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of an action plugin: plugins/action/certificate_authority.py does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_authority
short_description: Sign requests with a private authority that is kept on the controller
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Keeps an authority in a folder on the controller (a root, an intermediate that issues, a revocation
    list) and answers requests for certificates. The authority is made where there is none.
  - Its keys are encrypted and stay there. Certificates name what O(names) says, whatever a request
    says of itself. What is issued is written to C(issued.jsonl).
  - Nothing is asked of the managed host. In check mode nothing is made or signed.
options:
  directory:
    description: Folder on the controller.
    type: path
    required: true
  title:
    description: What the authority is called, when it is made.
    type: str
    default: Mail
  passphrase:
    description: Encrypts the authority's keys. At least 12 characters.
    type: str
    required: true
  request:
    description: The request for a certificate as PEM (PKCS#10), to be answered.
    type: str
  names:
    description: Names that the certificate covers. Required with O(request).
    type: list
    elements: str
    default: []
  days:
    description: Lifetime of the certificate in days; never longer than the authority's own.
    type: int
    default: 90
  revoked:
    description: Serial numbers, in hexadecimal, that the revocation list names.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - postmaster.tls.attributes.changer
attributes:
  diff_mode:
    support: none
    description: There is nothing to show.
"""

EXAMPLES = r"""
- name: Sign the request of a host
  postmaster.tls.certificate_authority:
    directory: pki
    passphrase: "{{ vault_ca_passphrase }}"
    request: "{{ order.request }}"
    names: [mail.example.org]
  register: issued
"""

RETURN = r"""
chain:
  description: The certificate, followed by its issuer, as PEM; null where none was asked for.
  returned: success
  type: str
  sample: |
    -----BEGIN CERTIFICATE-----
    …
    -----END CERTIFICATE-----
root:
  description: The root's certificate as PEM, for programs to trust; null in check mode.
  returned: success
  type: str
  sample: |
    -----BEGIN CERTIFICATE-----
    …
    -----END CERTIFICATE-----
fingerprint:
  description: SHA-256 of the root's certificate; null in check mode where there is no authority yet.
  returned: success
  type: str
  sample: 9d1f30c2e8b14a0f6f1ce5b1c9b1cbb3f4a8d0e3cbe54f1d0a6f4c2f7a8e9b10
"""
