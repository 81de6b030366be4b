# shellcheck shell=sh
# What a careful administrator does to the lab's courier-trixie by hand: TLS 1.3 only, which is more than the profile asks.
set -eu
cd /etc/courier
sed -i -e 's/^IMAPDSTARTTLS=.*/IMAPDSTARTTLS=YES/' \
    -e 's/^POP3_STARTTLS=.*/POP3_STARTTLS=YES/' \
    -e 's/^POP3_TLS_REQUIRED=.*/POP3_TLS_REQUIRED=1/' \
    -e '/^TLS_BASE=/d' -e '/^# the old phones/d' \
    -e 's/^TLS_PRIORITY=.*/TLS_PRIORITY="SECURE128:-VERS-ALL:+VERS-TLS1.3"/' imapd-ssl pop3d-ssl
systemctl restart courier-imap courier-imap-ssl courier-pop courier-pop-ssl
