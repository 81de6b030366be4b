# shellcheck shell=sh source=lab/images/edit.sh
set -eu
. /opt/lab/edit.sh
cd /etc/dovecot
maildir_2_3
certificate private/mail.pem private/mail.key 1024 mail.example.test
certificate private/webmail.pem private/webmail.key 2048 webmail.example.test
openssl dhparam -out dh1024.pem 1024 2>/dev/null
chmod 0644 private/mail.key

change conf.d/10-ssl.conf ssl_cert 'ssl_cert = </etc/dovecot/private/mail.pem'
change conf.d/10-ssl.conf ssl_key 'ssl_key = </etc/dovecot/private/mail.key'
change conf.d/10-ssl.conf ssl_dh 'ssl_dh = </etc/dovecot/dh1024.pem'
change conf.d/10-ssl.conf ssl_min_protocol '# Windows 7 in the workshop
ssl_min_protocol = TLSv1'
change conf.d/10-ssl.conf ssl_cipher_list '# SECLEVEL=0: else OpenSSL 3 refuses the old certificate and TLS 1.0
ssl_cipher_list = ALL:!aNULL:!eNULL:@SECLEVEL=0'
cat >>conf.d/10-ssl.conf <<'END'

# webmail has a certificate of its own
local_name webmail.example.test {
  ssl_cert = </etc/dovecot/private/webmail.pem
  ssl_key = </etc/dovecot/private/webmail.key
}
END

# Outlook Express wants LOGIN
change conf.d/10-auth.conf auth_mechanisms '# Outlook Express wants LOGIN
auth_mechanisms = plain login'
within conf.d/10-master.conf 'service imap-login' '  # through the hotel firewall
  inet_listener imaps-travel {
    port = 10993
    ssl = yes
  }'
within conf.d/10-master.conf 'service lmtp' '  # Postfix delivers here
  inet_listener lmtp {
    address = 127.0.0.1
    port = 24
  }'
