# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that are labelled: how each is started, and what is therefore true of it.

A label follows from the options alone (openssl-s_server(1), gnutls-serv(1), tlslite-ng's
HandshakeSettings), never from what a scanner said. ``versions`` and ``families`` are complete:
what they do not name is refused. The other facts are told where the options decide them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SSL3, T10, T11, T12, T13 = "ssl3", "tls1.0", "tls1.1", "tls1.2", "tls1.3"
CBC, RSA, DHE, BROKEN = "cbc", "static_rsa", "dhe", "broken"
X25519, P256, P384, P521, X448 = 29, 23, 24, 25, 30
EMS, ETM, TICKET, SECURE = 23, 22, 35, 0xFF01


@dataclass(frozen=True)
class Label:
    """A server. ``options`` are words of a command line, or settings by name for tlslite-ng.

    ``facts``: chain (its length), group12, group13, suite12, suite13, dh_bits, signature, asks
    (a client certificate), alpn (of our handshake), foreign (another protocol's name is served),
    has and lacks (extensions in the answer to the hello of TLS 1.2), handshake (its version),
    alert (of the local library's handshake, where that fails).
    """

    name: str
    versions: tuple[str, ...]
    families: tuple[str, ...] = ()
    options: str = ""
    certificate: str = "rsa"
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Since:
    """A fact that differs between releases of a program: from ``version`` on, and before."""

    version: tuple[int, ...]
    then: Any
    before: Any

    def of(self, version: tuple[int, ...]) -> Any:
        """What is true of the program in that version."""
        return self.then if version >= self.version else self.before


FIRST_GROUP = Since((3, 5), 0x11EC, X25519)
"""What OpenSSL takes first of its own default list: the hybrid X25519MLKEM768 since 3.5."""
OLD = "-cipher ALL:@SECLEVEL=0"
ALL = (CBC, RSA, DHE)
MODERN = "-cipher ECDHE+AESGCM"


def _only(suites: str, level: int = 0) -> str:
    return f"-tls1_2 -cipher {suites}:@SECLEVEL={level}"


