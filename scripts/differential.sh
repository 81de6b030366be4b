#!/usr/bin/env bash
# Our probe beside sslscan, testssl.sh and sslyze on hosts of the lab, made anew: as they are (weak), and hardened.
#   scripts/differential.sh HOST...        testssl.sh on one port of each host
#   scripts/differential.sh --all HOST...  on every port; with three hosts at a time the lab has room enough
# tests/differential/run.py compares. Exit code 77, with the reason as the last line: a tool is not installed.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root"
export ANSIBLE_CONFIG=$root/ansible.cfg PATH=$root/.venv/bin:$PATH

every=()
if [ "${1:-}" = --all ]; then
    every=(--all)
    shift
fi
[ $# -gt 0 ] || die "say which hosts of the lab: lab/lab.py status names them"
skipped=
compare() {
    local code=0
    echo "$1:"
    tests/differential/run.py "${every[@]}" --state "$@" || code=$?
    [ "$code" = 0 ] || [ "$code" = 77 ] || exit "$code"
    [ "$code" = 0 ] || skipped=yes
}

lab/lab.py reset "$@"
compare weak "$@"
said=$(ansible-playbook -i inventories/lab harden.yml --limit "$(IFS=, && echo "$*")" \
    --extra-vars "mail_tls_report_dir=$cache/differential/reports" 2>&1) || die "the hosts could not be hardened: $said"
compare hardened "$@"
[ -z "$skipped" ] || exit 77
