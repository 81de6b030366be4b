# shellcheck shell=sh
# Sourced by servers/HOST/configure.sh: edit Debian's stock files in place, as
# an administrator would. An edit that finds nothing to edit stops the build.
set -eu

# change FILE NAME TEXT: put TEXT in the place of the first line that sets NAME, if only in a comment.
change() {
    edit "$1" "^ *#? ?$2 ?=" '' "$3"
}

# after FILE NAME TEXT: put TEXT below the first line that sets NAME.
after() {
    edit "$1" "^ *$2 ?=" keep "$3"
}

# within FILE BLOCK TEXT: put TEXT below the first line that opens BLOCK.
within() {
    edit "$1" "^ *$2 \\{" keep "$3"
}

# edit FILE REGEX KEEP TEXT: the first line that matches gives way to TEXT, or is kept above it.
edit() {
    grep -qE "$2" "$1" || { echo "$1: no line matches $2" >&2; exit 1; }
    REGEX=$2 KEEP=$3 TEXT=$4 awk '
        !done && $0 ~ ENVIRON["REGEX"] { if (ENVIRON["KEEP"]) print; print ENVIRON["TEXT"]; done = 1; next }
        { print }' "$1" >"$1.new"
    cat "$1.new" >"$1"
    rm "$1.new"
}

# certificate CERT KEY BITS NAME...: a self-signed RSA pair for these names.
certificate() {
    cert=$1 key=$2 bits=$3 name=$4
    shift 3
    names=$(printf 'DNS:%s,' "$@")
    openssl req -x509 -newkey "rsa:$bits" -nodes -days 3650 -sha256 -subj "/O=Example Lab/CN=$name" \
        -addext "subjectAltName=${names%,}" -keyout "$key" -out "$cert" 2>/dev/null
    chmod 0644 "$cert"
    chmod 0600 "$key"
}

# maildir_2_3, maildir_2_4: Dovecot reads ~/Maildir instead of Debian's mbox.
maildir_2_3() {
    change /etc/dovecot/conf.d/10-mail.conf mail_location 'mail_location = maildir:~/Maildir'
}
maildir_2_4() {
    change /etc/dovecot/conf.d/10-mail.conf mail_driver 'mail_driver = maildir'
    change /etc/dovecot/conf.d/10-mail.conf mail_path 'mail_path = %{home}/Maildir'
    change /etc/dovecot/conf.d/10-mail.conf mail_inbox_path '# mail_inbox_path: not with Maildir'
}

# courier_pem FILE BITS NAME...: key and certificate in one file, as Courier wants it.
courier_pem() {
    file=$1
    shift
    certificate "$file.cert" "$file.key" "$@"
    cat "$file.key" "$file.cert" >"$file"
    rm "$file.key" "$file.cert"
    chown root:courier "$file"
    chmod 0640 "$file"
}
