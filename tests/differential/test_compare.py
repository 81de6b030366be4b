# Copyright (c) 2026, The postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as a difference, and what as its explanation; and differences.yml itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import pytest
import tomllib
import yaml

from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    EndpointObservation,
    Inventory,
    Listing,
    Offer,
    Service,
    TlsMode,
)
from ansible_collections.postmaster.tls.tests.differential import compare, ours
from ansible_collections.postmaster.tls.tests.differential.compare import (
    AN_ANSWER,
    Comparison,
    Difference,
    differences,
    explanations,
    judge,
)
from ansible_collections.postmaster.tls.tests.differential.view import (
    CURVES,
    FIELDS,
    KEMS,
    LISTED,
    NONE,
    OFFERED,
    Names,
    View,
    groups_of,
    suites_of,
)

STARTTLS = Endpoint("192.0.2.12", 143, Service.IMAP, TlsMode.STARTTLS)
FILE = Path(compare.__file__).with_name("differences.yml")
ROW: dict[str, Any] = {
    "tool": "sslscan",
    "releases": ["2.0.7"],
    "where": ["dovecot-*:993"],
    "topics": ["TLSv1.3 groups"],
    "only": "probe",
    "names": ["X25519MLKEM768"],
    "reason": "It does not know the group.",
}
KEM = Difference("TLSv1.3 groups", "probe", "X25519MLKEM768")


def view(**topics: Names) -> View:
    return View("sslscan", "2.0.7", topics)


@pytest.mark.parametrize(
    ("mine", "its", "expected"),
    [
        ({"a", "b"}, {"b", "a"}, []),
        ({"a", "b"}, {"b"}, [("probe", "a")]),
        ({"b"}, {"b", "a"}, [("tool", "a")]),
        ({"a"}, {"c"}, [("probe", "a"), ("tool", "c")]),
        (None, set(), [("tool", AN_ANSWER)]),
        (set(), None, [("probe", AN_ANSWER)]),
        (None, None, [("neither", AN_ANSWER)]),
        (set(), set(), []),
    ],
)
def test_differences(
    mine: Optional[set[str]], its: Optional[set[str]], expected: list[tuple[str, str]]
) -> None:
    sides = [None if names is None else frozenset(names) for names in (mine, its)]
    found = differences(view(t=sides[0], more=frozenset("x")), view(t=sides[1]))
    assert list(found) == [Difference("t", *each) for each in expected]


def test_a_difference_is_explained_unexplained_or_stale() -> None:
    (known,) = explanations([ROW])
    other = Difference("SSLv3", "tool", OFFERED)

    def on(target: str, *found: Difference, release: str = "2.0.7", state: str = "weak") -> Any:
        verdict = judge(Comparison(target, "sslscan", release, found), [known], state)
        return verdict.explained, verdict.unexplained, verdict.stale, verdict.holds

    assert on("dovecot-sid:993", KEM) == ((KEM,), (), (), True)
    assert on("dovecot-sid:993", KEM, other) == ((KEM,), (other,), (), False)
    assert on("dovecot-sid:993") == ((), (), (KEM,), False)
    assert on("dovecot-sid:995") == ((), (), (), True)
    assert on("dovecot-sid:995", KEM) == ((), (KEM,), (), False)
    assert on("dovecot-sid:993", KEM, release="2.1.5") == ((), (KEM,), (), False)


def test_an_explanation_may_hold_in_one_state_only() -> None:
    (known,) = explanations([{**ROW, "states": ["hardened"]}])
    one = Comparison("dovecot-sid:993", "sslscan", "2.0.7", (KEM,))
    assert judge(one, [known], "hardened").holds
    assert judge(one, [known], "weak").unexplained == (KEM,)


