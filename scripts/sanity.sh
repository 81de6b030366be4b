#!/usr/bin/env bash
# ansible-test sanity on the artefact that scripts/artefact.sh has unpacked.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# ansible-test builds virtual environments with a get-pip.py that it fetches from a host of its own, which
# is one more thing to be offline. It is happy with a file of that name in its cache, so there it finds
# one that asks for the interpreter's bundled pip and then for PyPI. All of it under a home folder inside
# .cache, so that the person's own ~/.ansible stays as it is.
home=$cache/home
mkdir -p "$home/.ansible/test/cache"
[ ! -e "$HOME/.config/pip" ] || { mkdir -p "$home/.config" && ln -sfn "$HOME/.config/pip" "$home/.config/pip"; }
requirements=$("$root/.venv/bin/python" -c 'import ansible_test; print(ansible_test.__path__[0])')/_internal/python_requirements.py
sed -n "s/.*pip='\([0-9.]*\)'.*/\1/p" "$requirements" | while read -r version; do
    cat >"$home/.ansible/test/cache/get_pip_${version//./_}.py" <<'PYTHON'
import subprocess
import sys

wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", *wanted])
PYTHON
done

# Only real interpreters: a pyenv shim for a version that is not switched on looks like one and is none.
path=$root/.venv/bin
IFS=: read -ra folders <<<"$PATH"
for folder in "${folders[@]}"; do
    case $folder in *pyenv*) ;; *) path=$path:$folder ;; esac
done
version=$("$root/.venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
cd "$cache/stage/ansible_collections/postmaster/tls"
unset ANSIBLE_CONFIG ANSIBLE_COLLECTIONS_PATH
export PIP_QUIET=1
said=$(HOME=$home PATH=$path ansible-test sanity --local --python "$version" --color no "$@" 2>&1) || {
    echo "$said"
    exit 1
}
echo "$said"
case $said in *"All targets skipped"*) die "ansible-test found no file to look at" ;; esac
