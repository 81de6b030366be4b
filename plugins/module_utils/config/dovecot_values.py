# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to ask ``doveconf``, and what its answers mean: values in force, scope by scope.

It knows how ``doveconf`` prints 2.3 and 2.4, which scopes have to be asked, and which ports
follow. It runs nothing and reads no file: text in, values out.

Sources: doveconf(1); ``src/config/doveconf.c`` of 2.3.19 and 2.4.1 (named settings are printed
with groups and defaults merged; 2.4 prints what is set as ``ssl_server { cert_file = }`` and the
default under the flat name); ``src/master/service.c`` (``ssl=no`` drops listeners with
``ssl=yes``, ``port=0`` drops any).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Callable, Optional

from ..model.configured import Listener, Origin, Problem, Setting
from ..model.observed import Service, TlsMode
from ..text import WORD, clean
from .dovecot import filters, read_document, relative_to, settings
from .dovecot_origin import OLD_NAMES, deciding, holds, network
from .vocabulary import DOVECOT_23, DOVECOT_24, words

VALUE_LIMIT = 4096

# Fields that name files, and the role of each file.
FILES = {
    "certificate": "certificate",
    "key": "key",
    "alt_certificate": "certificate",
    "alt_key": "key",
    "dh": "dh",
}
_LISTS = ("mechanisms", "trusted_networks", "proxy_networks")
# str_parse_get_bool and get_bool: these are the same to Dovecot.
_BOOLEANS = {"yes": "yes", "y": "yes", "1": "yes", "no": "no", "n": "no", "0": "no"}

PROTOCOLS = {"imap": Service.IMAP, "pop3": Service.POP3, "sieve": Service.SIEVE}
_FILTER_NAMES = {DOVECOT_23: {"local_name": "lname"}, DOVECOT_24: {}}
_HIDDEN = "# hidden, use -P to show it"

# Settings worth reporting. Nothing secret may match: no password, nonce, header or URL.
_REPORTED = re.compile(
    r"(@[^/]+$"
    r"|(@[^/]+/[^/]+/)?"
    r"(ssl|ssl_(?!.*(password|engine|crypto_device)).*|verbose_ssl|disable_plaintext_auth"
    r"|auth_(allow_cleartext|allow_weak_schemes|mechanisms(/.*)?|ssl_.*)"
    r"|login_(trusted_networks|log_format|log_format_elements)(/.*)?|haproxy_trusted_networks(/.*)?"
    r"|protocols(/.*)?|listen(/.*)?|dovecot_(config|storage)_version"
    r"|service/[^/]+/inet_listener/.*)$)",
    re.DOTALL,
)


def reported(setting: Setting) -> bool:
    """Whether an assignment has to do with TLS, logins or ports, and holds no secret."""
    return _REPORTED.match(setting.name) is not None


# ---------------------------------------------------------------------------------------------
# Questions


def names(dialect: str) -> tuple[str, ...]:
    """The settings to name to ``doveconf`` for one scope, in this order."""
    flat = tuple(word.name for word in words(dialect).values())
    # Last, since what stands in the block is what counts.
    return (*flat, "ssl_server") if dialect == DOVECOT_24 else flat


def global_names(dialect: str) -> tuple[str, ...]:
    """The settings to name once, without a filter."""
    return (*names(dialect), "protocols", "listen", "login_plugin_dir", "service")


def filter_arguments(dialect: str, scope: str, known: Sequence[str] = ()) -> tuple[str, ...]:
    """``doveconf``'s arguments that choose a scope; ``known`` are all scopes of the configuration.

    Of several SNI names the first, and for a network an address of it that is in no narrower one:
    asked for 10.0.0.0/8, ``doveconf`` would answer for 10.0.0.0/16 too (config_filter_match_rest).
    """
    found: list[str] = []
    for kind, value in filters(scope):
        chosen = (value.split() or [""])[0] if kind == "local_name" else value
        chosen = _address(kind, value, known) if kind in ("local", "remote") else chosen
        found += ["-f", f"{_FILTER_NAMES[dialect].get(kind, kind)}={chosen}"]
    return tuple(found)


