#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change the TLS settings of one mail server, all together or not at all."""

from __future__ import annotations

DOCUMENTATION = r"""
module: server_config
short_description: Change the TLS settings of Dovecot or Courier, or leave them as they were
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - Puts native settings in force, neutralises assignments that would win over them, makes a
    self-signed certificate where one is asked for, and keeps others from reading private keys.
  - The candidate is checked before anything is touched, and rehearsed in a private instance of the
    real server on loopback and high ports. Files are then replaced atomically and a copy of the old
    ones is kept on the host. The server is made to read the new ones, and each port that was open
    must complete a TLS handshake. If one does not, every file goes back to what it was, byte for
    byte.
  - From before the first file is replaced until the change is confirmed there is a switch on the
    host that takes the change back, whatever becomes of this module, of the controller and of the
    network. See docs/transaction.md of the collection.
  - Dovecot settings go into one own file that is read last; Courier's are set where they stand.
  - Usually called by P(postmaster.tls.hardening#module), which works out what is to be written.
options:
  product:
    description: The server to change. Required where O(state=present).
    type: str
    choices: [dovecot, courier]
  state:
    description:
      - V(present) puts the settings in force.
      - V(restored) has every file as it was before the kept change O(generation), which takes later
        changes back as well.
      - V(confirmed) keeps the open change O(transaction) for good.
      - V(reverted) takes the open change O(transaction) back now.
      - V(settled) ends what a killed run left, and waits up to O(wait) seconds for a change that
        another run has open.
    type: str
    choices: [present, restored, confirmed, reverted, settled]
    default: present
  config_file:
    description:
      - The server's main configuration file (Dovecot) or its folder (Courier).
    type: path
  version:
    description: The server's version, as P(postmaster.tls.server_info#module) tells it.
    type: str
    default: ''
  settings:
    description: Settings to have in force, by their native names.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Native name.
        type: str
        required: true
      value:
        description: Native value.
        type: str
        required: true
      file:
        description: The file it belongs into (Courier only).
        type: str
        default: ''
  overrides:
    description: Assignments that would win over a setting; each is commented out where it stands.
    type: list
    elements: dict
    default: []
    suboptions:
      file:
        description: The file.
        type: path
        required: true
      line:
        description: The line, counted from 1.
        type: int
        required: true
      name:
        description: The setting that is expected there.
        type: str
        required: true
      value:
        description: Its value; only for the reader of logs.
        type: str
        default: ''
  scoped:
    description:
      - Settings for some clients alone; the exceptions of an inventory.
      - Dovecot gets a scope of its own for each network, Courier lines of its access files.
    type: list
    elements: dict
    default: []
    suboptions:
      scope:
        description: Whom it is for, as V(remote=192.0.2.0/24) or V(service=imap,remote=192.0.2.0/24).
        type: str
        required: true
      name:
        description: Native name.
        type: str
        required: true
      value:
        description: Native value.
        type: str
        required: true
      reason:
        description: A comment above the scope.
        type: str
        default: ''
  certificate:
    description: A self-signed certificate to make because there is no usable one.
    type: dict
    suboptions:
      certificate:
        description: Where the certificate goes.
        type: path
        required: true
      key:
        description:
          - Where the private key goes.
          - The same as O(certificate.certificate) for one combined file.
        type: path
        required: true
      names:
        description: Host names; the first is also the common name.
        type: list
        elements: str
        required: true
      reason:
        description: Why it is made.
        type: str
        default: ''
  modes:
    description: Private key files and the mode that they get.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file.
        type: path
        required: true
      mode:
        description: Four octal digits.
        type: str
        required: true
  listeners:
    description:
      - The ports of the server. Each one that is open before the change must complete a TLS
        handshake after it.
    type: list
    elements: dict
    default: []
    suboptions:
      service:
        description: The protocol.
        type: str
        choices: [imap, pop3, sieve]
        required: true
      address:
        description: The address the server listens on; V(*) and V(::) for all.
        type: str
        required: true
      port:
        description: The port.
        type: int
        required: true
      tls_mode:
        description: How TLS begins there.
        type: str
        choices: [implicit, starttls]
        required: true
  served_only:
    description:
      - Whether only ports that complete a TLS handshake before the change have to do so after it, instead of each one
        that is open. For a change that has nothing to do with TLS.
    type: bool
    default: false
  generation:
    description:
      - The change before which the files are wanted. A number, V(1) for the last change, or the
        name of a kept generation.
      - Required where O(state=restored).
    type: str
  transaction:
    description:
      - The open change, as RV(transaction) named it.
      - Required where O(state=confirmed) or O(state=reverted).
    type: str
  confirm_timeout:
    description:
      - Seconds after which the host takes the change back by itself, unless it is confirmed by a
        call with O(state=confirmed).
      - With V(0) the handshakes on the host itself confirm it.
    type: int
    default: 0
  wait:
    description: Seconds to wait for another run that has a change open on the host.
    type: int
    default: 0
  who:
    description: Who wants the change, for the journal on the host.
    type: str
    default: ''
  owner:
    description: The run that wants the change, so that another can tell whether it still lives.
    type: str
    default: ''
  reason:
    description: Why a change is taken back, for the journal on the host.
    type: str
    default: ''
extends_documentation_fragment:
  - postmaster.tls.attributes.changer
"""

