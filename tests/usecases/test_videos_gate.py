"""Whose files are not even brought here."""

import asyncio

import pytest
from tests.edge.videos import I2V
from tests.usecases.test_videos_leases import GatewayOfTest
from tests.usecases.video_market import CEILING, YUAN, Market, a_file, price_of

from yuanjing.domain.artifacts import StorageFullError
from yuanjing.domain.errors import InsufficientFundsError
from yuanjing.domain.money import Book
from yuanjing.usecases.videos import BudgetExceededError, TooManyTasksError, VideoPolicy


class SlowIntake:
    """Takes files when it is told to, and counts who asks."""

    def __init__(self, market: Market) -> None:
        self.asked, self.may, self._take = 0, asyncio.Event(), market.intake.take
        market.intake.take = self.take  # type: ignore[method-assign]

    async def take(self, spec, media, **named):
        if media:
            self.asked += 1
            await self.may.wait()
        return await self._take(spec, media, **named)


async def test_who_cannot_pay_is_told_before_files_are_taken(market: Market):
    intake = SlowIntake(market)
    limited = market.caller(budget_nanos=CEILING - 1)
    await market.store.write(lambda tx: tx.keys.add(limited.key))
    with pytest.raises(BudgetExceededError):
        await market.submit(limited, llmid=I2V, image1_file=a_file())
    await market.store.write(lambda tx: tx.catalog.add_price(price_of(I2V, version=1000)))
    with pytest.raises(InsufficientFundsError):
        await market.submit(videos=market.open(), llmid=I2V, image1_file=a_file())
    assert intake.asked == 0


async def test_leased_money_is_the_customers(market: Market):
    gateway = GatewayOfTest(market)
    await gateway.lease(10 * YUAN)
    intake = SlowIntake(market)
    intake.may.set()
    async with asyncio.TaskGroup() as group:
        group.create_task(gateway.give_back_when_asked(CEILING))
        submitted = await market.submit(llmid=I2V, image1_file=a_file())
    assert (await market.task(submitted.task.id)).ceiling_nanos == CEILING


async def test_what_is_being_taken_in_counts_as_a_task(market: Market):
    intake = SlowIntake(market)
    videos = market.open(policy=VideoPolicy(tasks_per_customer_max=3))
    await market.submit(market.caller(book=Book.TEST), videos=videos)
    callers = [market.caller()] * 5 + [market.caller("cus_b")]
    asked = (market.submit(caller, videos=videos, llmid=I2V, image1_file=a_file()) for caller in callers)
    jobs = [asyncio.ensure_future(one) for one in asked]
    await asyncio.sleep(0.05)
    assert intake.asked == 3, "two of one customer, one of the other"
    intake.may.set()
    await asyncio.wait(jobs)
    refused = [job.exception() for job in jobs if job.exception() is not None]
    assert [type(error) for error in refused] == [TooManyTasksError] * 3
    await market.fail(await market.claim(await market.submit(market.caller("cus_b"), videos=videos)))
    await market.submit(market.caller("cus_b"), videos=videos, llmid=I2V, image1_file=a_file())
    assert await market.problems() == []


async def test_a_request_whose_files_are_refused_counts_no_more(market: Market):
    videos = market.open(policy=VideoPolicy(tasks_per_customer_max=1))
    market.intake.failure = StorageFullError("full")
    with pytest.raises(StorageFullError):
        await market.submit(videos=videos, llmid=I2V, image1_file=a_file())
    market.intake.failure = None
    await market.submit(videos=videos, llmid=I2V, image1_file=a_file())
