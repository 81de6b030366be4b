# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the served certificate good, and is it the one on disk? Checks of chains and key files.

A chain is judged by its own links here, so a private authority passes as a public one does; who
trusts it is asked in acceptance.py. Time thresholds are fractions of a certificate's lifetime,
since lifetimes range from days to years.

Sources: RFC 5280 sections 4.1.2.5 and 6; RFC 6125 section 6.4; RFC 7817; RFC 8314 section 4.4;
RFC 9325 sections 4.5 and 7.1; Dovecot's and Courier's documentation for modes of key files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Callable, Optional

from ...module_utils.model.configured import FileFact, ServerConfig
from ...module_utils.model.observed import EndpointObservation
from ...module_utils.model.posture import Severity, Status
from ..certificate import (
    Certificate,
    CertificateError,
    covers,
    fingerprint,
    read_base64,
    signed_by,
)
from ..registry import GROUPS, group_code
from .base import (
    CheckFunction,
    Subject,
    Verdict,
    at_stage,
    failed,
    not_applicable,
    not_checked,
    on_ports,
    on_servers,
    passed,
    unseen,
)

WEAK_HASHES = frozenset({"md2", "md4", "md5", "sha1"})
WEAK_CURVE_BITS = 224

LeafCheck = Callable[[Certificate, EndpointObservation, Subject], Verdict]


def on_leaf(check: LeafCheck) -> CheckFunction:
    """A check of the served certificate as a check of all ports; the worst verdict of several."""

    def port(seen: EndpointObservation, subject: Subject) -> Verdict:
        if not seen.chain:
            return unseen("the served certificate", at_stage(seen, "starttls", "handshake"))
        verdicts = [_judged(check, replace(seen, chain=c), subject) for c in served_chains(seen)]
        return min(verdicts, key=lambda verdict: _WORST_FIRST.index(verdict.status))

    return on_ports(port)


def _judged(check: LeafCheck, seen: EndpointObservation, subject: Subject) -> Verdict:
    try:
        leaf = read_base64(seen.chain[0])
    except CertificateError as error:
        return failed(str(error), "a certificate that can be read", Severity.HIGH)
    return check(leaf, seen, subject)


_WORST_FIRST = (
    Status.FAIL,
    Status.ERROR,
    Status.NOT_CHECKED,
    Status.PASS,
    Status.NOT_APPLICABLE,
)


def served_chains(seen: EndpointObservation) -> tuple[tuple[str, ...], ...]:
    """Each chain that is served under the name asked for: one for each kind of key."""
    held = seen.inventory.chains if seen.inventory is not None else ()
    others = [c.certificates for c in held if c.asked_by in ("suites", "signatures")]
    return tuple({chain[0]: chain for chain in (*others, seen.chain) if chain}.values())


def valid_now(leaf: Certificate, _seen: EndpointObservation, subject: Subject) -> Verdict:
    """CRT-01: the certificate is valid today."""
    shown = (_dates(leaf),)
    expected = "a certificate that is valid now"
    if subject.now >= leaf.not_after:
        return failed(f"expired {leaf.not_after:%Y-%m-%d}", expected, None, shown)
    if subject.now < leaf.not_before:
        return failed(f"valid only from {leaf.not_before:%Y-%m-%d}", expected, None, shown)
    return passed(f"valid until {leaf.not_after:%Y-%m-%d}", expected, shown)


def renewed_in_time(leaf: Certificate, _seen: EndpointObservation, subject: Subject) -> Verdict:
    """CRT-02: enough of the lifetime is left for a renewal to fail and be repaired."""
    left, lifetime = leaf.not_after - subject.now, leaf.not_after - leaf.not_before
    if left <= timedelta(0):
        return not_applicable("expired: see CRT-01")
    profile, shown = subject.profile, (_dates(leaf),)
    actual = f"{_span(left)} left of {_span(lifetime)}"
    expected = f"more than {profile.lifetime_warn} of the lifetime is left"
    if left < lifetime * float(profile.lifetime_critical):
        return failed(actual, expected, Severity.HIGH, shown)
    if left < lifetime * float(profile.lifetime_warn):
        return failed(actual, expected, Severity.MEDIUM, shown)
    return passed(actual, expected, shown)