def _address(kind: str, value: str, known: Sequence[str]) -> str:
    wide = network(value)
    if wide is None:
        return value
    others = (network(v) for scope in known for k, v in filters(scope) if k == kind)
    narrow = [n for n in others if n is not None and n.prefixlen > wide.prefixlen]
    candidates = (wide[-1], wide[0], wide[wide.num_addresses // 2])
    return str(next((a for a in candidates if not any(a in n for n in narrow)), value))


def scopes(all_settings: Sequence[Setting], dialect: str) -> tuple[str, ...]:
    """The scopes in which a field may differ: global, protocols, other filters, both together.

    Both together only where they are more than the sum: a block for both, or a field set in both.
    """
    scoped = [s for s in all_settings if s.scope and _field_name(s.name, dialect)]
    protocols = [
        f"protocol={p}" for p in PROTOCOLS if any(_names_protocol(s.scope, p) for s in scoped)
    ]
    others = list(dict.fromkeys(filter(None, (without_protocol(s.scope) for s in scoped))))
    both = [
        f"{other},{protocol}"
        for other in others
        for protocol in protocols
        if _interact(scoped, dialect, other, protocol)
    ]
    return ("", *protocols, *others, *both)


def _interact(scoped: Sequence[Setting], dialect: str, other: str, protocol: str) -> bool:
    here = [s for s in scoped if holds(s.scope, other)]
    there = [s for s in scoped if holds(s.scope, protocol)]
    nested = any(
        holds(s.scope, f"{other},{protocol}") for s in scoped if s not in here and s not in there
    )
    fields = {_field_name(s.name, dialect) for s in here}
    other_fields = {_field_name(s.name, dialect) for s in there}
    group = "@" in fields | other_fields  # may set any field
    return nested or bool(fields & other_fields) or (group and bool(here and there))


def without_protocol(scope: str) -> str:
    """A scope without its protocol: ``remote=10.0.0.0/8,protocol=pop3`` → ``remote=10.0.0.0/8``."""
    return ",".join(f"{kind}={value}" for kind, value in filters(scope) if kind != "protocol")


def _names_protocol(scope: str, protocol: str) -> bool:
    mask = ",".join(f"{kind}={value}" for kind, value in filters(scope) if kind == "protocol")
    return bool(mask) and holds(mask, f"protocol={protocol}")


def _field_name(name: str, dialect: str) -> str:
    """The native name whose field an assignment sets, ``@`` for a group, else ``""``."""
    if name.startswith("@"):
        return "" if "/" in name else "@"
    first = name.split("/")[0]
    known = {word.name for word in words(dialect).values()}
    stands_for = next((new for new, old in OLD_NAMES.items() if first in old), first)
    return stands_for if stands_for in known else ""


# ---------------------------------------------------------------------------------------------
# Answers


def parse_dump(text: str) -> dict[str, str]:
    """``doveconf``'s answer as name → native value; what it hides is left out."""
    document = read_document("doveconf", lambda _: text, lambda _: ())
    hidden = {line.origin for line in document.lines if _HIDDEN in line.text}
    return {s.name: s.value for s in settings(document) if not s.scope and s.origin not in hidden}


def items(values: Mapping[str, str], name: str) -> Optional[tuple[str, ...]]:
    """A list: ``plain login``, ``*, ::`` or a block of ``plain = yes``; ``None`` if absent."""
    inside = [n[len(name) + 1 :] for n, v in values.items() if _chosen(n, v, name)]
    if inside:
        return tuple(inside)
    plain = values.get(name)
    return None if plain is None else tuple(plain.replace(",", " ").split())


def _chosen(name: str, value: str, prefix: str) -> bool:
    return name.startswith(prefix + "/") and _BOOLEANS.get(value.lower()) == "yes"


def normal(dialect: str, field: str, native: str) -> Optional[str]:
    """A native value as the normalised one; ``None`` where it has no such meaning.

    For a file its path (``""`` for none); ``None`` where the PEM text itself is given.
    """
    if field in FILES:
        return _path(dialect, native)
    if field in _LISTS:
        return " ".join(native.replace(",", " ").split())
    values = words(dialect)[field].values
    if values is None:
        return native
    return values.get(native, values.get(_BOOLEANS.get(native.lower(), native.lower())))


def _path(dialect: str, native: str) -> Optional[str]:
    if not native:
        return ""
    if dialect == DOVECOT_23:
        return native[1:] if native.startswith("<") else None
    return None if native.startswith("inline:") else native


@dataclass(frozen=True)
class Value:
    """A field in force in a scope, and the assignment that decides (``None`` for a default)."""

    field: str
    name: str
    value: Optional[str]
    native: str
    setting: Optional[Setting]


def read_fields(
    dialect: str, all_settings: Sequence[Setting], scope: str, values: Mapping[str, str]
) -> dict[str, Value]:
    """All fields that ``doveconf`` answered for one scope."""
    found: dict[str, Value] = {}
    for field, word in words(dialect).items():
        listed = items(values, word.name) if field in _LISTS else None
        native = " ".join(listed) if listed is not None else values.get(word.name)
        value = _field(dialect, all_settings, scope, field, native)
        if value is not None:
            found[field] = value
    return found


def _field(
    dialect: str, all_settings: Sequence[Setting], scope: str, field: str, native: Optional[str]
) -> Optional[Value]:
    name = words(dialect)[field].name
    narrowest_wins = dialect == DOVECOT_23
    first = deciding(all_settings, name, scope, lambda _: True, narrowest_wins)
    setting = first
    if first is not None and _believe_file(dialect, field, native, first):
        native = first.value
    elif native is None:
        return None  # this version has no such setting
    else:
        wanted = normal(dialect, field, native)
        setting = deciding(
            all_settings,
            name,
            scope,
            lambda s: normal(dialect, field, s.value) == wanted,
            narrowest_wins,
        )
    value = normal(dialect, field, native)
    shown = "…" if value is None and field in FILES else clean(native, VALUE_LIMIT)
    if field in FILES and value and setting is not None:
        value = relative_to(setting.origin.file, value)
    return Value(field, name, value and clean(value, VALUE_LIMIT), shown, setting)


def _believe_file(dialect: str, field: str, native: Optional[str], first: Setting) -> bool:
    """Whether the highest ranked assignment is to be believed and not ``doveconf``.

    It hides the paths of keys. And in 2.4.1 to 2.4.5 ``-f remote=R -f protocol=P`` loses what
    stands in ``remote R { protocol P { } }`` when a ``protocol P { }`` stands before it, while
    the login processes obey it (tried with both).
    """
    nested = dialect == DOVECOT_24 and "," in first.scope and "/" not in first.name
    return (nested and not first.dynamic) or (native is None and field in FILES)


def emitted(scope: str, field: str, rows: Mapping[str, Mapping[str, Value]]) -> bool:
    """Whether a row says something that the rows of the scopes around it do not.

    True for global values and for a value that the scope itself sets. Else a value is expected to
    be the global one, or the only other one that the scopes around it have; true where it is not,
    and where these disagree.
    """
    row = rows[scope][field]
    if not scope or (row.setting is not None and row.setting.scope == scope):
        return True
    base = _native(rows, "", field)
    changed = {_native(rows, outer, field) for outer in _around(scope) if outer in rows} - {base}
    return len(changed) > 1 or row.native != next(iter(changed), base)


def _native(rows: Mapping[str, Mapping[str, Value]], scope: str, field: str) -> Optional[str]:
    row = rows[scope].get(field)
    return row.native if row else None


def _around(scope: str) -> Iterator[str]:
    """The scopes that hold some, but not all, of the filters."""
    pairs = [f"{kind}={value}" for kind, value in filters(scope)]
    for size in range(1, len(pairs)):
        yield from (",".join(some) for some in combinations(pairs, size))


# ---------------------------------------------------------------------------------------------
# Ports


_LISTENER = re.compile(r"(service/([^/]+)/inet_listener/.+)/port")

# service → protocol, listeners: what Dovecot has without a line of configuration.
_BUILT_IN = {
    "imap-login": ("imap", (("imap", "143", "no"), ("imaps", "993", "yes"))),
    "pop3-login": ("pop3", (("pop3", "110", "no"), ("pop3s", "995", "yes"))),
    "managesieve-login": ("sieve", (("sieve", "4190", "no"),)),
}


def listeners(
    values: Mapping[str, str],
    tls: Callable[[str], Optional[str]],
    origin: Callable[[str], Optional[Origin]],
) -> tuple[Listener, ...]:
    """The ports that the login services of all enabled protocols open.

    ``values`` as from :func:`parse_dump` of :func:`global_names`; ``tls`` gives the field of that
    name for a scope (``""``, ``protocol=imap``), ``origin`` the place of a setting.
    """
    enabled = items(values, "protocols") or ()
    found: list[Listener] = []
    for name, port in values.items():
        match = _LISTENER.fullmatch(name)
        service = PROTOCOLS.get(values.get(f"service/{match[2]}/protocol", "")) if match else None
        if match is None or service is None or service.value not in enabled:
            continue
        if values.get(f"service/{match[2]}/type") != "login" or not _is_port(port):
            continue
        implicit = _BOOLEANS.get(values.get(f"{match[1]}/ssl", "no").lower()) == "yes"
        if implicit and tls("") == "no":
            continue
        mode = TlsMode.IMPLICIT if implicit else _starttls(tls(f"protocol={service.value}"))
        where = origin(name) or origin(f"{match[1]}/ssl")
        for address in _addresses(values, match[1]):
            found.append(Listener(service, address, int(port), mode, where))
    return tuple(dict.fromkeys(found))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536


def _starttls(tls: Optional[str]) -> Optional[TlsMode]:
    return None if tls == "no" else TlsMode.STARTTLS


def _addresses(values: Mapping[str, str], listener: str) -> tuple[str, ...]:
    own = items(values, f"{listener}/address") or items(values, f"{listener}/listen")
    addresses = own or items(values, "listen") or ("*", "::")
    return tuple(clean(address.strip("[]")) for address in addresses)


def written_values(all_settings: Sequence[Setting]) -> dict[str, str]:
    """What the files say about ports, over the built-in defaults: for a broken configuration."""
    values: dict[str, str] = {}
    for service, (protocol, ports) in _BUILT_IN.items():
        values.update({f"service/{service}/type": "login", f"service/{service}/protocol": protocol})
        for name, port, ssl in ports:
            base = f"service/{service}/inet_listener/{name}"
            values.update({f"{base}/port": port, f"{base}/ssl": ssl})
    for setting in all_settings:
        if not setting.scope and setting.name != "protocols":
            values[setting.name] = setting.value
    written = [word for s in all_settings if s.name == "protocols" for word in s.value.split()]
    if not items(values, "protocols"):
        values["protocols"] = " ".join(w for w in written if not w.startswith("$")) or "imap pop3"
    return values


# ---------------------------------------------------------------------------------------------
# Complaints


_WHERE = (
    re.compile(r"Error in configuration file (?P<file>/.+?) line (?P<line>\d+): "),
    re.compile(r"\(section started at (?P<file>/.+?):(?P<line>\d+)\)"),
)


def refusal(stderr: str) -> Problem:
    """``doveconf``'s complaint as a problem, with file and line where it names them."""
    lines = [line for line in stderr.splitlines() if "Fatal: " in line or "Error: " in line]
    last = lines[-1] if lines else (stderr.strip().splitlines() or ["it gave no reason"])[-1]
    message = re.sub(r"^.*?(Fatal|Error): ", "", last)
    found = next((m for m in (pattern.search(message) for pattern in _WHERE) if m), None)
    origin = Origin(clean(found["file"]), int(found["line"])) if found else None
    return Problem(clean(f"Dovecot refuses its configuration: {message}", VALUE_LIMIT), origin)


def banner(text: str) -> tuple[Optional[str], Optional[str]]:
    """Version and main file, from the first line that ``doveconf -n`` prints in any case."""
    match = re.match(r"# (\S+)[^\n]*?: (/[^\n]+)\n", text)
    return (clean(match[1], WORD), match[2]) if match else (None, None)
