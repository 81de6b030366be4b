# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWX takes docs/awx-survey.json and docs/awx-schedule.json as they are.

What it takes is told here in our words, read out of AWX at e21dd0a (2024-10-23): a survey is looked
at by JobTemplateSurveySpec (awx/api/views), a schedule by SchedulePreviewSerializer and
ScheduleSerializer (awx/api/serializers.py), its extra_data by SurveyJobTemplateMixin
(awx/main/models/mixins.py). No AWX has run here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, time, timezone
from pathlib import Path
from typing import Any

import pytest
from dateutil import rrule

DOCS = Path(__file__).resolve().parents[2] / "docs"
ROOT = DOCS.parent
SURVEY: dict[str, Any] = json.loads((DOCS / "awx-survey.json").read_text("utf-8"))
SCHEDULE: dict[str, Any] = json.loads((DOCS / "awx-schedule.json").read_text("utf-8"))

ANSWERS: Mapping[str, Any] = {
    **dict.fromkeys(("text", "textarea", "password", "multiplechoice", "multiselect"), str),
    "integer": int,
    "float": (int, float),
}
"""Kinds of question → what a default may be."""
QUESTION = {"question_name": str, "variable": str, "type": str, "required": bool}
MORE = {"question_description", "default", "choices", "min", "max", "new_question"}
WRITABLE = {"name", "description", "enabled", "rrule", "extra_data"}
"""Those fields of a schedule that need no object of the installation, such as an inventory."""


def survey_errors(survey: dict[str, Any]) -> Iterator[str]:
    """What AWX answers with 400 to, and what it would keep and never read."""
    for name, kind in {"name": str, "description": str, "spec": list}.items():
        if not isinstance(survey.get(name), kind):
            yield f"{name} is no {kind.__name__}"
    variables = [question.get("variable") for question in survey["spec"]]
    if not variables or len(set(variables)) < len(variables):
        yield "no question, or two for one variable"
    for question in survey["spec"]:
        yield from question_errors(question)


def question_errors(question: dict[str, Any]) -> Iterator[str]:
    for name, kind in QUESTION.items():
        if not isinstance(question.get(name), kind):
            yield f"{name} is no {kind.__name__}"
    if unknown := question.keys() - QUESTION.keys() - MORE:
        yield f"unknown: {unknown}"
    kind, default = question.get("type"), question.get("default", "")
    if kind not in ANSWERS:
        yield f"no kind of question: {kind}"
    elif default != "" and not isinstance(default, ANSWERS[kind]):
        yield f"not a {kind}: {default!r}"
    if kind in ("multiplechoice", "multiselect"):
        choices = question.get("choices", [])
        if not isinstance(choices, (str, list)) or not choices:
            yield "no choices"
        chosen = str(default).splitlines()
        if (kind == "multiplechoice" and len(chosen) > 1) or not set(chosen) <= set(choices):
            yield f"none of the choices: {default!r}"


def schedule_errors(schedule: dict[str, Any]) -> Iterator[str]:
    if schedule.keys() - WRITABLE or not {"name", "rrule"} <= schedule.keys():
        yield f"fields: {sorted(schedule)}"
    yield from rule_errors(schedule["rrule"])


def rule_errors(rule: str) -> Iterator[str]:
    starts = re.findall(r"DTSTART(?:;[^:]+)?:\d+T\d+Z?", rule)
    if len(starts) != 1 or re.search(r"DTSTART:\d+T\d+ ", rule):
        yield "not one DTSTART with a time zone"
    rules = re.findall(r"RULE:\S*", rule)
    if not rules or re.search("EXDATE:|RDATE:", rule, re.IGNORECASE):
        yield "no RRULE, or dates beside it"
    for each in rules:
        if "INTERVAL" not in each or "SECONDLY" in each or re.search(r"BYDAY[:=]\d", each):
            yield f"a rule that it does not take: {each}"
        if {"COUNT", "UNTIL"} <= set(re.findall("COUNT|UNTIL", each)):
            yield "COUNT and UNTIL"
    try:
        parsed = rrule.rrulestr(rule, forceset=True, tzinfos={"UTC": timezone.utc})
    except ValueError as error:
        yield str(error)
        return
    if any(part._dtstart.tzinfo is None for part in parsed._rrule):
        yield "no time zone"


