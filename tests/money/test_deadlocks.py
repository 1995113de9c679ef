"""Units of work that meet on the same rows lock them in one order: PostgreSQL never finds a deadlock."""

import asyncio
import random
from collections.abc import AsyncGenerator

import pytest
from tests.support.money import FlakyStore, Gateway, World, make_record, tokens

from yuanjing.adapters.memory.spool import MemorySpoolFolder
from yuanjing.adapters.sql import open_store, postgres
from yuanjing.domain.holds import LeasePolicy
from yuanjing.domain.idempotency import Claim, KeptAnswer
from yuanjing.domain.identity import BudgetPeriod
from yuanjing.domain.usage import UsageRecord
from yuanjing.kit.clock import SystemClock
from yuanjing.usecases.idempotency import claim_chats, keep_answers
from yuanjing.usecases.nodes import find_reader, take_over
from yuanjing.usecases.posting import UsagePoster
from yuanjing.usecases.verify import verify

CUSTOMERS = tuple(f"cus_{n:02}" for n in range(8))
BUDGETS = {f"key_{c}_{n}": (c, 10**9, BudgetPeriod.TOTAL) for c in CUSTOMERS for n in range(6)}


@pytest.fixture
async def world(postgres_url: str) -> AsyncGenerator[World]:
    clock = SystemClock()
    store = await open_store(postgres_url, clock=clock)
    policy = LeasePolicy(share_percent=10)
    world = World(store=FlakyStore(store), spools=MemorySpoolFolder(), clock=clock, policy=policy)
    await world.prepare(*CUSTOMERS, budgets=BUDGETS)
    yield world
    await store.close()


@pytest.fixture
def conflicts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The states of all failures that PostgreSQL has reported."""
    seen: list[str] = []
    may_repeat = postgres.may_repeat

    def note(error: Exception) -> bool:
        seen.append(str(getattr(getattr(error, "orig", error), "sqlstate", repr(error))))
        return may_repeat(error)

    monkeypatch.setattr(postgres, "may_repeat", note)
    return seen


async def at_once(*coroutines) -> None:
    async with asyncio.TaskGroup() as group:
        for coroutine in coroutines:
            group.create_task(coroutine)


async def test_two_nodes_that_recall_each_other_and_themselves(world, conflicts):
    both = await world.gateway("m-a"), await world.gateway("m-b")
    for customer in CUSTOMERS:
        await world.grant(customer, 1_000_000)
        for n in range(3):
            for offset, gateway in zip((0, 3), both, strict=True):
                await gateway.acquire(customer, needed=160_000, budget_key_id=f"key_{customer}_{n + offset}")
        await at_once(
            *(
                gateway.acquire(customer, needed=500_000, budget_key_id=f"key_{customer}_{n}")
                for n, gateway in zip((0, 3), both, strict=True)
            )
        )
    assert conflicts == []


async def test_answers_that_are_kept_beside_keys_that_are_claimed_again(world, conflicts):
    """Whole answers and broken ones in turn, since they are written by different statements."""
    digests = [b"%03d" % n for n in range(60)]
    owner = ("m-a", 1)

    def claims(words: str) -> list[Claim]:
        return [Claim(key_id="key_a", digest=d, content=b"", usage_id=f"{words} {d.decode()}") for d in digests]

    async def keep(records: list[UsageRecord]) -> None:
        await world.store.write(lambda tx: keep_answers(tx, records, 2.0))

    async def claim(words: str) -> None:
        await world.store.write(lambda tx: claim_chats(tx, claims(words), owner, 3.0))

    for number in range(6):
        kept = [KeptAnswer(digest=digest, is_whole=n % 2 == 1) for n, digest in enumerate(digests)]
        first = claims(f"first {number}")
        records = [make_record(id=c.usage_id, key_id=c.key_id, kept=k) for c, k in zip(first, kept, strict=True)]
        await claim(f"first {number}")
        await at_once(keep(records), claim("second"), claim("third"))
        await world.store.write(lambda tx: tx.idempotency.prune(10.0, 1000))
    assert conflicts == []


@pytest.mark.parametrize("has_budget", [False, True])
async def test_a_take_over_beside_posting_and_leasing(world, conflicts, has_budget):
    choose = random.Random(5)  # noqa: S311  # a repeatable choice, no secret
    keys = {customer: f"key_{customer}_0" if has_budget else None for customer in CUSTOMERS}
    for customer in CUSTOMERS:
        await world.grant(customer, 10**9)
    other = await world.gateway("m-b")
    poster = UsagePoster(world.store, world.clock, batch_rows=2000)

    async def use(gateway: Gateway, *, is_whole: bool) -> None:
        for customer, key in keys.items():
            answer = await gateway.acquire(customer, needed=100_000, budget_key_id=key)
            gateway.finish(gateway.admit(answer.hold_id, 50_000), tokens(1, 1))
            if not is_whole:
                gateway.mark(gateway.admit(answer.hold_id, 40_000), tokens(1, 1))

    async def post() -> None:
        await asyncio.sleep(choose.random() * 0.03)
        await poster.post(world.reader(other))

    async def lease() -> None:
        for customer, key in keys.items():
            await other.acquire(customer, needed=100_000, budget_key_id=key)

    for _ in range(4):
        dying = await world.gateway("m-a")
        await use(dying, is_whole=False)
        await use(other, is_whole=True)
        dying.kill()
        life = {"node_id": dying.node.id, "incarnation": dying.node.incarnation}
        reader = find_reader(world.spools, *life.values())
        await at_once(take_over(world.store, world.clock, reader=reader, **life), post(), lease())
    assert conflicts == []
    assert (await verify(world.store, world.spools, world.clock)).breaches == []
