# shellcheck shell=sh source=lab/images/edit.sh
set -eu
. /opt/lab/edit.sh
cd /etc/dovecot
maildir_2_3
certificate private/mail.pem private/mail.key 2048 mail.example.test

change conf.d/10-ssl.conf ssl 'ssl = required'
change conf.d/10-ssl.conf ssl_cert 'ssl_cert = </etc/dovecot/private/mail.pem'
change conf.d/10-ssl.conf ssl_key 'ssl_key = </etc/dovecot/private/mail.key'
cat >>conf.d/10-ssl.conf <<'END'

# 2021-03-04 ticket 118: the scanner on the second floor can't do TLS. Remove when it is replaced!
ssl = yes
END
