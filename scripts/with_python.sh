#!/usr/bin/env bash
# Runs Python of a given version with what a lock says, whether or not this machine has that version.
#   scripts/with_python.sh LOCK "MINOR..." ARGUMENT...     e.g. node-3.9 "9" -m pytest
# The first minor version of Python 3 in the list that is installed is taken. Where none is, the Debian
# release that carries one is unpacked below .cache (as root) and entered by chroot: same files, same
# network, another Python. Exit code 77 with a reason: neither was possible.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
declare -A suites=([9]=bullseye [11]=bookworm [13]=trixie)

not_possible() {
    echo "$*" >&2
    exit 77
}

# unpacked SUITE: print the folder of a small Debian with Python and an SSH client, made on the first call.
unpacked() {
    local folder=$cache/debian/$1 mirror
    if [ ! -e "$folder/.complete" ]; then
        rm -rf "$folder"
        mkdir -p "$folder"
        # The one mirror that this machine itself uses; mmdebstrap's default where apt names none or several.
        # shellcheck disable=SC2016
        mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | sort -u)
        [ "$(wc -w <<<"$mirror")" = 1 ] || mirror=
        # shellcheck disable=SC2086
        mmdebstrap --quiet --variant=minbase --include=python3,openssh-client,ca-certificates \
            --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
            --dpkgopt=force-unsafe-io "$1" "$folder" $mirror >&2
        # Whoever copies this checkout must not read /dev/zero to its end; this machine's own /dev is mounted there.
        find "$folder/dev" -mindepth 1 -delete
        touch "$folder/.complete"
    fi
    echo "$folder"
}

lock=$1
minors=$2
shift 2
enter=()
# shellcheck disable=SC2086
if python=$(real_python $minors); then
    minor=$("$python" -c 'import sys; print(sys.version_info[1])')
else
    minor=
    for candidate in $minors; do
        [ -n "$minor" ] || [ -z "${suites[$candidate]:-}" ] || minor=$candidate
    done
    [ -n "$minor" ] || not_possible "no Python 3.${minors// / or 3.} here, and no Debian release to take it from"
    [ "$(id -u)" = 0 ] || not_possible "no Python 3.$minor here; as root it would be taken from Debian ${suites[$minor]}"
    command -v mmdebstrap >/dev/null || not_possible "no Python 3.$minor here; apt-get install mmdebstrap cures it"
    folder=$(exec 9>"$cache/debian.lock" && flock 9 && unpacked "${suites[$minor]}") ||
        not_possible "no Python 3.$minor here, and Debian ${suites[$minor]} could not be unpacked (its words are above)"
    python=/usr/bin/python3
    # shellcheck disable=SC2016
    enter=(unshare --mount bash -c 'set -e
        mkdir -p "$1$2"
        for place in "$2" /dev /proc /sys; do mount --rbind "$place" "$1$place"; done
        exec chroot "$1" /bin/sh -c "cd \"\$1\" && shift && exec \"\$@\"" sh "$PWD" "${@:3}"' bash "$folder" "$root")
fi

# The packages lie in a plain folder, so that a Python inside a chroot reads them just as well; and they are
# made for a C library as old as that of the oldest Debian above (2.31), which may be older than this machine's.
packages=$cache/packages/$lock-py3.$minor
platform=$(uname -m)-manylinux_2_28
stamp=$({ echo "$platform"; cat "$root/scripts/locks/$lock.txt"; } | sha256sum)
if [ "$(cat "$packages/.stamp" 2>/dev/null)" != "$stamp" ]; then
    rm -rf "$packages"
    "$(uv_program)" pip install --quiet --require-hashes --only-binary :all: --target "$packages" \
        --python-version "3.$minor" --python-platform "$platform" -r "$root/scripts/locks/$lock.txt" >&2
    echo "$stamp" >"$packages/.stamp"
fi
export PYTHONPATH=$packages${PYTHONPATH:+:$PYTHONPATH} PATH=$packages/bin:$PATH
exec "${enter[@]}" "$python" "$@"
