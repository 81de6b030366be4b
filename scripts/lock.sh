#!/usr/bin/env bash
# Makes the locks anew: requirements-dev.txt and scripts/locks/*.txt, with hashes, without index lines.
#   scripts/lock.sh            add or drop what the .in file and the table below say; keep other versions
#   scripts/lock.sh --upgrade  take the newest of everything
#   scripts/lock.sh --check    change nothing; fail where a lock is not what this script would write
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root"

check=
upgrade=
case ${1:-} in
--check) check=yes ;;
--upgrade) upgrade=--upgrade ;;
'') ;;
*) die "unknown option '$1': say --upgrade or --check" ;;
esac
uv=$(uv_program)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# compile LOCK PYTHON: requirements on standard input; the lock serves that Python and all newer ones.
compile() {
    local new=$work/new.txt
    if [ -e "$1" ]; then cp "$1" "$new"; else : >"$new"; fi
    # shellcheck disable=SC2086
    "$uv" pip compile --quiet --universal --python-version "$2" --generate-hashes --no-annotate \
        --no-header $upgrade --output-file "$new" - >/dev/null
    sed -i '1i # Made by scripts/lock.sh; do not edit.' "$new"
    if [ -n "$check" ]; then
        cmp -s "$new" "$1" || die "$1 is not what scripts/lock.sh writes: run it"
    else
        cp "$new" "$1"
    fi
}

mkdir -p scripts/locks
compile requirements-dev.txt 3.11 <requirements-dev.in
# The controllers that the gate proves, each with the oldest Python that it takes.
compile scripts/locks/core-2.16.txt 3.10 <<<'ansible-core>=2.16,<2.17'
compile scripts/locks/core-2.19.txt 3.11 <<<'ansible-core>=2.19,<2.20'
compile scripts/locks/core-2.21.txt 3.12 <<<'ansible-core>=2.21,<2.22'
# The oldest Python of a managed node, with what the tests of module_utils and modules need there.
compile scripts/locks/node-3.9.txt 3.9 <<<'ansible-core
cryptography
hypothesis
pytest
pytest-xdist'
# A second opinion on the probe (tests/differential), in an environment of its own.
compile scripts/locks/sslyze.txt 3.11 <<<'sslyze'