def refused(survey: dict[str, Any], given: dict[str, Any]) -> Iterator[str]:
    """Variables of a schedule that AWX does not take: of no question, or no answer to it."""
    questions = {question["variable"]: question for question in survey["spec"]}
    for name, question in questions.items():
        if question["required"] and name not in given:
            yield f"{name} is required"
    for name, value in given.items():
        if name not in questions:
            yield f"{name} is no question"
        elif not isinstance(value, str) or value not in questions[name].get("choices", [value]):
            yield f"{name} is not to be {value!r}"


def test_it_takes_the_survey() -> None:
    assert list(survey_errors(SURVEY)) == []


def test_it_takes_the_schedule_with_its_answers() -> None:
    assert list(schedule_errors(SCHEDULE)) == []
    assert list(refused(SURVEY, SCHEDULE["extra_data"])) == []


def test_the_schedule_is_every_night_at_three() -> None:
    parsed = rrule.rrulestr(SCHEDULE["rrule"], forceset=True, tzinfos={"UTC": timezone.utc})
    begin = datetime(2026, 12, 1, 12, tzinfo=timezone.utc)
    nights = parsed.xafter(begin, count=400)
    times = [night.astimezone(timezone.utc) for night in nights]
    assert {at.timetz().replace(tzinfo=None) for at in times} == {time(3)}
    assert [(at - begin).days for at in times] == list(range(400))


@pytest.mark.parametrize(
    "wrong",
    [
        {"required": "yes"},
        {"question_name": None},
        {"type": "choice"},
        {"choices": []},
        {"default": "mend"},
        {"default": 1},
        {"help": "?"},
    ],
    ids=str,
)
def test_a_wrong_question_is_told(wrong: dict[str, Any]) -> None:
    assert list(question_errors({**SURVEY["spec"][0], **wrong}))


def test_a_wrong_survey_is_told() -> None:
    assert list(survey_errors({"name": "x", "spec": SURVEY["spec"]}))
    assert list(survey_errors({**SURVEY, "spec": []}))
    assert list(survey_errors({**SURVEY, "spec": SURVEY["spec"] * 2}))


@pytest.mark.parametrize(
    "wrong",
    [
        "RRULE:FREQ=DAILY;INTERVAL=1",
        "DTSTART:20260101T030000 RRULE:FREQ=DAILY;INTERVAL=1",
        "DTSTART;TZID=UTC:20260101T030000 RRULE:FREQ=DAILY",
        "DTSTART;TZID=UTC:20260101T030000 RRULE:FREQ=SECONDLY;INTERVAL=1",
        "DTSTART;TZID=UTC:20260101T030000 RRULE:FREQ=NIGHTLY;INTERVAL=1",
        "DTSTART;TZID=UTC:20260101T030000",
    ],
)
def test_a_wrong_rule_is_told(wrong: str) -> None:
    assert list(rule_errors(wrong))


@pytest.mark.parametrize(
    "wrong",
    [{"mail_tls_profile": "modern"}, {"mail_tls_baseline": "forget"}, {"mail_tls_hosts": ["all"]}],
    ids=str,
)
def test_a_wrong_answer_is_told(wrong: dict[str, Any]) -> None:
    assert list(refused(SURVEY, {**SCHEDULE["extra_data"], **wrong}))


def test_the_survey_asks_for_variables_that_there_are() -> None:
    paths = (ROOT / "playbooks" / "drift.yml", ROOT / "roles/drift/defaults/main.yml")
    read = "".join(path.read_text("utf-8") for path in paths)
    assert [q["variable"] for q in SURVEY["spec"] if q["variable"] not in read] == []


def test_the_document_turns_the_survey_on_before_it_posts_a_schedule() -> None:
    """A survey that is not enabled answers for nothing: the schedule's extra_data are refused."""
    lines = (DOCS / "drift.md").read_text("utf-8").splitlines()
    calls = [line for line in lines if line.startswith("    curl ")]
    wanted = ("/survey_spec/", '{"survey_enabled": true}', "/schedules/")
    assert len(calls) == len(wanted)
    assert [word in call for word, call in zip(wanted, calls)] == [True] * 3
