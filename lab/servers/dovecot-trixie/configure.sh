# shellcheck shell=sh source=lab/images/edit.sh
set -eu
. /opt/lab/edit.sh
cd /etc/dovecot
maildir_2_4
certificate private/mail.pem private/mail.key 2048 mail.example.test imap.example.test pop.example.test
certificate private/old.pem private/old.key 2048 mail.old.example.test
printf '%s:%s::::::\n' sieve-admin "$(openssl passwd -6 "$(openssl rand -hex 16)")" >users
chown root:dovecot users
chmod 0640 users

change conf.d/10-ssl.conf ssl_server_cert_file 'ssl_server_cert_file = /etc/dovecot/private/mail.pem'
change conf.d/10-ssl.conf ssl_server_key_file 'ssl_server_key_file = /etc/dovecot/private/mail.key'
change conf.d/10-ssl.conf ssl_min_protocol '# from a how-to: "best compatibility"
ssl_min_protocol = TLSv1
ssl_cipher_list = ALL:!aNULL:!eNULL:@SECLEVEL=0
ssl_curve_list = X25519:prime256v1:secp384r1'
cat >>conf.d/10-ssl.conf <<'END'

# The domain from before the merger, until its last users have moved.
local_name mail.old.example.test {
  ssl_server_cert_file = /etc/dovecot/private/old.pem
  ssl_server_key_file = /etc/dovecot/private/old.key
  ssl_min_protocol = TLSv1
}
END

change conf.d/10-auth.conf auth_allow_cleartext 'auth_allow_cleartext = no'
# The till in the shop fetches its orders by POP3.
within conf.d/20-pop3.conf 'protocol pop3' '  # The till in the shop fetches its orders by POP3 and can not do TLS.
  auth_allow_cleartext = yes'
within conf.d/10-master.conf 'service imap-login' '  # for the ticket system
  inet_listener imap-tickets {
    port = 1143
  }'
within conf.d/10-master.conf 'service lmtp' '  # Postfix delivers here
  inet_listener lmtp {
    listen = 127.0.0.1
    port = 24
  }'
