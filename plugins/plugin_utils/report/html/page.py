# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as HTML: one file that needs no network and no script, or one and a page per host.

    page(document, trend, previous)   the whole text of report.html
    pages(...)                        report.html, and hosts/N.html for a large fleet, one by one

Everything that a server, a certificate or a file said is hostile. It gets out in one way only: it
is cleaned again (the document may come from a file that anyone wrote), escaped by autoescape and
isolated in <bdi>. No address, id, class or file name is made of it: those are numbers and words of
our own. The page forbids itself everything (Content-Security-Policy) but its one style sheet, by
its hash. Sources: CSP Level 3, WCAG 2.2, Unicode Standard Annex 9 (isolates).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ...policy import Check, Profile, load_checks, load_profile, profile_names
from ...registry import group_code, group_name, openssl_to_code, suite_name
from ..layout import safe
from ..trend import Point, of
from .chart import HEIGHT, WIDTH, chart, percent
from .fleet import FAMILIES, SEVERITIES, fleet
from .host import VERSIONS, host_view

Document = Mapping[str, Any]

TEMPLATES = Path(__file__).resolve().parent / "templates"
FILE = "report.html"
FOLDER = "hosts"
PAGE = re.compile(r"[0-9]+\.html")
"""The pages in FOLDER."""
ONE_PAGE = 40
"""Up to so many hosts are in one file (decision 14)."""

_CLASSES = frozenset((*SEVERITIES, "unseen", "noted", "waived", "pass", "fail", "error", "none"))


class Page(NamedTuple):
    """A file of the report: its path beside report.json, and its text."""

    path: str
    text: str


def page(
    document: Document, trend: Sequence[Point] = (), previous: Optional[Document] = None
) -> str:
    """All of a report in one file, whatever its size; hosts that ``previous`` has are compared."""
    return _fleet_page(document, trend, previous, alone=True).text


def pages(
    document: Document, trend: Sequence[Point] = (), previous: Optional[Document] = None
) -> Iterator[Page]:
    """report.html, and one page for each host of a fleet of more than ONE_PAGE."""
    alone = len(document["hosts"]) <= ONE_PAGE
    yield _fleet_page(document, trend, previous, alone)
    if not alone:
        common, before = _common(document), _by_name(previous)
        template = _environment().get_template("one_host.html.j2")
        for number, host in enumerate(document["hosts"], 1):
            view = host_view(number, host, _catalogue(), before.get(host["host"]))
            yield Page(f"{FOLDER}/{number}.html", template.render(common, host=view))


def _fleet_page(
    document: Document, trend: Sequence[Point], previous: Optional[Document], alone: bool
) -> Page:
    before = _by_name(previous)
    hosts = (
        host_view(number, host, _catalogue(), before.get(host["host"]))
        for number, host in enumerate(document["hosts"] if alone else (), 1)
    )
    template = _environment().get_template("fleet.html.j2")
    text = template.render(
        _common(document),
        fleet=fleet(document, _catalogue()),
        chart=_chart(document, trend),
        hosts=hosts,
        alone=alone,
    )
    return Page(FILE, text)


def _by_name(document: Optional[Document]) -> Mapping[str, Document]:
    return {host["host"]: host for host in (document or {}).get("hosts", ())}


def _chart(document: Document, trend: Sequence[Point]) -> Any:
    """The trend up to this report; ``None`` where there is no line to draw."""
    now = of(document)
    points = [point for point in trend if point.at < now.at]
    return chart([*points, now]) if points else None


def _common(document: Document) -> dict[str, Any]:
    """What every page of a report has."""
    return {
        "report": document,
        "allowed": _allowed(document["profile"]["name"]),
        "oldest": _oldest(document["profile"]["name"]),
        "style": _style(),
        "policy": _policy(_style()),
        "folder": FOLDER,
    }


# ---------------------------------------------------------------------------------------------
# What the profile has to say


@functools.lru_cache(maxsize=1)
def _catalogue() -> Mapping[str, Check]:
    return load_checks()


@functools.lru_cache(maxsize=8)
def _profile(name: str) -> Optional[Profile]:
    """The profile, unless the report was made by one that is not here."""
    return load_profile(name) if name in profile_names() else None


@functools.lru_cache(maxsize=8)
def _allowed(name: str) -> Optional[frozenset[str]]:
    """The IANA names of the profile's suites and groups; ``None`` where that is not known."""
    profile = _profile(name)
    if profile is None:
        return None
    suites = (openssl_to_code(suite) for suite in (*profile.ciphers, *profile.cipher_suites))
    groups = (group_code(group) for group in profile.groups)
    return frozenset(
        [suite_name(code) for code in suites if code is not None]
        + [group_name(code) for code in groups if code is not None]
    )


def _oldest(name: str) -> str:
    profile = _profile(name)
    return profile.protocol_min if profile else VERSIONS[0]


# ---------------------------------------------------------------------------------------------
# The rim


@functools.lru_cache(maxsize=8192)
def _isolated(text: str) -> Markup:
    """Hostile text as HTML: cleaned, escaped and, for the sake of its direction, by itself."""
    return Markup("<bdi>{}</bdi>").format(safe(text))


def _text(value: object) -> Markup:
    return _isolated(str(value))


def _class(word: object) -> str:
    """A word of ours as the name of a class; anything else is none."""
    return str(word) if word in _CLASSES else ""


def _date(moment: object) -> str:
    """``2026-11-24 12:00 UTC`` of an ISO 8601 moment in UTC."""
    return safe(moment).replace("T", " ")[:16] + " UTC"


@functools.lru_cache(maxsize=1)
def _style() -> Markup:
    # Ours, not data; it stands in <style>, where escapes would be taken literally.
    return Markup((TEMPLATES / "style.css").read_text("utf-8"))  # noqa: S704 - a file of ours


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@functools.lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(t=_text, plain=safe, word=_class, date=_date)
    environment.globals.update(
        percent=percent, families=FAMILIES, severities=SEVERITIES, versions=VERSIONS,
        width=WIDTH, height=HEIGHT,
    )  # fmt: skip
    return environment
