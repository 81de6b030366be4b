# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan: all that has to change on one server, as a value.

The settings to have in force, the assignments that would win over them, a certificate to make and
the modes of key files. Says nothing of why (rules.py) and nothing of how files are edited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from ...module_utils.model.configured import Product, Setting


@dataclass(frozen=True)
class Want:
    """A native setting to be in force. ``file`` names Courier's file; empty for Dovecot."""

    name: str
    value: str
    file: str = ""


@dataclass(frozen=True)
class Override:
    """An assignment that would win over a wanted one; neutralised where it stands."""

    file: str
    line: int
    name: str
    value: str


@dataclass(frozen=True)
class Scoped:
    """A native setting for some clients alone (``remote=192.0.2.0/24``), and why."""

    scope: str
    name: str
    value: str
    reason: str


@dataclass(frozen=True)
class CertificateWant:
    """A self-signed certificate to make because there is no usable one, and why."""

    certificate: str
    key: str
    names: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class ModeWant:
    """A private key file and the mode that keeps others out of it (four octal digits)."""

    path: str
    mode: str


@dataclass(frozen=True)
class Plan:
    """All changes of one server. ``notes`` are sentences about what the server cannot do."""

    product: Product
    settings: tuple[Want, ...] = ()
    overrides: tuple[Override, ...] = ()
    certificate: Optional[CertificateWant] = None
    modes: tuple[ModeWant, ...] = ()
    notes: tuple[str, ...] = ()
    scoped: tuple[Scoped, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing to write and nothing of ours to keep."""
        wanted = self.settings or self.overrides or self.scoped
        return not (wanted or self.certificate or self.modes)


def override(setting: Setting) -> Override:
    """The override that neutralises this assignment."""
    return Override(setting.origin.file, setting.origin.line, setting.name, setting.value)
