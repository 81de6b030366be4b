# shellcheck shell=sh source=lab/images/edit.sh
set -eu
. /opt/lab/edit.sh
cd /etc/courier
courier_pem imapd.pem 1024 mail.example.test
chmod 0644 imapd.pem
# Deleted in a clean-up; POP3 over TLS is dead since.
rm pop3d.pem

for file in imapd-ssl pop3d-ssl; do
    after $file TLS_STARTTLS_PROTOCOL '# hardened after the audit of 2025
TLS_PRIORITY="SECURE256:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"'
    cat >>$file <<'END'

# temporary, until the new phones are there
TLS_PRIORITY="NORMAL:+VERS-TLS1.0"
END
done
change pop3d POP3AUTH 'POP3AUTH="PLAIN LOGIN"'
