#!/usr/bin/env python3
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes plugins/plugin_utils/registry_data.py: the code points and names of TLS cipher suites.

The names come from what TLS libraries install: the headers of OpenSSL (Debian: libssl-dev; code
points, IANA names and OpenSSL names) and the list printed by ``gnutls-cli --list`` (Debian:
gnutls-bin; suites that OpenSSL lacks). Without either, ``--check`` has nothing to compare with and
says so; it never asks the network.

    scripts/generate_registry.py            write the table
    scripts/generate_registry.py --check    0: this machine contradicts no line of the table and the
                                            table is as this script would lay it out; 1: it is not
"""

from __future__ import annotations

import argparse
import ast
import re
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Optional

TABLE = Path(__file__).resolve().parent.parent / "plugins/plugin_utils/registry_data.py"
HEADERS = (Path("/usr/include/openssl/ssl3.h"), Path("/usr/include/openssl/tls1.h"))

Names = tuple[str, Optional[str]]  # IANA, OpenSSL

# "#define TLS1_CK_ECDHE_…  0x0300C02F", "#define TLS1_RFC_… "TLS_…"", "#define TLS1_TXT_… "…""
_CODE = re.compile(r"^#\s*define\s+(?:SSL3|TLS1|TLS1_3)_CK_(\w+)\s+0x0300([0-9A-Fa-f]{4})\b", re.M)
_IANA = re.compile(r'^#\s*define\s+(?:SSL3|TLS1|TLS1_3)_RFC_(\w+)\s+"([^"]+)"', re.M)
_OPENSSL = re.compile(r'^#\s*define\s+(?:SSL3|TLS1)_TXT_(\w+)\s+"([^"]+)"', re.M)
_GNUTLS = re.compile(r"^(TLS_\w+)\s+0x([0-9a-f]{2}), 0x([0-9a-f]{2})\s", re.M)

# Suites of SSL 3.0 that OpenSSL still defines but no longer gives an IANA name (RFC 2246 A.5).
_WITHOUT_IANA_NAME = {
    "RSA_RC4_40_MD5": "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
    "RSA_RC2_40_MD5": "TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5",
    "RSA_DES_40_CBC_SHA": "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA",
    "RSA_DES_64_CBC_SHA": "TLS_RSA_WITH_DES_CBC_SHA",
    "DHE_DSS_DES_40_CBC_SHA": "TLS_DHE_DSS_EXPORT_WITH_DES40_CBC_SHA",
    "DHE_DSS_DES_64_CBC_SHA": "TLS_DHE_DSS_WITH_DES_CBC_SHA",
    "DHE_RSA_DES_40_CBC_SHA": "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA",
    "DHE_RSA_DES_64_CBC_SHA": "TLS_DHE_RSA_WITH_DES_CBC_SHA",
    "ADH_RC4_40_MD5": "TLS_DH_anon_EXPORT_WITH_RC4_40_MD5",
    "ADH_DES_40_CBC_SHA": "TLS_DH_anon_EXPORT_WITH_DES40_CBC_SHA",
    "ADH_DES_64_CBC_SHA": "TLS_DH_anon_WITH_DES_CBC_SHA",
}

# GnuTLS writes names without _WITH_, in capitals and with its own words: longest exchange first.
_EXCHANGES = (
    "ECDHE_ECDSA", "ECDHE_RSA", "ECDHE_PSK", "ECDH_ANON", "DHE_RSA", "DHE_DSS", "DHE_PSK",
    "DH_ANON", "RSA_PSK", "SRP_SHA_RSA", "SRP_SHA_DSS", "SRP_SHA", "PSK", "RSA",
)  # fmt: skip
_GNUTLS_WORDS = (
    (r"_ANON_", "_anon_"),
    (r"ARCFOUR", "RC4"),
    (r"_SHA1$", "_SHA"),
    (r"POLY1305$", "POLY1305_SHA256"),
    (r"DHE_PSK_WITH_AES_(\d+)_CCM_8$", r"PSK_DHE_WITH_AES_\1_CCM_8"),  # as RFC 6655 has it
)

_HEAD = '''# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS cipher suites: code point → (IANA name, OpenSSL name or None).

Written by scripts/generate_registry.py from the headers of OpenSSL and the list of GnuTLS on
{date}; do not edit. It knows names only, what a suite is worth is told by registry.py.
Registry: IANA, Transport Layer Security (TLS) Parameters, TLS Cipher Suites.
"""

