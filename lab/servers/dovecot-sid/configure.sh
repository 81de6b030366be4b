# shellcheck shell=sh source=lab/images/edit.sh
set -eu
. /opt/lab/edit.sh
cd /etc/dovecot
maildir_2_4
# The certificate was never ordered: "we will do TLS later".
change conf.d/10-ssl.conf ssl 'ssl = no'
change conf.d/10-ssl.conf ssl_server_cert_file '#ssl_server_cert_file = /etc/ssl/certs/mail.example.test.pem'
change conf.d/10-ssl.conf ssl_server_key_file '#ssl_server_key_file = /etc/ssl/private/mail.example.test.key'
change conf.d/10-auth.conf auth_allow_cleartext 'auth_allow_cleartext = yes'
rm -f private/dovecot.pem private/dovecot.key
