# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No server of the corpus hangs, breaks, floods or fools the probe; each is seen for what it is.

All servers of a family are asked at the same time, by one call. What was seen then goes through
the judge and the reports. The name of each server that was seen otherwise is in the failure.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Optional

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.limits import Limits
from ansible_collections.postmaster.tls.plugins.module_utils.model.observed import (
    Endpoint,
    EndpointObservation,
)
from ansible_collections.postmaster.tls.plugins.module_utils.probe import probe
from ansible_collections.postmaster.tls.plugins.module_utils.talk import Depth
from ansible_collections.postmaster.tls.plugins.module_utils.transport import LINGER
from ansible_collections.postmaster.tls.tests.hostile.corpus import FAMILIES, Case
from ansible_collections.postmaster.tls.tests.hostile.passed_on import reported, unclean
from ansible_collections.postmaster.tls.tests.hostile.server import Server, servers

USUAL = Limits(connect=2.0, total=4.0, host=30.0, parallel=48)
SILENT = replace(USUAL, total=0.6, host=9.0, parallel=400)
LATE = 1.1
"""How much longer than its limit a connection, or a host, may take."""
BUSY_MACHINE = 0.7
MEMORY = 100 * 1024 * 1024


def test_there_are_servers_enough() -> None:
    names = [str(case) for cases in FAMILIES.values() for case in cases]
    assert len(names) > 1000
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_is_seen_for_what_it_is(family: str) -> None:
    memory = _Memory()
    wrong: list[str] = []
    for limits, waiting in ((USUAL, False), (SILENT, True)):
        cases = [case for case in FAMILIES[family] if case.timed_out is waiting]
        wrong += _wrong_of(cases, limits)
    assert wrong == []
    assert memory.growth() < MEMORY


@pytest.mark.parametrize("family", ["flights", "flights of TLS 1.3", "cut handshakes", "lies"])
def test_depth_full_holds_out_too(family: str) -> None:
    """OpenSSL is called by ctypes there: nothing that a server says may bring it down."""
    cases = [case for case in FAMILIES[family] if not case.timed_out]
    with servers([case.steps for case in cases]) as there:
        endpoints = [
            Endpoint(server.address, server.port, case.service, case.mode)
            for server, case in zip(there, cases)
        ]
        seen = probe(endpoints, replace(USUAL, total=1.5, host=20.0), depth=Depth.FULL)
        _all_gone(there)
        assert [server.total for server in there] == [each.connections for each in seen]
    assert not [repr(error) for server in there for error in server.errors]
    assert list(unclean(reported(seen))) == []


def _wrong_of(cases: Sequence[Case], limits: Limits) -> list[str]:
    if not cases:
        return []
    with servers([case.steps for case in cases]) as there:
        endpoints = [
            Endpoint(server.address, server.port, case.service, case.mode)
            for server, case in zip(there, cases)
        ]
        seen = probe(endpoints, limits)
        _all_gone(there)
    met = zip(cases, there, seen)
    wrong = [f"{case}: {text}" for case, *rest in met for text in _wrong(case, *rest, limits)]
    return wrong + list(unclean(reported(seen)))


def _all_gone(there: Sequence[Server]) -> None:
    """Servers that are cut off while they speak notice late."""
    end = time.monotonic() + 2
    while any(server.open for server in there) and time.monotonic() < end:
        time.sleep(0.01)


def _wrong(case: Case, server: Server, seen: EndpointObservation, limits: Limits) -> Iterator[str]:
    failures = tuple(f"{failure.stage} {failure.cause}" for failure in seen.failures)
    if failures != case.failures:
        yield f"failures {seen.failures}, not {case.failures}"
    if case.alert is not None and seen.failures[0].alert != case.alert:
        yield f"alert {seen.failures[0].alert}, not {case.alert}"
    if case.hello is not None and _hello(case, seen) != case.hello:
        yield f"{case.offer} got {_hello(case, seen)}, not {case.hello}"
    for name, value in case.sees.items():
        if getattr(seen, name) != value:
            yield f"{name} {getattr(seen, name)!r}, not {value!r}"
    if not server.total == seen.connections <= case.connections:
        yield f"{server.total} connections, {seen.connections} told, {case.connections} allowed"
    if server.most > limits.per_port + server.late:
        yield f"{server.most} connections at once"
    if server.longest > limits.total * LATE + LINGER + BUSY_MACHINE:
        yield f"a connection of {server.longest:.1f} s"
    if server.last - (server.first or server.last) > limits.host * LATE + BUSY_MACHINE:
        yield f"{server.last - (server.first or 0):.1f} s in all"
    yield from map(repr, server.errors)
    yield from unclean(seen)


def _hello(case: Case, seen: EndpointObservation) -> Optional[str]:
    offer = seen.offer(case.offer)
    if offer is None:
        return None
    return f"{offer.accepted} {offer.failure.cause if offer.failure else ''}".rstrip()


class _Memory:
    """The most that this process held since this was made, beyond what it held then (Linux)."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forgets the peak
        self._before = self._read("VmRSS")

    def growth(self) -> int:
        return self._read("VmHWM") - self._before

    @staticmethod
    def _read(name: str) -> int:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        line = next(line for line in lines if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024
