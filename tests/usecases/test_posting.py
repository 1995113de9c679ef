from dataclasses import replace

import pytest
from tests.support.money import World, make_record, tokens

from yuanjing.domain.errors import NotFoundError, StoreUnavailableError
from yuanjing.domain.identity import BudgetPeriod
from yuanjing.domain.ledger import Reason
from yuanjing.domain.money import Book
from yuanjing.usecases.nodes import take_over
from yuanjing.usecases.posting import UsagePoster
from yuanjing.usecases.verify import verify

YUAN = 10**9


@pytest.fixture
async def rich(world):
    await world.prepare("cus_a", "cus_b", budgets={"key_b": ("cus_a", YUAN, BudgetPeriod.TOTAL)})
    await world.grant("cus_a", YUAN)
    await world.grant("cus_b", YUAN, Book.TEST)
    return world


def poster_of(world: World, batch_rows: int = 100) -> UsagePoster:
    return UsagePoster(world.store, world.clock, batch_rows=batch_rows)


async def settles(world: World):
    return [t for t in await world.transfers() if t.reason is Reason.SETTLE]


async def clean(world: World) -> None:
    assert (await verify(world.store, world.spools, world.clock)).breaches == []


async def test_a_batch_makes_one_settle_transfer_for_each_hold(rich):
    gateway = await rich.gateway()
    mine = [await gateway.chat("cus_a", tokens(10, n)) for n in (1, 2, 3)]
    other = await gateway.chat("cus_b", tokens(10, 5), book=Book.TEST)
    assert await poster_of(rich).post(rich.reader(gateway)) == 4
    by_id = {t.id: t for t in await settles(rich)}
    assert set(by_id) == {f"settle:m-g0:1:1-4:{mine[0].hold_id}", f"settle:m-g0:1:1-4:{other.hold_id}"}
    total = sum(record.charge_nanos for record in mine)
    assert by_id[f"settle:m-g0:1:1-4:{mine[0].hold_id}"].amount_nanos == total
    usages = await rich.usages()
    assert {usages[r.id].settle_transfer_id for r in mine} == {f"settle:m-g0:1:1-4:{mine[0].hold_id}"}
    assert (await rich.hold(mine[0].hold_id)).settled_nanos == total
    await clean(rich)


async def test_posting_again_changes_nothing(rich):
    gateway = await rich.gateway()
    await gateway.chat("cus_a", tokens())
    reader = rich.reader(gateway)
    poster = poster_of(rich)
    assert [await poster.post(reader), await poster.post(reader), await poster_of(rich).post(reader)] == [1, 0, 0]
    assert len(await settles(rich)) == 1


async def test_batches_follow_each_other(rich):
    gateway = await rich.gateway()
    for n in range(7):
        await gateway.chat("cus_a", tokens(10, n))
    poster = poster_of(rich, 3)
    reader = rich.reader(gateway)
    assert [await poster.post(reader) for _ in range(4)] == [3, 3, 1, 0]
    assert poster.posted_seq(reader) == 7
    await clean(rich)


async def test_only_one_of_two_posters_posts_a_row(rich):
    """A batch that was read from a position which has moved is not posted, not even the part that is new."""
    gateway = await rich.gateway()
    slow, fast = poster_of(rich, 5), poster_of(rich, 3)
    reader = rich.reader(gateway)
    assert await slow.post(reader) == 0
    for n in range(5):
        await gateway.chat("cus_a", tokens(10, n))
    assert await fast.post(reader) == 3
    assert await slow.post(reader) == 0
    assert len(await rich.usages()) == 3
    assert await slow.post(reader) == 2
    assert len(await rich.usages()) == 5
    await clean(rich)


async def test_the_same_usage_in_two_places_is_charged_once(rich):
    gateway = await rich.gateway()
    record = await gateway.chat("cus_a", tokens())
    gateway.spool.append([record], [])
    reader = rich.reader(gateway)
    poster = poster_of(rich)
    assert await poster.post(reader) == 2
    gateway.spool.append([record], [])
    assert await poster.post(reader) == 1
    assert (await rich.hold(record.hold_id)).settled_nanos == record.charge_nanos
    await clean(rich)


async def test_a_lost_answer_of_the_commit_does_not_charge_twice(rich):
    gateway = await rich.gateway()
    record = await gateway.chat("cus_a", tokens())
    reader, poster = rich.reader(gateway), poster_of(rich)
    await poster.post(reader)
    await gateway.chat("cus_a", tokens())
    rich.store.fail_after = 1
    with pytest.raises(StoreUnavailableError):
        await poster.post(reader)
    assert await poster.post(reader) == 0
    assert (await rich.hold(record.hold_id)).settled_nanos == 2 * record.charge_nanos
    await clean(rich)


async def test_a_free_request_is_kept_and_moves_nothing(rich):
    gateway = await rich.gateway()
    answer = await gateway.acquire("cus_a", needed=100)
    record = gateway.finish(gateway.admit(answer.hold_id, 100), tokens(0, 0))
    await poster_of(rich).post(rich.reader(gateway))
    assert (await rich.usages())[record.id].settle_transfer_id is None
    assert await settles(rich) == []
    await clean(rich)


async def test_an_overrun_is_the_platforms_loss(rich):
    gateway = await rich.gateway()
    answer = await gateway.acquire("cus_a", needed=100)
    record = gateway.finish(gateway.admit(answer.hold_id, 100), tokens(1000, 1000))
    assert record.charge_nanos == 100
    assert record.overrun_nanos > 0
    await poster_of(rich).post(rich.reader(gateway))
    (loss,) = [t for t in await rich.transfers() if t.reason is Reason.OVERRUN]
    assert (loss.id, loss.amount_nanos) == ("overrun:m-g0:1:1-1:live", record.overrun_nanos)
    assert (await rich.balances("cus_a")).available_nanos == YUAN - 100
    await clean(rich)


async def test_a_hold_is_never_charged_more_than_it_holds(rich):
    """Whatever a process spools: what its lease does not cover comes out of what is available, as late usage does."""
    gateway = await rich.gateway()
    record = await gateway.chat("cus_a", tokens(10, 10))
    stray = make_record(
        id="stray",
        hold_id=record.hold_id,
        meters=record.meters,
        ceiling_nanos=record.ceiling_nanos,
        charge_nanos=record.charge_nanos,
    )
    gateway.spool.append([stray], [])
    await poster_of(rich).post(rich.reader(gateway))
    usages = await rich.usages()
    assert usages[record.id].settle_transfer_id == f"settle:m-g0:1:1-2:{record.hold_id}"
    assert usages["stray"].settle_transfer_id == "settle:m-g0:1:1-2:late:live:cus_a"
    assert (await rich.hold(record.hold_id)).remaining_nanos == 0
    assert (await rich.balances("cus_a")).available_nanos == YUAN - 2 * record.charge_nanos
    await clean(rich)


async def test_a_charge_is_never_divided_between_a_hold_and_what_is_available(rich):
    gateway = await rich.gateway()
    record = await gateway.chat("cus_a", tokens(10, 10))
    await gateway.acquire("cus_a", needed=5)
    stray = replace(record, id="stray")
    gateway.spool.append([stray], [])
    await poster_of(rich).post(rich.reader(gateway))
    assert (await rich.usages())["stray"].settle_transfer_id == "settle:m-g0:1:1-2:late:live:cus_a"
    hold = await rich.hold(record.hold_id)
    assert (hold.settled_nanos, hold.remaining_nanos) == (record.charge_nanos, 5)
    await clean(rich)


async def test_a_spool_is_not_finished_before_its_last_row(rich):
    """Also when another poster was faster in between, so that this one has to look again."""
    gateway = await rich.gateway()
    reader, slow = rich.reader(gateway), poster_of(rich, 2)
    assert await slow.post(reader) == 0
    for n in range(9):
        await gateway.chat("cus_a", tokens(10, n))
    assert await poster_of(rich, 1).post(reader) == 1
    gateway.kill()
    await take_over(rich.store, rich.clock, node_id="m-g0", incarnation=1, reader=None)
    assert await slow.finish(reader)
    assert len(await rich.usages()) == 9
    await clean(rich)


