"""Videos that are asked for again under the same idempotency key."""

import asyncio
from dataclasses import replace

import pytest
from tests.edge.videos import I2V, T2V
from tests.support.money import FlakyStore
from tests.usecases.video_market import CEILING, YUAN, Market, a_file

from yuanjing.domain.dialects import Dialect
from yuanjing.domain.errors import InsufficientFundsError, NotFoundError, StoreUnavailableError
from yuanjing.domain.idempotency import Claim, IdempotencyMismatchError, content_digest, key_digest
from yuanjing.usecases.idempotency import claim_chats
from yuanjing.usecases.videos import SubmittedVideo, Videos

START = 10 * YUAN


def claim(market: Market, name: bytes = b"order-1", content: bytes = b"a cat", customer_id: str = "cus_a") -> Claim:
    key = market.caller(customer_id).key
    return Claim(key_id=key.id, digest=key_digest(name), content=content_digest(content), usage_id="")


async def submit(
    market: Market, named: Claim, *, videos: Videos | None = None, customer_id: str = "cus_a", **fields: object
) -> SubmittedVideo:
    wanted = {"llmid": T2V, "prompt": "a cat"} | fields
    return await (videos or market.videos).submit(
        market.caller(customer_id),
        {name: [value] for name, value in wanted.items()},
        dialect=Dialect.LLMAGE,
        request_id="req_1",
        claim=named,
    )


async def test_a_retry_is_told_the_first_task_with_its_warnings(market: Market):
    named = claim(market)
    assert await market.videos.first_of(named) is None
    first = await submit(market, named, resolution="480P", ratio="5:4")
    again = await market.videos.first_of(named)
    assert again is not None
    assert (again.task, again.warnings, again.is_replayed) == (first.task, first.warnings, True)
    assert await submit(market, named) == again
    assert not first.is_replayed
    assert [task.id for task in await market.tasks()] == [first.task.id]
    assert (await market.balances()).held_nanos == CEILING
    assert await market.problems() == []


async def test_a_retry_is_told_where_the_first_task_stands_when_money_is_gone_and_it_has_ended(market: Market):
    named = claim(market)
    first = await submit(market, named)
    for _ in range(19):
        await market.submit()
    with pytest.raises(InsufficientFundsError):
        await market.submit()
    await market.succeed(await market.claim(first))
    again = await submit(market, named)
    assert (again.task.id, again.task.charge_nanos) == (first.task.id, CEILING)


async def test_other_content_is_refused(market: Market):
    await submit(market, claim(market))
    with pytest.raises(IdempotencyMismatchError):
        await market.videos.first_of(claim(market, content=b"a dog"))
    with pytest.raises(IdempotencyMismatchError):
        await submit(market, claim(market, content=b"a dog"), prompt="a dog")
    assert len(await market.tasks()) == 1


async def test_a_key_of_a_chat_is_none_for_a_video(market: Market):
    chat = replace(claim(market, content=b"chat"), usage_id="usage")
    await market.store.write(lambda tx: claim_chats(tx, [chat], ("g0", 1), 1.0))
    with pytest.raises(IdempotencyMismatchError):
        await submit(market, claim(market))
    assert await market.tasks() == []


async def test_the_same_key_of_another_customer_is_another_one(market: Market):
    first = await submit(market, claim(market))
    other = await submit(market, claim(market, customer_id="cus_b"), customer_id="cus_b")
    assert first.task.id != other.task.id


async def test_a_refused_request_leaves_the_key_free(market: Market):
    named = claim(market)
    for _ in range(20):
        await market.submit()
    with pytest.raises(InsufficientFundsError):
        await submit(market, named)
    assert await market.videos.first_of(named) is None
    (task, *_) = await market.tasks()
    await market.fail(await market.claim(SubmittedVideo(task=task, quote=None, warnings=())))
    assert not (await submit(market, named)).is_replayed


async def test_a_task_that_was_deleted_is_not_made_again(market: Market):
    named = claim(market)
    first = await submit(market, named)
    await market.fail(await market.claim(first))
    await market.videos.delete(market.caller(), first.task.id)
    with pytest.raises(NotFoundError):
        await market.videos.first_of(named)
    assert (await market.balances()).available_nanos == START


async def test_fifty_at_once_from_three_processes_are_one_task(market: Market):
    named = claim(market)
    processes = [market.open() for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(submit(market, named, videos=processes[n % 3], llmid=I2V, image1_file=a_file()))
            for n in range(50)
        ]
    found = [task.result() for task in tasks]
    assert len({one.task.id for one in found}) == 1
    assert [one.is_replayed for one in found].count(False) == 1
    assert [task.id for task in await market.tasks()] == [found[0].task.id]
    assert set(market.intake.kept) == {found[0].task.id}, "files of those that came later are dropped"
    assert (await market.balances()).held_nanos == CEILING
    assert await market.problems() == []


async def test_those_behind_one_that_was_refused_are_not_told_of_a_task_that_is_not_there(market: Market):
    """All in one transaction: the first of a key has no money for its task, the second wants less."""
    named = claim(market)
    for _ in range(19):
        await market.submit()
    async with asyncio.TaskGroup() as group:
        dear = group.create_task(_outcome(submit(market, named, duration="15")))
        cheap = [group.create_task(_outcome(submit(market, named))) for _ in range(3)]
    assert isinstance(dear.result(), InsufficientFundsError)
    made = {one.task.id for task in cheap if isinstance(one := task.result(), SubmittedVideo)}
    assert len(made) == 1
    assert made <= {task.id for task in await market.tasks()}
    assert len(await market.tasks()) == 20


async def _outcome(work: object) -> object:
    try:
        return await work  # type: ignore[misc]
    except Exception as error:  # noqa: BLE001  # it is what the test looks at
        return error


async def test_a_lost_store_leaves_the_key_free_or_with_its_task(market: Market):
    """Before the commit nothing has happened; after it, everything has."""
    named, store = claim(market), market.store
    assert isinstance(store, FlakyStore)
    store.fail_before = 1
    with pytest.raises(StoreUnavailableError):
        await submit(market, named)
    assert await market.videos.first_of(named) is None
    store.fail_after = 1
    first = await submit(market, named)
    again = await submit(market, named)
    assert (again.task.id, again.is_replayed) == (first.task.id, True)
    assert len(await market.tasks()) == 1