# fmt: off
# openssl s_server, 3.0 to 3.5; without a configuration file, so that its own defaults count:
# SECLEVEL 1 of OpenSSL 3.0, or 2 of Debian's, both with TLS 1.2 at least and all three families.
OPENSSL: tuple[Label, ...] = (
    # Versions
    Label("modern", (T12, T13), (), MODERN, facts={"chain": 1, "group12": X25519, "suite12": 0xC030}),
    Label("TLS 1.3 only", (T13,), (), "-tls1_3", facts={"handshake": 0x0304, "group13": FIRST_GROUP}),
    Label("TLS 1.2 only", (T12,), (), f"-tls1_2 {MODERN}", facts={"handshake": 0x0303}),
    Label("TLS 1.1 only", (T11,), (), f"-tls1_1 {OLD}", facts={"handshake": 0x0302}),
    Label("TLS 1.0 only", (T10,), (), f"-tls1 {OLD}", facts={"handshake": 0x0301}),
    Label("all versions", (T10, T11, T12, T13), (*ALL, BROKEN), f"-min_protocol TLSv1 {OLD}"),
    Label("1.0 to 1.2", (T10, T11, T12), (*ALL, BROKEN), f"-min_protocol TLSv1 -no_tls1_3 {OLD}"),
    Label("1.1 to 1.2", (T11, T12), (*ALL, BROKEN), f"-min_protocol TLSv1.1 -no_tls1_3 {OLD}"),
    Label("1.1 and 1.3", (T11, T13), (), f"-min_protocol TLSv1.1 -no_tls1_2 {OLD}"),
    Label("1.0 and 1.3", (T10, T13), (), f"-min_protocol TLSv1 -no_tls1_1 -no_tls1_2 {OLD}"),
    Label("1.0 and 1.2", (T10, T12), (*ALL, BROKEN), f"-min_protocol TLSv1 -no_tls1_1 -no_tls1_3 {OLD}"),
    Label("1.0, 1.1 and 1.3", (T10, T11, T13), (), f"-min_protocol TLSv1 -no_tls1_2 {OLD}"),
    Label("1.0, modern suites", (T12, T13), (), "-min_protocol TLSv1 -cipher ECDHE+AESGCM:@SECLEVEL=0"),
    # Suites of TLS 1.2
    Label("ECDHE and CBC", (T12,), (CBC,), _only("ECDHE-RSA-AES128-SHA"), facts={"suite12": 0xC013, "has": (ETM,)}),
    Label("CBC with SHA-384", (T12,), (CBC,), _only("ECDHE-RSA-AES256-SHA384"), facts={"suite12": 0xC028}),
    Label("CAMELLIA", (T12,), (CBC,), _only("ECDHE-RSA-CAMELLIA128-SHA256"), facts={"suite12": 0xC076}),
    Label("ChaCha20", (T12,), (), _only("ECDHE-RSA-CHACHA20-POLY1305"), facts={"suite12": 0xCCA8}),
    Label("ARIA", (T12,), (), _only("ECDHE-ARIA128-GCM-SHA256"), facts={"suite12": 0xC060}),
    Label("static RSA, GCM", (T12,), (RSA,), _only("AES128-GCM-SHA256"), facts={"suite12": 0x9C}),
    Label("static RSA, CBC", (T12,), (RSA,), _only("AES256-SHA"), facts={"suite12": 0x35, "has": (EMS, ETM, SECURE)}),
    Label("static RSA, CCM-8", (T12,), (RSA,), _only("AES128-CCM8"), facts={"suite12": 0xC0A0}),
    Label("static RSA, CAMELLIA", (T12,), (RSA,), _only("CAMELLIA128-SHA"), facts={"suite12": 0x41}),
    Label("DHE of the key's size", (T12,), (DHE,), _only("DHE-RSA-AES128-GCM-SHA256"), facts={"dh_bits": 2048}),
    Label("DHE of 1024 bits", (T12,), (DHE,), _only("DHE-RSA-AES128-GCM-SHA256") + " -dhparam {folder}/RFC-2409-group-2-1024-bits.pem", facts={"dh_bits": 1024}),
    Label("DHE and CBC", (T12,), (DHE,), _only("DHE-RSA-AES256-SHA"), facts={"suite12": 0x39}),
    Label("ECDHE and DHE", (T12,), (DHE,), _only("ECDHE+AESGCM:DHE+AESGCM"), facts={"suite12": 0xC030}),
    Label("NULL", (T12,), (BROKEN,), _only("NULL-SHA256"), facts={"suite12": 0x3B}),
    Label("ECDHE and NULL", (T12,), (BROKEN,), _only("ECDHE-RSA-NULL-SHA"), facts={"suite12": 0xC010}),
    Label("anonymous ECDH", (T12,), (BROKEN,), _only("AECDH-AES128-SHA"), facts={"suite12": 0xC018, "chain": 0}),
    Label("anonymous DH", (T12,), (BROKEN,), _only("ADH-AES256-GCM-SHA384"), facts={"suite12": 0xA7, "chain": 0}),
    Label("modern and one anonymous", (T12,), (BROKEN,), _only("ECDHE+AESGCM:ADH-AES128-SHA")),
    Label("only PSK", (), (), _only("PSK-AES128-GCM-SHA256") + " -psk 00ff", facts={"handshake": None, "alert": 40}),
    # Suites of TLS 1.3
    Label("1.3 with ChaCha20", (T13,), (), "-tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256", facts={"suite13": 0x1303}),
    Label("1.3 with AES-128", (T13,), (), "-tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256", facts={"suite13": 0x1301}),
    Label("1.3 with CCM", (T13,), (), "-tls1_3 -ciphersuites TLS_AES_128_CCM_SHA256", facts={"suite13": 0x1304}),
    Label("1.3 with CCM-8", (T13,), (), "-tls1_3 -cipher DEFAULT:@SECLEVEL=0 -ciphersuites TLS_AES_128_CCM_8_SHA256", facts={"suite13": 0x1305, "handshake": None}),
    # Groups
    Label("P-256", (T12, T13), (), f"{MODERN} -groups P-256", facts={"group12": P256, "group13": P256}),
    Label("P-384", (T12, T13), (), f"{MODERN} -groups P-384", facts={"group12": P384, "group13": P384}),
    Label("P-521", (T12, T13), (), f"{MODERN} -groups P-521", facts={"group12": P521, "group13": P521}),
    Label("X448", (T12, T13), (), f"{MODERN} -groups X448", facts={"group12": X448, "group13": X448}),
    Label("1.3 with ffdhe3072", (T13,), (), "-tls1_3 -groups ffdhe3072", facts={"group13": 0x0101}),
    Label("brainpool", (T12,), (), f"-tls1_2 {MODERN} -groups brainpoolP256r1", facts={"group12": 0x1A}),
    Label("secp256k1", (T12,), (), "-tls1_2 -cipher ECDHE+AESGCM:@SECLEVEL=0 -groups secp256k1", facts={"group12": 0x16}),
    Label("secp192r1", (T12,), (), "-tls1_2 -cipher ECDHE+AESGCM:@SECLEVEL=0 -groups P-192", facts={"group12": 0x13}),
    # Certificates
    Label("ECDSA P-256", (T12, T13), (), MODERN, "p256", {"chain": 1, "suite12": 0xC02C, "signature": 0x0403}),
    Label("ECDSA P-384", (T12, T13), (), MODERN, "p384", {"suite12": 0xC02C}),
    Label("Ed25519", (T12, T13), (), MODERN, "ed25519", {"suite12": 0xC02C, "signature": 0x0807}),
    Label("RSA and ECDSA", (T12, T13), (), f"{MODERN} -dcert {{folder}}/p256.pem -dkey {{folder}}/p256.pem", facts={"suite12": 0xC02C}),
    Label("RSA of 1024 bits", (T12, T13), (), "-cipher ECDHE+AESGCM:@SECLEVEL=0", "rsa1024", {"chain": 1}),
    Label("expired", (T12, T13), (), MODERN, "expired", {"chain": 1}),
    Label("signed with SHA-1", (T12, T13), (), "-cipher ECDHE+AESGCM:@SECLEVEL=0", "sha1", {"chain": 1}),
    Label("a chain of three", (T12, T13), (), f"{MODERN} -cert_chain {{folder}}/authorities.pem", "chain", {"chain": 3}),
    # Properties
    Label("no tickets", (T12, T13), (), f"{MODERN} -no_ticket", facts={"lacks": (TICKET,), "has": (EMS, SECURE)}),
    Label("tickets", (T12,), (), f"-tls1_2 {MODERN}", facts={"has": (TICKET,), "lacks": (ETM,)}),
    Label("no encrypt-then-MAC", (T12,), (CBC,), _only("ECDHE-RSA-AES128-SHA") + " -no_etm", facts={"lacks": (ETM,), "has": (EMS,)}),
    Label("asks for a certificate", (T12,), (), f"-tls1_2 {MODERN} -verify 1", facts={"asks": True}),
    Label("wants a certificate", (T12,), (), f"-tls1_2 {MODERN} -Verify 1", facts={"asks": True, "alert": 40}),
    Label("asks for none", (T12,), (), f"-tls1_2 {MODERN}", facts={"asks": False}),
    Label("server's order", (T12,), (*ALL,), "-tls1_2 -cipher AES128-SHA:ECDHE+AESGCM:ECDHE-RSA-AES128-SHA:DHE-RSA-AES128-SHA:@SECLEVEL=0 -serverpref", facts={"suite12": 0x2F}),
    Label("client's order", (T12,), (RSA,), "-tls1_2 -cipher AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0", facts={"suite12": 0xC030}),
    Label("ALPN imap", (T12, T13), (), f"{MODERN} -alpn imap,pop3,managesieve", facts={"alpn": True, "foreign": False}),
    Label("ALPN of another protocol", (T12, T13), (), f"{MODERN} -alpn http/1.1", facts={"foreign": True}),
    Label("no ALPN", (T12, T13), (), MODERN, facts={"alpn": "", "foreign": True}),
    Label("cookies", (T13,), (), "-tls1_3 -stateless", facts={"group13": FIRST_GROUP}),
    Label("no middlebox mode", (T13,), (), "-tls1_3 -no_middlebox", facts={"handshake": 0x0304}),
    Label("no tickets in 1.3", (T13,), (), "-tls1_3 -num_tickets 0", facts={"handshake": 0x0304}),
    Label("one byte a record", (T12,), (), f"-tls1_2 {MODERN} -max_send_frag 512 -split_send_frag 512", facts={"chain": 1}),
)