from __future__ import annotations

from typing import Optional

GENERATED = "{date}"

# fmt: off
SUITES: dict[int, tuple[str, Optional[str]]] = {{
'''


def from_headers(text: str) -> dict[int, Names]:
    """The suites that OpenSSL's headers define, by code point."""
    iana = {**_WITHOUT_IANA_NAME, **dict(_IANA.findall(text))}
    openssl = dict(_OPENSSL.findall(text))
    codes = {name: int(code, 16) for name, code in _CODE.findall(text)}
    return {c: (iana[n], openssl.get(n, iana[n])) for n, c in codes.items() if n in iana}


def from_gnutls(text: str) -> dict[int, Names]:
    """The suites that ``gnutls-cli --list`` prints, by code point; no OpenSSL names."""
    found: dict[int, Names] = {}
    for name, high, low in _GNUTLS.findall(text):
        if "GOST" not in name:
            found[int(high + low, 16)] = (_iana_from_gnutls(name), None)
    return found


def _iana_from_gnutls(name: str) -> str:
    exchange = next((e for e in _EXCHANGES if name.startswith(f"TLS_{e}_")), None)
    if exchange:
        name = f"TLS_{exchange}_WITH_{name[len(exchange) + 5 :]}"
    if name.startswith("TLS_CHACHA20"):  # TLS 1.3 names are IANA's already
        return name
    for pattern, iana in _GNUTLS_WORDS:
        name = re.sub(pattern, iana, name)
    return name


def observe() -> tuple[dict[int, Names], list[str]]:
    """What this machine's libraries say, and which of them were there."""
    suites: dict[int, Names] = {}
    sources = []
    program = shutil.which("gnutls-cli")
    if program:
        done = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
        suites.update(from_gnutls(done.stdout))
        sources.append("gnutls-cli")
    if all(header.exists() for header in HEADERS):
        suites.update(from_headers("".join(h.read_text("utf-8") for h in HEADERS)))
        sources.append("OpenSSL headers")
    return suites, sources


def render(suites: dict[int, Names], date: str) -> str:
    """The text of registry_data.py."""
    lines = [f"    0x{code:04X}: {_pair(names)},\n" for code, names in sorted(suites.items())]
    return _HEAD.format(date=date) + "".join(lines) + "}\n# fmt: on\n"


def _pair(names: Names) -> str:
    openssl = "None" if names[1] is None else f'"{names[1]}"'
    return f'("{names[0]}", {openssl})'


def read(text: str) -> tuple[dict[int, Names], str]:
    """The table and its date out of the text of registry_data.py."""
    values = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values[node.targets[0].id] = ast.literal_eval(node.value)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            values[node.target.id] = ast.literal_eval(node.value)
    return values["SUITES"], values["GENERATED"]


def check(text: str, observed: dict[int, Names]) -> list[str]:
    """What is wrong with the table, one sentence each; an older library knows fewer suites."""
    suites, date = read(text)
    wrong = []
    if render(suites, date) != text:
        wrong.append(f"{TABLE.name} was edited by hand")
    for code, names in sorted(observed.items()):
        have = suites.get(code)
        same = have is not None and names[0] == have[0] and names[1] in (None, have[1])
        if not same:
            wrong.append(f"0x{code:04X} is {names} on this machine and {have} in {TABLE.name}")
    return wrong


def main(arguments: Optional[list[str]] = None) -> int:
    """Write or check the table; 0 = good, 1 = the table is wrong, 2 = nothing to write it from."""
    parser = argparse.ArgumentParser(description="Write the table of TLS cipher suites.")
    parser.add_argument("--check", action="store_true", help="change nothing, compare")
    options = parser.parse_args(arguments)
    observed, sources = observe()
    if options.check:
        wrong = check(TABLE.read_text("utf-8"), observed)
        print("\n".join(wrong) or f"{TABLE.name} agrees with: {', '.join(sources) or 'itself'}")
        return 1 if wrong else 0
    if len(sources) < 2:
        print("install libssl-dev and gnutls-bin: the table is written from both", file=sys.stderr)
        return 2
    TABLE.write_text(render(observed, f"{datetime.now(timezone.utc):%Y-%m-%d}"), "utf-8")
    print(f"{TABLE.name}: {len(observed)} suites from {' and '.join(sources)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
