#!/usr/bin/env bash
# Puts the collections of requirements.yml, which the tests of one provider need, into the developers' environment.
# They come out of the `ansible` wheel on PyPI, pinned by hash (locks/collections.txt): it is fetched once, and only
# the named folders are unpacked, where `pip install ansible` would put them. So Galaxy is not needed.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

lock=$root/scripts/locks/collections.txt
python=$root/.venv/bin/python
folder=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ansible_collections
stamp=$(cat "$lock" "$root/requirements.yml" | sha256sum)
[ "$(cat "$folder/.stamp" 2>/dev/null)" != "$stamp" ] || exit 0

uv=$(uv_program)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "taking collections out of $(sed -n 's/^\(ansible==[^ ]*\).*/\1/p' "$lock")" >&2
# It is only unpacked, so this machine's own Python need not be one that it runs on.
"${uv%/*}/python" -m pip download -qq --no-deps --require-hashes --only-binary=:all: --python-version=3.13 \
    --dest "$work" -r "$lock" >&2
"$python" - "$work"/*.whl "$folder" "$root/requirements.yml" <<'PYTHON'
import pathlib
import shutil
import sys
import zipfile

import yaml

wheel, folder, requirements = map(pathlib.Path, sys.argv[1:])
names = [each["name"] for each in yaml.safe_load(requirements.read_text())["collections"]]
with zipfile.ZipFile(wheel) as archive:
    for name in names:
        below = f"{folder.name}/{name.replace('.', '/')}/"
        members = [member for member in archive.namelist() if member.startswith(below)]
        if not members:
            sys.exit(f"{wheel.name} holds no {name}")
        shutil.rmtree(folder.parent / below, ignore_errors=True)
        archive.extractall(folder.parent, members)
PYTHON
echo "$stamp" >"$folder/.stamp"
