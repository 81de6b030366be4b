#!/usr/bin/python
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door through which Ansible asks who wrote a file."""

from __future__ import annotations

DOCUMENTATION = r"""
module: provenance_info
short_description: Tell who wrote the files that decide about TLS
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - For each path, and for the files by which an administrator sets the policy of the TLS libraries, tells the owner,
    the time of the last change, a checksum, whether the file is as its package brought it (Debian, dpkg and ucf), and
    which change of this collection wrote it.
  - A file that holds a private key gets no checksum. Nothing is changed.
options:
  paths:
    description: Absolute paths of files. At most 512 are looked at.
    type: list
    elements: path
    required: true
extends_documentation_fragment:
  - postmaster.tls.attributes
seealso:
  - module: postmaster.tls.server_info
"""

EXAMPLES = r"""
- name: See who wrote the last file of Dovecot's configuration
  postmaster.tls.provenance_info:
    paths: [/etc/dovecot/conf.d/99-postmaster-tls.conf]
  register: written
"""

RETURN = r"""
files:
  description: One entry for each path. What is not known is C(null).
  returned: always
  type: list
  elements: dict
  sample:
    - path: /etc/courier/imapd
      exists: true
      sha256: 5f2a0d2c1e9f7a4f0c1c0f4f9d8d1b0f3a0f6f7d5a9a6b1e2c3d4e5f60718293
      owner: root
      modified: '2026-11-30T21:16:02Z'
      package: courier-imap
      shipped: false
      change: 20261130T211601Z-13a9dd5e
      by: root@laptop
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.plain import to_plain
from ..module_utils.provenance import look


def main() -> None:
    """Look, and return it as plain data."""
    module = AnsibleModule(
        argument_spec={"paths": {"type": "list", "elements": "path", "required": True}},
        supports_check_mode=True,
    )
    module.exit_json(changed=False, files=to_plain(look(module.params["paths"])))


if __name__ == "__main__":
    main()
