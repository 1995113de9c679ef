"""The loop keeps the order of a real one within a process, and none between them."""

import asyncio
import random

from tests.simulation.loop import START_SECONDS, Machine, Process, SimulationLoop


def world(seed: int = 1) -> tuple[SimulationLoop, Process, Process]:
    loop = SimulationLoop(random.Random(seed))  # noqa: S311  # a repeatable choice
    one, two = Process("one", Machine("m")), Process("two", Machine("m"))
    loop.start(one)
    loop.start(two)
    return loop, one, two


def order(seed: int) -> list[tuple[str, int]]:
    loop, one, two = world(seed)
    seen: list[tuple[str, int]] = []
    for number in range(10):
        for process in (one, two):
            loop.post(process, seen.append, (process.name, number))
    loop.run(START_SECONDS)
    return seen


def test_a_process_keeps_its_order_and_seeds_mix_processes():
    for seed in range(5):
        seen = order(seed)
        assert seen == order(seed)
        for name in ("one", "two"):
            assert [number for who, number in seen if who == name] == list(range(10))
    assert len({tuple(order(seed)) for seed in range(5)}) == 5


def test_time_moves_only_when_nobody_has_anything_to_do():
    loop, one, _ = world()
    seen: list[float] = []

    async def sleeps() -> None:
        await asyncio.sleep(2)
        seen.append(loop.time())
        async with asyncio.timeout(5):
            await asyncio.sleep(1)
        seen.append(loop.time())

    loop.post(one, lambda: loop.create_task(sleeps()))
    loop.run(START_SECONDS + 10)
    assert seen == [START_SECONDS + 2, START_SECONDS + 3]
    assert loop.time() == START_SECONDS + 10
    assert not loop.errors


def test_a_paused_process_finds_everything_late_and_an_ended_one_nothing():
    loop, one, two = world()
    seen: list[tuple[str, float]] = []

    async def sleeps(name: str) -> None:
        await asyncio.sleep(1)
        seen.append((name, loop.time()))

    for process in (one, two):
        loop.post(process, lambda name=process.name: loop.create_task(sleeps(name)))
    loop.run(START_SECONDS + 0.5)
    one.is_paused = True
    loop.end(two)
    loop.run(START_SECONDS + 3)
    assert not seen
    one.is_paused = False
    loop.run(START_SECONDS + 3)
    assert seen == [("one", START_SECONDS + 3)]
    loop.close()


def test_what_nobody_catches_is_told():
    loop, one, _ = world()
    loop.post(one, lambda: 1 // 0)
    loop.run(START_SECONDS)
    assert loop.errors == ["one: ZeroDivisionError('integer division or modulo by zero')"]
