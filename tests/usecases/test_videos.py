"""Submitting videos."""

import asyncio
from dataclasses import replace

import pytest
from tests.edge.videos import I2V, T2V
from tests.support.money import FlakyStore
from tests.usecases.video_market import (
    CEILING,
    OFFERS,
    PRICE_NANOS,
    YUAN,
    Market,
    a_file,
    channel_of,
    key_of,
    price_of,
)

from yuanjing.domain.artifacts import StorageFullError
from yuanjing.domain.errors import AlreadyExistsError, InsufficientFundsError, StoreUnavailableError, YuanjingError
from yuanjing.domain.holds import HoldPurpose
from yuanjing.domain.money import Book
from yuanjing.domain.parameters import ParameterError
from yuanjing.domain.tasks import MediaRole, TaskState
from yuanjing.domain.videos import TaskStep
from yuanjing.ports.store import Store, Tx
from yuanjing.usecases.budgets import lock_budget
from yuanjing.usecases.videos import (
    BudgetExceededError,
    BudgetHeldError,
    ModelNotAllowedError,
    ProviderUnavailableError,
    TooManyTasksError,
    UndeliverableFilesError,
    VideoPolicy,
    placing,
    submitting,
)

START = 10 * YUAN


async def test_a_submission_is_a_task_with_its_ceiling_held(market: Market):
    submitted = await market.submit(duration="7")
    task = await market.task(submitted.task.id)
    assert task == submitted.task
    assert (task.state, task.step, task.created_at) == (TaskState.QUEUED, TaskStep.WAITING, market.clock.unix())
    assert (task.request.prompt, task.request.duration_seconds) == ("a cat", 7)
    assert submitted.quote.charge.total_nanos == task.ceiling_nanos == 7 * PRICE_NANOS
    balances = await market.balances()
    assert (balances.available_nanos, balances.held_nanos) == (START - 7 * PRICE_NANOS, 7 * PRICE_NANOS)
    (hold,) = await market.store.read(lambda tx: list(tx.holds.scan()))
    assert (hold.id, hold.purpose, hold.key_id) == (task.hold_id, HoldPurpose.TASK, None)
    assert hold.expires_at > market.clock.unix() + 49 * 3600
    assert await market.problems() == []


async def test_a_quote_is_what_would_be_held_and_makes_nothing(market: Market):
    fields = {"llmid": [I2V], "prompt": ["a cat"], "duration": ["7"], "image1_file": ["never looked at"]}
    quoted = await market.videos.quote(market.caller(), fields)
    assert (quoted.ceiling_nanos, quoted.resolved.offer.id) == (7 * PRICE_NANOS, I2V)
    assert quoted.price_id == (await market.submit(llmid=I2V, image1_file=a_file(), duration="7")).task.price_id
    assert len(await market.tasks()) == 1
    assert (await market.balances()).held_nanos == quoted.ceiling_nanos
    with pytest.raises(ParameterError):
        await market.videos.quote(market.caller(), {"llmid": [T2V]})
    with pytest.raises(ModelNotAllowedError):
        await market.videos.quote(market.caller(models=("other",)), fields)


async def test_task_ids_are_eighteen_digits_that_nobody_can_guess(market: Market):
    ids = [(await market.submit()).task.id for _ in range(8)]
    assert all(len(id_) == 18 and id_.isdecimal() and id_[0] != "0" for id_ in ids)
    assert min(abs(int(one) - int(other)) for one in ids for other in ids if one != other) > 10**9


async def test_an_id_that_is_taken_is_not_given_again(market: Market, monkeypatch: pytest.MonkeyPatch):
    ids = iter(["111111111111111111"] * 2 + ["222222222222222222"] + ["111111111111111111"] * 3)
    monkeypatch.setattr(submitting, "new_task_id", lambda: next(ids))
    first, second = await market.submit(), await market.submit()
    assert [first.task.id, second.task.id] == ["111111111111111111", "222222222222222222"]
    with pytest.raises(AlreadyExistsError):
        await market.submit()
    assert len(await market.tasks()) == 2
    assert (await market.balances()).held_nanos == 2 * CEILING


