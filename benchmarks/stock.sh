# Puts a Dovecot of the lab back to what its package installs, for benchmarks/probe.py:
#     lab/lab.py exec dovecot-trixie -- sh -s < benchmarks/stock.sh
# The lab's own state comes back with `lab/lab.py reset`.
#
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
set -eu
rm -rf /etc/dovecot
mkdir -p /etc/dovecot/private
cp -r /usr/share/dovecot/dovecot.conf /usr/share/dovecot/conf.d /etc/dovecot/
# As the package's postinst does it.
ln -s /etc/ssl/certs/ssl-cert-snakeoil.pem /etc/dovecot/private/dovecot.pem
ln -s /etc/ssl/private/ssl-cert-snakeoil.key /etc/dovecot/private/dovecot.key
systemctl restart dovecot
dovecot --version
