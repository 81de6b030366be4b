# shellcheck shell=sh
# What a careful administrator does to the lab's dovecot-bookworm by hand, in Debian's own places.
set -eu
cd /etc/dovecot
openssl req -x509 -newkey rsa:3072 -nodes -days 90 -sha256 -subj /CN=mail.example.test \
    -addext subjectAltName=DNS:mail.example.test -keyout private/mail.key -out private/mail.pem 2>/dev/null
chmod 0600 private/mail.key
rm conf.d/99-legacy.conf
sed -i 's/^#disable_plaintext_auth = .*/disable_plaintext_auth = yes/' conf.d/10-auth.conf
sed -i -e 's/^ssl = .*/ssl = required/' \
    -e 's/^ssl_min_protocol = .*/ssl_min_protocol = TLSv1.2/' \
    -e 's/^ssl_dh = /#&/' \
    -e 's/^ssl_cipher_list = .*/ssl_cipher_list = ECDHE+AESGCM:ECDHE+CHACHA20:!SHA1/' conf.d/10-ssl.conf
cat >>conf.d/10-logging.conf <<'END'
login_log_format_elements = user=<%u> method=%m rip=%r lip=%l mpid=%e %c %k session=<%{session}>
END
systemctl reload dovecot.service
