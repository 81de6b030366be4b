# shellcheck shell=sh
# Five ways to drift, as it happens: by hand, in a hurry, and by an upgrade's question answered with "yes".
set -eu
cd /etc/dovecot
# 1. a drop-in is edited, and 2. a protocol gets an exception; the server is told of both
sed -i 's/^ssl_min_protocol = .*/ssl_min_protocol = TLSv1.1/' conf.d/99-postmaster-tls.conf
printf 'protocol pop3 {\n  ssl_min_protocol = TLSv1\n}\n' >>local.conf
systemctl reload dovecot.service
# 3. the package's own version of a file is taken
cp conf.d/10-auth.conf /root/10-auth.conf
cp /usr/share/dovecot/conf.d/10-auth.conf conf.d/10-auth.conf
# 4. a unit of old is enabled again
systemctl enable --quiet dovecot.socket
# 5. a new certificate is put in place and nobody tells the server. It reads a pair when it is asked for it first:
# asked before, each of its programs goes on with the old one.
for door in '993' '995' '143 -starttls imap' '110 -starttls pop3' '4190 -starttls sieve'; do
    # shellcheck disable=SC2086
    openssl s_client -connect 127.0.0.1:$door </dev/null >/dev/null 2>&1
done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj /CN=mail.example.test \
    -addext subjectAltName=DNS:mail.example.test -keyout private/mail.key -out private/mail.pem 2>/dev/null
