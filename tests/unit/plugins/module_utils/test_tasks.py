# Copyright (c) 2026, the postmaster.tls authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs at the same time, and who waits for whom."""

from __future__ import annotations

import asyncio

import pytest

from ansible_collections.postmaster.tls.plugins.module_utils.tasks import (
    Places,
    Told,
    both,
    in_turn,
    run,
    side_by_side,
)
from ansible_collections.postmaster.tls.tests.unit.plugins.module_utils.virtual_time import (
    run_virtually,
)


def test_only_the_first_word_counts_and_all_hear_it() -> None:
    async def go() -> tuple[object, ...]:
        told: Told[str] = Told()
        before = told.now()

        async def tell() -> None:
            told.tell("first")
            told.tell("second")

        heard, _ = await both(side_by_side([told.told(), told.told()]), tell())
        return before, heard, told.now()

    assert run(go()) == (None, ("first", "first"), "first")


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        ([0, 0, 0, 0], [0, 1, 2, 3]),
        ([5, 3, 1, 2], [0, 2, 3, 1]),  # the first finds the place free
        ([9, 1, 0, 1], [0, 2, 1, 3]),
    ],
)
def test_the_lowest_rank_comes_first_then_who_came_first(
    ranks: list[int], expected: list[int]
) -> None:
    order: list[int] = []

    async def go() -> None:
        places = Places(1)

        async def one(number: int, rank: int) -> None:
            async with places.place(rank):
                order.append(number)
                await asyncio.sleep(0)

        await side_by_side([one(*each) for each in enumerate(ranks)])

    run(go())
    assert order == expected


@pytest.mark.parametrize(
    ("comes", "expected"),
    [(0.9, ["first", "asks on", "waits"]), (1.1, ["first", "waits", "asks on"])],
)
def test_a_free_place_waits_a_moment_for_a_lower_rank(comes: float, expected: list[str]) -> None:
    order: list[str] = []

    async def go() -> None:
        places = Places(1, pause=1.0)

        async def one(name: str, rank: int, begins: float) -> None:
            await asyncio.sleep(begins)
            async with places.place((rank,)):
                order.append(name)
                await asyncio.sleep(2.0)

        await side_by_side(
            [one("first", 0, 0.0), one("waits", 1, 1.0), one("asks on", 0, 2.0 + comes)]
        )

    run_virtually(go())
    assert order == expected


def test_a_free_place_for_which_nobody_waits_is_free_at_once() -> None:
    async def go() -> float:
        places = Places(1, pause=1.0)
        for _turn in range(3):
            async with places.place():
                pass
        return asyncio.get_running_loop().time()

    assert run_virtually(go()) == 0.0


def test_no_more_than_there_are_places_and_none_is_lost() -> None:
    most, there = [0], [0]

    async def go() -> tuple[int, ...]:
        places = Places(3)

        async def one(number: int) -> int:
            there[0] += 1
            most[0] = max(most[0], there[0])
            await asyncio.sleep(0)
            there[0] -= 1
            return number

        waiting = [asyncio.ensure_future(places.take(one(number))) for number in range(8)]
        await asyncio.sleep(0)
        waiting[4].cancel()  # while it waits
        await asyncio.gather(*waiting, return_exceptions=True)
        return await side_by_side([places.take(one(number)) for number in range(7)])

    assert run(go()) == (0, 1, 2, 3, 4, 5, 6)
    assert most == [3]


def test_a_place_that_comes_with_the_cancellation_is_passed_on() -> None:
    async def go() -> str:
        places = Places(1)

        async def wait() -> str:
            async with places.place():
                return "was there"

        async with places.place():
            late = asyncio.ensure_future(wait())
            await asyncio.sleep(0)
        late.cancel()  # its turn has come, and it has not heard of it
        await asyncio.gather(late, return_exceptions=True)
        return await asyncio.wait_for(wait(), 1)

    assert run(go()) == "was there"


def test_work_in_turn_is_bounded_and_keeps_its_order() -> None:
    at_work: list[int] = []
    most = 0

    async def work(number: int) -> int:
        nonlocal most
        at_work.append(number)
        most = max(most, len(at_work))
        await asyncio.sleep((number * 7) % 5)
        at_work.remove(number)
        return -number

    assert run_virtually(in_turn(work, range(1000), 30)) == tuple(-n for n in range(1000))
    assert most == 30
    assert run_virtually(in_turn(work, [], 30)) == ()
