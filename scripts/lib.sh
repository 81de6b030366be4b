# shellcheck shell=bash
# What the scripts of this folder share. Sourced, never run.
# It knows where things lie and which Python is a real one; it changes nothing by itself.
#
# SPDX-License-Identifier: GPL-3.0-or-later

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=$root/.cache
# A plain user's PATH lacks the folder of chroot, and so does a stripped root's.
export PATH=$PATH:/usr/sbin
export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# real_python MINOR...: print the first interpreter that is one of these minor versions of Python 3.
# A name on PATH may be a pyenv shim for a version that is not switched on, so each candidate is run
# and asked for its true path, outside of a virtual environment that may be made anew; pyenv's own folders are searched as well.
real_python() {
    local minor candidate
    for minor in "$@"; do
        for candidate in "python3.$minor" python3 /usr/bin/python3 \
            "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$minor."*/bin/python3; do
            "$candidate" -c "
import ssl, sys
if sys.version_info[:2] != (3, $minor): sys.exit(1)
print(sys._base_executable)" 2>/dev/null && return 0
        done
    done
    return 1
}

# The newest ansible-core that each Python takes: 2.21 from 3.12 on, 2.19 on 3.11.
controller_pythons="13 12 14 11"

# locked NAME FILE: print the entry of one package, with its hashes, out of a lock.
locked() {
    awk -v name="$1==" 'index($0, name) == 1 {on = 1; print; next} on && /^ .*--hash/ {print; next} {on = 0}' "$2"
}

# venv FOLDER PYTHON LOCK: a virtual environment that holds exactly what LOCK says; no work when it already does.
# uv comes from PyPI like everything else, pinned by hash in requirements-dev.txt.
venv() {
    local folder=$1 python=$2 lock=$3 stamp
    stamp=$({ echo "$folder"; cat "$lock"; } | sha256sum)
    [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$stamp" ] && [ -x "$folder/bin/python" ] && return 0
    echo "installing ${lock#"$root"/} into ${folder#"$root"/}" >&2
    rm -rf "$folder"
    "$python" -m venv "$folder"
    "$(uv_program)" pip sync --quiet --require-hashes --python "$folder/bin/python" "$lock"
    echo "$stamp" >"$folder/.stamp"
}

# uv_program: print the path of the pinned uv, installing it on the first call.
uv_program() {
    local version uv=$cache/uv
    version=$(locked uv "$root/requirements-dev.txt" | sed -n 's/^uv==\([^ ;]*\).*/\1/p')
    if [ "$("$uv/bin/uv" --version 2>/dev/null | cut -d' ' -f2)" != "$version" ]; then
        rm -rf "$uv"
        # shellcheck disable=SC2086
        "$(real_python $controller_pythons)" -m venv "$uv"
        "$uv/bin/python" -m pip install -qq --require-hashes -r <(locked uv "$root/requirements-dev.txt") >&2
    fi
    echo "$uv/bin/uv"
}