def named(leaf: Certificate, _seen: EndpointObservation, subject: Subject) -> Verdict:
    """CRT-03: the certificate covers every name that users connect to."""
    if not subject.names:
        return not_checked("the names that users connect to are not known (mail_tls_names)")
    held = ", ".join(leaf.names) or f"no subjectAltName, CN={leaf.common_name or ''}"
    missing = [name for name in subject.names if not covers(leaf, name)]
    expected = f"it covers {', '.join(subject.names)}"
    if missing:
        return failed(f"{', '.join(missing)} not covered", expected, None, (f"names: {held}",))
    return passed("every name is covered", expected, (f"names: {held}",))


def chained(leaf: Certificate, seen: EndpointObservation, _subject: Subject) -> Verdict:
    """CRT-04: leaf first, each next one signed the one before, no link missing at the start."""
    if leaf.self_signed:
        return not_applicable("self-signed: see CRT-05")
    expected = "leaf first, then each certificate's issuer"
    links = [signed_by(a, b) for a, b in zip(seen.chain, seen.chain[1:])]
    shown = tuple(_named(text) for text in seen.chain)
    if False in links:
        place = links.index(False) + 2
        return failed(f"certificate {place} did not sign the one before", expected, None, shown)
    if None in links:
        return not_checked("a signature in the chain cannot be verified here")
    if len(seen.chain) > 1:
        return passed(f"{len(seen.chain)} certificates in order", expected, shown)
    if leaf.names_issuer:
        return failed("the issuer's certificate is not served", expected, None, shown)
    return not_checked("only the leaf is served; whether clients know its issuer is not told")


def not_self_signed(leaf: Certificate, _seen: EndpointObservation, _subject: Subject) -> Verdict:
    """CRT-05: somebody else vouches for the certificate."""
    expected = "a certificate of an authority that clients trust"
    if leaf.self_signed:
        return failed("the certificate is self-signed", expected, None, (leaf.subject,))
    return passed(f"issued by {leaf.issuer}", expected)


def strong(leaf: Certificate, seen: EndpointObservation, subject: Subject) -> Verdict:
    """CRT-06: key and signatures are strong, and the key is of a kind that the profile names."""
    profile = subject.profile
    shown = (f"{key_name(leaf)}, signed with {leaf.signature_hash or leaf.key_type}",)
    expected = (
        f"{' or '.join(profile.certificate_key_types)} key, RSA of {profile.rsa_bits_min} bits"
    )
    weak = _weaknesses(leaf, profile.rsa_bits_min)
    weak += [f"an issuer signed with {cert.signature_hash}" for cert in _weak_issuers(seen)]
    if weak:
        return failed(", ".join(weak), f"{expected}, no MD5 or SHA-1", None, shown)
    in_profile = leaf.key_type in profile.certificate_key_types and (
        leaf.curve is None or leaf.curve in profile.certificate_curves
    )
    if not in_profile:
        actual = f"{key_name(leaf)} is strong but not of the profile"
        return failed(actual, expected, Severity.LOW, shown)
    return passed(key_name(leaf), expected, shown)


def _weaknesses(leaf: Certificate, rsa_bits: int) -> list[str]:
    weak = []
    if leaf.key_type == "rsa" and (leaf.key_bits or 0) < rsa_bits:
        weak.append(f"{leaf.key_bits}-bit RSA key")
    code = group_code(leaf.curve) if leaf.curve else None
    if code is not None and GROUPS[code].bits < WEAK_CURVE_BITS:
        weak.append(f"key on {leaf.curve}")
    if leaf.key_type == "dsa":
        weak.append("DSA key")
    if leaf.signature_hash in WEAK_HASHES and not leaf.self_signed:
        weak.append(f"signed with {leaf.signature_hash}")
    return weak


def _weak_issuers(seen: EndpointObservation) -> Iterator[Certificate]:
    """Intermediates with a weak signature; a root's own signature proves nothing anyway."""
    for text in seen.chain[1:]:
        try:
            cert = read_base64(text)
        except CertificateError:
            continue
        if cert.signature_hash in WEAK_HASHES and not cert.self_signed:
            yield cert


