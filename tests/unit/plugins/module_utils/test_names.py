# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and addresses: each looked up once, all of them side by side, but not too many."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.names import (
    LOOKUPS,
    is_address,
    is_own,
    one_spelling,
    resolve,
)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("192.0.2.1", True), ("2001:db8::1", True), ("fe80::1%eth0", True), ("mail", False)],
)
def test_addresses(host: str, expected: bool) -> None:
    assert is_address(host) is expected


def test_names_are_resolved_once_to_all_their_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(name: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(name)
        if name == "unknown":
            raise socket.gaierror("no")
        return [(0, 0, 0, "", (a, 0)) for a in ("192.0.2.1", "2001:db8::1", "192.0.2.1")]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert resolve(["mail", "192.0.2.9", "mail", "unknown"]) == {
        "mail": ("192.0.2.1", "2001:db8::1"),
        "192.0.2.9": ("192.0.2.9",),
        "unknown": (),
    }
    assert sorted(asked) == ["mail", "unknown"]


def test_a_slow_resolver_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> list[object]:
        time.sleep(0.6)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    begun = time.monotonic()
    assert resolve(["mail"], seconds=0.1) == {"mail": ()}
    assert time.monotonic() - begun < 0.5


@pytest.mark.parametrize(
    ("address", "own"),
    [("127.0.0.1", True), ("192.0.2.1", False), ("2001:db8::1", False), ("mail\0", False)],
)
def test_whether_an_address_is_ours(address: str, own: bool) -> None:
    assert is_own(address) is own


@pytest.mark.parametrize(
    ("address", "spelled"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("FE80::1%eth0", "fe80::1%eth0"),
        ("mail:x", "mail:x"),
    ],
)
def test_one_address_has_one_spelling(address: str, spelled: str) -> None:
    assert one_spelling(address) == spelled


@pytest.mark.parametrize("name", ["a\0b", "a" * 64 + ".example", "ä" * 300])
def test_what_cannot_be_a_name_is_an_unknown_one(name: str) -> None:
    assert resolve([name]) == {name: ()}


def test_many_names_are_looked_up_by_few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    most, at_work, lock = 0, 0, threading.Lock()

    def answer(name: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        nonlocal most, at_work
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.02)
        with lock:
            at_work -= 1
        return [(0, 0, 0, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    names = [f"host{number}.example" for number in range(5 * LOOKUPS)]
    assert resolve(names) == dict.fromkeys(names, ("192.0.2.1",))
    assert 1 < most <= LOOKUPS


def test_names_that_hang_let_the_others_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def answer(name: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        if name.startswith("dead"):
            over.wait(20)
        return [(0, 0, 0, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    dead = [f"dead{number:03}.example" for number in range(LOOKUPS)]
    found = resolve([*dead, "good.example", "other.example"], seconds=0.2)
    over.set()
    assert found["good.example"] == found["other.example"] == ("192.0.2.1",)
    assert [found[name] for name in dead] == [()] * LOOKUPS
