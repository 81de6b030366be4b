# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is otherwise than was accepted is named and placed; what was not seen is neither."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Optional

import pytest

from ansible_collections.postmaster.tls.plugins.plugin_utils.drift.compare import (
    Difference,
    differences,
    may_recover,
    paths,
)
from ansible_collections.postmaster.tls.plugins.plugin_utils.drift.direction import Direction
from ansible_collections.postmaster.tls.plugins.plugin_utils.history.rows import DRIFT
from ansible_collections.postmaster.tls.tests.unit.plugins.plugin_utils.report.documents import (
    GOOD,
    HOSTS,
    report,
)

URL = "imap://192.0.2.1:143"
FILE = "/etc/dovecot/conf.d/10-ssl.conf"


def wrote(path: str, **more: Any) -> dict[str, Any]:
    known = {
        "exists": True,
        "sha256": "aa" * 32,
        "owner": "root",
        "modified": "2026-11-30T01:02:03Z",
    }
    rest: dict[str, Any] = dict.fromkeys(("package", "shipped", "change", "by"))
    return {"path": path, **known, **rest, **more}


def host() -> dict[str, Any]:
    document: dict[str, Any] = report(GOOD)["hosts"][0]
    return {**document, "written": [wrote(FILE)], "profile": "intermediate"}


def row(document: dict[str, Any], field: str) -> dict[str, Any]:
    return next(r for r in document["servers"][0]["effective"] if r["field"] == field)


def port(document: dict[str, Any], url: str = URL) -> dict[str, Any]:
    return next(e for e in document["endpoints"] if e["url"] == url)


def scoped(document: dict[str, Any]) -> None:
    new = copy.deepcopy(row(document, "plaintext_login"))
    origin = {"file": "/etc/dovecot/local.conf", "line": 7}
    new.update(scope="protocol=pop3", value="yes", native="yes", origin=origin)
    document["servers"][0]["effective"].append(new)


def set_row(field: str, value: str) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        origin = {"file": FILE, "line": 6}
        row(document, field).update(value=value, native=value, origin=origin)

    return change


def set_port(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: port(document).update(values)


def found(change: Callable[[dict[str, Any]], Any]) -> list[Difference]:
    now = host()
    change(now)
    return list(differences(now, host()))


@pytest.mark.parametrize("judged", HOSTS, ids=lambda posture: posture.host)
def test_a_host_is_as_it_is(judged: Any) -> None:
    document = report(judged)["hosts"][0]
    assert [d for d in differences(document, document) if d.to == "baseline"] == []


def test_without_a_baseline_nothing_is_compared_with_it() -> None:
    assert differences(host(), None) == ()


@pytest.mark.parametrize(
    ("change", "subject", "name", "direction", "place"),
    [
        (set_row("tls", "no"), "dovecot", "tls", "weaker", f"{FILE}:6"),
        (scoped, "dovecot protocol=pop3", "plaintext_login", "weaker", "/etc/dovecot/local.conf:7"),
        (set_port(versions=["TLSv1.0", "TLSv1.2"]), URL, "versions", "weaker", URL),
        (set_port(starttls=False), URL, "STARTTLS", "weaker", URL),
        (lambda d: d.update(profile="modern"), "profile", "name", "neutral", "mail_tls_profile"),
        (
            lambda d: d["findings"].append(
                {
                    **d["findings"][0],
                    "check_id": "CRT-05",
                    "status": "waived",
                    "evidence": ["waived: because"],
                }
            ),
            "CRT-05, waived: because",
            "waiver",
            "weaker",
            "mail_tls_accept",
        ),
        (
            lambda d: d["servers"][0]["units"].append(
                {"name": "dovecot.socket", "enabled": True, "active": None}
            ),
            "dovecot.socket",
            "enabled",
            "weaker",
            "dovecot.socket",
        ),
        (lambda d: d["written"][0].update(sha256="bb" * 32), FILE, "content", "neutral", FILE),
    ],
)
def test_each_change_is_named_and_placed_and_has_a_direction(
    change: Callable[[dict[str, Any]], Any], subject: str, name: str, direction: str, place: str
) -> None:
    named = {(d.subject, d.name): d for d in found(change)}
    difference = named[(subject, name)]
    assert difference.direction.value == direction
    assert difference.place == place
    assert difference.drifted


def test_a_new_port_is_told_once() -> None:
    def opened(document: dict[str, Any]) -> None:
        new = {**copy.deepcopy(port(document)), "port": 1144, "url": "imap://192.0.2.1:1144"}
        document["endpoints"].append(new)

    assert [(d.subject, d.name, d.direction.value) for d in found(opened)] == [
        ("imap://192.0.2.1:1144", "port", "weaker")
    ]


@pytest.mark.parametrize(
    "change",
    [
        set_port(open=None, versions=[], chain=[], offers=[], handshake=None, starttls=None),
        set_port(versions=[], handshake=None, offers=[]),
        lambda d: d.update(servers=[], problems=[{"message": "no", "origin": None}]),
        lambda d: d.update(endpoints=[]),
        lambda d: d.update(written=[]),
        lambda d: d["written"][0].update(sha256=None),
        lambda d: d["written"].append(wrote("/etc/dovecot/new.conf")),
        lambda d: row(d, "protocol_min").update(expansion=None),
    ],
)
def test_what_was_not_seen_is_no_difference(change: Callable[[dict[str, Any]], Any]) -> None:
    assert found(change) == []


def item(side: str, subject: str) -> Any:
    difference = Difference("f", "h", "baseline", side, subject, "x", "", "", Direction.WEAKER, "")
    return difference.item()


@pytest.mark.parametrize(
    ("change", "disk", "served"),
    [
        (lambda d: None, True, True),
        (lambda d: d.update(problems=[{"message": "no", "origin": None}]), False, True),
        (set_port(open=None), True, False),
        (lambda d: d.update(endpoints=[]), True, False),
        (lambda d: d["servers"][0].update(effective=[]), False, True),
    ],
)
def test_what_was_not_seen_does_not_recover(change: Any, disk: bool, served: bool) -> None:
    document = host()
    change(document)
    recovers = may_recover(document)
    assert (recovers(item("disk", "dovecot")), recovers(item("served", URL))) == (disk, served)


def test_the_name_of_a_difference_stays_whatever_its_value_is() -> None:
    first, second = (found(set_row("protocol_min", v)) for v in ("TLSv1", "TLSv1.1"))
    assert {d.fingerprint for d in first if d.to == "baseline"} == {
        d.fingerprint for d in second if d.to == "baseline"
    }
    assert len(first[0].fingerprint) == 32


def test_a_renewal_is_no_drift() -> None:
    def renewed(document: dict[str, Any]) -> None:
        for end in document["endpoints"]:
            for leaf in end["chain"][:1]:
                leaf.update(sha256="ee" * 32, not_after="2099-01-01T00:00:00Z")

    told = [d for d in found(renewed) if d.name == "certificate"]
    assert {d.direction for d in told} == {Direction.STRONGER}
    assert not any(d.drifted for d in told)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (wrote(FILE), "owner root"),
        (wrote(FILE, package="dovecot-core", shipped=True), "as dovecot-core ships it"),
        (wrote(FILE, package="dovecot-core", shipped=False), "changed since dovecot-core shipped"),
        (
            wrote(FILE, change="2026-x", by="me@laptop"),
            "change 2026-x of postmaster.tls by me@laptop",
        ),
        (wrote(FILE, exists=False), None),
        (wrote("/else"), None),
    ],
)
def test_who_wrote_it(file: dict[str, Any], words: Optional[str]) -> None:
    def change(document: dict[str, Any]) -> None:
        set_row("tls", "no")(document)
        document["written"] = [file]

    told = next(d for d in found(change) if d.name == "tls")
    assert (told.writer is None) is (words is None)
    assert (words or "") in (told.writer or "")
    assert (told.since is None) is (words is None)


