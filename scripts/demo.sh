#!/usr/bin/env bash
# The whole story on this machine: weak mail servers in containers are found, hardened and proven.
# Run again it is quick and changes nothing; `make lab-down` first brings the weak servers back.
# All that Ansible says is kept beside the reports; the screen shows the short of it.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$root"

[ -e /etc/debian_version ] ||
    die "the demo builds its servers from Debian packages: run it on Debian 12 or 13 (a virtual machine will do)"
[ "$(id -u)" = 0 ] || die "the demo starts containers with systemd in them: run it as root (sudo make demo)"
[ -d "$cache/run" ] || echo "The first run takes two or three minutes: packages are installed and four servers built."
scripts/setup.sh run

reports=reports/demo
export ANSIBLE_CONFIG=$root/ansible.cfg PATH=$cache/run/bin:$PATH

# chapter TITLE PLAYBOOK REPORTS [OPTION...]: run a playbook and keep what it says; show it only where it fails.
chapter() {
    local title=$1 playbook=$2 said=$reports/${2%.yml}.txt code=0
    local command=(ansible-playbook -i inventories/lab "$playbook" --limit demo "${@:4}")
    printf '\n=== %s: %s\n\n' "$title" "${command[*]}"
    "${command[@]}" --extra-vars "mail_tls_report_dir=$root/$reports/$3" >"$said" 2>&1 </dev/null || code=$?
    [ $code = 0 ] || cat "$said"
    return $code
}

# verdicts FILE: of what audit or verify said, each host's verdict, its critical findings, and the totals.
verdicts() {
    awk '/^[^ ].*  (passes|FAILS|NOT PROVEN|no mail server)  / || /^  critical / || /^[0-9]+ hosts?: /' "$1"
}

# changes FILE: of what `harden.yml --diff` said, which files of which host changed, and by how many lines.
changes() {
    awk '
        /^\[WARNING\]: / { sub(/^\[WARNING\]: /, "note: "); print }
        /^--- before: / { name[++files] = substr($0, 13); more[files] = less[files] = 0; next }
        /^\+\+\+ after: / { next }
        /^\+/ { more[files]++ }
        /^-/ { less[files]++ }
        /^changed: \[/ {
            print substr($2, 2, length($2) - 2)
            for (i = 1; i <= files; i++) printf "  %-50s +%d -%d\n", name[i], more[i], less[i]
            files = 0
            some = 1
        }
        END { if (!some) print "Nothing to change." }' "$1"
}

lab/lab.py up demo
hosts=$(lab/lab.py status demo)
if [ -e $reports/hosts.txt ] && [ "$hosts" = "$(cat $reports/hosts.txt)" ]; then
    printf '\n=== What was exposed on %s, when these servers were new\n\n' "$(date -r $reports/hosts.txt '+%-d %B, %H:%M')"
else
    rm -rf $reports
    mkdir -p $reports
    chapter "What is exposed" audit.yml before || die "audit.yml failed; what it said is above"
    echo "$hosts" >$reports/hosts.txt
fi
verdicts $reports/audit.txt

chapter "Harden" harden.yml harden --diff || die "harden.yml failed; what it said is above"
changes $reports/harden.txt

proven=0
chapter "Prove it from outside" verify.yml after || proven=$?
[ $proven != 0 ] || verdicts $reports/verify.txt

printf '\n=== Before and after\n\n'
"$cache/run/bin/python" scripts/before_after.py $reports/before/report.json $reports/after/report.json
cat <<END

Reports: $reports/before/report.json, $reports/after/report.json
All that Ansible said: $reports/audit.txt, $reports/harden.txt, $reports/verify.txt
The servers are still there: make lab-down removes them, lab/lab.py exec HOST -- COMMAND looks inside.
END
exit $proven
