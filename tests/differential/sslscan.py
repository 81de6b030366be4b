# Copyright (c) 2026, The postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""sslscan: how it is called, and what its XML says.

It handshakes with the OpenSSL it is linked to, and asks for SSL 2.0 and 3.0, for suites that this
OpenSSL lacks and for groups with hellos of its own; groups of TLS 1.2 and 1.3 only. Where it cannot
connect in between, it says so on standard error and leaves out what it would have seen.
Source: sslscan(1) and sslscan.c (populate_ssl…, testSupportedGroups) of 2.0.7 and 2.1.5.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# The XML comes from a program that this machine's administrator installed, not from the network.
from xml.etree import ElementTree

from .target import Target
from .view import (
    LISTED,
    Names,
    Unreadable,
    View,
    groups,
    groups_of,
    offered,
    suites,
    suites_of,
)

TOOL = "sslscan"
VERSIONS = {
    ("ssl", "2"): "SSLv2",
    ("ssl", "3"): "SSLv3",
    ("tls", "1.0"): "TLSv1",
    ("tls", "1.1"): "TLSv1.1",
    ("tls", "1.2"): "TLSv1.2",
    ("tls", "1.3"): "TLSv1.3",
}
WITH_GROUPS = ("TLSv1.2", "TLSv1.3")
_LOST = re.compile(r"^ *ERROR: |Could not (open|create)", re.MULTILINE)


def command(target: Target) -> list[str]:
    """The arguments that print XML with versions, suites and groups."""
    skipped = ("heartbleed", "compression", "fallback", "renegotiation", "check-certificate")
    starttls = [f"--starttls-{target.protocol}"] if target.starttls else []
    options = [*(f"--no-{word}" for word in skipped), "--show-cipher-ids", "--ipv4"]
    return [TOOL, *options, *starttls, "--xml=-", target.place]


def lost(said: str) -> bool:
    """Whether the errors say that a connection failed, so that the XML lacks something."""
    return _LOST.search(said) is not None


def view(xml: str) -> View:
    """What the XML says. Raises Unreadable."""
    try:
        document = ElementTree.fromstring(xml)  # noqa: S314
    except ElementTree.ParseError as error:
        raise Unreadable(f"sslscan's XML: {error}") from None
    test = document.find("ssltest")
    if test is None:
        raise Unreadable(f"sslscan tested nothing: {document.findtext('error', '')[:120]!r}")
    topics = _versions(test)
    for version in LISTED:
        topics[suites_of(version)] = suites(_ids(test, "cipher", version))
    for version in WITH_GROUPS:
        topics[groups_of(version)] = groups(_ids(test, "group", version))
    return View(TOOL, document.get("version", ""), topics)


def _versions(test: ElementTree.Element) -> dict[str, Names]:
    found = {(p.get("type", ""), p.get("version", "")): p for p in test.findall("protocol")}
    if found.keys() != VERSIONS.keys():
        raise Unreadable(f"sslscan speaks of these versions: {sorted(found)}")
    return {VERSIONS[key]: offered(p.get("enabled") == "1") for key, p in found.items()}


def _ids(test: ElementTree.Element, tag: str, version: str) -> Sequence[int]:
    word = {"TLSv1": "TLSv1.0"}.get(version, version)
    rows = [row for row in test.findall(tag) if row.get("sslversion") == word]
    try:
        return [int(row.get("id", ""), 16) for row in rows]
    except ValueError as error:
        raise Unreadable(f"sslscan's {tag}: {error}") from None
