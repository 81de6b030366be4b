# shellcheck shell=sh source=lab/images/edit.sh
# shellcheck disable=SC2016
set -eu
. /opt/lab/edit.sh
cd /etc/courier
courier_pem courier-trixie.example.test.pem 2048 mail.example.test

change imapd PORT '# 1143 is for the ticket system
PORT=143,1143'
# Required, but there is no STARTTLS on offer: then Courier requires nothing.
change imapd-ssl IMAPDSTARTTLS 'IMAPDSTARTTLS=NO'
change imapd-ssl IMAP_TLS_REQUIRED 'IMAP_TLS_REQUIRED=1'
for file in imapd-ssl pop3d-ssl; do
    # One configuration for all our mail hosts: values that only the shell knows.
    change $file TLS_CERTFILE 'TLS_CERTFILE=/etc/courier/`hostname`.pem'
    after $file TLS_STARTTLS_PROTOCOL 'TLS_BASE="NORMAL:%COMPAT"
# the old phones
TLS_PRIORITY="$TLS_BASE:+VERS-TLS1.0:+VERS-TLS1.1:+3DES-CBC"'
done
