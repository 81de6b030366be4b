# Copyright (c) 2026, The postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""testssl.sh: how it is called, and what its JSON says.

It asks with hellos of its own and with this machine's OpenSSL. Elliptic curves and finite fields
are two lists over TLS 1.2 and 1.3 together; since 3.2 there is a third, of groups with ML-KEM.
Source: testssl.sh(1), and run_protocols, run_cipher_per_proto and run_pfs of 3.0.8 (run_fs in 3.2).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from .target import Target
from .view import (
    CURVES,
    FIELDS,
    KEMS,
    LISTED,
    NONE,
    Names,
    Unreadable,
    View,
    group_named,
    groups,
    offered,
    suites,
    suites_of,
)

TOOL = "testssl.sh"
PROGRAMS = ("testssl", "testssl.sh")
"""Debian's name for it, and upstream's."""
VERSIONS = {
    "SSLv2": "SSLv2",
    "SSLv3": "SSLv3",
    "TLS1": "TLSv1",
    "TLS1_1": "TLSv1.1",
    "TLS1_2": "TLSv1.2",
    "TLS1_3": "TLSv1.3",
}
WITHOUT_KEMS = "3.0."
_NO_TLS = "doesn't seem to be a TLS/SSL enabled server"
_CIPHER = re.compile(r"cipher-(ssl3|tls1|tls1_1|tls1_2|tls1_3)_x([0-9a-f]+)\Z")
_CIPHER_VERSIONS = {
    "ssl3": "SSLv3",
    "tls1": "TLSv1",
    "tls1_1": "TLSv1.1",
    "tls1_2": "TLSv1.2",
    "tls1_3": "TLSv1.3",
}
_COLOUR = re.compile("\x1b\\[[0-9;]*m")
_FIELD = re.compile(r"ffdhe\d+")


def options(target: Target, output: str) -> list[str]:
    """The arguments that write JSON to ``output``: protocols, suites by protocol, groups."""
    starttls = ["-t", target.protocol] if target.starttls else []
    fixed = ["--quiet", "--color", "0", "--warnings", "off", "-n", "none", "--mapping", "iana"]
    return [*fixed, "-p", "-E", "-f", *starttls, "--jsonfile", output, target.place]


def release(banner: str) -> str:
    """The release out of ``testssl --version``. Raises Unreadable."""
    found = re.search(r"testssl(?:\.sh)? +(?:version )?(\d\S*)", _COLOUR.sub("", banner))
    if found is None:
        raise Unreadable(f"testssl.sh does not say its version: {banner[:80]!r}")
    return found[1]


def view(text: str, version: str) -> View:
    """What the JSON says; ``version`` is the tool's, which is not in it. Raises Unreadable."""
    try:
        found = {str(row["id"]): str(row["finding"]) for row in json.loads(text)}
    except (ValueError, LookupError, TypeError) as error:
        raise Unreadable(f"testssl.sh's JSON: {error!r}") from None
    if "scanProblem" in found or "scanTime" not in found:
        raise Unreadable(f"testssl.sh did not finish: {found.get('scanProblem', '')[:120]!r}")
    no_tls = _NO_TLS in found.get("optimal_proto", "")
    if not no_tls and not VERSIONS.keys() <= found.keys():
        raise Unreadable(f"testssl.sh is silent of {sorted(VERSIONS.keys() - found.keys())}")
    topics: dict[str, Names] = {
        name: NONE if no_tls else offered(_offered(found[word])) for word, name in VERSIONS.items()
    }
    topics.update(_suites(found))
    topics.update(_groups(found))
    if not version.startswith(WITHOUT_KEMS):
        topics[KEMS] = _group_list(found, "_KEMs")
    return View(TOOL, version, topics)


def _offered(finding: str) -> bool | None:
    if finding.startswith(("not offered", "likely not offered")):
        return False
    return True if finding.startswith(("offered", "vulnerable")) else None


def _suites(found: Mapping[str, str]) -> dict[str, Names]:
    listed: dict[str, list[int]] = {version: [] for version in LISTED}
    for word in found:
        cipher = _CIPHER.match(word)
        if cipher is not None:
            listed[_CIPHER_VERSIONS[cipher[1]]].append(int(cipher[2], 16))
    return {suites_of(version): suites(codes) for version, codes in listed.items()}


def _groups(found: Mapping[str, str]) -> dict[str, Names]:
    # A field that is none of RFC 7919 is called "Unknown DH group" or by the RFC that has it.
    fields = _FIELD.findall(found.get("DH_groups", ""))
    return {
        CURVES: _group_list(found, "_ECDHE_curves"),
        FIELDS: groups(group_named(name) for name in fields),
    }


def _group_list(found: Mapping[str, str], end: str) -> Names:
    # The id begins with "PFS" in 3.0 and with "FS" since 3.2.
    names = next((found[word] for word in found if word.endswith(end)), "")
    return groups(group_named(name) for name in names.split())
