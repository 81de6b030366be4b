# shellcheck shell=sh
# A host without a mail server: nothing to configure, and nothing to find.
