# shellcheck shell=sh source=lab/images/edit.sh
# shellcheck disable=SC2016
set -eu
. /opt/lab/edit.sh
cd /etc/courier
courier_pem imapd.pem 2048 mail.example.test
courier_pem pop3d.pem 2048 mail.example.test

# From a how-to. Debian's Courier is linked to GnuTLS, which reads neither.
for file in imapd-ssl pop3d-ssl; do
    change $file TLS_CIPHER_LIST 'TLS_CIPHER_LIST="HIGH:!aNULL:!MD5:!3DES"'
    change $file TLS_STARTTLS_PROTOCOL 'TLS_PROTOCOL="TLSv1.2+"
TLS_STARTTLS_PROTOCOL="$TLS_PROTOCOL"'
done
# The right variable in the wrong file: imapd-ssl is read after imapd, and says 0.
cat >>imapd <<'END'

# No plaintext passwords! 2024-05-14
IMAP_TLS_REQUIRED=1
END
