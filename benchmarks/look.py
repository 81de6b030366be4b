#!/usr/bin/env python3
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe as a process of its own, for benchmarks/probe.py: one look at the ports of a host.

    benchmarks/look.py {judge,full} ADDRESS [ROUND_TRIP [PORT...]]

Says in how many connections, and with ROUND_TRIP (seconds) in how many round trips. Without PORT
it looks at all five, that of ManageSieve among them. Imports nothing that the probe itself does not
need, since its start counts; so not by its name as a part of a collection either, which Ansible
looks up for itself.
"""

import sys
import time
from importlib import import_module
from os.path import abspath, dirname
from typing import Any

sys.path.insert(0, dirname(dirname(abspath(__file__))) + "/plugins")

# Not imports: the types are known by their names in the collection alone.
PROBE: Any = import_module("module_utils.probe")
DEPTH: Any = import_module("module_utils.talk").Depth


def main(depth: str, address: str, round_trip: str = "0", *ports: str) -> None:
    """Command line."""
    endpoints = PROBE.default_endpoints([address])
    asked = [each for each in endpoints if not ports or str(each.port) in ports]
    began = time.monotonic()
    seen = PROBE.probe(asked, depth=DEPTH(depth))
    spent, each = time.monotonic() - began, [port.connections for port in seen]
    print(f"{sum(each)} connections {each}, {sum(len(port.failures) for port in seen)} failures")
    if float(round_trip):
        print(f"{spent / float(round_trip):.1f} round trips")


if __name__ == "__main__":
    main(*sys.argv[1:])
