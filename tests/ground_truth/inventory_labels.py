# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labelled servers for what only depth ``full`` sees: signatures, renegotiation, several keys.

As in labels.py, a label follows from the options alone. ``facts``: signs12 and signs13 (all
schemes of that version; the others are refused), renegotiation, keys (the certificates that are
served to who asks for each kind), order12 (whose order of suites wins), staple (an OCSP response
comes with the certificate), asks (for a client certificate), dh12 (the names of finite fields),
fallback (one that says so is refused), tickets, hint (their lifetime in seconds), resumes, stranger
(a name that nobody has is served), named, unnamed and unknown (the kind of key that is served to
who asks for NAME, for none and for that one), heartbeat, etm, ems and secure (extensions of TLS 1.2 that are answered).
"""

from __future__ import annotations

from ansible_collections.postmaster.tls.tests.ground_truth.labels import MODERN, T12, T13, Label

PSS, PKCS1, SHA224, SHA1 = {0x0804, 0x0805, 0x0806}, {0x0401, 0x0501, 0x0601}, 0x0301, 0x0201
P256, P384, ED25519 = 0x0403, 0x0503, 0x0807
RSA12, ONE = f"-tls1_2 {MODERN}", "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256"
DHE = "DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
NAME = "mail.example.test"
"""The name that is asked for (SNI)."""
SECOND = "-cert2 {folder}/p256.pem -key2 {folder}/p256.pem"
DUAL = "-dcert {folder}/p256.pem -dkey {folder}/p256.pem"

# fmt: off
OPENSSL: tuple[Label, ...] = (
    # Signature schemes. By default all that level 2 of Debian or level 1 of OpenSSL lets through.
    Label("all of RSA", (T12,), options=RSA12, facts={"signs12": {*PSS, *PKCS1, SHA224}, "keys": 1}),
    Label("all of RSA, one suite", (T12,), options=ONE, facts={"signs12": {*PSS, *PKCS1, SHA224}}),
    Label("its own order", (T12,), options=f"{RSA12} -serverpref", facts={"signs12": {*PSS, *PKCS1, SHA224}, "order12": "server"}),
    Label("SHA-1 too", (T12,), options="-tls1_2 -cipher ECDHE+AESGCM:@SECLEVEL=0", facts={"signs12": {*PSS, *PKCS1, SHA224, SHA1}}),
    Label("one of RSA-PSS", (T12,), options=f"{RSA12} -sigalgs RSA-PSS+SHA256", facts={"signs12": {0x0804}}),
    Label("two of PKCS #1", (T12,), options=f"{RSA12} -sigalgs RSA+SHA512:RSA+SHA256", facts={"signs12": {0x0601, 0x0401}}),
    Label("ECDSA", (T12,), options=f"{RSA12} -sigalgs ECDSA+SHA256:ECDSA+SHA384", certificate="p256", facts={"signs12": {P256, P384}}),
    Label("Ed25519", (T12, T13), options=MODERN, certificate="ed25519", facts={"signs12": {ED25519}, "signs13": {ED25519}}),
    Label("1.3, RSA", (T13,), options="-tls1_3", facts={"signs13": PSS, "renegotiation": None, "keys": 0}),
    Label("1.3, one of RSA-PSS", (T13,), options="-tls1_3 -sigalgs RSA-PSS+SHA384", facts={"signs13": {0x0805}}),
    Label("1.3, P-256", (T13,), options="-tls1_3", certificate="p256", facts={"signs13": {P256}}),
    Label("1.3, P-384", (T13,), options="-tls1_3", certificate="p384", facts={"signs13": {P384}}),
    Label("both, one suite of 1.3", (T12, T13), options=f"{MODERN} -ciphersuites TLS_AES_128_GCM_SHA256", facts={"signs12": {*PSS, *PKCS1, SHA224}, "signs13": PSS}),
    # Keys
    Label("two keys", (T12, T13), options=f"{MODERN} {DUAL} -sigalgs RSA-PSS+SHA256:ECDSA+SHA256", facts={"signs12": {0x0804, P256}, "signs13": {0x0804, P256}, "keys": 2}),
    Label("two keys, 1.3 only", (T13,), options=f"-tls1_3 {DUAL}", facts={"signs13": {*PSS, P256}, "keys": 2}),
    # What TLS 1.3 encrypts
    Label("staples", (T12, T13), options=f"{MODERN} -status_file {{folder}}/ocsp.der", facts={"staple": True, "asks": False}),
    Label("staples nothing", (T12, T13), options=MODERN, facts={"staple": False}),
    Label("1.3, staples", (T13,), options="-tls1_3 -status_file {folder}/ocsp.der", facts={"staple": True, "asks": False}),
    Label("1.3, staples nothing", (T13,), options="-tls1_3", facts={"staple": False}),
    Label("asks for a certificate", (T12, T13), options=f"{MODERN} -verify 1", facts={"asks": True}),
    Label("1.3, asks for a certificate", (T13,), options="-tls1_3 -verify 1", facts={"asks": True, "staple": False}),
    Label("1.3, wants a certificate", (T13,), options="-tls1_3 -Verify 1", facts={"asks": True}),
    # Finite fields of TLS 1.2
    *(
        Label(f"DHE of {name}", (T12,), options=f"-tls1_2 -cipher {cipher} -dhparam {{folder}}/{file}.pem", facts={"dh12": (name,)})
        for name, cipher, file in (
            ("ffdhe2048", DHE, "ffdhe2048"),
            ("ffdhe8192", DHE, "ffdhe8192"),
            ("RFC 3526 group 14, 2048 bits", DHE, "RFC-3526-group-14-2048-bits"),
            ("RFC 3526 group 16, 4096 bits", DHE, "RFC-3526-group-16-4096-bits"),
            ("RFC 3526 group 5, 1536 bits", f"{DHE}:@SECLEVEL=0", "RFC-3526-group-5-1536-bits"),
            ("RFC 2409 group 2, 1024 bits", f"{DHE}:@SECLEVEL=0", "RFC-2409-group-2-1024-bits"),
            ("custom, 2048 bits", DHE, "custom-2048-bits"),
        )
    ),
    Label("no finite field", (T12,), options=RSA12, facts={"dh12": ()}),
    # A fallback is refused where something better is spoken (SSL_CTX_set_mode(3)).
    Label("two versions", (T12, T13), options=MODERN, facts={"fallback": True}),
    Label("one version", (T12,), options=RSA12, facts={"fallback": None}),
    # Sessions: a ticket lives as long as the session, two hours by default.
    Label("1.2, tickets", (T12,), options=RSA12, facts={"tickets": True, "hint": 7200, "resumes": True}),
    Label("1.2, no tickets", (T12,), options=f"{RSA12} -no_ticket", facts={"tickets": False, "hint": None, "resumes": True}),
    Label("1.2, nothing kept", (T12,), options=f"{RSA12} -no_ticket -no_cache", facts={"tickets": False, "resumes": False}),
    Label("1.3, tickets", (T13,), options="-tls1_3", facts={"tickets": True, "hint": 7200, "resumes": True}),
    Label("1.3, no tickets", (T13,), options="-tls1_3 -num_tickets 0", facts={"hint": None, "resumes": False}),
    # Names: the one of the second certificate, and what others get.
    Label("serves all names", (T12, T13), options=MODERN, facts={"stranger": True, "named": "rsa", "unnamed": "rsa", "unknown": "rsa"}),
    Label("serves its own name", (T12, T13), options=f"{MODERN} -servername {NAME} {SECOND} -servername_fatal", facts={"stranger": False, "named": "ec", "unnamed": "rsa", "unknown": None}),
    Label("warns of other names", (T12, T13), options=f"{MODERN} -servername {NAME} {SECOND}", facts={"stranger": True, "named": "ec", "unnamed": "rsa", "unknown": "rsa"}),
    # What is answered up to TLS 1.2.
    Label("CBC", (T12,), options="-tls1_2 -cipher ECDHE-RSA-AES128-SHA:@SECLEVEL=0", facts={"etm": True, "ems": True, "secure": True, "heartbeat": False}),
    Label("CBC, no encrypt-then-MAC", (T12,), options="-tls1_2 -cipher ECDHE-RSA-AES128-SHA:@SECLEVEL=0 -no_etm", facts={"etm": False}),
    Label("no CBC", (T12,), options=RSA12, facts={"etm": None, "heartbeat": False}),
    # Renegotiation: off by default since OpenSSL 3.0
    Label("renegotiates", (T12,), options=f"{RSA12} -client_renegotiation", facts={"renegotiation": True}),
    Label("renegotiates, 1.3 too", (T12, T13), options=f"{MODERN} -client_renegotiation", facts={"renegotiation": True}),
    Label("does not renegotiate", (T12,), options=RSA12, facts={"renegotiation": False}),
    Label("may not renegotiate", (T12, T13), options=f"{MODERN} -client_renegotiation -no_renegotiation", facts={"renegotiation": False}),
)

_G = "-a --priority NORMAL:-VERS-ALL:+VERS-"
_PSS = ":-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256"

# gnutls-serv makes a handshake of each that a client begins.
GNUTLS: tuple[Label, ...] = (
    Label("one of RSA-PSS", (T12,), options=f"{_G}TLS1.2{_PSS}", facts={"signs12": {0x0804}, "renegotiation": True}),
    Label("two of RSA", (T12,), options=f"{_G}TLS1.2{_PSS}:+SIGN-RSA-SHA512", facts={"signs12": {0x0804, 0x0601}}),
    Label("1.3, one of RSA-PSS", (T13,), options=f"{_G}TLS1.3{_PSS}", facts={"signs13": {0x0804}, "renegotiation": None}),
    Label("1.3, P-256", (T13,), options=f"{_G}TLS1.3:-SIGN-ALL:+SIGN-ECDSA-SECP256R1-SHA256", certificate="p256", facts={"signs13": {P256}}),
    Label("1.2 and 1.3", (T12, T13), options=f"{_G}TLS1.3:+VERS-TLS1.2", facts={"signs13": PSS}),
    Label("1.3, asks for a certificate", (T13,), options=f"{_G}TLS1.3"[3:], facts={"asks": True}),
    Label("1.2, no tickets", (T12,), options=f"--noticket {_G}TLS1.2", facts={"tickets": False, "hint": None}),
    Label("heartbeat", (T12,), options=f"--heartbeat {_G}TLS1.2", facts={"heartbeat": True}),
    Label("1.2, no renegotiation info", (T12,), options=f"{_G}TLS1.2:%DISABLE_SAFE_RENEGOTIATION", facts={"secure": False}),
    Label("serves its own name", (T12, T13), options=f"--sni-hostname={NAME} --sni-hostname-fatal {_G}TLS1.3:+VERS-TLS1.2", facts={"stranger": False}),
)

# tlslite-ng: by its own defaults RSA-PSS and PKCS #1 with SHA-256 and better, and SHA-1 or SHA-224.
TLSLITE: tuple[Label, ...] = (
    Label("one of RSA-PSS", (T12,), options="minVersion=3.3 maxVersion=3.3 rsaSigHashes=sha256 rsaSchemes=pss", facts={"signs12": {0x0804}}),
    Label("1.3, two of RSA-PSS", (T13,), options="minVersion=3.4 maxVersion=3.4 rsaSigHashes=sha256,sha384 eccCurves=x25519", facts={"signs13": {0x0804, 0x0805}}),
    Label("no extended master secret", (T12,), options="minVersion=3.3 maxVersion=3.3 useExtendedMasterSecret=false", facts={"ems": False}),
    Label("extended master secret", (T12,), options="minVersion=3.3 maxVersion=3.3", facts={"ems": True, "secure": True}),
)
