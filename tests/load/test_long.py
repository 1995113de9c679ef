"""Half an hour of ordinary load: memory, open files and tasks are at its end what they were at its beginning."""

import asyncio
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import uvloop
from tests.load.client import Callers, request, statuses
from tests.load.platforms import Platform, Provider, descriptors, rss_bytes, say

SECONDS = float(os.environ.get("LOAD_SECONDS", "1800"))  # noqa: TID251  # a knob of the soak run
RATE = 200
WARM_UP_SHARE = 0.2
SAMPLES = 60
MIB = 1024 * 1024
SLOPE_MAX = MIB / 600.0
"""Bytes a second: a mebibyte in ten minutes. In a short run the noise of a sample counts for more."""
NOISE_BYTES = 4 * MIB


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What the platform's processes have at one time; files without the sockets of clients and of their requests."""

    at: float
    gateway_bytes: int
    worker_bytes: int
    files: int


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 300)
def test_half_an_hour_at_200_requests_a_second_leaves_nothing_behind(tmp_path):
    with Provider() as provider:
        platform = Platform(tmp_path / "p", YUANJING_OVERLOAD_LAG_SECONDS="5")
        platform.set_up()
        platform.add_channel(provider, "a")
        with platform:
            answers, samples = uvloop.run(run(platform))
            assert platform.stop() == 0
            assert platform.verify() == []
    warm = samples[int(len(samples) * WARM_UP_SHARE) :]
    passed = warm[-1].at - warm[0].at
    at = [one.at for one in warm]
    slopes = [
        slope(at, [float(one.gateway_bytes) for one in warm]),
        slope(at, [float(one.worker_bytes) for one in warm]),
    ]
    files = [one.files for one in warm]
    per_ten_minutes = [value * 600.0 / MIB for value in slopes]
    figures = dict(zip((f"{role} MiB in 10 min" for role in ROLES), per_ten_minutes, strict=True))
    say(
        "long load",
        seconds=SECONDS,
        answers=answers,
        **figures,
        files=f"{files[0]} to {files[-1]}, at most {max(files)}",
    )
    assert answers.keys() == {200}
    assert all(value * passed <= SLOPE_MAX * passed + NOISE_BYTES for value in slopes)
    assert statistics.mean(files[-5:]) <= statistics.mean(files[:5]) + 5.0


ROLES = ("gateway", "worker")


async def run(platform: Platform) -> tuple[dict[int, int], list[Sample]]:
    """The answers by status, and samples in even steps."""
    answers: dict[int, int] = {}
    samples: list[Sample] = []
    loop = asyncio.get_running_loop()
    words = "chunks-8 every-20"
    async with Callers([platform.url], lambda n: request(platform.key, n, words, is_stream=n % 2 == 0)) as callers:
        for _ in range(SAMPLES):
            await callers.run(RATE, SECONDS / SAMPLES)
            samples.append(sample(platform, loop.time(), callers.open_count))
            for one in [one for one in callers.asks if one.ended]:
                answers[one.status] = answers.get(one.status, 0) + 1
            callers.asks[:] = [one for one in callers.asks if not one.ended]
        await callers.settle()
    rest = statuses(callers.asks)
    return {status: answers.get(status, 0) + rest[status] for status in answers.keys() | rest.keys()}, samples


def sample(platform: Platform, at: float, connections: int) -> Sample:
    return Sample(
        at=at,
        gateway_bytes=rss_bytes(platform.pids("gateway")),
        worker_bytes=rss_bytes(platform.pids("worker")),
        files=descriptors(platform.pids("")) - 2 * connections,
    )


def slope(at: Sequence[float], values: Sequence[float]) -> float:
    """How much the values grow in a second, by least squares."""
    return statistics.linear_regression(at, values).slope
