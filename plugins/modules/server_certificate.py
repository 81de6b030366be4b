#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a certificate in force on the mail servers of a host, or leave all as it was."""

from __future__ import annotations

DOCUMENTATION = r"""
module: server_certificate
short_description: Put a certificate in force on Dovecot and Courier, or leave them as they were
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Takes a certificate and its key from files on the host, refuses what no client would take (another
    key, a chain that is incomplete or out of order, a name that is not covered, dates, weak keys),
    writes them where the server looks, has the server read them, and looks at the certificate that
    each open port serves. If one serves another, or none, every file goes back to what it was.
  - A certificate that is in force and served already changes nothing; the server is not told anything.
  - The key is read on the host and is in no result, diff or log.
  - Dovecot's files are replaced and Dovecot is reloaded. Courier gets one file with key and chain,
    which it reads at each connection, so nothing is restarted. Where the configuration names a link,
    or a file that the server cannot be given alone, the certificate goes into a file of its own and
    the setting is changed, once; Courier is restarted for that.
  - Also puts the command C(postmaster-tls) on the host, which does the same for the hooks of any
    client. See docs/certificates.md of the collection.
options:
  certificate:
    description: File on the host with the chain as PEM, the server's own certificate first.
    type: path
    required: true
  key:
    description:
      - File on the host with the private key as PEM.
      - Taken from O(certificate) where it is not given.
    type: path
  alt_certificate:
    description:
      - File on the host with a second chain, issuers included, whose key is of the other kind (RSA beside
        ECDSA). Each client is served what it can take, and what is served is looked at for both kinds.
      - Dovecot alone can serve two. Without it, a second one that this module put there is taken away.
    type: path
  alt_key:
    description:
      - File on the host with the key of O(alt_certificate).
      - Taken from O(alt_certificate) where it is not given.
    type: path
  password_file:
    description: File on the host that holds the key's password in its first line.
    type: path
  chain:
    description: File on the host with the issuers as PEM, where O(certificate) does not hold them.
    type: path
  ca_file:
    description:
      - File on the host with the authorities to which the chain has to lead.
      - Without it a chain is taken for complete when it holds an issuer, or the host's store does.
    type: path
  names:
    description:
      - Names that users enter; the certificate has to cover each.
      - Where none is given it has to cover those of the certificate that it replaces, unless that is
        self-signed. The names of Dovecot's C(local_name) blocks without a certificate of their own
        have to be covered always.
    type: list
    elements: str
    default: []
  sni:
    description:
      - Deploy for clients that ask for this name only. It goes into the files of Dovecot's
        C(local_name) block of that name, and beside Courier's file with the name at the end.
    type: str
  product:
    description: Only this server; all that are on the host where it is not given.
    type: str
    choices: [dovecot, courier]
  textfile_directory:
    description:
      - Where metrics are written for the textfile collector of Prometheus' node_exporter.
      - Nothing is written where there is no such directory.
    type: path
    default: /var/lib/prometheus/node-exporter
  wait:
    description: Seconds to wait for another run that has a change open on the host.
    type: int
    default: 150
  state:
    description:
      - With V(checked) it is only looked whether the certificate is fit, with the same checks and the same
        sentences, and RV(chain) tells it without the key. Nothing is changed.
    type: str
    choices: [deployed, checked]
    default: deployed
  who:
    description: Who wants the change, for the journal on the host.
    type: str
    default: ''
extends_documentation_fragment:
  - postmaster.tls.attributes.changer
"""

EXAMPLES = r"""
- name: Serve what certbot got
  postmaster.tls.server_certificate:
    certificate: /etc/letsencrypt/live/mail.example.org/fullchain.pem
    key: /etc/letsencrypt/live/mail.example.org/privkey.pem
    names: [mail.example.org]

- name: The domain from before the merger has a certificate of its own
  postmaster.tls.server_certificate:
    certificate: /etc/ssl/mail/old.example.org.pem
    key: /etc/ssl/mail/old.example.org.key
    sni: mail.old.example.org
"""