def test_other_bytes_are_not_told_twice_and_not_of_our_own_change() -> None:
    def both(document: dict[str, Any]) -> None:
        document["written"][0]["sha256"] = "bb" * 32
        set_row("tls", "no")(document)

    def ours(document: dict[str, Any]) -> None:
        document["written"][0].update(sha256="bb" * 32, change="x", by="y")

    assert [d.name for d in found(both)] == ["tls"]
    assert found(ours) == []


def test_disk_and_served_are_compared_today() -> None:
    """Without a baseline: a certificate that no file holds, and what the configuration forbids."""
    now = host()
    server, seen = now["servers"][0], port(now)
    server["listeners"] = [
        {"port": 143, "service": "imap", "address": "*", "tls_mode": "starttls", "origin": None}
    ]
    leaf = seen["chain"][0]
    new = {"path": "/etc/new.pem", "role": "certificate", "exists": True, "mode": None}
    server["files"] = [{**new, "chain": [{**leaf, "sha256": "cc" * 32}]}]
    seen["versions"] = ["TLSv1.1", "TLSv1.2"]
    told = {d.name: d for d in differences(now, None)}
    assert set(told) == {"certificate and disk", "versions and disk"}
    assert told["certificate and disk"].place == "/etc/new.pem"
    assert told["versions and disk"].after == "served TLSv1.1"
    assert told["versions and disk"].direction is Direction.WEAKER
    server["files"][0]["chain"] = [leaf]
    seen["versions"] = ["TLSv1.2"]
    assert differences(now, None) == ()


@pytest.mark.parametrize(("first", "named"), [("aa", "cc"), ("cc", "aa")])
def test_the_place_is_the_file_that_the_configuration_names(first: str, named: str) -> None:
    now = host()
    server, seen = now["servers"][0], port(now)
    server["listeners"] = [
        {"port": 143, "service": "imap", "address": "*", "tls_mode": "starttls", "origin": None}
    ]
    server["files"] = [
        {
            "path": f"/etc/{name}.pem",
            "role": "certificate",
            "exists": True,
            "mode": None,
            "chain": [{**seen["chain"][0], "sha256": name * 32}],
        }
        for name in (first, named)
    ]
    path = f"/etc/{named}.pem"
    server["effective"].append({**row(now, "tls"), "field": "certificate", "value": path})
    assert [d.place for d in differences(now, None)] == [path]


def test_an_item_has_all_that_is_told() -> None:
    told = next(d for d in found(set_row("tls", "no")) if d.name == "tls").item()
    assert (told.kind, told.what, told.subject, told.grade) == (
        DRIFT,
        "disk",
        "dovecot: tls",
        "weaker",
    )
    assert f"({FILE}:6; owner root, 2026-11-30T01:02:03Z)" in told.words


def test_the_files_that_decide() -> None:
    document = host()
    set_row("tls", "no")(document)
    assert FILE in paths(document)
    assert all(path.startswith("/") for path in paths(document))
