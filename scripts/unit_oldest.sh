#!/usr/bin/env bash
# What runs on managed nodes, under the oldest Python that they may have: the tests of module_utils and modules.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
cd "$(dirname "$0")/.."
tests=(tests/unit/test_layers.py)
for folder in tests/unit/plugins/module_utils tests/unit/plugins/modules; do
    [ ! -d "$folder" ] || tests+=("$folder")
done
scripts/with_python.sh node-3.9 9 -m pytest -q -n 2 -p no:cacheprovider "${tests[@]}"