EXAMPLES = r"""
- name: Require TLS on a Dovecot 2.4
  postmaster.tls.server_config:
    product: dovecot
    version: 2.4.1
    settings:
      - name: ssl
        value: required
      - name: auth_allow_cleartext
        value: 'no'
    listeners:
      - {service: imap, address: '*', port: 143, tls_mode: starttls}
      - {service: imap, address: '*', port: 993, tls_mode: implicit}

- name: Put back what was there before the last change
  postmaster.tls.server_config:
    state: restored
    generation: 1
"""

RETURN = r"""
paths:
  description: The files that changed, or would change.
  returned: when O(state=present) or O(state=restored)
  type: list
  elements: str
  sample: [/etc/dovecot/conf.d/99-postmaster-tls.conf, /etc/dovecot/conf.d/10-ssl.conf]
generation:
  description: Where the old files are kept on the host; null when nothing changed.
  returned: when O(state=present) or O(state=restored)
  type: str
  sample: /var/lib/postmaster-tls/generations/20261124T140144Z-141b910d
rehearsal:
  description:
    - Whether the candidate was tried in a private instance of the server, on which kinds of ports,
      and how long that took. Where it could not be, C(reason) says why. Null when nothing changed.
  returned: when O(state=present) or O(state=restored)
  type: dict
  sample:
    done: true
    reason: ''
    ports: [imap starttls, imap implicit, pop3 starttls, pop3 implicit]
    seconds: 0.49
transaction:
  description:
    - The name of the change that waits for a confirmation; null when there is none to wait for.
  returned: when O(state=present) or O(state=restored)
  type: str
  sample: 20261124T140144Z-141b910d
switch:
  description:
    - What takes the change back when nobody confirms it. C(systemd) is a timer, and a unit for the
      case that the host restarts meanwhile; C(process) is a process where there is no systemd.
  returned: when O(state=present) or O(state=restored)
  type: str
  sample: systemd
notes:
  description: What was found of a run that was killed, and how it was ended.
  returned: when O(state=present), O(state=restored) or O(state=settled)
  type: list
  elements: str
  sample:
    - >-
      the change 20261124T140505Z-13a9dd5e was left swapped by root@laptop: Every file is as it was
      before and the server has read it again
"""

import secrets
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import candidate, change, ledger, program, selfsigned, settle
from ..module_utils.config.edit import Stale
from ..module_utils.plain import to_plain

