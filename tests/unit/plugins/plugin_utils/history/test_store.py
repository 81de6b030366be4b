# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept is what was seen; what is open stays open until it was seen to be gone."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.postmaster.tls.plugins.plugin_utils.fingerprint import finding
from ansible_collections.postmaster.tls.plugins.plugin_utils.history.database import Trouble
from ansible_collections.postmaster.tls.plugins.plugin_utils.history.rows import Item, stamp
from ansible_collections.postmaster.tls.plugins.plugin_utils.history.store import (
    History,
    open_history,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.report.trend import of
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    GOOD,
    HOSTS,
    WEAK,
    report,
)

T0 = datetime(2026, 11, 1, 3, tzinfo=timezone.utc)
WEAK_HOST = WEAK.host


def day(number: int) -> datetime:
    return T0 + timedelta(days=number)


def keep(history: History, number: int, document: dict[str, Any]) -> None:
    history.keep(f"run{number}", day(number), "audit", document)


def mended(check: str, status: str = "pass") -> dict[str, Any]:
    """The weak host with the findings of one check another status; ``gone`` leaves them out."""
    document = report(WEAK)
    host = document["hosts"][0]
    host["problems"] = []
    for each in host["findings"]:
        if each["check_id"] == check:
            each.update(status=status, fails=False)
    if status == "gone":
        host["findings"] = [f for f in host["findings"] if f["check_id"] != check]
    return document


def open_checks(history: History) -> set[str]:
    return {item.what for item in history.items()}


def test_a_posture_comes_back_as_it_was(place: str) -> None:
    document = report(*HOSTS)
    with open_history(place) as history:
        keep(history, 0, document)
    with open_history(place) as history:
        for host in document["hosts"]:
            kept = history.latest(host["host"])
            assert kept is not None
            assert (kept.run, kept.at) == ("run0", stamp(day(0)))
            assert kept.document == host


def test_nothing_is_kept_twice(place: str) -> None:
    """Days that certificates have left, and the moment, are no difference."""
    later = report(WEAK)
    later["hosts"][0]["observed_at"] = "2026-11-20T00:00:00+00:00"
    for end in later["hosts"][0]["endpoints"]:
        for certificate in end["chain"]:
            certificate["days_left"] -= 5
    with open_history(place) as history:
        keep(history, 0, report(WEAK))
        before = len([line for line in history.export() if '"table":"documents"' in line])
        keep(history, 1, later)
        after = len([line for line in history.export() if '"table":"documents"' in line])
        kept = history.latest(WEAK_HOST)
    assert (before, after) == (2, 2)
    assert kept is not None
    assert kept.document["observed_at"] == "2026-11-20T00:00:00+00:00"


def test_what_fails_is_open_since_it_was_first_seen(place: str) -> None:
    with open_history(place) as history:
        keep(history, 0, report(WEAK))
        keep(history, 1, report(WEAK))
        items = history.items()
    failing = {
        (f["check_id"], f["subject"])
        for f in report(WEAK)["hosts"][0]["findings"]
        if f["status"] == "fail" or f["fails"]
    }
    assert {(item.what, item.subject) for item in items} == failing
    assert {(item.since, item.seen) for item in items} == {(stamp(day(0)), stamp(day(1)))}
    assert all(i.fingerprint == finding(i.host, i.what, i.subject) for i in items)


@pytest.mark.parametrize("status", ["pass", "waived", "not_applicable", "gone"])
def test_what_is_seen_to_be_gone_has_recovered(place: str, status: str) -> None:
    with open_history(place) as history:
        keep(history, 0, report(WEAK))
        assert "TLS-01" in open_checks(history)
        keep(history, 1, mended("TLS-01", status))
        assert "TLS-01" not in open_checks(history)
        recovered = {i.recovered for i in history.items(open_only=False) if i.what == "TLS-01"}
    assert recovered == {stamp(day(1))}


