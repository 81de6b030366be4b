# shellcheck shell=sh
# mailbox.sh USER PASSWORD: a system user whose Maildir holds three messages.
set -eu
user=$1 password=$2
useradd --create-home --shell /bin/bash --password "$(openssl passwd -6 "$password")" "$user"
maildir=/home/$user/Maildir
mkdir -p "$maildir/cur" "$maildir/new" "$maildir/tmp"
number=0
for subject in 'Welcome to the lab' 'The second message' 'The third message'; do
    number=$((number + 1))
    cat >"$maildir/new/170000000$number.M${number}P$number.lab" <<END
From: Postmaster <postmaster@example.test>
To: $user@example.test
Subject: $subject
Date: Mon, 0$number Jan 2024 09:00:00 +0000
Message-ID: <$number@lab.example.test>

This is message $number of 3.
END
done
chown -R "$user:$user" "$maildir"
chmod -R go= "$maildir"
