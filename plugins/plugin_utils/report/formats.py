# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats of the report by name: which file, made by which function, read by whom.

Each function takes a document of report/json.py (HTML the past too) and returns the whole text of
a file. What is text in the document is hostile to each of them; each escapes for its own format.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ..policy import load_checks
from . import csv, cyclonedx, junit, markdown, prometheus, sarif, terminal
from .html import page as html
from .trend import Point

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Past:
    """What was before this report: the points of the runs so far, and the report before it."""

    trend: Sequence[Point] = ()
    previous: Optional[Document] = None


@dataclass(frozen=True)
class Made:
    """A file's name, text and mode, before it is written."""

    name: str
    text: str
    mode: int


@dataclass(frozen=True)
class Format:
    """A format's file, and who may read it: the report tells what is weak on which host.

    ``pages`` makes the files of a format that may have more than one and looks at the past.
    """

    file: str
    make: Callable[[Document], str]
    mode: int = 0o600
    pages: Optional[Callable[[Document, Past], Iterable[tuple[str, str]]]] = None

    def made(self, document: Document, past: Past) -> Iterator[Made]:
        """The files of this format."""
        pages = self.pages(document, past) if self.pages else [(self.file, self.make(document))]
        yield from (Made(name, text, self.mode) for name, text in pages)


_NO_PAST = Past()


def _json(document: Document) -> str:
    # Without indentation: only so is the encoder the quick one, and programs read this.
    return json.dumps(document) + "\n"


SOURCE = "json"
"""The format that all others are made of, and that the next run compares with."""

FORMATS: Mapping[str, Format] = {
    SOURCE: Format("report.json", _json),
    "html": Format(
        html.FILE,
        html.page,
        pages=lambda made, past: html.pages(made, past.trend, past.previous),
    ),
    "text": Format("report.txt", terminal.summary),
    "markdown": Format("report.md", lambda made: markdown.summary(made, load_checks())),
    "csv": Format("report.csv", csv.ports),
    "csv_findings": Format("findings.csv", csv.findings),
    "junit": Format("report.junit.xml", junit.suites),
    "sarif": Format("report.sarif", lambda made: sarif.log(made, load_checks())),
    "prometheus": Format(prometheus.FILE, prometheus.metrics, 0o644),
    "cyclonedx": Format("report.cdx.json", cyclonedx.bom),
}
"""The choices of the option ``formats``, in the order of the documentation."""


def make(document: Document, names: Iterable[str], past: Past = _NO_PAST) -> Iterator[Made]:
    """The files of these formats, ``json`` first, whether it is named or not; made one by one.

    Raises ValueError for a name that is no format.
    """
    wanted = dict.fromkeys((SOURCE, *names))
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown:
        choices = ", ".join(FORMATS)
        raise ValueError(f"there is no format {unknown[0]!r}; choose among: {choices}")
    return (made for name in wanted for made in FORMATS[name].made(document, past))