async def test_files_belong_to_the_task(market: Market):
    submitted = await market.submit(llmid=I2V, image1_file=a_file())
    (media,) = submitted.task.request.media
    (artifact,) = await market.store.read(lambda tx: tx.artifacts.of_task(submitted.task.id))
    assert (media.role, media.artifact_id) == (MediaRole.FIRST_FRAME, artifact.id)
    assert (await market.task(submitted.task.id)).request.media == (media,)
    assert artifact.expires_at > market.clock.unix() + 2 * 86_400
    assert set(market.intake.kept) == {submitted.task.id}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"prompt": ""}, ParameterError),
        ({"duration": "99"}, ParameterError),
        ({"llmid": "x" * 21}, ParameterError),
    ],
    ids=["prompt", "duration", "llmid"],
)
async def test_a_bad_request_changes_nothing(market: Market, fields: dict[str, str], error: type[YuanjingError]):
    with pytest.raises(error):
        await market.submit(**fields)
    assert await market.tasks() == []
    assert (await market.balances()).available_nanos == START


async def test_files_are_dropped_if_there_is_no_task_for_them(market: Market):
    await market.store.write(lambda tx: tx.catalog.add_price(price_of(I2V, version=1000)))
    with pytest.raises(InsufficientFundsError):
        await market.submit(llmid=I2V, image1_file=a_file())
    assert (market.intake.kept, await market.tasks()) == ({}, [])
    assert (await market.balances()).held_nanos == 0


async def test_files_that_no_provider_can_be_given_are_refused(market: Market):
    market.delivery.closed = {"ch_live"}
    with pytest.raises(UndeliverableFilesError, match="public ones of your own"):
        await market.submit(llmid=I2V, image1_file=a_file())
    assert (market.intake.kept, await market.tasks()) == ({}, [])
    assert (await market.balances()).held_nanos == 0
    await market.submit()
    await market.store.write(lambda tx: tx.catalog.save_channel(channel_of(Book.LIVE, "ch_other")))
    market.clock.advance(market.policy.refresh_seconds)
    assert (await market.submit(llmid=I2V, image1_file=a_file())).task.request.media


async def test_no_room_for_files_is_no_task(market: Market):
    market.intake.failure = StorageFullError("full")
    with pytest.raises(StorageFullError):
        await market.submit()
    assert await market.tasks() == []


async def test_the_last_yuan_can_be_spent_and_not_one_nano_more(market: Market):
    caller = market.caller()
    for _ in range(20):
        await market.submit(caller)
    with pytest.raises(InsufficientFundsError):
        await market.submit(caller)
    balances = await market.balances()
    assert (balances.available_nanos, balances.held_nanos) == (0, START)
    assert await market.problems() == []


async def test_test_keys_spend_play_money(market: Market):
    submitted = await market.submit(market.caller(book=Book.TEST))
    assert submitted.task.book is Book.TEST
    assert (await market.balances()).available_nanos == START
    assert (await market.balances(book=Book.TEST)).held_nanos == CEILING


@pytest.mark.parametrize("book", Book)
async def test_nobody_serves_the_offer_in_this_book(market: Market, book: Book):
    def work(tx: Tx) -> None:
        (ours,) = (channel for channel in tx.catalog.channels() if channel.book is book)
        tx.catalog.save_channel(replace(ours, is_enabled=False))
        tx.catalog.save_channel(replace(ours, id="ch_2", offers=(I2V,)))
        tx.catalog.save_channel(replace(ours, id="ch_3", provider_id="q"))

    await market.store.write(work)
    with pytest.raises(ProviderUnavailableError, match=r"^Provider temporarily unavailable$"):
        await market.submit(market.caller(book=book))
    await market.submit(market.caller(book=book), llmid=I2V, image1_file=a_file())
    await market.submit(market.caller(book=Book.TEST if book is Book.LIVE else Book.LIVE))


async def test_the_price_in_effect_is_charged(market: Market):
    later = market.clock.now().replace(year=2030)
    await market.store.write(lambda tx: tx.catalog.add_price(price_of(T2V, version=2)))
    await market.store.write(lambda tx: tx.catalog.add_price(price_of(T2V, version=3, effective_from=later)))
    submitted = await market.submit()
    assert (submitted.task.price_id, submitted.task.ceiling_nanos) == ("price_t2", 2 * CEILING)
    assert (await market.task(submitted.task.id)).price_id == "price_t2"


async def test_an_offer_without_a_price_in_effect_is_not_served(market: Market):
    offer = replace(OFFERS[0], id="n" * 21, model="new")
    await market.store.write(lambda tx: tx.catalog.save_offer(offer))
    with pytest.raises(ProviderUnavailableError):
        await market.submit(llmid=offer.id)


async def test_what_is_free_holds_a_nano(market: Market):
    rate = replace(price_of(T2V).rates[0], amount_nanos=0)
    await market.store.write(lambda tx: tx.catalog.add_price(price_of(T2V, version=2, rates=(rate,))))
    submitted = await market.submit()
    assert submitted.task.ceiling_nanos == 1
    done = await market.succeed(await market.claim(submitted))
    assert done is not None
    assert (done.charge_nanos, (await market.balances()).available_nanos) == (0, START)
    assert await market.problems() == []


async def test_offers_are_those_that_the_key_may_use_now(market: Market):
    assert [offer.id for offer in await market.videos.offers(market.caller())] == [I2V, T2V]
    assert await market.videos.offers(market.caller(models=("other",))) == []
    ended = replace(OFFERS[0], enabled_until=market.clock.now())
    await market.store.write(lambda tx: tx.catalog.save_offer(ended))
    market.clock.advance(market.policy.refresh_seconds - 1)
    assert len(await market.videos.offers(market.caller())) == 2, "the snapshot is read again after a while"
    market.clock.advance(1)
    assert [offer.id for offer in await market.videos.offers(market.caller())] == [I2V]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, ModelNotAllowedError),
        ({"llmid": "", "model": "dream"}, ModelNotAllowedError),
        ({"prompt": ""}, ModelNotAllowedError),
        ({"llmid": "x" * 21}, ParameterError),
        ({"llmid": "", "model": "none"}, ParameterError),
    ],
    ids=["llmid", "model", "no prompt", "unknown llmid", "unknown model"],
)
async def test_what_the_key_may_not_use_is_told_from_what_there_is_not(market: Market, fields, error):
    with pytest.raises(error):
        await market.submit(market.caller(models=("other",)), **fields)


async def test_a_key_of_one_offer_may_not_use_another_of_the_same_model(market: Market):
    """A name on the list is for all offers of that model, an id for its own alone."""
    assert OFFERS[0].model == OFFERS[1].model
    assert await market.videos.offers(market.caller(models=(OFFERS[0].model,))) == list(reversed(OFFERS))
    caller = market.caller(models=(T2V,))
    assert [offer.id for offer in await market.videos.offers(caller)] == [T2V]
    assert (await market.submit(caller)).task.offer_id == T2V
    with pytest.raises(ModelNotAllowedError):
        await market.submit(caller, llmid=I2V, image1_file=a_file())


async def test_many_that_come_at_once_read_the_catalogue_once(market: Market):
    videos = market.open()
    before = market.store.counters.reads
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(videos.offers(market.caller()))
    assert market.store.counters.reads == before + 1


async def test_a_customer_has_so_many_tasks_under_way_and_no_more(market: Market):
    videos = market.open(policy=VideoPolicy(tasks_per_customer_max=3))
    submitted = [await market.submit(market.caller(book=book), videos=videos) for book in (*Book, Book.LIVE)]
    for fields in ({}, {"llmid": I2V, "image1_file": a_file()}):
        with pytest.raises(TooManyTasksError, match=r"^Too many requests: 3 videos"):
            await market.submit(videos=videos, **fields)
    assert market.intake.kept.keys() == {one.task.id for one in submitted}
    await market.submit(market.caller("cus_b"), videos=videos)
    await market.fail(await market.claim(submitted[0]))
    await market.submit(videos=videos)
    assert (await market.balances()).held_nanos == 2 * CEILING


async def test_a_keys_budget_is_exact(market: Market):
    limits = {"budget_nanos": 2 * CEILING + 1}
    caller = market.caller(**limits)
    await market.store.write(lambda tx: tx.keys.add(caller.key))
    first, second = await market.submit(caller), await market.submit(caller)
    with pytest.raises(BudgetHeldError, match="beside what is running"):
        await market.submit(caller)
    budget = await market.store.write(lambda tx: tx.keys.budget(caller.key.id))
    assert budget is not None
    assert (budget.held_nanos, budget.spent_nanos) == (2 * CEILING, 0)
    await market.succeed(await market.claim(first))
    await market.fail(await market.claim(second))
    budget = await market.store.write(lambda tx: tx.keys.budget(caller.key.id))
    assert budget is not None
    assert (budget.held_nanos, budget.spent_nanos) == (0, CEILING)
    third = await market.submit(caller)
    await market.succeed(await market.claim(third))
    with pytest.raises(BudgetExceededError) as spent:
        await market.submit(caller)
    assert spent.type is BudgetExceededError
    await market.submit()
    assert await market.problems() == []


async def test_a_commit_whose_answer_was_lost_is_found_out(market: Market):
    store = market.store
    assert isinstance(store, FlakyStore)
    store.fail_after = 1
    submitted = await market.submit(llmid=I2V, image1_file=a_file())
    assert await market.task(submitted.task.id) == submitted.task
    store.fail_before = 1
    with pytest.raises(StoreUnavailableError):
        await market.submit(llmid=I2V, image1_file=a_file())
    assert len(await market.tasks()) == 1
    assert (await market.balances()).held_nanos == CEILING


async def test_a_balance_is_spent_once_by_many(sql_market: Market):
    limited = key_of("cus_b", budget_nanos=3 * CEILING)
    await sql_market.prepare(limited)
    poor = sql_market.caller("cus_b", budget_nanos=3 * CEILING)
    results: list[object] = []

    async def one(caller) -> None:
        try:
            results.append(await sql_market.submit(caller, videos=videos))
        except YuanjingError as error:
            results.append(type(error))

    videos = sql_market.open(policy=VideoPolicy(tasks_per_customer_max=18))
    async with asyncio.TaskGroup() as group:
        for number in range(30):
            group.create_task(one(sql_market.caller() if number < 22 else poor))
    assert results.count(TooManyTasksError) + results.count(InsufficientFundsError) == 4
    assert results.count(BudgetHeldError) == 5
    assert (await sql_market.balances()).held_nanos == 18 * CEILING
    assert (await sql_market.balances("cus_b")).held_nanos == 3 * CEILING
    assert await sql_market.problems() == []


async def test_those_that_share_a_transaction_do_not_share_their_fate(market: Market, monkeypatch: pytest.MonkeyPatch):
    """One without money, one above its budget, one too many, one whose id is taken, and three that are fine."""
    limited = market.caller("cus_b", budget_nanos=1)
    await market.store.write(lambda tx: tx.keys.add(limited.key))
    await market.store.write(lambda tx: tx.catalog.add_price(price_of(I2V, version=1000)))
    videos = market.open(policy=VideoPolicy(tasks_per_customer_max=3, lease_wait_seconds=0.01))
    taken = (await market.submit()).task.id
    ids = iter(["1" * 18, "2" * 18, "3" * 18, taken, "4" * 18, "5" * 18, "6" * 18])
    monkeypatch.setattr(submitting, "new_task_id", lambda: next(ids))
    one = market.submit
    asked = [
        one(videos=videos),
        one(videos=videos, llmid=I2V, image1_file=a_file()),
        one(limited, videos=videos),
        one(market.caller("cus_b"), videos=videos),
        one(market.caller(book=Book.TEST), videos=videos),
        one(videos=videos),
    ]
    found = await asyncio.gather(*asked, return_exceptions=True)  # noqa: TID251  # errors are what is looked at
    assert [type(each).__name__ for each in found] == [
        "SubmittedVideo",
        "InsufficientFundsError",
        "BudgetExceededError",
        "SubmittedVideo",
        "SubmittedVideo",
        "TooManyTasksError",
    ]
    assert len(await market.tasks()) == 4
    assert (await market.balances()).held_nanos == 2 * CEILING
    assert await market.problems() == []