@pytest.mark.parametrize("status", ["error", "not_checked"])
def test_what_was_not_seen_stays_open(place: str, status: str) -> None:
    with open_history(place) as history:
        keep(history, 0, report(WEAK))
        keep(history, 1, mended("TLS-01", status))
        assert "TLS-01" in open_checks(history)


def test_a_host_that_was_not_seen_keeps_what_is_open(place: str) -> None:
    blind = report(WEAK)
    host = blind["hosts"][0]
    host.update(servers=[], endpoints=[], findings=[], problems=[{"message": "no", "origin": None}])
    with open_history(place) as history:
        keep(history, 0, report(WEAK))
        before = open_checks(history)
        keep(history, 1, blind)
        keep(history, 2, report(GOOD))
        assert open_checks(history) >= before


def test_what_comes_again_is_a_new_episode_of_the_same_name(place: str) -> None:
    with open_history(place) as history:
        for number, document in enumerate((report(WEAK), mended("TLS-01"), report(WEAK))):
            keep(history, number, document)
        episodes = [i for i in history.items(open_only=False) if i.what == "TLS-01"]
    assert len({i.fingerprint for i in episodes}) * 2 == len(episodes)
    assert {(i.since, i.recovered) for i in episodes} == {
        (stamp(day(0)), stamp(day(1))),
        (stamp(day(2)), None),
    }


def test_a_run_is_kept_whole_or_not_at_all(place: str) -> None:
    broken = report(WEAK, GOOD)
    del broken["hosts"][1]["summary"]
    with open_history(place) as history:
        keep(history, 0, report(WEAK))
        before = list(history.export())
        with pytest.raises(KeyError):
            keep(history, 1, broken)
        with pytest.raises(Trouble):
            keep(history, 0, report(GOOD))  # the same run twice
        assert list(history.export()) == before


def test_the_trend_counts_each_host_as_it_was_seen_last(place: str) -> None:
    with open_history(place) as history:
        keep(history, 0, report(WEAK, GOOD))
        history.keep("again", day(0) + timedelta(hours=1), "verify", report(GOOD))
        keep(history, 2, report(GOOD))
        keep(history, 40, report(GOOD))
        points = history.trend(day(41))
    whole = of(report(WEAK, GOOD))
    assert [p.at[:10] for p in points] == ["2026-11-01", "2026-11-03", "2026-12-11"]
    for point in points[:2]:
        assert vars(point) | {"at": ""} == vars(whole) | {"at": ""}
    assert points[2].hosts == 1  # the other was not seen for longer than a host may be away


def test_a_baseline_is_the_newest_posture_and_the_newest_holds(place: str) -> None:
    with open_history(place) as history:
        with pytest.raises(Trouble, match="no run has seen it"):
            history.accept(WEAK_HOST, day(0), "root", "because")
        keep(history, 0, report(WEAK))
        assert history.baseline(WEAK_HOST) is None
        history.accept(WEAK_HOST, day(0), "root", "first")
        keep(history, 1, mended("TLS-01"))
        history.accept(WEAK_HOST, day(1), "alice", "second")
        held = history.baseline(WEAK_HOST)
    assert held is not None
    assert (held.run, held.who, held.reason) == ("run1", "alice", "second")
    assert held.document["findings"] == mended("TLS-01")["hosts"][0]["findings"]


def test_old_runs_go_and_what_somebody_needs_stays(place: str) -> None:
    with open_history(place) as history:
        keep(history, 0, report(WEAK))
        history.accept(WEAK_HOST, day(0), "root", "superseded")
        keep(history, 1, mended("TLS-01"))
        history.accept(WEAK_HOST, day(1), "root", "holds")
        keep(history, 2, report(GOOD))
        assert history.expire(day(0)) == 0
        still_open = history.items()
        assert history.expire(day(2)) == 2
        tables = [
            line.split('"table":"')[1].split('"')[0] for line in history.export() if "table" in line
        ]
        held = history.baseline(WEAK_HOST)
        assert history.items() == still_open
        assert history.latest(WEAK_HOST) is None
        assert history.expire(day(2)) == 0
    assert held is not None
    assert held.reason == "holds"
    assert {t: tables.count(t) for t in ("runs", "postures", "documents", "baselines")} == {
        "runs": 1,
        "postures": 1,
        "documents": 4,
        "baselines": 1,
    }


