# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a served chain lead to an authority that is trusted? By the verifier of cryptography.

Trusted are the authorities of a file of the user's, else those of the controller's own store; no
missing certificate is fetched. Paths are built and verified by ``cryptography.x509.verification``.
That is there from cryptography 42 on; before 45 it asks for more of certificates than mail clients
do (RFC 5280 and the CA/Browser Forum's rules), so that its "no" is taken only where no authority of
the store has signed the chain at all. What cannot be decided is ``None``, with the reason.

Names and dates have checks of their own: a chain is verified for a name that the certificate has,
at a time at which it is valid. Source: RFC 5280 section 6.
"""

from __future__ import annotations

import base64
import os
import ssl
import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Optional

from ..module_utils.text import clean
from .certificate import CertificateError, pem_bodies, read_base64, signed_by, subject

try:
    from cryptography import x509
    from cryptography.x509 import verification
except ImportError:  # cryptography before 42, or none
    HAS_VERIFIER = False
else:
    HAS_VERIFIER = True

# Where systems keep their authorities beside the place that OpenSSL was built for.
STORES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # the BSDs, macOS
)
FILE_LIMIT = 16 * 1024 * 1024
LONGEST_PATH = 10


class TrustError(Exception):
    """A file of authorities that cannot be used; its text is one sentence with the cure."""


@dataclass(frozen=True)
class Trust:
    """Authorities as base64 DER, and where they come from."""

    source: str
    anchors: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """Whether a chain is trusted, and why; ``None`` where that cannot be told."""

    trusted: Optional[bool]
    why: str


def load(path: str = "") -> Optional[Trust]:
    """The authorities of a PEM file, or of the system's store; ``None`` where there is no store.

    Raises TrustError for a file that was named and cannot be used.
    """
    if path:
        return _read(Path(path).expanduser())
    places = (ssl.get_default_verify_paths().cafile, *STORES)
    found = next((place for place in places if place and os.path.isfile(place)), None)
    return _read(Path(found)) if found else None


def _read(path: Path) -> Trust:
    try:
        if path.stat().st_size > FILE_LIMIT:
            raise TrustError(f"{path} has more than {FILE_LIMIT} bytes")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise TrustError(f"{path} cannot be read: {error.strerror}; see mail_tls_ca_file") from None
    return parse(text, str(path))


def parse(text: str, source: str) -> Trust:
    """The authorities in PEM text. Raises TrustError where there is none."""
    anchors = tuple(dict.fromkeys(pem_bodies(text)))
    if not anchors:
        raise TrustError(f"{source} holds no certificate in PEM; see mail_tls_ca_file")
    return Trust(source, anchors)


@lru_cache(maxsize=256)
def trusted(chain: tuple[str, ...], trust: Trust, now: datetime) -> Answer:
    """Whether the chain (base64 DER, leaf first) leads to one of the authorities."""
    try:
        leaf = read_base64(chain[0])
    except CertificateError as error:
        return Answer(False, str(error))
    if chain[0] in trust.anchors:
        return Answer(True, f"the certificate itself is in {trust.source}")
    anchor = _anchor(chain, trust)
    if anchor is None:
        return Answer(False, f"no authority in {trust.source} has signed the chain")
    if not HAS_VERIFIER:
        return Answer(None, "cryptography 42 or newer is needed on the controller to verify it")
    if not leaf.names:
        return Answer(None, "it has no subjectAltName to be verified for: see CRT-03")
    during = min(max(now, leaf.not_before), leaf.not_after - timedelta(seconds=1))
    return _verified(chain, trust, leaf.names[0], during, clean(anchor, 200))


def _anchor(chain: tuple[str, ...], trust: Trust) -> Optional[str]:
    """The name of the authority that the links of the chain end at, whatever else is said of it."""
    authorities = _by_name(trust)
    at, others = chain[0], list(chain[1:])
    for _step in range(LONGEST_PATH):
        issuer = _issuer(at)
        if any(signed_by(at, each) is not False for each in authorities.get(issuer, ())):
            return issuer
        above = next((each for each in others if signed_by(at, each) is not False), None)
        if above is None:
            return None
        others.remove(above)
        at = above
    return None


def _issuer(text: str) -> str:
    try:
        return read_base64(text).issuer
    except CertificateError:
        return ""


@lru_cache(maxsize=8)
def _by_name(trust: Trust) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in trust.anchors:
        try:
            found.setdefault(subject(text), []).append(text)
        except CertificateError:
            continue
    return found


# ---------------------------------------------------------------------------------------------
# cryptography's verifier


def _verified(
    chain: tuple[str, ...], trust: Trust, name: str, now: datetime, anchor: str
) -> Answer:
    relaxed = hasattr(verification, "ExtensionPolicy")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            leaf, *others = (x509.load_der_x509_certificate(_der(text)) for text in chain)
            builder = verification.PolicyBuilder().store(_store(trust))
            builder = builder.time(now.astimezone(timezone.utc).replace(tzinfo=None))
            if relaxed:
                builder = builder.extension_policies(**_lenient())
            builder.build_server_verifier(_subject(name)).verify(leaf, others)
    except Exception as error:  # VerificationError, or what a hostile encoding brings up
        why = clean(str(error) or type(error).__name__, 160)
        return Answer(False if relaxed else None, f"signed below {anchor}, but not valid: {why}")
    return Answer(True, f"signed below {anchor}, of {trust.source}")


def _lenient() -> dict[str, Any]:
    """Policies that ask of extensions what clients do: a name, and authorities that are some."""
    policy = verification.ExtensionPolicy
    may = verification.Criticality.AGNOSTIC
    return {
        "ca_policy": policy.permit_all().require_present(x509.BasicConstraints, may, None),
        "ee_policy": policy.permit_all().require_present(x509.SubjectAlternativeName, may, None),
    }


def _subject(name: str) -> Any:
    """A name that the certificate is good for; a wildcard stands for any label."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name.replace("*", "x", 1))


@lru_cache(maxsize=8)
def _store(trust: Trust) -> Any:
    """Those authorities that cryptography can read."""
    readable = [text for texts in _by_name(trust).values() for text in texts]
    return verification.Store([x509.load_der_x509_certificate(_der(text)) for text in readable])


def _der(text: str) -> bytes:
    return base64.b64decode(text)
