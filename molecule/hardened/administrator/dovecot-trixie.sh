# shellcheck shell=sh
# What a careful administrator does to the lab's dovecot-trixie by hand: TLS 1.3 only, which is more than the profile asks.
set -eu
cd /etc/dovecot
sed -i 's/^  auth_allow_cleartext = yes/  # as everybody now/' conf.d/20-pop3.conf
sed -i -e 's/^ssl = .*/ssl = required/' \
    -e 's/^ssl_min_protocol = .*/ssl_min_protocol = TLSv1.3/' \
    -e 's/^  ssl_min_protocol = .*/  ssl_min_protocol = TLSv1.3/' \
    -e 's/^ssl_cipher_list = .*/ssl_cipher_list = ECDHE+AESGCM:ECDHE+CHACHA20/' \
    -e 's/^ssl_curve_list = /#&/' conf.d/10-ssl.conf
cat >>conf.d/10-logging.conf <<'END'
login_log_format_elements = user=<%{user}> method=%{mechanism} rip=%{remote_ip} lip=%{local_ip} %{secured} %{ssl_security}
END
systemctl reload dovecot.service