def drift(subject: str, host: str = "a", words: str = "") -> Item:
    key = finding(host, "disk", subject)
    return Item(key, "", "drift", host, "disk", subject, "weaker", words, "")


def test_differences_are_items_too_and_mix_with_nothing(place: str) -> None:
    with open_history(place) as history:
        keep(history, 0, report(WEAK))
        findings = history.items()
        history.fold("drift", day(1), [drift("x"), drift("y"), drift("z", "b")], ["a", "b"])
        history.fold("drift", day(2), [drift("x", words="now so")], ["a"])
        keep(history, 3, report(WEAK))
        open_now = history.items("drift")
        assert len(history.items("finding")) == len(findings)
    assert [(i.host, i.subject, i.words) for i in open_now] == [
        ("a", "x", "now so"),
        ("b", "z", ""),
    ]
    assert open_now[0].since == stamp(day(1))


def test_each_channel_is_told_once(place: str) -> None:
    with open_history(place) as history:
        history.fold("drift", day(0), [drift("x"), drift("y")], ["a"])
        new = history.untold("mail", "new")
        assert [i.subject for i in new] == ["x", "y"]
        history.tell("mail", "new", new, day(0))
        history.tell("mail", "new", new, day(0))
        assert history.untold("mail", "new") == []
        assert len(history.untold("hook", "new")) == 2
        history.fold("drift", day(1), [drift("y")], ["a"])
        assert [i.subject for i in history.untold("mail", "recovered")] == ["x"]
        assert history.untold("hook", "recovered") == []  # it never heard of it
        history.fold("drift", day(2), [drift("x"), drift("y")], ["a"])
        assert [i.subject for i in history.untold("mail", "new")] == ["x"]


def test_export_and_import_are_equal_in_both_directions(place: str, other_place: str) -> None:
    with open_history(place) as history, open_history(other_place) as other:
        keep(history, 0, report(*HOSTS))
        keep(history, 1, mended("TLS-01"))
        history.accept(WEAK_HOST, day(1), "root", "with ümläuts and\nlines")
        history.fold("drift", day(1), [drift("x")], ["a"])
        history.tell("mail", "new", [drift("x")], day(1))
        lines = list(history.export())
        assert other.read_in(lines) == len(lines)
        assert list(other.export()) == lines
        assert other.read_in(lines) == len(lines)  # once more adds nothing
        assert list(other.export()) == lines
        assert other.latest(WEAK_HOST) == history.latest(WEAK_HOST)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda lines: lines[1:], "line 1 is no line"),
        (lambda lines: [], "nothing to read in"),
        (lambda lines: [*lines, "{"], "is no line of a history"),
        (lambda lines: [*lines, "[]"], "no JSON object"),
        (lambda lines: [*lines, '{"table":"x; DROP TABLE y"}'], "is none of runs"),
        (lambda lines: [*lines, '{"table":"runs","id":1}'], "id is missing or is no str"),
        (
            lambda lines: [line.replace("dovecot", "d0vecot") for line in lines],
            "not the one that its id was made of",
        ),
    ],
)
def test_what_is_no_export_is_refused_whole(
    place: str, other_place: str, change: Any, complaint: str
) -> None:
    with open_history(place) as history, open_history(other_place) as other:
        keep(history, 0, report(WEAK))
        empty = list(other.export())
        with pytest.raises(Trouble, match=complaint):
            other.read_in(change(list(history.export())))
        assert list(other.export()) == empty


def test_a_document_is_not_changed_by_keeping_it(place: str) -> None:
    document = report(WEAK)
    before = copy.deepcopy(document)
    with open_history(place) as history:
        keep(history, 0, document)
    assert document == before