_G = "--priority NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
_V = "--priority NORMAL:-VERS-ALL:+VERS-"
_ONE = "--priority NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:-CIPHER-ALL:-MAC-ALL"

# gnutls-serv. It asks for a client certificate where it is not told otherwise.
GNUTLS: tuple[Label, ...] = (
    Label("1.2 and 1.3", (T12, T13), (CBC, RSA, DHE), f"-a {_V}TLS1.3:+VERS-TLS1.2", facts={"has": (EMS, SECURE)}),
    Label("all versions", (T10, T11, T12, T13), (CBC, RSA, DHE), f"-a {_V}TLS1.3:+VERS-TLS1.2:+VERS-TLS1.1:+VERS-TLS1.0"),
    Label("1.2 and 1.0", (T10, T12), (CBC, RSA, DHE), f"-a {_V}TLS1.2:+VERS-TLS1.0"),
    Label("1.3 only", (T13,), (), f"-a {_V}TLS1.3", facts={"handshake": 0x0304}),
    Label("1.1 only", (T11,), (), f"-a {_V}TLS1.1", facts={"handshake": 0x0302}),
    Label("1.0 only", (T10,), (), f"-a {_V}TLS1.0", facts={"handshake": 0x0301}),
    Label("PFS", (T12, T13), (CBC, DHE), "-a --priority PFS:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"),
    Label("ECDHE and GCM", (T12,), (), f"-a {_ONE}:+ECDHE-RSA:+AES-256-GCM:+AEAD", facts={"suite12": 0xC030}),
    Label("static RSA and CBC", (T12,), (RSA,), f"-a {_ONE}:+RSA:+AES-128-CBC:+SHA1", facts={"suite12": 0x2F, "has": (ETM,)}),
    Label("no encrypt-then-MAC", (T12,), (RSA,), f"-a {_ONE}:+RSA:+AES-128-CBC:+SHA1:%NO_ETM", facts={"lacks": (ETM,)}),
    Label("3DES", (T12,), (BROKEN,), f"-a {_ONE}:+RSA:+3DES-CBC:+SHA1", facts={"suite12": 0x0A}),
    Label("RC4", (T12,), (BROKEN,), f"-a {_ONE}:+ECDHE-RSA:+ARCFOUR-128:+SHA1", facts={"suite12": 0xC011}),
    Label("NULL", (T12,), (BROKEN,), f"-a {_ONE}:+RSA:+NULL:+SHA256", facts={"suite12": 0x3B}),
    Label("anonymous", (T12,), (BROKEN,), f"-a {_ONE}:+ANON-ECDH:+AES-128-CBC:+SHA1", facts={"suite12": 0xC018, "chain": 0}),
    Label("DHE of ffdhe3072", (T12,), (DHE,), f"-a {_ONE}:+DHE-RSA:+AES-128-GCM:+AEAD:-GROUP-ALL:+GROUP-FFDHE3072", facts={"dh_bits": 3072}),
    Label("P-384", (T12, T13), (CBC, RSA), f"-a {_G}:-DHE-RSA:-GROUP-ALL:+GROUP-SECP384R1", facts={"group12": P384, "group13": P384}),
    Label("1.3 with ffdhe2048", (T13,), (), f"-a {_V}TLS1.3:-GROUP-ALL:+GROUP-FFDHE2048", facts={"group13": 0x0100}),
    Label("ECDSA", (T12, T13), (CBC,), f"-a {_G}", "p256", {"chain": 1, "signature": 0x0403}),
    Label("a chain of three", (T12, T13), (CBC, RSA, DHE), f"-a {_G}", "chain", {"chain": 3}),
    Label("asks for a certificate", (T12,), (CBC, RSA, DHE), f"{_V}TLS1.2", facts={"asks": True}),
    Label("no tickets", (T12,), (CBC, RSA, DHE), f"-a --noticket {_V}TLS1.2", facts={"lacks": (TICKET,)}),
    Label("no renegotiation info", (T12,), (CBC, RSA, DHE), f"-a {_V}TLS1.2:%DISABLE_SAFE_RENEGOTIATION", facts={"lacks": (SECURE,)}),
)


