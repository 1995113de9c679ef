"""Stopping and starting anew under load: what runs may end, and who comes anew finds somebody."""

import asyncio
import functools
import signal
import time
from pathlib import Path

import pytest
import uvloop
from tests.load.client import Ask, Callers, request, statuses
from tests.load.platforms import STOP_SECONDS, Platform, Provider, say
from tests.support.load import wait_until

STREAMS = 300
QUIET = {"YUANJING_OVERLOAD_LAG_SECONDS": "5"}
"""What restarts do is not to be mixed up with what a busy machine does."""


@pytest.mark.soak
@pytest.mark.timeout(120)
def test_300_streams_end_whole_when_the_platform_is_told_to_stop(tmp_path):
    """Each lasts six seconds; all are under way when the signal comes."""
    with Provider() as provider:
        platform = set_up(tmp_path, provider)
        with platform:
            asks, seconds = uvloop.run(stop_under_streams(platform, "chunks-60 every-100"))
            code = platform.process.wait(30)
            bills = platform.bills()
            assert platform.verify() == []
    say("SIGTERM under streams", answers=dict(statuses(asks)), ended_after=seconds, bills=len(bills))
    assert code == 0
    assert statuses(asks) == {200: STREAMS}
    assert all(one.is_good for one in asks)
    assert {bill.id for bill in bills} == {one.usage_id for one in asks}
    assert {bill.status for bill in bills} == {"completed"}


@pytest.mark.soak
@pytest.mark.timeout(120)
def test_a_second_signal_ends_300_streams_at_once(tmp_path):
    """Nothing is lost of the books: the next life posts what was charged, and returns what was held."""
    with Provider() as provider:
        platform = set_up(tmp_path, provider)
        with platform:
            asks, seconds = uvloop.run(stop_under_streams(platform, "chunks-600 every-100", is_twice=True))
            platform.process.wait(10)
            say("second signal", answers=dict(statuses(asks)), ended_after=seconds)
            assert seconds < 5.0
            platform.start()
            wait_until(lambda: platform.verify() == [], pause=0.2)
            assert platform.stop() == 0


def set_up(folder: Path, provider: Provider, *, workers: int = 1, **settings: str) -> Platform:
    platform = Platform(folder / "p", workers=workers, **QUIET, **settings)
    platform.set_up()
    platform.add_channel(provider, "a")
    return platform


async def stop_under_streams(platform: Platform, words: str, *, is_twice: bool = False) -> tuple[list[Ask], float]:
    """Begin the streams, send the signal, once more if so; the answers, and how long the end took from the last one."""
    async with Callers([platform.url], lambda n: request(platform.key, n, words)) as callers:
        for _ in range(STREAMS):
            callers.ask()
        until = time.monotonic() + 10.0
        while not all(one.first for one in callers.asks):
            assert time.monotonic() < until, statuses(callers.asks)
            await asyncio.sleep(0.02)
        platform.process.send_signal(signal.SIGTERM)
        if is_twice:
            await asyncio.sleep(1.0)
            assert platform.process.poll() is None
            platform.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        await asyncio.to_thread(platform.process.wait, STOP_SECONDS)
        seconds = time.monotonic() - began
        await callers.settle(5.0)
    return callers.asks, seconds


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_two_gateways_are_replaced_again_and_again_and_no_request_is_lost(tmp_path):
    """SIGHUP: a new process serves before the old one drains, which ends its streams."""
    with Provider() as provider:
        platform = set_up(tmp_path, provider, workers=2)
        with platform:
            asks, pids = uvloop.run(roll(platform, times=5))
            bills = platform.wait_bills({one.usage_id for one in asks})
            assert platform.stop() == 0
            assert platform.verify() == []
    say("rolling", answers=dict(statuses(asks)), processes=len(pids))
    assert len(pids) == 2 * 6
    assert statuses(asks) == {200: len(asks)}
    assert all(one.is_good for one in asks)
    assert sum(1 for bill in bills.values() if bill.charge_nanos) == len(asks)


async def roll(platform: Platform, *, times: int) -> tuple[list[Ask], set[int]]:
    """Roll so often under 150 requests a second; what was asked, and all processes that there were."""
    seen = set(platform.pids("gateway"))
    make = functools.partial(chat, platform.key)
    async with Callers([platform.url], make) as callers, asyncio.TaskGroup() as group:
        load = group.create_task(callers.run(150, 3.0 * times + 2.0))
        for _ in range(times):
            await asyncio.sleep(1.0)
            before, until = set(platform.pids("gateway")), time.monotonic() + 20.0
            platform.process.send_signal(signal.SIGHUP)
            while before & set(platform.pids("gateway")) or len(platform.pids("gateway")) != 2:
                assert time.monotonic() < until, platform.log()
                await asyncio.sleep(0.05)
            seen |= set(platform.pids("gateway"))
        await load
        await callers.settle()
    return callers.asks, seen


def chat(key: str, nonce: int) -> bytes:
    """Each second one is a stream of a second."""
    return request(key, nonce, "chunks-20 every-50", is_stream=nonce % 2 == 0)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_two_machines_restart_in_turn_and_no_request_is_lost(tmp_path, postgres_empty_url):
    """As the page on running says: out of the balancer first, then SIGTERM; back in when it is ready."""
    shared = {
        "YUANJING_DATABASE_URL": postgres_empty_url,
        "YUANJING_KEY_PEPPER": "ab" * 32,
        "YUANJING_ENCRYPTION_KEY": "cd" * 32,
    }
    with Provider() as provider:
        first = set_up(tmp_path / "first", provider, YUANJING_MACHINE="first", **shared)
        second = Platform(tmp_path / "second", YUANJING_MACHINE="second", **QUIET, **shared)
        second.key = first.key
        with first, second:
            asks = uvloop.run(restart_in_turn([first, second]))
            assert (first.stop(), second.stop()) == (0, 0)
            assert first.verify() == []
    say("restarts of two machines", answers=dict(statuses(asks)))
    assert statuses(asks) == {200: len(asks)}


def restart(platform: Platform) -> None:
    assert platform.stop() == 0
    platform.start()


async def restart_in_turn(platforms: list[Platform]) -> list[Ask]:
    """A balancer that knows who is out; each of both restarts once under load."""
    asks: list[Ask] = []
    make = functools.partial(chat, platforms[0].key)
    for out in (0, 1):
        async with Callers([platforms[out].url], make) as leaving, Callers([platforms[1 - out].url], make) as staying:
            async with asyncio.TaskGroup() as group:
                for one in (leaving, staying):
                    group.create_task(one.run(60, 2.0))
            async with asyncio.TaskGroup() as group:
                group.create_task(staying.run(120, 6.0))
                group.create_task(asyncio.to_thread(restart, platforms[out]))
            for one in (leaving, staying):
                await one.settle()
                asks += one.asks
    return asks
