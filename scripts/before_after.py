#!/usr/bin/env python3
# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what changed between two reports: before_after.py BEFORE.json AFTER.json.

Needs the Python that ansible-core runs on, and nothing else. Exit codes: 0 printed, 2 a file
cannot be read or is no report.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Optional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "collections"))

from ansible_collections.postmaster.tls.plugins.plugin_utils.report.comparison import (
    before_after,
)


def read(path: str) -> dict[str, Any]:
    """A report document; ValueError, of one sentence, for anything else."""
    try:
        document = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"{path} is not JSON") from None
    if not isinstance(document, dict) or document.get("schema") != "postmaster.tls/report":
        raise ValueError(f"{path} is no report of postmaster.tls")
    if document.get("schema_version") != 1:
        raise ValueError(f"{path} has another schema version than 1; use the release that wrote it")
    return document


def main(arguments: Optional[list[str]] = None) -> int:
    """Print the table; the exit code."""
    paths = sys.argv[1:] if arguments is None else arguments
    if len(paths) != 2:
        print("usage: before_after.py BEFORE.json AFTER.json", file=sys.stderr)
        return 2
    try:
        before, after = (read(path) for path in paths)
        print(before_after(before, after), end="")
    except ValueError as error:
        print(f"before_after.py: {error}", file=sys.stderr)
        return 2
    except (KeyError, TypeError, IndexError, AttributeError):
        print("before_after.py: a report does not follow docs/report.schema.json", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
