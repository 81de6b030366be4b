#!/usr/bin/env bash
# One ansible-core, the unpacked artefact and nothing else: do the front doors and the modules' pages work?
#   scripts/core.sh 2.16           playbooks and documentation
#   scripts/core.sh 2.16 HOST,...  makes these hosts of the lab anew, and audits, hardens and verifies them
#                                  by the collection's own name
# scripts/artefact.sh has unpacked the artefact; the checkout's ansible.cfg is not read.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
# The Pythons that each ansible-core takes on a controller, best first.
declare -A pythons=([2.16]="12 11 10" [2.19]="12 13 11" [2.21]="13 12 14")

core=$1
hosts=${2:-}
[ -n "${pythons[$core]:-}" ] || die "unknown ansible-core '$core': say one of ${!pythons[*]}"
work=$cache/core-$core
mkdir -p "$work"
cd "$work"
echo '[defaults]' >ansible.cfg # an empty one, so that no other is looked for
export ANSIBLE_CONFIG=$work/ansible.cfg ANSIBLE_COLLECTIONS_PATH=$cache/stage ANSIBLE_HOME=$work/home
export ANSIBLE_LOCALHOST_WARNING=False ANSIBLE_NOCOLOR=1 LC_ALL=C.UTF-8
collection=$cache/stage/ansible_collections/postmaster/tls

ansible() {
    "$root/scripts/with_python.sh" "core-$core" "${pythons[$core]}" -m ansible "$@"
}

version=$(ansible playbook --version)
echo "${version%%$'\n'*}"
[[ $version == *"core $core."* ]] || die "this is not ansible-core $core"
if [ -n "$hosts" ]; then
    # shellcheck disable=SC2086
    "$root/lab/lab.py" reset ${hosts//,/ }
    for playbook in audit harden verify; do
        ansible playbook -i "$root/inventories/lab" "postmaster.tls.$playbook" --limit "$hosts" \
            --extra-vars "mail_tls_report_dir=$work/reports"
    done
    exit
fi
for playbook in "$collection"/playbooks/*.yml; do
    [ -e "$playbook" ] || die "the artefact holds no playbook"
    name=$(basename "$playbook" .yml)
    echo "playbook postmaster.tls.$name"
    ansible playbook -i localhost, --syntax-check "postmaster.tls.$name" >/dev/null
done
for kind in module filter test inventory callback; do
    folder=$kind
    [ $kind != module ] || folder=modules
    for page in "$collection/plugins/$folder"/*.py; do
        [ -e "$page" ] || continue
        case $kind in
        # A filter file may hold several, each with a page of its own.
        filter) names=$(cd "$work" && ansible doc -t filter -l postmaster.tls | awk '{print $1}') ;;
        *) names=postmaster.tls.$(basename "$page" .py) ;;
        esac
        for name in $names; do
            echo "$kind $name"
            ansible doc -t $kind --json "$name" >"$work/page.json"
            grep -q short_description "$work/page.json" || die "ansible-doc shows no page for the $kind $name"
        done
    done
done
