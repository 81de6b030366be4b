#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a private key on a host, and have a certificate for it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_request
short_description: Make a private key on a host and ask for a certificate, or take the one issued
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Makes a private key and a request for a certificate (PKCS#10) on the host. The request is
    returned for an authority to answer; the key stays on the host.
  - Nothing is made while the certificate at hand covers the names, has the right kind of key, comes from O(issuer)
    and has more than a third of its lifetime left.
  - Key and chain are in one file of root's, RV(path), from which
    P(postmaster.tls.server_certificate#module) puts them in force.
options:
  name:
    description: Name of the order on the host.
    type: str
    required: true
  names:
    description: Host names; the first is also the common name.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(requested) makes a key and a request where a certificate is due.
      - V(issued) takes O(chain), which was issued for the last request.
      - V(selfsigned) makes a self-signed certificate where one is due.
    type: str
    choices: [requested, issued, selfsigned]
    default: requested
  chain:
    description:
      - The certificate as PEM, followed by its issuers.
      - Required where O(state=issued).
    type: str
  key_type:
    description: Kind of key. V(ecdsa) is P-256, V(rsa) has 3072 bits.
    type: str
    choices: [ecdsa, rsa]
    default: ecdsa
  renew:
    description: Make a request even where none is due.
    type: bool
    default: false
  reuse_key:
    description:
      - Make a request for the key at hand, where there is one of this O(key_type), and not for a new one. For TLSA
        records that pin it.
    type: bool
    default: false
  issuer:
    description:
      - Who issues, in any words, as the URL of an ACME server or the fingerprint of a root. They are kept with the
        certificate; one that was ordered with other words, or with none, is due.
      - Compared only where it is given.
    type: str
    default: ''
extends_documentation_fragment:
  - postmaster.tls.attributes.changer
attributes:
  diff_mode:
    support: none
    description: There is nothing to show but a key.
"""

EXAMPLES = r"""
- name: Ask for a certificate
  postmaster.tls.certificate_request:
    name: mail
    names: [mail.example.org]
  register: order

- name: Take the one that was issued
  postmaster.tls.certificate_request:
    name: mail
    names: [mail.example.org]
    state: issued
    chain: "{{ issued.chain }}"
  when: order.request is not none
"""

RETURN = r"""
path:
  description: The file on the host with key and chain.
  returned: success
  type: str
  sample: /var/lib/postmaster-tls/certificates/mail.pem
reason:
  description: Why a certificate is due; null where the one at hand will do.
  returned: success
  type: str
  sample: it ends at 2026-12-20 10:00:00Z
request:
  description: The request as PEM; null where none is due, and in check mode.
  returned: success
  type: str
  sample: |
    -----BEGIN CERTIFICATE REQUEST-----
    …
    -----END CERTIFICATE REQUEST-----
"""

from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import issuance, material, selfsigned
from ..module_utils.issuance import Order
from ..module_utils.transaction import Refused

EXPECTED = (material.BadInput, selfsigned.CannotMake, Refused, OSError, ValueError)


def main() -> None:
    """Module entry point."""
    module = AnsibleModule(
        argument_spec={
            "name": {"required": True},
            "names": {"type": "list", "elements": "str", "required": True},
            "state": {"choices": list(_STATES), "default": "requested"},
            "chain": {"type": "str"},
            "key_type": {"choices": list(selfsigned.KEYS), "default": "ecdsa", "no_log": False},
            "renew": {"type": "bool", "default": False},
            "reuse_key": {"type": "bool", "default": False, "no_log": False},
            "issuer": {"default": ""},
        },
        required_if=[("state", "issued", ("chain",))],
        supports_check_mode=True,
    )
    given = module.params
    own = given["state"] == "selfsigned"
    names = tuple(given["names"])
    order = Order(given["name"], names, given["key_type"], own, given["issuer"])
    try:
        reason = issuance.due(order) or ("asked for" if given["renew"] else None)
        changed, request = _STATES[given["state"]](order, given, reason, module.check_mode)
    except EXPECTED as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, path=order.path, reason=reason, request=request)


_Answer = tuple[bool, Optional[str]]


def _requested(order: Order, given: Any, reason: Optional[str], check: bool) -> _Answer:
    if reason is None or check:
        return reason is not None, None
    return True, issuance.request(order, given["reuse_key"])


def _issued(order: Order, given: Any, _reason: Optional[str], check: bool) -> _Answer:
    if not check:
        issuance.complete(order, given["chain"])
    return True, None


def _selfsigned(order: Order, _given: Any, reason: Optional[str], check: bool) -> _Answer:
    if reason is not None and not check:
        issuance.sign_itself(order)
    return reason is not None, None


_STATES = {"requested": _requested, "issued": _issued, "selfsigned": _selfsigned}


if __name__ == "__main__":
    main()
