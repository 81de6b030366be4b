# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as JUnit XML: a suite for each host, a case for each check and subject.

For what shows the results of tests, such as the page of a CI job. A case is red exactly where the
finding keeps the host from passing: ``failure`` where something is wrong, ``error`` where it could
not be seen. What is wrong and does not fail the profile, what is waived and what does not apply is
``skipped``, with the reason.

Source: the schema junit-10.xsd of Jenkins' xUnit plugin, that of the most widely used readers;
Extensible Markup Language (XML) 1.0 section 2.2 (which characters there are).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from .layout import safe

Document = Mapping[str, Any]

_UNSEEN = ("error", "not_checked")


def suites(document: Document) -> str:
    """The document as one ``testsuites``."""
    made = [_Suite(host) for host in document["hosts"]]
    profile = document["profile"]
    name = f"postmaster.tls {safe(profile['name'])} {safe(profile['version'])}"
    # The schema has no sum of the skipped ones.
    counts = {word: sum(suite.counts[word] for suite in made) for word in _COUNTED[:3]}
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', _tag("testsuites", name=name, **counts)]
    for suite in made:
        lines += suite.lines()
    return "\n".join([*lines, "</testsuites>", ""])


_COUNTED = ("tests", "failures", "errors", "skipped")
_ELEMENTS = {"failure": "failures", "error": "errors", "skipped": "skipped"}


class _Suite:
    """A host's cases and how many there are of each kind."""

    def __init__(self, host: Document) -> None:
        self.host = host
        self.cases = list(_cases(host))
        self.counts = dict.fromkeys(_COUNTED, 0)
        self.counts["tests"] = len(self.cases)
        for element, _text in self.cases:
            if element:
                self.counts[_ELEMENTS[element]] += 1

    def lines(self) -> Iterator[str]:
        """The suite as XML."""
        name, moment = safe(self.host["host"]), safe(self.host["observed_at"])[:19]
        yield _tag("testsuite", name=name, **self.counts, time="0", timestamp=moment)
        yield from (text for _element, text in self.cases)
        said = [safe(problem["message"]) for problem in self.host["problems"]]
        if said:
            yield f"<system-err>{escape(chr(10).join(said))}</system-err>"
        yield "</testsuite>"


def _cases(host: Document) -> Iterator[tuple[str, str]]:
    """The element within each case (empty: passed), and the case as XML."""
    name = safe(host["host"])
    if host["verdict"] == "none" and host["problems"]:
        reason = safe(host["problems"][0]["message"])
        yield "error", _case(name, "observed", "observation", "error", reason, "error", "")
    for found in host["findings"]:
        element, message = _outcome(found)
        subject = safe(found["subject"]) or name
        check, severity = safe(found["check_id"]), safe(found["severity"])
        told = _told(found) if element in ("failure", "error") else ""
        yield element, _case(f"{name}.{check}", subject, check, element, message, severity, told)


def _outcome(found: Document) -> tuple[str, str]:
    actual, severity = safe(found["actual"]), safe(found["severity"])
    if found["fails"]:
        return ("error" if found["status"] in _UNSEEN else "failure"), actual
    if found["status"] == "pass":
        return "", ""
    if found["status"] == "fail":
        return "skipped", f"{severity}, below what fails: {actual}"
    return "skipped", f"{safe(found['status']).replace('_', ' ')}: {actual}"


def _told(found: Document) -> str:
    parts = [("expected", found["expected"]), ("actual", found["actual"])]
    parts += [("seen", text) for text in found["evidence"]]
    parts.append(("cure", found["remediation"]))
    return "\n".join(f"{title}: {safe(text)}" for title, text in parts)


def _case(
    classname: str, name: str, check: str, element: str, message: str, kind: str, text: str
) -> str:
    opened = _tag("testcase", classname=classname, name=f"{check} {name}", time="0")
    if not element:
        return f"{opened[:-1]}/>"
    if element == "skipped":
        return f"{opened}{_tag('skipped', message=message)[:-1]}/></testcase>"
    inner = _tag(element, type=kind, message=message)
    return f"{opened}{inner}{escape(text)}</{element}></testcase>"


def _tag(tag: str, **attributes: object) -> str:
    """A start tag; the values are text that was made safe, or numbers."""
    words = [f"{name}={quoteattr(str(value))}" for name, value in attributes.items()]
    return f"<{' '.join([tag, *words])}>"
