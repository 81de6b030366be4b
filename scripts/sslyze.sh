#!/usr/bin/env bash
# Runs sslyze, which tests/differential sets beside our probe, from an environment of its own below .cache,
# made on the first call: it wants old versions of what the developers' tools want new.
# Exit code 77 with a reason: it could not be installed.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
mkdir -p "$cache"
(
    exec 9>"$cache/sslyze.lock"
    flock 9
    venv "$cache/sslyze" "$(real_python 11 12 13)" "$root/scripts/locks/sslyze.txt"
) || {
    echo "sslyze could not be installed from PyPI (its words are above)" >&2
    exit 77
}
exec "$cache/sslyze/bin/sslyze" "$@"