def short_lived(leaf: Certificate, _seen: EndpointObservation, subject: Subject) -> Verdict:
    """CRT-09: the certificate does not live longer than the profile allows."""
    limit = subject.profile.certificate_lifetime_days_max
    lifetime = leaf.not_after - leaf.not_before
    shown, expected = f"a lifetime of {_span(lifetime)}", f"at most {limit} days"
    return (failed if lifetime > timedelta(days=limit) else passed)(shown, expected)


# ---------------------------------------------------------------------------------------------
# Disk


def served_from_disk(seen: EndpointObservation, subject: Subject) -> Verdict:
    """CRT-08, ports: what is served is what lies on disk."""
    if not seen.chain:
        return unseen("the served certificate", at_stage(seen, "starttls", "handshake"))
    held = [f for f in _files(subject) if f.chain and f.role in ("certificate", "combined")]
    if not held:
        return not_checked("no certificate file was read on the host")
    try:
        served = [fingerprint(chain[0]) for chain in served_chains(seen)]
        on_disk = {fact.path: fingerprint(fact.chain[0]) for fact in held}
    except CertificateError as error:
        return failed(str(error), "certificates that can be read", Severity.HIGH)
    places = [next((p for p, held_ in on_disk.items() if held_ == each), None) for each in served]
    expected = "the certificate on disk is the one served"
    shown = tuple(f"served sha256 {each}" for each in served)
    if None not in places:
        return passed(f"it is the one in {' and '.join(map(str, places))}", expected, shown)
    shown += tuple(f"{path} sha256 {held_}" for path, held_ in on_disk.items())
    return failed(
        "another certificate is served than lies on disk",
        expected,
        None,
        shown,
        "Reload the server; if it stays, find who serves the old one (a proxy, a second instance).",
    )


def _files(subject: Subject) -> Iterator[FileFact]:
    for server in subject.posture.servers:
        yield from server.files


def private_keys(server: ServerConfig, _subject: Subject) -> Iterator[Verdict]:
    """CRT-08, files: only root and the server's group read a private key."""
    for fact in server.files:
        if fact.role in ("key", "combined") and fact.exists:
            yield _mode(fact)


def _mode(fact: FileFact) -> Verdict:
    mode = _octal(fact.mode)
    expected = "no access for others, no writing by the group"
    if mode is None:
        verdict = unseen(f"the mode of {fact.path}")
    else:
        shown = f"mode {fact.mode}, {fact.owner or '?'}:{fact.group or '?'}"
        verdict = (failed if mode & 0o027 else passed)(shown, expected)
    return Verdict(
        verdict.status, verdict.actual, verdict.expected, verdict.evidence, subject=fact.path
    )


def _octal(mode: Optional[str]) -> Optional[int]:
    try:
        return int(mode, 8) if mode is not None else None
    except ValueError:
        return None


def disk(subject: Subject) -> Iterator[Verdict]:
    """CRT-08: key files, and disk against served."""
    yield from on_servers(private_keys)(subject)
    yield from on_ports(served_from_disk)(subject)


# ---------------------------------------------------------------------------------------------


def key_name(cert: Certificate) -> str:
    """A key in words: ``RSA 2048``, ``ECDSA secp256r1``."""
    size = cert.curve or cert.key_bits
    return f"{cert.key_type.upper()} {size}" if size else cert.key_type.upper()


def _dates(cert: Certificate) -> str:
    return f"{cert.not_before:%Y-%m-%d} to {cert.not_after:%Y-%m-%d}"


def _span(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"


def _named(text: str) -> str:
    try:
        cert = read_base64(text)
    except CertificateError as error:
        return str(error)
    return f"{cert.subject} (issuer {cert.issuer})"


TABLE: dict[str, CheckFunction] = {
    "CRT-01": on_leaf(valid_now),
    "CRT-02": on_leaf(renewed_in_time),
    "CRT-03": on_leaf(named),
    "CRT-04": on_leaf(chained),
    "CRT-05": on_leaf(not_self_signed),
    "CRT-06": on_leaf(strong),
    "CRT-08": disk,
    "CRT-09": on_leaf(short_lived),
}
