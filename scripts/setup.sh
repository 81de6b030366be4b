#!/usr/bin/env bash
# One command for a fresh Debian 12 or 13, as root; run again, it installs only what is missing.
#   scripts/setup.sh run    what `make demo` needs: packages for the lab, ansible-core in .cache/run
#   scripts/setup.sh dev    all of that and the developers' tools in .venv  (the default)
#   scripts/setup.sh check  the developers' tools alone, without the lab's packages
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

part=${1:-dev}
python_packages="ca-certificates git python3-venv"
lab_packages="aardvark-dns iproute2 iptables mmdebstrap netavark nftables openssh-client podman runc uidmap"
tool_packages="gnutls-bin mmdebstrap openssl postgresql shellcheck"
test_packages="chromium curl fonts-dejavu-core libatomic1 sslscan testssl.sh" # libatomic1: Playwright's own Node
case $part in
run) packages="$python_packages $lab_packages" ;;
dev) packages="$python_packages $lab_packages $tool_packages $test_packages" ;;
check) packages="$python_packages $tool_packages" ;;
*) die "unknown part '$part': say run, dev or check" ;;
esac

missing=
command -v dpkg-query >/dev/null ||
    die "this is not a Debian system; the lab and the tools are made for Debian 12 or 13, so run it there (a virtual machine will do)"
for package in $packages; do
    [[ " $missing " != *" $package "* ]] || continue
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
    [ "$(id -u)" = 0 ] || die "Debian packages are missing; install them as root: apt-get install$missing"
    echo "installing Debian packages:$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    # A package list that is missing or too old shows itself in a failed install; only then is it fetched anew.
    install="apt-get install -yq --no-install-recommends -o DPkg::Lock::Timeout=300"
    # shellcheck disable=SC2086
    $install $missing >"$log" 2>&1 </dev/null || { apt-get update -q && $install $missing; } >"$log" 2>&1 </dev/null || {
        for package in $missing; do
            # No base-files either: then the mirror did not answer.
            apt-cache policy "$package" | grep -q 'Candidate: [^(]' || [ -z "$(apt-cache madison base-files)" ] ||
                die "there is no $package for this machine ($(dpkg --print-architecture), Debian $(cat /etc/debian_version)): run this on Debian 12 or 13 for amd64 or arm64, and check /etc/apt/sources.list"
        done
        cat "$log" >&2
        die "apt-get could not install$missing; see its words above, and check /etc/apt/sources.list and the network"
    }
fi

# promtool FOLDER: Debian has it only beside a server, which its package starts; so it is taken out alone.
promtool() {
    local work
    [ ! -x "$1/promtool" ] || return 0
    echo "fetching promtool out of Debian's package prometheus" >&2
    work=$(mktemp -d)
    (
        cd "$work"
        apt-get download -q prometheus || { apt-get update -q && apt-get download -q prometheus; }
        dpkg-deb -x prometheus_*.deb .
    ) >"$work/log" 2>&1 </dev/null || {
        cat "$work/log" >&2
        die "promtool could not be fetched; see the words of apt-get above, and check /etc/apt/sources.list and the network"
    }
    install -m 755 "$work/usr/bin/promtool" "$1/promtool"
    rm -rf "$work"
}

# Two setups at once would tread on each other.
mkdir -p "$cache"
exec 9>"$cache/setup.lock"
flock 9

# shellcheck disable=SC2086
python=$(real_python $controller_pythons) ||
    die "no Python 3.11 or newer was found; on Debian 12 or 13: apt-get install python3 python3-venv"
case $("$python" -c 'import sys; print(sys.version_info[1])') in
11) core=2.19 ;;
*) core=2.21 ;;
esac
case $part in
run) venv "$cache/run" "$python" "$root/scripts/locks/core-$core.txt" ;;
*)
    venv "$root/.venv" "$python" "$root/requirements-dev.txt"
    promtool "$root/.venv/bin"
    "$root/scripts/other_collections.sh"
    ;;
esac
