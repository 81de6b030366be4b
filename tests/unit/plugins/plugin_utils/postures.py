# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of the model for tests: a host as it should be, and small ways to spoil it."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any, Optional

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from ansible_collections.postmaster.tls.plugins.module_utils.model.configured import (
    Effective,
    Expansion,
    FileFact,
    Listener,
    Origin,
    Product,
    ServerConfig,
    Setting,
    TlsLibrary,
    Unit,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    EndpointObservation,
    Handshake,
    LoginAttempt,
    Offer,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.plugins.module_utils.model.posture import (
    DnsAnswer,
    Finding,
    Posture,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.judge import judge
from ansible_collections.postmaster.tls.plugins.plugin_utils.policy import (
    load_checks,
    load_profile,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.trust import Trust

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=timezone.utc)
HOST = "192.0.2.1"
NAME = "mail.example.org"
CONF = "/etc/dovecot/conf.d/10-ssl.conf"
CATALOGUE = load_checks()


# ---------------------------------------------------------------------------------------------
# Certificates


@cache
def key(kind: str = "p256") -> Any:
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    curve = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}[kind]
    return ec.generate_private_key(curve)


@cache
def certificate(
    subject: str = NAME,
    issuer: str = "Example CA",
    names: tuple[str, ...] = (NAME,),
    kind: str = "p256",
    issuer_kind: str = "p384",
    days: float = 90,
    age: float = 10,
    hashed: str = "sha256",
    ca: bool = False,
    access: bool = True,
    purposes: tuple[str, ...] = (),
    signs: Optional[bool] = None,
    services: tuple[bytes, ...] = (),
    staple: bool = False,
) -> str:
    """A certificate as base64 DER; ``subject == issuer`` and equal kinds make it self-signed."""
    start = NOW - timedelta(days=age)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key(kind).public_key())
        .serial_number(4711)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
    )
    if names or services:
        alternative: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        alternative += [x509.OtherName(ON_DNS_SRV, name) for name in services]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    if purposes:
        usage = x509.ExtendedKeyUsage([x509.ObjectIdentifier(each) for each in purposes])
        builder = builder.add_extension(usage, critical=False)
    if signs is not None:
        builder = builder.add_extension(_usage(signs), critical=True)
    if staple:
        features = x509.TLSFeature([x509.TLSFeatureType.status_request])
        builder = builder.add_extension(features, critical=False)
    if access:
        place = x509.UniformResourceIdentifier("http://ca.example/ca.der")
        entry = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, place)
        builder = builder.add_extension(x509.AuthorityInformationAccess([entry]), critical=False)
    digest = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}[hashed]
    signed = builder.sign(key(issuer_kind), digest)
    return base64.b64encode(signed.public_bytes(Encoding.DER)).decode()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(signs: bool) -> x509.KeyUsage:
    others = "content_commitment key_encipherment data_encipherment key_agreement key_cert_sign"
    rest = (*others.split(), "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(digital_signature=signs, **dict.fromkeys(rest, False))


def srv(name: str) -> bytes:
    """An SRV name as it stands in a certificate (RFC 4985): an IA5String."""
    return bytes([0x16, len(name)]) + name.encode("ascii")


ON_DNS_SRV = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.7")
SERVER_AUTH, EMAIL = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.4"
LEAF = certificate()
CA = certificate("Example CA", "Example Root", (), "p384", "rsa2048", 3650, 10, ca=True)
ROOT = certificate(
    "Example Root", "Example Root", (), "rsa2048", "rsa2048", 3650, 20, ca=True, access=False
)
SELF_SIGNED = certificate(NAME, NAME, issuer_kind="p256", access=False)
TRUST = Trust("the test's store", (ROOT,))


# ---------------------------------------------------------------------------------------------
# Ports


_TLS13 = Offer("tls1.3", True, 0x0304, 0x1302, 0x11EC, compression=0)
_TLS12 = Offer(
    "tls1.2",
    True,
    0x0303,
    0xC02F,
    29,
    signature=0x0804,
    extensions=(23, 0xFF01),
    compression=0,
    client_certificate=False,
)


def tls13(**changes: Any) -> Offer:
    return replace(_TLS13, **changes)


def tls12(**changes: Any) -> Offer:
    return replace(_TLS12, **changes)


REFUSED = ("ssl3", "tls1.0", "tls1.1", "cbc", "static_rsa", "dhe", "broken", "alpn")
OFFERS = (tls12(), tls13(), *(Offer(name, False) for name in REFUSED))
LOGINS = {
    Service.IMAP: ("AUTHENTICATE PLAIN", "LOGIN"),
    Service.POP3: ("AUTH PLAIN", "USER"),
    Service.SIEVE: ("AUTHENTICATE PLAIN",),
}


def with_offers(*offers: Offer) -> tuple[Offer, ...]:
    """The good offers, with these in place of those of the same name."""
    replaced = {offer.name for offer in offers}
    return (*(o for o in OFFERS if o.name not in replaced), *offers)


def port(
    number: int = 143,
    service: Service = Service.IMAP,
    mode: TlsMode = TlsMode.STARTTLS,
    **changes: Any,
) -> EndpointObservation:
    """A port as it should be."""
    clear = mode is TlsMode.STARTTLS
    attempts = tuple(LoginAttempt(c, True, "NO [PRIVACYREQUIRED]") for c in LOGINS[service])
    good = {
        "open": True,
        "greeting": "* OK ready",
        "capabilities": ("IMAP4REV1", "STARTTLS", "LOGINDISABLED") if clear else None,
        "capabilities_tls": ("IMAP4REV1", "AUTH=PLAIN"),
        "mechanisms": () if clear else None,
        "mechanisms_tls": ("PLAIN",),
        "starttls": True if clear else None,
        "starttls_inside": False,
        "starttls_accepted_inside": False,
        "injected": False if clear else None,
        "preauth": False,
        "attempts": attempts if clear else (),
        "handshake": Handshake(0x0304, 0x1302),
        "offers": OFFERS,
        "chain": (LEAF, CA),
        "connections": 11,
    }
    return EndpointObservation(Endpoint(HOST, number, service, mode), **{**good, **changes})


IMAPS = (993, Service.IMAP, TlsMode.IMPLICIT)
POP3 = (110, Service.POP3, TlsMode.STARTTLS)
POP3S = (995, Service.POP3, TlsMode.IMPLICIT)
SIEVE = (4190, Service.SIEVE, TlsMode.STARTTLS)
PORTS = (port(), port(*IMAPS), port(*POP3), port(*POP3S), port(*SIEVE))


def unseen(number: int = 143, *where: Any) -> EndpointObservation:
    """An open port of which nothing else was seen."""
    endpoint = port(number, *where).endpoint
    return EndpointObservation(endpoint, open=True)


# ---------------------------------------------------------------------------------------------
# Servers

SUITES = (0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8)
GROUPS = (0x11EC, 29, 23, 24)

_DOVECOT = {
    "tls": ("ssl", "required", None),
    "plaintext_login": ("auth_allow_cleartext", "no", None),
    "protocol_min": ("ssl_min_protocol", "TLSv1.2", None),
    "ciphers": ("ssl_cipher_list", "ECDHE+AESGCM", Expansion(suites=SUITES)),
    "groups": ("ssl_curve_list", "", Expansion(groups=GROUPS)),
    "trusted_networks": ("login_trusted_networks", "", None),
    "login_log": ("login_log_format_elements", "user=<%{user}> %{ssl_security}", None),
}


def row(
    field: str,
    value: Optional[str],
    scope: str = "",
    name: str = "",
    expansion: Optional[Expansion] = None,
    native: Optional[str] = None,
) -> Effective:
    native = native if native is not None else value or ""
    return Effective(scope, field, value, name or field, native, Origin(CONF, 6), expansion)


def dovecot(*rows: Effective, **changes: Any) -> ServerConfig:
    """Dovecot 2.4 as it should be, with these rows in place of, or beside, the good ones."""
    given = {(r.field, r.scope) for r in rows}
    good = [
        row(field, value, "", name, expansion)
        for field, (name, value, expansion) in _DOVECOT.items()
        if (field, "") not in given
    ]
    fields = {
        "product": Product.DOVECOT,
        "version": "2.4.5",
        "tls_library": TlsLibrary("openssl", "3.5.4"),
        "config_file": "/etc/dovecot/dovecot.conf",
        "units": (Unit("dovecot.service", True, True),),
        "settings": (Setting("ssl", "required", "", Origin(CONF, 6)),),
        "effective": (*good, *rows),
        "listeners": tuple(
            Listener(p.endpoint.service, "*", p.endpoint.port, p.endpoint.tls_mode) for p in PORTS
        ),
        "files": (
            FileFact("/etc/dovecot/private/dovecot.pem", "certificate", True, chain=(LEAF, CA)),
            FileFact("/etc/dovecot/private/dovecot.key", "key", True, "root", "root", "0400"),
        ),
    }
    return ServerConfig(**{**fields, **changes})


def courier(*rows: Effective, **changes: Any) -> ServerConfig:
    """Courier on GnuTLS as it should be."""
    opened = Expansion(versions=(0x0304, 0x0303), suites=SUITES, groups=(23, 24, 29))
    given = {(r.field, r.scope) for r in rows}
    good = (
        row("priority", "SECURE128:…", "service=imap", "TLS_PRIORITY", opened),
        row("tls", "required", "service=imap", "IMAP_TLS_REQUIRED", native="1"),
        row("plaintext_login", "no", "service=imap", "IMAP_TLS_REQUIRED", native="1"),
        row("starttls", "yes", "service=imap", "IMAPDSTARTTLS", native="YES"),
        row("require_tls", "yes", "service=imap", "IMAP_TLS_REQUIRED", native="1"),
    )
    fields = {
        "product": Product.COURIER,
        "version": "5.2.11",
        "tls_library": TlsLibrary("gnutls", "3.8.9"),
        "config_file": "/etc/courier",
        "settings": (
            Setting("TLS_PRIORITY", "SECURE128:…", "imapd-ssl", Origin("/c/imapd-ssl", 9)),
        ),
        "effective": (*(r for r in good if (r.field, r.scope) not in given), *rows),
        "listeners": (
            Listener(Service.IMAP, "*", 143, TlsMode.STARTTLS),
            Listener(Service.POP3, "*", 110, TlsMode.STARTTLS),
        ),
        "files": (
            FileFact("/c/imapd.pem", "combined", True, "root", "courier", "0640", (LEAF, CA), True),
        ),
    }
    return ServerConfig(**{**fields, **changes})


# ---------------------------------------------------------------------------------------------
# Hosts


def posture(*parts: Any, **changes: Any) -> Posture:
    """A host of these ports and servers."""
    return Posture(
        **{
            "host": NAME,
            "observed_at": "2026-11-24T12:00:00Z",
            "profile": "intermediate",
            "dns": (DnsAnswer(f"_993._tcp.{NAME}", "TLSA", (), True),),
            "servers": tuple(p for p in parts if isinstance(p, ServerConfig)),
            "endpoints": tuple(p for p in parts if isinstance(p, EndpointObservation)),
            **changes,
        }
    )


def findings(
    check: str,
    *parts: Any,
    profile: str = "intermediate",
    names: tuple[str, ...] = (NAME,),
    domains: tuple[str, ...] = (),
    trust: Optional[Trust] = TRUST,
    **changes: Any,
) -> list[Finding]:
    """What one check finds on a host of these parts."""
    host = posture(*parts, **changes)
    judged = judge(host, load_profile(profile), CATALOGUE, NOW, names, domains, trust)
    return [finding for finding in judged if finding.check_id == check]
