# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy as values: profiles (what is good enough) and the catalogue of checks.

The only file that reads policy/*.yml, and the only one that loads YAML. Each file is validated
here, strictly, and trusted afterwards; what a check decides is Python in checks/, never YAML.

Sources: Mozilla Server Side TLS 6.0 for the profiles; each check names its own in ``references``.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import yaml

try:  # the same language, ten times as quick; there where PyYAML was built with libyaml
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]  # two classes of no common base

from ..module_utils.config.vocabulary import PROTOCOLS
from ..module_utils.model.posture import Severity
from .registry import group_code, openssl_to_code

# Beside plugins/, in a checkout and in an installed collection alike.
POLICY = Path(__file__).resolve().parents[2] / "policy"

APPLIES_TO = ("port", "server", "certificate", "dns")

T = TypeVar("T")


class PolicyError(Exception):
    """A policy file or name that cannot be used; its text is one sentence with the cure."""


@dataclass(frozen=True)
class Profile:
    """What a server must speak, as data.

    ``protocol_min`` and ``protocols_required`` are words of ``vocabulary.PROTOCOLS``; ``ciphers``
    OpenSSL names up to TLS 1.2, ``cipher_suites`` IANA names of TLS 1.3, ``groups`` OpenSSL names
    in order of preference, ``certificate_curves`` IANA names. ``lifetime_warn`` and
    ``lifetime_critical`` are the fractions of a certificate's lifetime that may be left before it
    is warned of. ``gnutls_priority`` says the same in GnuTLS's language.
    """

    name: str
    title: str
    source: str
    version: str
    date: str
    protocol_min: str
    protocols_required: tuple[str, ...]
    ciphers: tuple[str, ...]
    cipher_suites: tuple[str, ...]
    groups: tuple[str, ...]
    cipher_order: str
    rsa_bits_min: int
    certificate_key_types: tuple[str, ...]
    certificate_curves: tuple[str, ...]
    certificate_lifetime_days_max: int
    lifetime_warn: Fraction
    lifetime_critical: Fraction
    gnutls_priority: str


@dataclass(frozen=True)
class Check:
    """A catalogue entry: the promise a check makes, why, and the cure when it is broken."""

    id: str
    title: str
    severity: Severity
    applies_to: str
    rationale: str
    references: tuple[str, ...]
    remediation: str


def profile_names() -> tuple[str, ...]:
    """The names of all profiles, sorted."""
    return tuple(sorted(path.stem for path in (POLICY / "profiles").glob("*.yml")))


def load_profile(name: str) -> Profile:
    """The profile of that name.

    Raises PolicyError for an unknown name (listing the choices) and for a file that is not valid.
    """
    choices = profile_names()
    if name not in choices:
        raise PolicyError(f"there is no profile {name!r}; choose one of: {', '.join(choices)}")
    path = POLICY / "profiles" / f"{name}.yml"
    profile = _build(Profile, _mapping(path, _load(path)), str(path))
    _validate(profile, path)
    return profile


def load_checks() -> Mapping[str, Check]:
    """The catalogue: check id → Check, of all files in policy/checks, in their order.

    Raises PolicyError for a file that is not valid and for an id that stands twice.
    """
    found: dict[str, Check] = {}
    for path in sorted((POLICY / "checks").glob("*.yml")):
        entries = _load(path)
        if not isinstance(entries, list):
            raise PolicyError(f"{path}: expected a list of checks")
        for number, entry in enumerate(entries, 1):
            where = f"{path}, entry {number}"
            check = _build(Check, _mapping(where, entry), where)
            if check.id in found:
                raise PolicyError(f"{where}: {check.id} stands twice in the catalogue")
            if check.applies_to not in APPLIES_TO:
                raise PolicyError(f"{where}: applies_to is none of {', '.join(APPLIES_TO)}")
            found[check.id] = check
    return found


# ---------------------------------------------------------------------------------------------
# Reading, strictly


def _load(path: Path) -> Any:
    try:
        return yaml.load(path.read_text("utf-8"), SafeLoader)
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path} is not YAML: {' '.join(str(error).split())}") from None


def _mapping(where: object, data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise PolicyError(f"{where}: expected keys and values")
    return data


def _build(cls: type[T], data: dict[str, Any], where: str) -> T:
    """A dataclass from a mapping that has exactly its fields."""
    hints = typing.get_type_hints(cls)
    known = set(hints)
    _complain(where, "unknown key", set(data) - known)
    _complain(where, "missing key", known - set(data))
    return cls(**{name: _convert(hints[name], data[name], f"{where}: {name}") for name in known})


def _complain(where: str, what: str, names: typing.Iterable[Any]) -> None:
    listed = ", ".join(sorted(str(name) for name in names))
    if listed:
        raise PolicyError(f"{where}: {what} {listed}")


def _convert(kind: Any, value: Any, where: str) -> Any:
    try:
        return _CONVERTERS[kind](value)
    except (ValueError, ZeroDivisionError) as error:
        raise PolicyError(f"{where}: {error}") from None


def _text(value: Any) -> str:
    """Text, or a list of parts joined by colons (GnuTLS priority strings are long)."""
    if isinstance(value, list):
        return ":".join(_strings(value))
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected text")
    return value.strip()


def _strings(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("expected a list of texts")
    return tuple(value)


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError("expected a number above 0")
    return value


def _fraction(value: Any) -> Fraction:
    result = Fraction(str(value))
    if not 0 < result < 1:
        raise ValueError("expected a fraction between 0 and 1")
    return result


_CONVERTERS: dict[Any, typing.Callable[[Any], Any]] = {
    str: _text,
    int: _number,
    Fraction: _fraction,
    tuple[str, ...]: _strings,
    Severity: Severity,
}


def _validate(profile: Profile, path: Path) -> None:
    """Every name in a profile is one that the registry or the vocabulary knows."""
    unknown: list[str] = [
        word
        for word in (profile.protocol_min, *profile.protocols_required)
        if word not in PROTOCOLS
    ]
    unknown += [
        name for name in (*profile.ciphers, *profile.cipher_suites) if openssl_to_code(name) is None
    ]
    unknown += [
        name for name in (*profile.groups, *profile.certificate_curves) if group_code(name) is None
    ]
    _complain(str(path), "unknown name", unknown)
    if profile.name != path.stem:
        raise PolicyError(f"{path}: name is {profile.name}, the file's name says {path.stem}")
    if profile.cipher_order not in ("client", "server"):
        raise PolicyError(f"{path}: cipher_order is neither client nor server")