@pytest.mark.parametrize(
    "change",
    [
        {"reason": " "},
        {"reason": None},
        {"only": "testssl.sh"},
        {"names": []},
        {"names": "X25519MLKEM768"},
        {"where": [993]},
        {"states": ["strong"]},
        {"why": "an unknown key"},
    ],
)
def test_a_row_that_says_too_little_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="difference 2"):
        explanations([ROW, {**ROW, **change}])
    lacking = {key: value for key, value in ROW.items() if key != "reason"}
    with pytest.raises(ValueError, match="difference 1"):
        explanations([lacking])


def test_the_file_can_be_read_and_each_difference_has_one_reason() -> None:
    known = explanations(yaml.safe_load(FILE.read_text(encoding="utf-8")))
    said = [(e.tool, r, w, s, d) for e in known for r in e.releases for w in e.where
            for s in e.states for d in e.expected()]  # fmt: skip
    assert len(said) == len(set(said))


# ---------------------------------------------------------------------------------------------
# Our own view


def seen(**changes: Any) -> EndpointObservation:
    refused = tuple(Offer(name, False) for name in ("ssl3", "tls1.0", "tls1.1"))
    base: dict[str, Any] = {
        "open": True,
        "starttls": True,
        "offers": (Offer("tls1.3", True), Offer("tls1.2", True), *refused),
        "inventory": Inventory(
            ssl2=False,
            listings=(
                Listing(0x0304, (0x1301,), groups=(0x11EC, 0x001D, 0x0100)),
                Listing(0x0303, (0xC02F, 0xC030), groups=(0x0017,)),
            ),
        ),
    }
    return EndpointObservation(STARTTLS, **{**base, **changes})


def test_our_view() -> None:
    topics = ours.view(seen()).topics
    assert [topics[v] for v in ("SSLv2", "SSLv3", "TLSv1.2")] == [NONE, NONE, {OFFERED}]
    assert topics[suites_of("TLSv1.3")] == {"TLS_AES_128_GCM_SHA256"}
    assert len(topics[suites_of("TLSv1.2")] or ()) == 2
    assert topics[suites_of("TLSv1")] == topics[groups_of("TLSv1")] == NONE
    assert topics[groups_of("TLSv1.3")] == {"X25519MLKEM768", "x25519", "ffdhe2048"}
    assert (topics[CURVES], topics[FIELDS]) == ({"x25519", "secp256r1"}, {"ffdhe2048"})
    assert topics[KEMS] == {"X25519MLKEM768"}


def test_our_view_of_a_port_without_tls() -> None:
    without = EndpointObservation(STARTTLS, open=True, starttls=False)
    assert set(ours.view(without).topics.values()) == {NONE}


def test_what_our_probe_did_not_see_is_no_answer() -> None:
    topics = ours.view(EndpointObservation(STARTTLS, open=True, starttls=True)).topics
    assert set(topics.values()) == {None}
    partial = seen(inventory=Inventory(listings=(Listing(0x0304, (0x1301,), complete=False),)))
    topics = ours.view(partial).topics
    assert topics["TLSv1.3"] == {OFFERED}
    silent = {version for version in LISTED if topics[suites_of(version)] is None}
    assert silent == {"TLSv1.3", "TLSv1.2"}
    assert topics["SSLv2"] is topics[CURVES] is topics[FIELDS] is None


def test_the_commands_of_the_page_are_those_of_the_gate() -> None:
    root = Path(__file__).resolve().parents[2]
    page = (root / "docs" / "correctness.md").read_text(encoding="utf-8")
    tests, script = page.split("```sh\n")[1].split("```")[0].splitlines()
    paths = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(tests.removeprefix("pytest -q ").split()) <= set(
        paths["tool"]["pytest"]["ini_options"]["testpaths"]
    )
    gate = (root / "scripts" / "gate.py").read_text(encoding="utf-8")
    name, hosts = script.split(" ", 1)
    assert f'f"{name} {{ONE_OF_EACH' in gate
    assert f'ONE_OF_EACH = "{hosts.replace(" ", ",")}"' in gate
