import asyncio

import pytest

from yuanjing.adapters.memory import MemoryStore
from yuanjing.domain.errors import AlreadyExistsError, StoreUnavailableError
from yuanjing.domain.identity import Customer
from yuanjing.kit.clock import ManualClock
from yuanjing.worker.video.writes import Writes


class SlowStore(MemoryStore):
    """Writes wait for the gate; `fail_next` queues errors of the store itself."""

    def __init__(self) -> None:
        super().__init__(clock=ManualClock())
        self.gate = asyncio.Event()
        self.began = 0
        self.fail_next: list[Exception] = []

    async def write(self, work):
        self.began += 1
        await self.gate.wait()
        if self.fail_next:
            raise self.fail_next.pop(0)
        return await super().write(work)


@pytest.fixture
async def store():
    return SlowStore()


@pytest.fixture
async def writes(store):
    async with asyncio.TaskGroup() as group:
        yield Writes(store, group.create_task)


def adding(number: int):
    def work(tx) -> int:
        tx.customers.add(Customer(id=f"cus_{number}", mobile=f"+86138{number:08d}", name="", created_at=0.0))
        return number

    return work


async def customers(store) -> list[str]:
    return sorted(one.id for one in await store.read(lambda tx: tx.customers.list(after=None, limit=1000)))


async def under_way(writes, *works):
    """The first is being written, the others wait."""
    tasks = [asyncio.ensure_future(writes.write(work)) for work in works]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_what_comes_while_another_is_written_is_written_together(store, writes):
    tasks = await under_way(writes, *(adding(number) for number in range(100)))
    assert store.began == 1
    store.gate.set()
    assert await asyncio.gather(*tasks) == list(range(100))  # noqa: TID251  # results in order
    assert store.began == 2  # all had come before the first began
    assert len(await customers(store)) == 100
    assert await writes.write(adding(100)) == 100


async def test_each_fails_by_its_own_fault(store, writes):
    tasks = await under_way(writes, adding(1), adding(2), adding(2), adding(3))
    store.gate.set()
    await asyncio.wait(tasks)
    assert [type(task.exception()) for task in tasks] == [type(None), type(None), AlreadyExistsError, type(None)]
    assert await customers(store) == ["cus_1", "cus_2", "cus_3"]


async def test_a_store_that_is_away_is_told_to_all(store, writes):
    store.fail_next = [StoreUnavailableError("down")]
    tasks = await under_way(writes, adding(1), adding(2))
    store.gate.set()
    await asyncio.wait(tasks)
    assert [type(task.exception()) for task in tasks] == [StoreUnavailableError] * 2
    assert (store.began, await customers(store)) == (1, [])
    assert await writes.write(adding(1)) == 1


async def test_what_is_cancelled_before_its_turn_is_not_done(store, writes):
    (first,) = await under_way(writes, adding(1))
    second, third = await under_way(writes, adding(2), adding(3))
    second.cancel()
    store.gate.set()
    await asyncio.wait([first, second, third])
    assert second.cancelled()
    assert await customers(store) == ["cus_1", "cus_3"]


async def test_what_is_cancelled_in_its_turn_is_done_and_holds_up_nobody(store, writes):
    first, second = await under_way(writes, adding(1), adding(2))
    first.cancel()
    store.gate.set()
    await asyncio.wait([first, second])
    assert (first.cancelled(), second.result()) == (True, 2)
    assert await customers(store) == ["cus_1", "cus_2"]


async def test_all_are_cancelled_with_the_writer(store):
    writers: list[asyncio.Task[None]] = []
    writes = Writes(store, lambda work: writers.append(asyncio.ensure_future(work)))
    (first,) = await under_way(writes, adding(1))
    (second,) = await under_way(writes, adding(2))
    writers[0].cancel()
    await asyncio.wait([first, second])
    assert (first.cancelled(), second.cancelled(), await customers(store)) == (True, True, [])
