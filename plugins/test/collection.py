# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test postmaster.tls.collection: is another collection there, and new enough?"""

from __future__ import annotations

DOCUMENTATION = r"""
name: collection
short_description: Whether a collection is installed on the controller, and new enough
version_added: 0.1.0
author:
  - The postmaster.tls authors (@postmaster-tls)
description:
  - For roles that need another collection for one of several ways only, and so do not depend on it.
options:
  _input:
    description: Name of the collection.
    type: str
    required: true
  version:
    description: The oldest version that will do. Any, where it is not given.
    type: str
"""

EXAMPLES = r"""
- name: Require a collection
  ansible.builtin.assert:
    that: "'community.crypto' is postmaster.tls.collection('2.24.0')"
    fail_msg: run `ansible-galaxy collection install community.crypto`
"""

RETURN = r"""
_value:
  description: Whether it is there and new enough. One that does not say its version is.
  type: bool
"""

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Optional

from ansible.errors import AnsibleFilterError
from ansible.module_utils.compat.version import LooseVersion


def collection(name: str, version: Optional[str] = None) -> bool:
    """Whether the collection ``name`` is installed with this version or a newer one."""
    if name.count(".") != 1:
        raise AnsibleFilterError(f"{name!r} is no name of a collection")
    try:
        package = import_module(f"ansible_collections.{name}")
    except ImportError:
        return False
    found = _version(Path(next(iter(package.__path__))))
    return None in (version, found) or LooseVersion(found) >= LooseVersion(version)


def _version(folder: Path) -> Optional[str]:
    try:
        manifest = json.loads((folder / "MANIFEST.json").read_text("utf-8"))
        return str(manifest["collection_info"]["version"])
    except (OSError, ValueError, KeyError):  # a checkout has none
        return None


class TestModule:
    """Tests of this file."""

    def tests(self) -> dict[str, Callable[..., bool]]:
        """Names and functions."""
        return {"collection": collection}
