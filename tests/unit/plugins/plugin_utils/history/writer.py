# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that writes to a history, for test_crash.py to run many of, and to kill.

writer.py PLACE NAME COUNT   keeps COUNT runs and names each on its output once it is committed
writer.py PLACE NAME half    is in the middle of one, says so, and waits to be killed
"""

from __future__ import annotations

import sys
from datetime import datetime, timezone

from ansible_collections.postmaster.tls.plugins.plugin_utils.history.store import open_history
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    WEAK,
    report,
)


def main(place: str, name: str, count: str) -> None:
    document = report(WEAK)
    with open_history(place) as history:
        if count == "half":
            fold = history._fold

            def stop(*arguments: object) -> None:
                fold(*arguments)  # type: ignore[arg-type]
                print("half", flush=True)
                sys.stdin.read()

            history._fold = stop  # type: ignore[method-assign]
        for number in range(1 if count == "half" else int(count)):
            history.keep(f"{name}-{number}", datetime.now(timezone.utc), "audit", document)
            print(f"{name}-{number}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
