"""Answers that are kept for retries: posted with their charges, never without, also of processes that died."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.money import World, make_record, tokens

from yuanjing.adapters.spool import SqliteSpoolFolder, reader
from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.domain.idempotency import Claim, IdempotentRequest, KeptAnswer, Standing
from yuanjing.domain.usage import UsageRecord, UsageStatus
from yuanjing.usecases.idempotency import claim_chats
from yuanjing.usecases.nodes import take_over
from yuanjing.usecases.posting import UsagePoster
from yuanjing.usecases.verify import verify

WHOLE = KeptAnswer(digest=b"d", is_whole=True, body=b"the answer", clamped_to=7)
CUT = KeptAnswer(digest=b"d")


@pytest.fixture
async def rich(world: World) -> World:
    await world.prepare("cus_a")
    await world.grant("cus_a", 10**9)
    return world


async def claim(world: World, record: UsageRecord, owner: tuple[str, int], usage_id: str = "") -> Standing:
    wanted = Claim(key_id=record.key_id, digest=b"d", content=b"c", usage_id=usage_id or record.id)
    (found,) = await world.store.write(lambda tx: claim_chats(tx, [wanted], owner, 1.0))
    return found.standing


async def row(world: World, record: UsageRecord) -> IdempotentRequest | None:
    return await world.store.read(lambda tx: tx.idempotency.get(record.key_id, b"d"))


async def spooled(world: World, kept: KeptAnswer, *, is_watermark: bool = False):
    """A gateway with one request that named itself, in its spool."""
    gateway = await world.gateway()
    answer = await gateway.acquire("cus_a", needed=10**6)
    request = gateway.admit(answer.hold_id, 10**6)
    record = replace(gateway.record(request, tokens(10, 5)), kept=kept)
    assert await claim(world, record, (gateway.node.id, gateway.node.incarnation)) is Standing.NEW
    gateway.spool.append([] if is_watermark else [record], [record] if is_watermark else [])
    return gateway, record


async def test_an_answer_comes_with_its_charge(rich: World):
    gateway, record = await spooled(rich, WHOLE)
    before = await row(rich, record)
    assert before is not None
    assert not before.is_done
    assert await UsagePoster(rich.store, rich.clock, batch_rows=100).post(rich.reader(gateway)) == 1
    after = await row(rich, record)
    assert after is not None
    assert (after.is_done, after.answer, after.clamped_to, after.usage_id) == (True, b"the answer", 7, record.id)
    assert after.changed_at == rich.clock.unix()
    assert (await rich.usages())[record.id].record.charge_nanos == record.charge_nanos > 0
    assert (await verify(rich.store, rich.spools, rich.clock)).breaches == []


async def test_neither_comes_if_the_transaction_fails(rich: World):
    gateway, record = await spooled(rich, WHOLE)
    rich.store.fail_before = 1  # type: ignore[attr-defined]
    poster = UsagePoster(rich.store, rich.clock, batch_rows=100)
    with pytest.raises(StoreUnavailableError):
        await poster.post(rich.reader(gateway))
    found = await row(rich, record)
    assert found is not None
    assert (found.is_done, await rich.usages()) == (False, {})


@pytest.mark.parametrize("status", [UsageStatus.UPSTREAM_BROKE, UsageStatus.CLIENT_GONE])
async def test_what_broke_frees_its_key_with_its_charge(rich: World, status: UsageStatus):
    gateway, record = await spooled(rich, replace(CUT))
    record.status = status
    await UsagePoster(rich.store, rich.clock, batch_rows=100).post(rich.reader(gateway))
    assert await row(rich, record) is None
    assert record.id in await rich.usages()


@pytest.mark.parametrize("is_watermark", [False, True], ids=["whole", "running"])
async def test_a_dead_process_leaves_its_answer_or_a_free_key(rich: World, *, is_watermark: bool):
    gateway, record = await spooled(rich, CUT if is_watermark else WHOLE, is_watermark=is_watermark)
    gateway.kill()
    owner = (gateway.node.id, gateway.node.incarnation)
    assert await claim(rich, record, ("other", 1), "later") is Standing.RUNNING
    assert await take_over(rich.store, rich.clock, node_id=owner[0], incarnation=owner[1], reader=rich.reader(gateway))
    assert (await rich.usages())[record.id].record.charge_nanos > 0
    expected = Standing.NEW if is_watermark else Standing.DONE
    assert await claim(rich, record, ("other", 1), "later") is expected


async def test_a_dead_process_that_spooled_nothing_leaves_a_free_key(rich: World):
    gateway = await rich.gateway()
    record = make_record(id="u" * 21)
    owner = (gateway.node.id, gateway.node.incarnation)
    assert await claim(rich, record, owner) is Standing.NEW
    gateway.kill()
    assert await claim(rich, record, ("other", 1), "later") is Standing.RUNNING
    await take_over(rich.store, rich.clock, node_id=owner[0], incarnation=owner[1], reader=rich.reader(gateway))
    assert await claim(rich, record, ("other", 1), "later") is Standing.NEW


async def test_large_answers_are_posted_in_small_batches_and_none_is_left(
    rich: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Whoever takes over must not believe that a batch that was cut short is the end."""
    monkeypatch.setattr(reader, "_AFTER_BYTES_MAX", 3000)
    rich.spools = SqliteSpoolFolder(tmp_path / "spool", sync="normal", rows_max=1000, size_max_bytes=2**30)  # type: ignore[assignment]
    gateway = await rich.gateway()
    answer = await gateway.acquire("cus_a", needed=10**7)
    large = KeptAnswer(digest=b"d", is_whole=True, body=b"x" * 1000)
    records = [
        replace(gateway.record(gateway.admit(answer.hold_id, 10**5), tokens(10, 5)), kept=large) for _ in range(20)
    ]
    gateway.spool.append(records, [])
    its = rich.reader(gateway)
    assert [len(its.after(seq, 100)) for seq in (0, 18, 20)] == [3, 2, 0]
    assert await UsagePoster(rich.store, rich.clock, batch_rows=100).post(its) == 3
    gateway.spool.close()
    gateway.kill()
    node = gateway.node
    assert await take_over(rich.store, rich.clock, node_id=node.id, incarnation=node.incarnation, reader=its)
    assert set(await rich.usages()) == {record.id for record in records}
    its.close()