RETURN = r"""
alt_chain:
  description: The same of O(alt_certificate); null where none was given.
  returned: when O(state=checked)
  type: str
  sample: null
chain:
  description: The certificate and its issuers in PEM, leaf first; never the key.
  returned: when O(state=checked)
  type: str
  sample: "-----BEGIN CERTIFICATE-----\nMIIB...\n-----END CERTIFICATE-----\n"
servers:
  description: What happened on each server of the host.
  returned: when O(state=deployed)
  type: list
  elements: dict
  contains:
    product:
      description: The server.
      type: str
    paths:
      description: Files that changed, or would change.
      type: list
      elements: str
    reread:
      description: Nothing changed on disk, but the server served another and was told to read it.
      type: bool
    generation:
      description: Where the old files are kept on the host; null when none changed.
      type: str
    fingerprint:
      description: SHA-256 of the certificate that is served now.
      type: str
    alt_fingerprint:
      description: SHA-256 of the second certificate; null where there is none.
      type: str
    names:
      description: The names that it covers.
      type: list
      elements: str
    not_after:
      description: When it ends, in UTC.
      type: str
  sample:
    - product: dovecot
      paths: [/etc/dovecot/private/mail.key, /etc/dovecot/private/mail.pem]
      reread: false
      generation: /var/lib/postmaster-tls/generations/20261124T181140Z-9d1f30c2
      fingerprint: 3c5ad4ed43b5ae5ea1b7d9d7d1f4ea0c3a7c27d6ee5a4dd9dbb7b8f2fd0d7b53
      alt_fingerprint: null
      names: [mail.example.org]
      not_after: '2027-02-22 18:11:40Z'
said:
  description: The same in one line for each server.
  returned: when O(state=deployed)
  type: list
  elements: str
  sample:
    - >-
      dovecot: the certificate of mail.example.org, valid until 2027-02-22 18:11:40Z, is written to
      /etc/dovecot/private/mail.key, /etc/dovecot/private/mail.pem and served
notes:
  description:
    - What was found of a run that was killed, what could not be known of the chain, and metrics that
      could not be written.
  returned: when O(state=deployed)
  type: list
  elements: str
  sample: []
"""

from dataclasses import replace
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import bundle, deploy, deploy_command, material, metrics, program
from ..module_utils.deploy import Deployed, Wanted

ON_THE_HOST = program
"""Imported for what stays on the host: Ansible ships what a module imports (bundle.py)."""


def main() -> None:
    """Module entry point."""
    module = AnsibleModule(
        argument_spec={
            "certificate": {"type": "path", "required": True},
            "key": {"type": "path", "no_log": False},
            "alt_certificate": {"type": "path"},
            "alt_key": {"type": "path", "no_log": False},
            "password_file": {"type": "path", "no_log": False},
            "chain": {"type": "path"},
            "ca_file": {"type": "path"},
            "names": {"type": "list", "elements": "str", "default": []},
            "sni": {"type": "str"},
            "product": {"choices": ["dovecot", "courier"]},
            "textfile_directory": {"type": "path", "default": metrics.DIRECTORY},
            "wait": {"type": "int", "default": 150},
            "who": {"default": ""},
            "state": {"choices": ["deployed", "checked"], "default": "deployed"},
        },
        required_by={"alt_key": ("alt_certificate",)},
        supports_check_mode=True,
    )
    wanted, check = _wanted(module.params), module.check_mode
    directory = module.params["textfile_directory"]
    try:
        if module.params["state"] == "checked":
            chain, *alt = deploy.checked(wanted)
            module.exit_json(changed=False, chain=chain, alt_chain=alt[0] if alt else None)
        new = bundle.install_command(check)
        done = deploy.deploy(wanted, check)
    except deploy_command.FAILED as error:
        notes = [] if check else deploy_command.failed(directory, wanted)
        module.fail_json(msg=str(error), notes=notes)
    notes = [] if check else deploy_command.succeeded(directory, done)
    for note in [*(note for one in done for note in one.notes), *notes]:
        module.warn(note)
    module.exit_json(
        changed=new or any(one.changed for one in done),
        servers=[_told(one) for one in done],
        said=[deploy_command.told(one, check) for one in done],
        diff=[dict(entry) for one in done for entry in one.diff],
        notes=[*(note for one in done for note in one.notes), *notes],
    )


def _wanted(params: dict[str, Any]) -> Wanted:
    source = material.Source(
        params["certificate"],
        params["key"] or params["certificate"],
        tuple(name.lower() for name in params["names"]),
        params["password_file"],
        params["chain"],
        params["ca_file"],
    )
    sni, product, wait = params["sni"], params["product"], float(params["wait"])
    return Wanted(source, sni and sni.lower(), product, params["who"], wait, _alt(params, source))


def _alt(params: dict[str, Any], first: material.Source) -> Optional[material.Source]:
    certificate = params["alt_certificate"]
    if certificate is None:
        return None
    key = params["alt_key"] or certificate
    return replace(first, certificate=certificate, key=key, chain=None)


def _told(done: Deployed) -> dict[str, Any]:
    return {
        "product": done.product,
        "paths": list(done.paths),
        "reread": done.reread,
        "generation": done.generation,
        "fingerprint": done.leaf.fingerprint,
        "alt_fingerprint": done.alt.fingerprint if done.alt else None,
        "names": list(done.leaf.names),
        "not_after": material.moment(done.leaf.not_after),
    }


if __name__ == "__main__":
    main()
