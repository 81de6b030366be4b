# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which line of a Dovecot configuration decides a setting in a scope.

``doveconf`` says what is in force but never where it was written. Here the assignments that can
hold in a scope are ranked as Dovecot ranks them; of those, the first whose value is the one in
force is taken, so that a rank that is wrong for once does not name a line that says something
else. No I/O.

Sources: ``src/config/config-filter.c`` of 2.3.19 (``config_filter_match``: the narrowest filter
wins, in the order local_name, local, remote, protocol), ``config-parser.c`` of 2.4.1
(``config_parse_merge_filters``: the filter that was opened last wins; ``config_filters_merge``: an
included group gives way to what is written beside it), ``src/lib-dns/dns-util.c``
(``dns_match_wildcard``), ``old-set-parser.c`` of 2.3.19 (old names).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Callable, Optional

from ..model.configured import Setting
from .dovecot import filters
from .networks import Network

# Names of 2.3 that still work, with a warning, beside the one they stand for.
OLD_NAMES: dict[str, tuple[str, ...]] = {
    "ssl": ("ssl_disable",),
    "ssl_min_protocol": ("ssl_protocols",),
    "ssl_cert": ("ssl_cert_file",),
    "ssl_key": ("ssl_key_file",),
    "ssl_ca": ("ssl_ca_file",),
}


@dataclass(frozen=True)
class _Candidate:
    setting: Setting
    order: int
    grouped: bool = False


def deciding(
    settings: Sequence[Setting],
    name: str,
    scope: str,
    in_force: Callable[[Setting], bool],
    narrowest_wins: bool,
) -> Optional[Setting]:
    """The assignment that decides ``name`` in ``scope``; ``None`` for a built-in default.

    ``in_force`` says whether an assignment's value is the one that the server reports;
    ``narrowest_wins`` is true for 2.3, false for 2.4.
    """
    found = [c for c in _candidates(settings, name) if holds(c.setting.scope, scope)]
    opened: dict[str, int] = {}
    for index, setting in enumerate(settings):
        opened.setdefault(setting.scope, index)
    found.sort(key=lambda c: _rank(c, opened, narrowest_wins), reverse=True)
    matching = (c.setting for c in found if in_force(c.setting))
    return next(matching, found[0].setting if found else None)


def _candidates(settings: Sequence[Setting], name: str) -> list[_Candidate]:
    names = (name, *OLD_NAMES.get(name, ()))
    found: list[_Candidate] = []
    for order, setting in enumerate(settings):
        if setting.name in names or setting.name.startswith(name + "/"):
            found.append(_Candidate(setting, order))
        elif setting.name.startswith("@") and "/" not in setting.name:
            group = f"{setting.name}/{setting.value}/"
            found += [
                _Candidate(replace(s, scope=setting.scope), index, grouped=True)
                for index, s in enumerate(settings)
                if s.name == group + name
            ]
    return found


def _rank(candidate: _Candidate, opened: dict[str, int], narrowest_wins: bool) -> tuple[int, ...]:
    scope = candidate.setting.scope
    width = _narrowness(scope) if narrowest_wins else (opened.get(scope, -1) if scope else -1,)
    return (*width, 0 if candidate.grouped else 1, candidate.order)


def _narrowness(scope: str) -> tuple[int, ...]:
    kinds = dict(filters(scope))
    return (
        1 if "local_name" in kinds else 0,
        _bits(kinds.get("local")),
        _bits(kinds.get("remote")),
        1 if "protocol" in kinds else 0,
    )


def _bits(text: Optional[str]) -> int:
    if text is None:
        return 0
    parsed = network(text)
    return parsed.prefixlen if parsed else 128


def network(text: str) -> Optional[Network]:
    """``10.0.0.0/8`` or an address as a network; ``None`` for a host name."""
    try:
        return ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None


# ---------------------------------------------------------------------------------------------
# Whether a filter holds


def holds(mask: str, scope: str) -> bool:
    """Whether what is written in the scope ``mask`` holds for connections of ``scope``."""
    wanted = filters(scope)
    return all(
        any(kind == k and _MATCHES[kind](pattern, value) for k, value in wanted)
        for kind, pattern in filters(mask)
    )


def _protocol(pattern: str, value: str) -> bool:
    return value != pattern[1:] if pattern.startswith("!") else value == pattern


def _network(pattern: str, value: str) -> bool:
    outer, inner = network(pattern), network(value)
    if outer is None or inner is None or outer.version != inner.version:
        return pattern == value
    return outer.prefixlen <= inner.prefixlen and inner.network_address in outer


def _name(pattern: str, value: str) -> bool:
    return any(_wildcard(p, v) for p in pattern.split() for v in value.split())


def _wildcard(pattern: str, name: str) -> bool:
    """``*`` stands for one label, ``?`` for one character."""
    parts = {"*": "[^.]+", "?": "."}
    regex = "".join(parts.get(c, re.escape(c)) for c in pattern.lower())
    return pattern == name or re.fullmatch(regex, name.lower()) is not None


_MATCHES = {
    "protocol": _protocol,
    "local": _network,
    "remote": _network,
    "local_name": _name,
}
