# shellcheck shell=sh
# Three ways to drift: one more port, Courier's second file, and the policy of the library that it is linked to.
set -eu
# 6. a plain listener
sed -i 's/^PORT=.*/PORT=143,1143,1144/' /etc/courier/imapd
systemctl restart courier-imap.service
# 7. the file that is read second
echo 'POP3_TLS_REQUIRED=0' >>/etc/courier/pop3d-ssl
# 8. GnuTLS itself is told what not to speak
mkdir -p /etc/gnutls
printf '[overrides]\ndisabled-version = tls1.3\n' >/etc/gnutls/config