EXPECTED = (change.Refused, Stale, selfsigned.CannotMake, ledger.Broken, OSError, ValueError)
ON_THE_HOST = program
"""Imported for what stays on the host: Ansible ships what a module imports (bundle.py)."""


def main() -> None:
    """Module entry point."""
    module = AnsibleModule(
        argument_spec={
            "product": {"choices": ["dovecot", "courier"]},
            "state": {"choices": list(_STATES), "default": "present"},
            "config_file": {"type": "path"},
            "version": {"default": ""},
            "settings": _entries(name={"required": True}, value={"required": True}, file=_TEXT),
            "overrides": _entries(
                file=_PATH, line={"type": "int", "required": True}, name=_NAME, value=_TEXT
            ),
            "scoped": _entries(scope=_NAME, name=_NAME, value=_NAME, reason=_TEXT),
            "certificate": {
                "type": "dict",
                "options": {
                    "certificate": _PATH,
                    "key": {"type": "path", "required": True, "no_log": False},
                    "names": {"type": "list", "elements": "str", "required": True},
                    "reason": _TEXT,
                },
            },
            "modes": _entries(path=_PATH, mode=_NAME),
            "listeners": _entries(
                service={"choices": ["imap", "pop3", "sieve"], "required": True},
                address=_NAME,
                port={"type": "int", "required": True},
                tls_mode={"choices": ["implicit", "starttls"], "required": True},
            ),
            "served_only": {"type": "bool", "default": False},
            "generation": {"type": "str"},
            "transaction": {"type": "str"},
            "confirm_timeout": {"type": "int", "default": 0},
            "wait": {"type": "int", "default": 0},
            "who": {"default": ""},
            "owner": {"default": ""},
            "reason": {"default": ""},
        },
        supports_check_mode=True,
        required_if=[
            ("state", "present", ("product",)),
            ("state", "restored", ("generation",)),
            ("state", "confirmed", ("transaction",)),
            ("state", "reverted", ("transaction",)),
        ],
    )
    try:
        answer = _STATES[module.params["state"]](module.params, module.check_mode)
    except EXPECTED as error:
        module.fail_json(msg=str(error))
    module.exit_json(**answer)


_NAME = {"required": True}
_TEXT = {"default": ""}
_PATH = {"type": "path", "required": True}


def _entries(**options: Any) -> dict[str, Any]:
    return {"type": "list", "elements": "dict", "default": [], "options": options}


# ---------------------------------------------------------------------------------------------
# One function for each state


def _present(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    return _told(change.apply(candidate.build(params), _order(params), check_mode))


def _restored(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    return _told(change.go_back(params["generation"], _order(params), check_mode))


def _confirmed(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    if not check_mode:
        settle.confirm(params["transaction"])
    return {"changed": True}


def _reverted(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    reason = params["reason"] or "asked for"
    if check_mode:
        return {"changed": True, "msg": ""}
    changed, said = settle.take_back(params["transaction"], reason)
    return {"changed": changed, "msg": said}


def _settled(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    notes: list[str] = []
    if not check_mode:
        with settle.turn(params["wait"], notes):
            pass
    return {"changed": bool(notes), "notes": notes}


_STATES = {
    "present": _present,
    "restored": _restored,
    "confirmed": _confirmed,
    "reverted": _reverted,
    "settled": _settled,
}


def _order(params: dict[str, Any]) -> change.Order:
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return change.Order(
        name=f"{moment}-{secrets.token_hex(4)}",
        who=params["who"],
        owner=params["owner"],
        confirm_timeout=params["confirm_timeout"],
        wait=params["wait"],
    )


def _told(outcome: change.Outcome) -> dict[str, Any]:
    return {
        "changed": outcome.changed,
        "paths": list(outcome.paths),
        "generation": outcome.generation,
        "diff": list(outcome.diff),
        "rehearsal": to_plain(outcome.rehearsal),
        "transaction": outcome.open,
        "switch": outcome.switch,
        "notes": list(outcome.notes),
    }


if __name__ == "__main__":
    main()
