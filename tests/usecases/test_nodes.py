import pytest
from tests.support.money import TTL_SECONDS, World, make_record, tokens

from yuanjing.domain.errors import FencedError, SpoolError
from yuanjing.domain.usage import UsageRecord, UsageStatus
from yuanjing.kit.clock import ManualClock
from yuanjing.ports.store import Node
from yuanjing.usecases.expiry import PatientExpiry, expire_holds
from yuanjing.usecases.movements import Late
from yuanjing.usecases.nodes import NodeObserver, NodeRef, beat, register_node, take_over
from yuanjing.usecases.posting import UsagePoster
from yuanjing.usecases.verify import verify

YUAN = 10**9


@pytest.fixture
async def rich(world):
    await world.prepare("cus_a")
    await world.grant("cus_a", YUAN)
    return world


async def clean(world: World) -> None:
    assert (await verify(world.store, world.spools, world.clock)).breaches == []


async def end(world: World, gateway, *, with_spool: bool, poster: UsagePoster | None = None) -> bool:
    return await take_over(
        world.store,
        world.clock,
        node_id=gateway.node.id,
        incarnation=gateway.node.incarnation,
        reader=world.reader(gateway) if with_spool else None,
        poster=poster or UsagePoster(world.store, world.clock, batch_rows=100),
    )


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
async def test_what_comes_late_in_a_take_over_is_told(rich, batch_rows):
    """Rows are posted before the end of the life, what was in flight with it."""
    gateway = await rich.gateway()
    *rows, running = (stray(rich, YUAN // 2) for _ in range(4))
    gateway.spool.append(rows, [running])
    gateway.kill()
    poster = UsagePoster(rich.store, rich.clock, batch_rows=batch_rows)
    assert await end(rich, gateway, with_spool=True, poster=poster)
    assert poster.take_late() == Late(rows=4, charge_nanos=2 * YUAN, shortfall_nanos=YUAN)
    assert not await end(rich, gateway, with_spool=True, poster=poster)
    assert poster.take_late() == Late()


def stray(world: World, charge_nanos: int) -> UsageRecord:
    """Usage whose hold nobody knows."""
    return make_record(id=world.usage_id(), hold_id="hold_gone", charge_nanos=charge_nanos, ceiling_nanos=charge_nanos)


@pytest.mark.parametrize("batch_rows", [2, 100])
async def test_take_over_charges_the_leases_before_it_returns_them(rich, batch_rows):
    gateway = await rich.gateway()
    records = [await gateway.chat("cus_a", tokens(10, n)) for n in range(1, 6)]
    answer = await gateway.acquire("cus_a", needed=10**6)
    running = gateway.mark(gateway.admit(answer.hold_id, 10**6), tokens(10, 7))
    gateway.kill()
    poster = UsagePoster(rich.store, rich.clock, batch_rows=batch_rows)
    assert await end(rich, gateway, with_spool=True, poster=poster)
    assert not poster.take_late().rows
    usages = await rich.usages()
    assert usages.keys() == {running.id, *(r.id for r in records)}
    for usage in usages.values():
        assert usage.settle_transfer_id is not None
        assert usage.settle_transfer_id.endswith(f":{usage.record.hold_id}")
    assert (usages[running.id].record.status, usages[running.id].record.is_estimated) == (UsageStatus.INTERRUPTED, True)
    total = sum(u.record.charge_nanos for u in usages.values())
    balances = await rich.balances("cus_a")
    assert (balances.available_nanos, balances.held_nanos) == (YUAN - total, 0)
    assert (await rich.hold(answer.hold_id)).closed_at is not None
    assert ("funds", "live:cus_a") in await rich.signals()
    poster = UsagePoster(rich.store, rich.clock, batch_rows=10)
    assert await poster.finish(rich.reader(gateway))
    await clean(rich)


async def test_without_the_spool_usage_comes_late_and_still_once(rich):
    gateway = await rich.gateway()
    record = await gateway.chat("cus_a", tokens())
    assert await end(rich, gateway, with_spool=False)
    assert (await rich.balances("cus_a")).available_nanos == YUAN
    poster = UsagePoster(rich.store, rich.clock, batch_rows=10)
    assert await poster.post(rich.reader(gateway)) == 1
    assert (await rich.balances("cus_a")).available_nanos == YUAN - record.charge_nanos
    assert (await rich.usages())[record.id].settle_transfer_id == "settle:m-g0:1:1-1:late:live:cus_a"
    gateway.kill()
    assert await poster.finish(rich.reader(gateway))
    await clean(rich)


async def test_a_paused_writer_keeps_its_watermarks(rich):
    """While the writer lives a watermark is not the end of its request; rows so far are posted all the same."""
    gateway = await rich.gateway()
    record = await gateway.chat("cus_a", tokens())
    answer = await gateway.acquire("cus_a", needed=10**6)
    request = gateway.admit(answer.hold_id, 10**6)
    gateway.mark(request, tokens(1, 1))
    assert await end(rich, gateway, with_spool=True)
    assert (await rich.usages()).keys() == {record.id}
    finished = gateway.finish(request, tokens(10, 20))
    poster = UsagePoster(rich.store, rich.clock, batch_rows=10)
    gateway.kill()
    assert await poster.finish(rich.reader(gateway))
    usages = await rich.usages()
    assert usages[finished.id].record.status is UsageStatus.COMPLETED
    assert ":late:" in usages[finished.id].settle_transfer_id
    await clean(rich)


async def test_a_spool_that_cannot_be_read_does_not_keep_money_held(rich):
    gateway = await rich.gateway()
    await gateway.chat("cus_a", tokens())
    reader = rich.reader(gateway)
    gateway.kill()

    def broken(_seq: int, _limit: int):
        raise SpoolError("the disk is gone")

    reader.after = broken
    assert await end(rich, gateway, with_spool=True)
    assert (await rich.balances("cus_a")).held_nanos == 0


async def test_a_restart_takes_the_old_life_over(rich):
    first = await rich.gateway()
    record = await first.chat("cus_a", tokens())
    first.kill()
    second = await rich.gateway()
    assert second.node.incarnation > first.node.incarnation
    assert (await rich.usages())[record.id].settle_transfer_id.endswith(record.hold_id)
    with pytest.raises(FencedError):
        await beat(rich.store, rich.clock, first.node)
    assert (await beat(rich.store, rich.clock, second.node)).gateways == 1


async def test_a_first_registration_needs_no_spools(rich):
    ref = await register_node(rich.store, rich.clock, node_id="n", machine="m", role="worker", spools=None)
    assert ref == NodeRef(id="n", incarnation=1)
    again = await register_node(rich.store, rich.clock, node_id="n", machine="m", role="worker", spools=None)
    assert again.incarnation > 1


async def test_a_beat_tells_how_far_the_spool_is_posted(rich):
    gateway = await rich.gateway()
    await gateway.chat("cus_a", tokens())
    assert (await beat(rich.store, rich.clock, gateway.node)).posted_seq == 0
    await UsagePoster(rich.store, rich.clock, batch_rows=10).post(rich.reader(gateway))
    assert (await beat(rich.store, rich.clock, gateway.node)).posted_seq == 1


async def test_a_living_owner_keeps_its_lease_and_a_closing_one_expires(rich):
    gateway = await rich.gateway()
    kept = await gateway.chat("cus_a", tokens())
    world_clock = rich.clock
    world_clock.advance(TTL_SECONDS + 1)
    assert await expire_holds(rich.store, rich.clock, ttl_seconds=TTL_SECONDS) == 0
    assert (await rich.hold(kept.hold_id)).expires_at == world_clock.unix() + TTL_SECONDS
    await gateway.give_back(kept.hold_id, is_final=True)
    assert await expire_holds(rich.store, rich.clock, ttl_seconds=TTL_SECONDS) == 0
    world_clock.advance(TTL_SECONDS + 1)
    assert await expire_holds(rich.store, rich.clock, ttl_seconds=TTL_SECONDS) == 1
    assert (await rich.balances("cus_a")).held_nanos == 0
    await UsagePoster(rich.store, rich.clock, batch_rows=10).post(rich.reader(gateway))
    assert (await rich.balances("cus_a")).available_nanos == YUAN - kept.charge_nanos
    await clean(rich)


async def test_a_clock_that_jumps_releases_no_closing_lease_before_its_usage_is_posted(rich):
    """The store is told to expire by wall clocks; what was spooled for the lease is posted within moments."""
    gateway = await rich.gateway()
    usage = await gateway.chat("cus_a", tokens())
    await gateway.give_back(usage.hold_id, is_final=True)
    expiry = PatientExpiry(rich.store, rich.clock, ttl_seconds=TTL_SECONDS, patience_seconds=60)
    rich.clock.jump(TTL_SECONDS + 1)
    assert await expiry.look() == 0
    rich.clock.advance(59)
    assert await expiry.look() == 0
    assert (await rich.hold(usage.hold_id)).closed_at is None
    await UsagePoster(rich.store, rich.clock, batch_rows=10).post(rich.reader(gateway))
    (posted,) = (await rich.usages()).values()
    assert posted.settle_transfer_id == f"settle:m-g0:1:1-1:{usage.hold_id}"
    await clean(rich)


async def test_what_stays_expired_is_released_by_an_observer_that_has_not_paused(rich):
    gateway = await rich.gateway()
    usage = await gateway.chat("cus_a", tokens())
    await gateway.give_back(usage.hold_id, is_final=True)
    expiry = PatientExpiry(rich.store, rich.clock, ttl_seconds=TTL_SECONDS, patience_seconds=60)
    rich.clock.advance(TTL_SECONDS + 1)
    assert await expiry.look() == 0
    rich.clock.advance(61)
    assert await expiry.look() == 0  # it was away for too long to have seen anything
    for _ in range(2):
        rich.clock.advance(30)
        released = await expiry.look()
    assert released == 1
    assert (await rich.balances("cus_a")).held_nanos == 0


async def test_a_lease_without_a_living_owner_expires(rich):
    gateway = await rich.gateway()
    answer = await gateway.acquire("cus_a", needed=1000)
    await rich.store.write(lambda tx: tx.nodes.close("m-g0", 1))
    report = await verify(rich.store, rich.spools, rich.clock)
    assert [b.check for b in report.breaches] == ["leases"]
    assert await expire_holds(rich.store, rich.clock, ttl_seconds=TTL_SECONDS) == 0
    rich.clock.advance(TTL_SECONDS + 1)
    assert await expire_holds(rich.store, rich.clock, ttl_seconds=TTL_SECONDS) == 1
    assert (await rich.hold(answer.hold_id)).closed_at is not None
    gateway.kill()
    await clean(rich)


def node(number: int = 1, **changes) -> Node:
    values = {"id": f"m-g{number}", "incarnation": 1, "machine": "m", "role": "gateway", "beat": 1, "beat_at": 0.0}
    return Node(**{**values, "posted_seq": 0, "is_alive": True, **changes})


def silent_after(
    observer: NodeObserver, clock: ManualClock, nodes, *, step: float = 1.0, most: int = 100
) -> int | None:
    for turn in range(most):
        if observer.observe(nodes):
            return turn
        clock.advance(step)
    return None


def test_a_node_is_dead_after_fifteen_seconds_of_observed_silence():
    clock = ManualClock()
    assert silent_after(NodeObserver(clock), clock, [node()]) == 15
    assert silent_after(NodeObserver(clock), clock, [node()], step=0.5) == 30
    assert silent_after(NodeObserver(clock), clock, [node()], step=2.5) == 14
    assert silent_after(NodeObserver(clock), clock, [node(is_alive=False)]) is None


def test_a_pause_of_the_observer_is_no_silence_of_the_node():
    clock = ManualClock()
    observer = NodeObserver(clock)
    assert silent_after(observer, clock, [node()], most=14) is None
    clock.advance(60)
    assert silent_after(observer, clock, [node()]) == 15
    assert silent_after(NodeObserver(clock), clock, [node()], step=3.5) is None


def test_wall_time_decides_nothing():
    clock = ManualClock()
    observer = NodeObserver(clock)
    observer.observe([node()])
    clock.jump(86_400)
    assert observer.observe([node(beat_at=-1e9)]) == []


def test_a_beat_and_a_new_life_start_the_count_again():
    clock = ManualClock()
    observer = NodeObserver(clock)
    for change in ({"beat": 2}, {"incarnation": 3}):
        assert silent_after(observer, clock, [node()], most=15) is None
        assert observer.observe([node(**change)]) == []
        clock.advance(1)
    living, dead = node(1, beat=5), node(2)
    for beat_number in range(15):
        assert observer.observe([node(1, beat=beat_number + 10), dead]) == []
        clock.advance(1)
    assert observer.observe([living, dead]) == [dead]
