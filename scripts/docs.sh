#!/usr/bin/env bash
# The documentation of all plugins in the artefact, as Galaxy and docs sites read it.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"
echo '[defaults]' >"$cache/empty.cfg"
cd "$cache/stage/ansible_collections/postmaster/tls"
ANSIBLE_CONFIG=$cache/empty.cfg antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck .
