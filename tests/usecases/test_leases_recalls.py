"""Leases that are asked back are answered, also with nothing, and asked again only when they have got more."""

from tests.support.money import World, tokens

from yuanjing.domain.money import Book
from yuanjing.usecases.leases import LeaseAnswer, LeaseRequest, _refusal, _Standing
from yuanjing.usecases.nodes import beat


def wish(needed: int, asked: LeaseAnswer | None = None) -> LeaseRequest:
    return LeaseRequest(
        book=Book.LIVE,
        customer_id="cus_a",
        key_id=None,
        hold_id=None,
        needed_nanos=needed,
        recent_nanos=0,
        asked=asked.asked if asked else {},
    )


async def recalls(world: World) -> int:
    return [topic for topic, _ in await world.signals()].count("recall")


async def test_who_asks_learns_that_nothing_more_comes_and_asks_again_when_there_is_more(world: World):
    await world.prepare("cus_a")
    await world.grant("cus_a", 1000)
    first, second = await world.gateway("m-g0"), await world.gateway("m-g1")
    held = await first.acquire("cus_a", needed=900)
    asked = await second.keeper.acquire(second.node, wish(500))
    assert (asked.is_recalling, asked.asked) == (True, {held.hold_id: 900})
    still = await second.keeper.acquire(second.node, wish(500, asked))
    assert still.is_recalling
    await first.give_back(held.hold_id, 0, is_answer=True)
    assert ("funds", "live:cus_a") in await world.signals()
    assert (await beat(world.store, world.clock, first.node)).recalled == []
    answered = await second.keeper.acquire(second.node, wish(500, still))
    assert not answered.is_recalling
    assert (await second.keeper.acquire(second.node, wish(500, answered))).is_recalling is False
    assert await recalls(world) == 1
    await first.acquire("cus_a", needed=100)
    again = await second.keeper.acquire(second.node, wish(500, answered))
    assert (again.is_recalling, again.asked) == (True, {held.hold_id: 1000})
    assert await recalls(world) == 2


async def test_what_comes_back_later_of_a_lease_that_was_asked_for_is_told(world: World):
    """The first return answers; those after it are wanted no less."""
    await world.prepare("cus_a")
    await world.grant("cus_a", 1000)
    first, second = await world.gateway("m-g0"), await world.gateway("m-g1")
    held = await first.acquire("cus_a", needed=900)
    await second.keeper.acquire(second.node, wish(500))
    for amount, is_answer, is_wanted, signals in ((0, True, True, 1), (100, False, True, 2), (100, False, False, 2)):
        await first.give_back(held.hold_id, amount, is_wanted=is_wanted, is_answer=is_answer)
        assert [topic for topic, _ in await world.signals()].count("funds") == signals


async def test_a_return_that_knew_of_no_recall_leaves_it_open(world: World):
    """It is told, since it is money; what its owner still has free comes only when the owner hears of the recall."""
    await world.prepare("cus_a")
    await world.grant("cus_a", 1000)
    first, second = await world.gateway("m-g0"), await world.gateway("m-g1")
    held = await first.acquire("cus_a", needed=900)
    asked = await second.keeper.acquire(second.node, wish(500))
    await first.give_back(held.hold_id, 0)
    assert ("funds", "live:cus_a") not in await world.signals()
    await first.give_back(held.hold_id, 100)
    assert ("funds", "live:cus_a") in await world.signals()
    assert (await beat(world.store, world.clock, first.node)).recalled == [held.hold_id]
    assert (await second.keeper.acquire(second.node, wish(500, asked))).is_recalling
    await first.give_back(held.hold_id, 300, is_answer=True)
    assert (await beat(world.store, world.clock, first.node)).recalled == []
    assert (await second.keeper.acquire(second.node, wish(500, asked))).granted_nanos == 500


async def test_who_gives_its_lease_up_has_answered(world: World):
    await world.prepare("cus_a")
    await world.grant("cus_a", 1000)
    first, second = await world.gateway("m-g0"), await world.gateway("m-g1")
    held = await first.acquire("cus_a", needed=900)
    first.finish(first.admit(held.hold_id, 900), tokens(1, 1))
    await second.keeper.acquire(second.node, wish(500))
    await first.give_back(held.hold_id, is_final=True)
    assert (await beat(world.store, world.clock, first.node)).recalled == []
    assert ("funds", "live:cus_a") in await world.signals()


async def test_money_that_comes_back_between_two_looks_is_not_missed(world: World):
    """READ COMMITTED: the balance was read before the return, the leases after it."""
    await world.prepare("cus_a")
    await world.grant("cus_a", 500)
    before = _Standing(available_nanos=100, promotion_nanos=0, budget=None, is_allowed=True)
    now = _Standing(available_nanos=500, promotion_nanos=0, budget=None, is_allowed=True)
    for standing, is_coming in ((before, True), (now, False)):
        answer, is_to_mark = await world.store.read(lambda tx, s=standing: _refusal(tx, wish(600), s))
        assert (answer.is_recalling, is_to_mark) == (is_coming, False)