_RSA12 = "maxVersion=3.3 minVersion=3.3 keyExchangeNames=rsa"
_KEM = "minVersion=3.4 maxVersion=3.4 eccCurves="

# tlslite-ng; by its own defaults TLS 1.0 to 1.3, 3DES among the suites, and no anonymous ones
# where there is a certificate.
TLSLITE: tuple[Label, ...] = (
    Label("SSL 3.0 only", (SSL3,), (), "minVersion=3.0 maxVersion=3.0", facts={"handshake": None}),
    Label("SSL 3.0 and TLS 1.0", (SSL3, T10), (), "minVersion=3.0 maxVersion=3.1", facts={"handshake": 0x0301}),
    Label("all versions", (SSL3, T10, T11, T12, T13), (*ALL, BROKEN), "minVersion=3.0 maxVersion=3.4"),
    Label("SSL 3.0 to TLS 1.2", (SSL3, T10, T11, T12), (*ALL, BROKEN), "minVersion=3.0 maxVersion=3.3"),
    Label("SSL 3.0 and RC4", (SSL3,), (), "minVersion=3.0 maxVersion=3.0 cipherNames=rc4 keyExchangeNames=rsa", facts={"handshake": None}),
    Label("RC4", (T12,), (BROKEN,), f"{_RSA12} cipherNames=rc4", facts={"suite12": 0x05, "handshake": None}),
    Label("RC4 and MD5", (T12,), (BROKEN,), f"{_RSA12} cipherNames=rc4 macNames=md5", facts={"suite12": 0x04}),
    Label("3DES", (T12,), (BROKEN,), f"{_RSA12} cipherNames=3des", facts={"suite12": 0x0A}),
    Label("NULL", (T12,), (BROKEN,), f"{_RSA12} cipherNames=null macNames=sha", facts={"suite12": 0x02}),
    Label("CCM-8", (T12,), (RSA,), f"{_RSA12} cipherNames=aes128ccm_8", facts={"suite12": 0xC0A0}),
    Label("anonymous DH", (T12,), (BROKEN,), "minVersion=3.3 maxVersion=3.3 keyExchangeNames=dh_anon cipherNames=aes128 anonymous=true", facts={"chain": 0}),
    Label("no extended master secret", (T12,), (RSA,), f"{_RSA12} cipherNames=aes128gcm useExtendedMasterSecret=false", facts={"lacks": (EMS,), "has": (SECURE,)}),
    Label("no encrypt-then-MAC", (T12,), (RSA,), f"{_RSA12} cipherNames=aes128 useEncryptThenMAC=false", facts={"lacks": (ETM,), "has": (EMS,)}),
    Label("encrypt-then-MAC", (T12,), (RSA,), f"{_RSA12} cipherNames=aes128", facts={"has": (ETM, EMS)}),
    Label("X25519MLKEM768", (T13,), (), f"{_KEM}x25519mlkem768", facts={"group13": 0x11EC, "handshake": None}),
    Label("SecP256r1MLKEM768", (T13,), (), f"{_KEM}secp256r1mlkem768", facts={"group13": 0x11EB}),
    Label("SecP384r1MLKEM1024", (T13,), (), f"{_KEM}secp384r1mlkem1024", facts={"group13": 0x11ED}),
    Label("1.3 with X448", (T13,), (), f"{_KEM}x448", facts={"group13": X448}),
    Label("1.3 with Brainpool", (T13,), (), f"{_KEM}brainpoolP256r1tls13", facts={"group13": 0x1F, "handshake": None}),
)