@pytest.mark.parametrize("missing", ["hold", "foreign", "customer"])
async def test_usage_of_a_hold_that_is_not_its_own_is_late(rich, missing):
    gateway, other = await rich.gateway("m-g0"), await rich.gateway("m-g1")
    answer = await other.acquire("cus_a", needed=10**6)
    await rich.grant("cus_b", YUAN)
    others = await gateway.acquire("cus_b", needed=10**6)
    hold_id = {"foreign": answer.hold_id, "customer": others.hold_id}.get(missing, "hold_none")
    price = make_record(
        id="x", hold_id=hold_id, meters=tokens(10, 0).meters(), ceiling_nanos=32_001, charge_nanos=32_001
    )
    gateway.spool.append([price], [])
    await poster_of(rich).post(rich.reader(gateway))
    assert (await rich.usages())["x"].settle_transfer_id == "settle:m-g0:1:1-1:late:live:cus_a"
    for untouched in (answer, others):
        assert (await rich.hold(untouched.hold_id)).remaining_nanos == 10**6
    await clean(rich)


async def test_late_usage_takes_what_is_available_and_the_rest_is_lost(world):
    await world.prepare("cus_a", budgets={"key_b": ("cus_a", YUAN, BudgetPeriod.TOTAL)})
    await world.grant("cus_a", 600_000)
    gateway = await world.gateway()
    records = [await gateway.chat("cus_a", tokens(10, n), budget_key_id="key_b") for n in (10, 12, 14)]
    assert await take_over(world.store, world.clock, node_id="m-g0", incarnation=1, reader=None)
    assert (await world.balances("cus_a")).available_nanos == 600_000
    other = await world.gateway("m-g1")
    await other.acquire("cus_a", needed=300_000)
    await poster_of(world).post(world.reader(gateway))
    usages = await world.usages()
    shortfalls = [usages[r.id].late_shortfall_nanos for r in records]
    paid = [r.charge_nanos - s for r, s in zip(records, shortfalls, strict=True)]
    assert sum(paid) == 300_000
    assert shortfalls[0] == 0
    assert 0 < shortfalls[1] < records[1].charge_nanos
    assert shortfalls[2] == records[2].charge_nanos
    assert usages[records[2].id].settle_transfer_id is None
    assert (await world.balances("cus_a")).available_nanos == 0
    (loss,) = [t for t in await world.transfers() if t.reason is Reason.OVERRUN]
    assert loss.amount_nanos == sum(shortfalls)
    await clean(world)


async def test_late_usage_of_two_books_in_one_batch(rich):
    await rich.grant("cus_b", YUAN)
    gateway = await rich.gateway()
    await gateway.chat("cus_b", tokens(), book=Book.TEST)
    await gateway.chat("cus_b", tokens(), book=Book.LIVE)
    await take_over(rich.store, rich.clock, node_id="m-g0", incarnation=1, reader=None)
    await poster_of(rich).post(rich.reader(gateway))
    assert {t.book for t in await settles(rich)} == {Book.TEST, Book.LIVE}
    await clean(rich)


async def test_a_spool_of_another_store_is_refused(rich):
    writer = rich.spools.create("stranger", 9)
    writer.append([make_record()], [])
    (reader,) = rich.spools.readers()
    with pytest.raises(NotFoundError):
        await poster_of(rich).post(reader)


async def test_a_spool_is_finished_after_its_life_and_not_before(rich):
    gateway = await rich.gateway()
    record = await gateway.chat("cus_a", tokens())
    reader, poster = rich.reader(gateway), poster_of(rich, 2)
    assert not await poster.finish(reader)
    gateway.kill()
    assert not await poster.finish(reader)
    await take_over(rich.store, rich.clock, node_id="m-g0", incarnation=1, reader=None)
    gateway_rows = 1
    assert await poster.finish(reader)
    assert await poster.finish(reader)
    assert len(await rich.usages()) == gateway_rows
    assert record.id in await rich.usages()
    reader.remove()
    await clean(rich)
