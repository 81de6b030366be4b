# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as a cryptography bill of materials: CycloneDX 1.6, for inventories and migrations.

Components are the protocols of each port and version with their suites, the certificates and
their keys, and each algorithm once. Each protocol says whether its key exchange withstands a
recording that a quantum computer opens later. Suites are all of a version where the inventory of
depth ``full`` has them, else those that were agreed on.

Sources: OWASP, CycloneDX 1.6 and its Authoritative Guide to CBOM; NIST, post-quantum security
categories (a brute force on AES-128 is 1, on AES-192 3, on AES-256 5; ML-KEM by FIPS 203).
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ..registry import GROUPS
from .layout import safe

Document = Mapping[str, Any]
Value = dict[str, Any]

SPECIFICATION = "1.6"
_PROPERTY = "postmaster.tls:"
_ROOT = "mail servers"


def bom(document: Document) -> str:
    """The document as one bill of materials."""
    made = _Bom()
    for host in document["hosts"]:
        for endpoint in host["endpoints"]:
            if endpoint["open"]:
                _port(made, host, endpoint)
    protocols = [ref for ref in made.components if ref.startswith("protocol:")]
    made.dependencies[_ROOT] = set(protocols)
    about = "\0".join([document["generated_at"], *(host["host"] for host in document["hosts"])])
    named = about.encode("utf-8", "replace").decode()
    whole = {
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, named)}",
        "version": 1,
        "metadata": _metadata(document),
        "components": list(made.components.values()),
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(on)} for ref, on in made.dependencies.items() if on
        ],
    }
    return json.dumps(whole) + "\n"


def _metadata(document: Document) -> Value:
    return {
        "timestamp": safe(document["generated_at"]),
        "tools": {"components": [{"type": "application", "name": "postmaster.tls"}]},
        "component": {"type": "application", "name": _ROOT, "bom-ref": _ROOT},
        "properties": [_property("profile", document["profile"]["name"])],
    }


def _property(name: str, value: object) -> Value:
    return {"name": _PROPERTY + name, "value": safe(value)}


@dataclass
class _Bom:
    """Components by their reference, each once, and what each stands on."""

    components: dict[str, Value] = field(default_factory=dict)
    dependencies: dict[str, set[str]] = field(default_factory=dict)

    def add(self, ref: str, name: str, crypto: Value, **more: Any) -> str:
        """A cryptographic asset; its reference."""
        if ref not in self.components:
            self.components[ref] = {
                "type": "cryptographic-asset",
                "bom-ref": ref,
                "name": name,
                "cryptoProperties": crypto,
                **more,
            }
            self.dependencies[ref] = set()
        return ref

    def needs(self, ref: str, *others: Optional[str]) -> None:
        """What a component stands on."""
        self.dependencies[ref].update(other for other in others if other and other != ref)


# ---------------------------------------------------------------------------------------------
# Algorithms

_HYBRIDS = {group.name for group in GROUPS.values() if group.hybrid}
_ML_KEM = re.compile(r"(?:MLKEM|Kyber)(\d+)")
_CATEGORY = {"512": 1, "768": 3, "1024": 5}
# What a suite encrypts with, as it stands in its IANA name: primitive, category.
_CIPHERS = (
    (re.compile(r"(AES_128_(?:GCM|CCM(?:_8)?))"), "ae", 1),
    (re.compile(r"(AES_256_(?:GCM|CCM(?:_8)?))"), "ae", 5),
    (re.compile(r"(CHACHA20_POLY1305)"), "ae", 5),
    (re.compile(r"(AES_128_CBC|CAMELLIA_128_CBC|ARIA_128_CBC|SEED_CBC)"), "block-cipher", 1),
    (re.compile(r"(AES_256_CBC|CAMELLIA_256_CBC|ARIA_256_CBC)"), "block-cipher", 5),
    (re.compile(r"(3DES_EDE_CBC|DES_CBC|DES40_CBC|IDEA_CBC|RC2_CBC_40)"), "block-cipher", 0),
    (re.compile(r"(RC4_128|RC4_40)"), "stream-cipher", 0),
)


def _algorithm(made: _Bom, name: str, primitive: str, category: Optional[int]) -> str:
    properties: Value = {"primitive": primitive}
    if category is not None:
        properties["nistQuantumSecurityLevel"] = category
    asset = {"assetType": "algorithm", "algorithmProperties": properties}
    return made.add(f"algorithm:{name}", name, asset)


def _group(made: _Bom, name: str) -> str:
    """A key exchange group; a hybrid combines a classical one with ML-KEM."""
    name = safe(name)
    match = _ML_KEM.search(name)
    if name in _HYBRIDS and match:
        return _algorithm(made, name, "combiner", _CATEGORY.get(match[1]))
    return _algorithm(made, name, "key-agree", 0)