async def test_who_goes_away_while_waiting_is_not_placed_and_keeps_nobody(market: Market):
    first, second, third = (asyncio.ensure_future(market.submit()) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([first, second, third])
    assert (await first).task.id != (await third).task.id
    assert len(await market.tasks()) in (2, 3)
    await market.submit()
    assert await market.problems() == []


class _Gate:
    """A store whose writes wait to be let through, one by one; they go on, as threads do, if they are cancelled."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._leave = asyncio.Semaphore(0)
        self._arrivals = asyncio.Semaphore(0)
        self.let_through = self._leave.release

    def __getattr__(self, name: str):
        return getattr(self._store, name)

    async def write(self, work):
        written = asyncio.ensure_future(self._store.write(work))
        self._arrivals.release()
        await self._leave.acquire()
        return await written

    async def arrival(self) -> None:
        """Until the next write is under way, and whoever comes meanwhile waits behind it."""
        await self._arrivals.acquire()
        await asyncio.sleep(0.02)


async def test_who_goes_away_during_the_commit_leaves_nobody_in_doubt(market: Market):
    gate = _Gate(market.store)
    videos = market.open(gate)
    first = asyncio.ensure_future(market.submit(videos=videos))
    await gate.arrival()
    asked = {"videos": videos, "llmid": I2V, "image1_file": a_file()}
    gone, other = (asyncio.ensure_future(market.submit(market.caller(whose), **asked)) for whose in ("cus_a", "cus_b"))
    await asyncio.sleep(0.02)
    gate.let_through()
    await gate.arrival()
    gone.cancel()
    await asyncio.sleep(0.02)
    for _ in range(3):
        gate.let_through()
    task = (await other).task
    assert await market.task(task.id) == task
    there = {each.id: each.customer_id for each in await market.tasks()}
    assert sorted(there.values()) == ["cus_a", "cus_a", "cus_b"]
    assert {*market.intake.kept, (await first).task.id} == there.keys()
    assert await market.problems() == []


async def test_an_unexpected_error_of_one_is_its_own(market: Market, monkeypatch: pytest.MonkeyPatch):
    def lock(tx, key, at):
        if key.id == "key_b_live":
            raise ZeroDivisionError
        return lock_budget(tx, key, at)

    monkeypatch.setattr(placing, "lock_budget", lock)
    gate = _Gate(market.store)
    videos = market.open(gate)
    first = asyncio.ensure_future(market.submit(videos=videos))
    await gate.arrival()
    callers = [market.caller(), market.caller("cus_b"), market.caller(), market.caller(book=Book.TEST)]
    asked = [asyncio.ensure_future(market.submit(one, videos=videos)) for one in callers]
    await asyncio.sleep(0.02)
    for _ in range(9):
        gate.let_through()
    found = await asyncio.gather(first, *asked, return_exceptions=True)  # noqa: TID251  # errors are what is looked at
    assert [type(one).__name__ for one in found] == [
        "SubmittedVideo",
        "SubmittedVideo",
        "ZeroDivisionError",
        "SubmittedVideo",
        "SubmittedVideo",
    ]
    assert len(await market.tasks()) == 4
    assert await market.problems() == []


async def test_a_lost_store_is_told_to_all_that_waited(market: Market):
    store = market.store
    assert isinstance(store, FlakyStore)
    await market.videos.offers(market.caller())
    store.fail_before = 1
    found = await asyncio.gather(*(market.submit() for _ in range(4)), return_exceptions=True)  # noqa: TID251  # errors are what is looked at
    assert StoreUnavailableError in [type(each) for each in found]
    placed = [each for each in found if not isinstance(each, BaseException)]
    assert len(await market.tasks()) == len(placed)
    assert await market.problems() == []


async def test_those_that_come_at_once_share_a_commit(market: Market):
    await market.submit()
    before = market.store.counters.writes
    async with asyncio.TaskGroup() as group:
        for _ in range(15):
            group.create_task(market.submit())
    assert market.store.counters.writes - before <= 3
    assert len(await market.tasks()) == 16
    assert await market.problems() == []
