#!/usr/bin/env bash
# The whole story on this machine: weak mail servers in containers are found, hardened and proven.
# Run again it is quick and changes nothing; `make lab-down` first brings the weak servers back.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root"

[ -e /etc/debian_version ] ||
    die "the demo builds its servers from Debian packages: run it on Debian 12 or 13 (a virtual machine will do)"
[ "$(id -u)" = 0 ] || die "the demo starts containers with systemd in them: run it as root (sudo make demo)"
scripts/setup.sh run
command -v podman >/dev/null ||
    die "there is no podman for this platform: run the demo on a Debian 12 or 13 machine for amd64 or arm64"

reports=$root/reports/demo
export ANSIBLE_CONFIG=$root/ansible.cfg PATH=$cache/run/bin:$PATH

# chapter TITLE PLAYBOOK [OPTION...]
chapter() {
    local title=$1 playbook=$2
    shift 2
    printf '\n=== %s: ansible-playbook -i inventories/lab %s --limit demo\n\n' "$title" "$playbook"
    ansible-playbook -i inventories/lab "$playbook" --limit demo "$@"
}

lab/lab.py up demo
chapter "What is exposed" audit.yml --extra-vars "mail_tls_report_dir=$reports/before"
chapter "Harden" harden.yml --extra-vars "mail_tls_report_dir=$reports/harden"
proven=0
chapter "Prove it from outside" verify.yml --extra-vars "mail_tls_report_dir=$reports/after" || proven=$?

printf '\n=== Before and after\n\n'
"$cache/run/bin/python" scripts/before_after.py "$reports/before/report.json" "$reports/after/report.json"
printf '\nThe reports: %s\n' "${reports#"$root"/}/before/report.json, ${reports#"$root"/}/after/report.json"
exit "$proven"