def _cipher(made: _Bom, suite: str) -> Optional[str]:
    for pattern, primitive, category in _CIPHERS:
        match = pattern.search(suite)
        if match:
            return _algorithm(made, match[1].replace("_", "-"), primitive, category)
    return None


# ---------------------------------------------------------------------------------------------
# Certificates


def _certificate(made: _Bom, leaf: Document) -> Optional[str]:
    if leaf.get("error") or not leaf["sha256"]:
        return None
    ref = f"certificate:{safe(leaf['sha256'])}"
    if ref in made.components:
        return ref
    key, bits = safe(leaf["key_type"]), leaf["key_bits"]
    kind = f"{key}-{safe(leaf['curve'] or bits or '')}".rstrip("-")
    signed_with = f"{key}-{safe(leaf['signature_hash'] or 'own hash')}"
    own = _algorithm(made, kind, "signature", 0)
    hashed = _algorithm(made, f"signature of {signed_with}", "signature", 0)
    public = made.add(f"key:{safe(leaf['sha256'])}", f"key of {_owner(leaf)}", _key(own, bits))
    asset = {
        "subjectName": safe(leaf["subject"]),
        "issuerName": safe(leaf["issuer"]),
        "notValidBefore": safe(leaf["not_before"]),
        "notValidAfter": safe(leaf["not_after"]),
        "signatureAlgorithmRef": hashed,
        "subjectPublicKeyRef": public,
        "certificateFormat": "X.509",
    }
    made.add(ref, _owner(leaf), {"assetType": "certificate", "certificateProperties": asset})
    made.needs(public, own)
    made.needs(ref, hashed, public)
    return ref


def _owner(leaf: Document) -> str:
    return safe((leaf["names"] or [leaf["common_name"] or leaf["subject"] or "no name"])[0])


def _key(algorithm: str, bits: Optional[int]) -> Value:
    material: Value = {"type": "public-key", "algorithmRef": algorithm}
    if bits:
        material["size"] = bits
    return {"assetType": "related-crypto-material", "relatedCryptoMaterialProperties": material}


# ---------------------------------------------------------------------------------------------
# Protocols


@dataclass(frozen=True)
class _Spoken:
    """One version of a port: its suites and groups, and the group that was agreed on."""

    suites: tuple[str, ...]
    groups: tuple[str, ...]

    @property
    def post_quantum(self) -> str:
        """``hybrid`` where one group is, ``classical`` where none is, ``unknown`` without any."""
        if not self.groups:
            return "unknown"
        return "hybrid" if any(group in _HYBRIDS for group in self.groups) else "classical"


def _spoken(endpoint: Document, version: str) -> _Spoken:
    listings = (endpoint["inventory"] or {}).get("listings", [])
    listed = [listing for listing in listings if listing["version"] == version]
    offers = [o for o in endpoint["offers"] if o["accepted"] and o["version"] == version]
    return _Spoken(
        _unique([s for listing in listed for s in listing["suites"]], offers, "suite"),
        _unique([g for listing in listed for g in listing["groups"]], offers, "group"),
    )


def _unique(listed: Sequence[str], offers: Sequence[Document], key: str) -> tuple[str, ...]:
    seen = [*listed, *(offer[key] for offer in offers if offer[key])]
    return tuple(dict.fromkeys(safe(name) for name in seen))


def _port(made: _Bom, host: Document, endpoint: Document) -> None:
    chain = endpoint["chain"][:1]
    leaf = _certificate(made, chain[0]) if chain else None
    for version in endpoint["versions"]:
        spoken = _spoken(endpoint, version)
        name = f"{safe(version)} on {safe(host['host'])}, {safe(endpoint['url'])}"
        suites = list(_suites(made, spoken.suites))
        used = {ref for suite in suites for ref in suite.get("algorithms", ())}
        used |= {_group(made, group) for group in spoken.groups}
        protocol = {
            "type": "tls",
            "version": safe(version).removeprefix("TLSv"),
            "cipherSuites": suites,
            "cryptoRefArray": sorted(used | ({leaf} if leaf else set())),
        }
        asset = {"assetType": "protocol", "protocolProperties": protocol}
        told = {"host": host["host"], "url": endpoint["url"], "post-quantum": spoken.post_quantum}
        properties = [_property(key, value) for key, value in told.items()]
        made.needs(made.add(f"protocol:{name}", name, asset, properties=properties), *used, leaf)


def _suites(made: _Bom, names: Sequence[str]) -> Iterator[Value]:
    for name in names:
        cipher = _cipher(made, name)
        yield {"name": name, **({"algorithms": [cipher]} if cipher else {})}
