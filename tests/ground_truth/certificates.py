# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, certificates and parameters of the labelled servers, made anew for each run."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from ansible_collections.postmaster.tls.tests.ground_truth.dh_primes import PRIMES


def _rsa(bits: int) -> Any:
    return rsa.generate_private_key(65537, bits)


def _write(path: Path, key: Any, *chain: x509.Certificate) -> None:
    private = key.private_bytes(
        Encoding.PEM,
        PrivateFormat.PKCS8
        if isinstance(key, ed25519.Ed25519PrivateKey)
        else PrivateFormat.TraditionalOpenSSL,
        NoEncryption(),
    )
    path.write_bytes(private + b"".join(each.public_bytes(Encoding.PEM) for each in chain))


def _signed(
    key: Any, issuer: str, issuer_key: Any, digest: Any, subject: str = "mail.example.org"
) -> x509.Certificate:
    now = datetime.now(timezone.utc)
    old = timedelta(days=400 if subject.startswith("expired") else 1)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - old)
        .not_valid_after(now - old + timedelta(days=90))
        .add_extension(x509.BasicConstraints("CA" in subject, None), critical=True)
        .sign(issuer_key, digest)
    )


def make_all(folder: Path) -> None:
    """Files NAME.pem (a key, then its chain), authorities.pem, ocsp.der, and all of PRIMES."""
    sha256 = hashes.SHA256()
    strong = _rsa(2048)
    keys = {
        "rsa": (strong, sha256),
        "rsa1024": (_rsa(1024), sha256),
        "p256": (ec.generate_private_key(ec.SECP256R1()), sha256),
        "p384": (ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()),
        "ed25519": (ed25519.Ed25519PrivateKey.generate(), None),
    }
    for name, (key, digest) in keys.items():
        made = _signed(key, "mail.example.org", key, digest)
        _write(folder / f"{name}.pem", key, made)
    expired = _signed(strong, "expired.example.org", strong, sha256, "expired.example.org")
    _write(folder / "expired.pem", strong, expired)
    root, middle = keys["p256"][0], keys["p384"][0]
    authority = _signed(middle, "Example Root CA", root, sha256, "Example CA")
    top = _signed(root, "Example Root CA", root, sha256, "Example Root CA")
    leaf = _signed(strong, "Example CA", middle, sha256)
    _write(folder / "chain.pem", strong, leaf, authority, top)
    authorities = b"".join(each.public_bytes(Encoding.PEM) for each in (authority, top))
    (folder / "authorities.pem").write_bytes(authorities)
    said = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    (folder / "ocsp.der").write_bytes(said.public_bytes(Encoding.DER))
    if shutil.which("openssl"):
        _sign_with_sha1(folder)
    custom = {"custom, 2048 bits": PRIMES["ffdhe2048"] - 2}  # no prime: nobody here relies on it
    for name, prime in {**PRIMES, **custom}.items():
        (folder / f"{dh_file(name)}.pem").write_text(_parameters(prime), encoding="ascii")


def dh_file(name: str) -> str:
    """The name of the file with a published group for Diffie-Hellman, without its end."""
    return re.sub(r"\W+", "-", name)


def _parameters(prime: int) -> str:
    """PKCS #3: a sequence of the prime and the generator 2, which cryptography makes no more."""
    size = prime.bit_length() // 8 + 1  # with a leading zero: the number is positive
    numbers = b"\x02\x82" + size.to_bytes(2, "big") + prime.to_bytes(size, "big")
    numbers += b"\x02\x01\x02"
    der = b"\x30\x82" + len(numbers).to_bytes(2, "big") + numbers
    text = base64.encodebytes(der).decode("ascii")
    return f"-----BEGIN DH PARAMETERS-----\n{text}-----END DH PARAMETERS-----\n"


def _sign_with_sha1(folder: Path) -> None:
    """As cryptography will not."""
    key, made = folder / "rsa.pem", folder / "sha1.crt"
    command = ["openssl", "req", "-x509", "-sha1", "-days", "30", "-subj", "/CN=mail.example.org"]
    subprocess.run(
        [*command, "-key", str(key), "-out", str(made)],
        check=True,
        capture_output=True,
        env={**os.environ, "OPENSSL_CONF": os.devnull},
    )
    private = key.read_bytes().partition(b"-----BEGIN CERTIFICATE")[0]
    (folder / "sha1.pem").write_bytes(private + made.read_bytes())
