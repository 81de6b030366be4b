#!/usr/bin/env bash
# Removes what the tools made in this checkout. The lab may be running: what lies in .cache/lab stays.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf .ansible .hypothesis .mypy_cache .pytest_cache .ruff_cache .venv ./postmaster-tls-*.tar.gz
[ ! -d .cache ] || find .cache -mindepth 1 -maxdepth 1 ! -name lab -exec rm -rf --one-file-system {} +
find . -name __pycache__ -type d -not -path './collections/*' -prune -exec rm -rf {} +
